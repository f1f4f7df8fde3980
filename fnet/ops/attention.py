"""Scaled dot-product attention, computed without the matrix of scores."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.ops.arithmetic import logical_and, multiply, where
from fnet.ops.linalg import einsum, precision_of
from fnet.ops.nn import dropout, softmax
from fnet.ops.promotion import lift, promote
from fnet.ops.shape import reshape
from fnet.spec import ArraySpec
from fnet.transforms.linear_maps import zeros_like
from fnet.transforms.primitive import Primitive, spec_of
from fnet.transforms.vjp import pullback

SMALLEST = 64  # queries and keys from which on products gain by pairs of bfloat16


def _abstract(q: ArraySpec, k: ArraySpec, v: ArraySpec, *more: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
    batch, queries, heads, _ = q.shape
    return ArraySpec((batch, queries, heads, v.shape[3]), q.dtype), ArraySpec((batch, heads, queries), q.dtype)


def _vjp_abstract(q: ArraySpec, k: ArraySpec, v: ArraySpec, *more: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
    return tuple(ArraySpec(x.shape, x.dtype) for x in (q, k, v))


def _lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any) -> None:
    from fnet.kernels.cpu import attention_operands as sizes
    from fnet.kernels.cpu.attention import attention

    arguments, layout = _arguments(emit, inputs, **params)
    slot = sizes.forward_slot(layout[sizes.QUERIES], layout[sizes.KEYS], layout[sizes.DEPTH], inputs[0].dtype)
    _emit_tasks(emit, attention, [*arguments, *outputs], layout, slot, inputs[0].dtype, precision, backward=False)


def _vjp_lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any) -> None:
    from fnet.kernels.cpu import attention_operands as sizes
    from fnet.kernels.cpu.attention import attention_vjp

    *forward, o, logsum, g = inputs
    arguments, layout = _arguments(emit, forward, **params)
    slot = sizes.backward_slot(layout[sizes.DEPTH], layout[sizes.VALUE_DEPTH], g.dtype)
    rest = [contiguous(x, emit) for x in (o, logsum, g)]
    _emit_tasks(emit, attention_vjp, [*arguments, *rest, *outputs], layout, slot, g.dtype, precision, backward=True)


def _arguments(
    emit: Emitter, inputs: list[Ref], *, scale: float, causal: bool, rate: float, masked: bool
) -> tuple[list[Ref], list[int]]:
    """What both kernels take first, and their `layout` but for the number of tasks and their scratch memory."""
    q, k, v = (x if x.strides[3] == 1 and not x.backwards else contiguous(x, emit) for x in inputs[:3])
    (batch, queries, heads, depth), keys, value_depth = q.shape, k.shape[1], v.shape[3]
    nothing = emit.constant(np.zeros(1, bool))
    mask = contiguous(inputs[3], emit) if masked else nothing
    steps = mask.broadcast((batch, heads, queries, keys)).strides if masked else (0, 0, 0, 0)
    key = contiguous(inputs[-1], emit) if rate else emit.constant(np.zeros(2, np.uint32))
    numbers = emit.constant(np.array([scale * math.log2(math.e), scale, rate, math.log2(math.e)], q.dtype))
    layout = [batch, heads, queries, keys, depth, value_depth, int(causal), int(masked), int(rate > 0), 0, 0]
    for x in (q, k, v):
        layout += x.strides[:3]
    return [q, k, v, mask, key, numbers], [*layout, *steps]


def _emit_tasks(
    emit: Emitter, kernel: Any, refs: list[Ref], layout: list[int], slot: int, dtype: np.dtype, precision: str,
    *, backward: bool,
) -> None:  # fmt: skip
    from fnet.kernels.cpu import attention_operands as sizes
    from fnet.kernels.cpu.operands import PAIRS
    from fnet.kernels.cpu.runtime.ways import takes_pairs

    if _takes_tiles(layout, precision):
        _emit_tiles(emit, refs, layout, precision, backward=backward)
        return
    width = sizes.panel_width(dtype)
    count = layout[sizes.BATCH] * layout[sizes.HEADS] * -(-layout[sizes.QUERIES] // width)
    tasks = layout[sizes.TASKS] = max(1, min(count, sizes.MAX_TASKS))
    layout[sizes.SLOT] = slot
    gains = min(layout[sizes.QUERIES], layout[sizes.KEYS]) >= SMALLEST
    operands = PAIRS if gains and takes_pairs(precision) else dtype
    layout += [sizes.shared_words(layout, operands, backward), sizes.own_words(layout, operands)]
    words = emit.scratch(layout[sizes.SHARED_WORDS] + tasks * layout[sizes.OWN_WORDS], operands)
    emit.call(kernel, *refs, emit.scratch(tasks * slot, dtype), words, emit.constant(np.array(layout, np.int64)))


def _takes_tiles(layout: list[int], precision: str) -> bool:
    """Whether to compute with AMX tiles, which many queries and keys of depths of use fill."""
    from fnet.kernels.cpu import attention_operands as sizes
    from fnet.kernels.cpu.runtime.ways import takes_tiles
    from fnet.kernels.cpu.vector.tile_operands import share

    queries, keys = layout[sizes.QUERIES], layout[sizes.KEYS]
    filled = min(share(keys, queries, layout[size]) for size in (sizes.DEPTH, sizes.VALUE_DEPTH))
    return min(queries, keys) >= SMALLEST and takes_tiles(precision, filled)


def _emit_tiles(emit: Emitter, refs: list[Ref], layout: list[int], precision: str, *, backward: bool) -> None:
    from fnet.kernels.cpu import attention_operands as sizes
    from fnet.kernels.cpu import attention_tiles
    from fnet.kernels.cpu.vector import amx

    products, (keys, depth, value_depth) = 1 if precision == "medium" else 3, layout[sizes.KEYS : sizes.CAUSAL]
    heads, panels = layout[sizes.BATCH] * layout[sizes.HEADS], -(-layout[sizes.QUERIES] // sizes.panel_width("float32"))
    tasks = layout[sizes.TASKS] = max(1, min(heads if backward else heads * panels, sizes.MAX_TASKS))
    layout[sizes.SLOT] = attention_tiles.slot_size(depth, value_depth)
    shared = attention_tiles.head_words(keys, depth, value_depth, products, backward=backward)
    layout += [shared, attention_tiles.task_words(depth, value_depth, products)]
    words = emit.scratch(heads * shared + tasks * layout[sizes.OWN_WORDS], np.dtype("uint32"))
    scratch = emit.scratch(tasks * layout[sizes.SLOT], np.dtype("float32"))
    kernel = attention_tiles.attention_vjp_tiles if backward else attention_tiles.attention_tiles
    constants = [emit.constant(amx.state(tasks)), emit.constant(np.array(layout, np.int64))]
    emit.call(kernel, *refs, scratch, words, *constants, products)


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


_attention = Primitive("attention", _abstract, lower=_lower, vjp=_vjp, multiple=True, strided=True)
_attention_vjp = Primitive("attention_vjp", _vjp_abstract, lower=_vjp_lower, vjp=_vjp_vjp, multiple=True, strided=True)


def _materialized(q: Any, k: Any, v: Any, *more: Any, scale: float, causal: bool, rate: float, masked: bool) -> Any:
    """The same values from plain operations, of which every derivative exists."""
    (batch, queries, heads, _), keys = spec_of(q).shape, spec_of(k).shape[1]
    visible: Any = np.tri(queries, keys, dtype=bool) if causal else np.ones((queries, keys), bool)
    if masked:
        visible = logical_and(more[0], visible)
    scores = multiply(einsum("bthd,bshd->bhts", q, k), scale)
    weights = softmax(where(visible, scores, -math.inf))
    if rate:
        # The kernel counts keys up to a multiple of four.
        kept = dropout(np.ones((batch, heads, queries, -(-keys // 4) * 4), spec_of(q).dtype), more[-1], rate)
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
    _check_shapes(spec_of(q).shape, spec_of(k).shape, spec_of(v).shape)
    if not 0 <= rate <= 1:
        raise ValueRangeError(f"attention: rate is the fraction dropped, expected 0 <= rate <= 1, received {rate}.")
    if rate and key is None:
        raise StructureError("attention: dropout needs a key: dot_product_attention(..., rate=0.1, key=key).")
    (batch, queries, heads, depth), keys = spec_of(q).shape, spec_of(k).shape[1]
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
    spec = spec_of(mask)
    if spec.dtype.kind != "b":
        raise DtypeError(f"attention: the mask is boolean, true where a query sees a key, received {spec}.")
    full = (1,) * (4 - spec.ndim) + spec.shape
    if spec.ndim > 4 or any(n not in (1, m) for n, m in zip(full, shape, strict=True)):
        raise ShapeError(f"attention: the mask must broadcast to (B, H, T, S) = {shape}, received {spec.shape}.")
    return reshape(mask, full)
