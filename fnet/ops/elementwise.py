"""Elementwise operations: how one is defined, and NumPy-style broadcasting of its derivative rules.

The derivative of an elementwise operation is diagonal, so one rule per operand, linear in its first argument
(`rule(g, y, *operands)` computes ``g * dy/doperand``), serves both the VJP and the JVP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.ops.shape import broadcast_to
from fnet.ops.summation import sum_to
from fnet.spec import ArraySpec, Unknown
from fnet.transforms.arithmetic import add as add_cotangents
from fnet.transforms.primitive import Primitive, spec_of

Rule = Callable[..., Any] | None
BOOL = np.dtype(bool)


def elementwise(name: str, template: str, *rules: Rule, dtype: np.dtype | None = None) -> Primitive:
    """A primitive computed by the scalar expression `template`; the result has the dtype of the last operand."""

    def abstract(*specs: ArraySpec) -> ArraySpec:
        return ArraySpec(broadcast_shapes(name, *(s.shape for s in specs)), dtype or specs[-1].dtype)

    def vjp(g: Any, y: Any, *operands: Any) -> tuple[Any, ...]:
        return tuple(
            sum_to(rule(g, y, *operands), spec_of(x).shape) if rule is not None and spec_of(x).differentiable else None
            for rule, x in zip(rules, operands, strict=True)
        )

    def jvp(tangents: tuple[Any, ...], y: Any, *operands: Any) -> Any:
        total = None
        for rule, t in zip(rules, tangents, strict=True):
            if t is not None and rule is not None:
                part = broadcast_to(rule(t, y, *operands), spec_of(y).shape)
                total = part if total is None else add_cotangents(total, part)
        return np.zeros(spec_of(y).shape, spec_of(y).dtype) if total is None else total

    differentiable = bool(rules)
    return Primitive(
        name, abstract, template=template, vjp=vjp if differentiable else None, jvp=jvp if differentiable else None
    )


def broadcast_shapes(name: str, *shapes: tuple[int, ...]) -> tuple[int, ...]:
    """The shape NumPy would broadcast to, or a `ShapeError` that shows the shapes."""
    first = shapes[0]
    if all(s == first for s in shapes):
        return first
    try:
        sizes = np.broadcast_shapes(*shapes)
    except ValueError:
        listed = " and ".join(map(str, shapes))
        raise ShapeError(
            f"{name} cannot combine shapes {listed}: expected equal sizes, or 1, on each axis counted from the last. "
            f"Reshape or transpose one of them."
        ) from None
    if any(s and type(s[0]) is Unknown for s in shapes):
        return tuple(
            next(s[-i] for s in shapes if len(s) >= i and s[-i] == sizes[-i]) for i in range(len(sizes), 0, -1)
        )
    return sizes
