"""Scaled dot-product attention, computed without the matrix of scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.arguments import number
from fnet.errors import DtypeError, ShapeError, StructureError
from fnet.ops.arithmetic import logical_and, multiply, where
from fnet.ops.linalg import einsum, precision_of
from fnet.ops.nn import dropout, softmax
from fnet.ops.promotion import lift, promote
from fnet.ops.shape import reshape
from fnet.spec import ArraySpec
from fnet.transforms.linear_maps import zeros_like
from fnet.transforms.operand import beside
from fnet.transforms.primitive import Primitive, spec_of
from fnet.transforms.vjp import pullback


def _abstract(q: ArraySpec, k: ArraySpec, v: ArraySpec, *more: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
    batch, queries, heads, _ = q.shape
    return ArraySpec((batch, queries, heads, v.shape[3]), q.dtype), ArraySpec((batch, heads, queries), q.dtype)


def _vjp_abstract(q: ArraySpec, k: ArraySpec, v: ArraySpec, *more: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
    return tuple(ArraySpec(x.shape, x.dtype) for x in (q, k, v))


def _vjp(g: Any, outputs: Any, q: Any, k: Any, v: Any, *more: Any, **params: Any) -> tuple[Any, ...]:
    pulled = _attention_vjp(q, k, v, *more, *outputs, g[0], **params)
    return (*pulled, *(None for _ in more))


def _vjp_vjp(h: Any, outputs: Any, q: Any, k: Any, v: Any, *more: Any, **params: Any) -> tuple[Any, ...]:
    """Second order, through the matrix of weights; the output and the log-sum-exp are functions of q, k and v."""
    *extra, _, _, g = more
    params.pop("precision", None)

    def first_order(q: Any, k: Any, v: Any, g: Any) -> Any:
        return pullback(lambda *qkv: _materialized(*qkv, *extra, **params), q, k, v)[1](g)

    given = tuple(zeros_like(x) if t is None else t for t, x in zip(h, (q, k, v), strict=True))
    dq, dk, dv, dg = pullback(first_order, q, k, v, g)[1](given)
    return (dq, dk, dv, *(None for _ in extra), None, None, dg)


_attention = Primitive("attention", _abstract, lowered="attention", vjp=_vjp, multiple=True)
_attention_vjp = Primitive("attention_vjp", _vjp_abstract, lowered="attention", vjp=_vjp_vjp, multiple=True)


def _materialized(q: Any, k: Any, v: Any, *more: Any, scale: float, causal: bool, rate: float, masked: bool) -> Any:
    """The same values from plain operations, of which every derivative exists."""
    (batch, queries, heads, _), keys = q.shape, k.shape[1]
    visible: Any = beside(np.tri(queries, keys, dtype=bool) if causal else np.ones((queries, keys), bool), q)
    if masked:
        visible = logical_and(more[0], visible)
    scores = multiply(einsum("bthd,bshd->bhts", q, k), scale)
    weights = softmax(where(visible, scores, -math.inf))
    if rate:
        # The kernel counts keys up to a multiple of four.
        kept = dropout(beside(np.ones((batch, heads, queries, -(-keys // 4) * 4), q.dtype), q), more[-1], rate)
        weights = multiply(weights, kept[..., :keys])
    return einsum("bhts,bshe->bthe", weights, v)


def dot_product_attention(
    q: Any,
    k: Any,
    v: Any,
    mask: Any = None,
    *,
    scale: float | None = None,
    causal: bool = False,
    rate: float = 0.0,
    key: Any = None,
) -> Any:
    """``sum over s of w[t, s] v[s]`` with ``w[t] = softmax over s of scale q[t] . k[s]``, for every head.

    q: (B, T, H, D), k: (B, S, H, D), v: (B, S, H, E) -> (B, T, H, E).
    mask: booleans that broadcast to (B, H, T, S), true where query t sees key s; with `causal` it sees those with
    s <= t only. A query that sees no key gives zeros. scale: ``1 / sqrt(D)`` by default.
    rate: the fraction of weights that dropout zeroes, as a function of `key`; it is 0 for none.
    Raises `ShapeError` where sizes do not fit, `DtypeError` for a mask that is not boolean.
    Source: A. Vaswani et al., Attention is all you need, 2017 (``keras.ops.dot_product_attention``).

    >>> import numpy as np
    >>> q, k, v = np.zeros((1, 2, 1, 4)), np.zeros((1, 3, 1, 4)), np.array([1.0, 2.0, 6.0]).reshape(1, 3, 1, 1)
    >>> dot_product_attention(q, k, v).ravel()
    array([3., 3.])
    >>> dot_product_attention(q, k, v, causal=True).ravel()
    array([1. , 1.5])
    """
    q, k, v = promote(q, k, v, floating=True)
    _check_shapes(q.shape, k.shape, v.shape)
    number("attention", "rate", rate, "[0, 1]", "{argument} is the fraction dropped, expected {range}")
    if rate and key is None:
        raise StructureError("attention: dropout needs a key: dot_product_attention(..., rate=0.1, key=key).")
    (batch, queries, heads, depth), keys = q.shape, k.shape[1]
    more = [] if mask is None else [_four_axes(lift(mask), (batch, heads, queries, keys))]
    more += [key] if rate else []
    scale = 1 / math.sqrt(max(depth, 1)) if scale is None else float(scale)
    params = {"scale": scale, "causal": bool(causal), "rate": float(rate), "masked": mask is not None}
    return _attention(q, k, v, *more, **params, **precision_of(q))[0]


def _check_shapes(q: tuple[int, ...], k: tuple[int, ...], v: tuple[int, ...]) -> None:
    right = len(q) == len(k) == len(v) == 4 and k[:3] == v[:3]
    if not (right and (q[0], q[2], q[3]) == (k[0], k[2], k[3])):
        raise ShapeError(f"attention: expected q (B, T, H, D), k (B, S, H, D), v (B, S, H, E), received {q}, {k}, {v}.")


def _four_axes(mask: Any, shape: tuple[int, int, int, int]) -> Any:
    """The mask with four axes, each of size 1 or that of `shape`."""
    if mask.dtype.kind != "b":
        raise DtypeError(f"attention: the mask is boolean, true where a query sees a key, received {spec_of(mask)}.")
    full = (1,) * (4 - mask.ndim) + mask.shape
    if mask.ndim > 4 or any(n not in (1, m) for n, m in zip(full, shape, strict=True)):
        raise ShapeError(f"attention: the mask must broadcast to (B, H, T, S) = {shape}, received {mask.shape}.")
    return reshape(mask, full)
