"""Bilinear maps with their two gradients: three primitives, each of which is differentiated by the other two."""

from __future__ import annotations

from typing import Any

from fnet.transforms.primitive import Primitive, Rule


def bilinear_trio(
    names: tuple[str, str, str], abstracts: tuple[Rule, Rule, Rule], lowered: str
) -> tuple[Primitive, Primitive, Primitive]:
    """The primitives ``f(x, w)``, ``f_x(g, w)`` and ``f_w(x, g)``, the gradients of ``<f(x, w), g>`` in g, x and w.

    That product is linear in x, w and g alike, so the three are closed under differentiation, of any order.
    """
    f, f_x, f_w = (Primitive(name, abstract, lowered=lowered) for name, abstract in zip(names, abstracts, strict=True))
    f.vjp = lambda g, y, x, w, **params: (f_x(g, w, **params), f_w(x, g, **params))
    f_x.vjp = lambda h, y, g, w, **params: (f(h, w, **params), f_w(h, g, **params))
    f_w.vjp = lambda h, y, x, g, **params: (f_x(g, h, **params), f(x, h, **params))
    for primitive in (f, f_x, f_w):
        primitive.jvp = _product_rule(primitive)
    return f, f_x, f_w


def _product_rule(primitive: Primitive) -> Rule:
    def jvp(tangents: tuple[Any, Any], y: Any, a: Any, b: Any, **params: Any) -> Any:
        ta, tb = tangents
        parts = [primitive(ta, b, **params)] if ta is not None else []
        parts += [primitive(a, tb, **params)] if tb is not None else []
        return parts[0] if len(parts) == 1 else parts[0] + parts[1]

    return jvp
