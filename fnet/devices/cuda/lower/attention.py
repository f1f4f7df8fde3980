"""Attention: the kernels' layout and grids."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.cuda.grids import warps
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


@lowering(strided=True)
def attention(emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any) -> None:
    """Blocks are panels of queries."""
    arguments, layout = _arguments(emit, inputs, **params)
    places = emit.constant(cuda.attention.LAYOUT.array(**layout))
    _call(emit, cuda.attention.attention, [*arguments, *outputs, places], layout, "queries", layout["value_depth"])


@lowering(strided=True)
def attention_vjp(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any
) -> None:
    """The weights are computed again from the log-sum-exp, for panels of queries and for panels of keys."""
    *forward, o, logsum, g = inputs
    arguments, layout = _arguments(emit, forward, **params)
    o, logsum, g = (contiguous(x, emit) for x in (o, logsum, g))
    places, delta = emit.constant(cuda.attention.LAYOUT.array(**layout)), emit.scratch(logsum.size, g.dtype)
    if logsum.size:
        emit.call(cuda.attention.row_dots[warps(logsum.size)], g, o, delta, places)
    dq, dk, dv = outputs
    depth, value_depth = layout["depth"], layout["value_depth"]
    common = [*arguments, logsum, g, delta]
    _call(emit, cuda.attention.attention_of_queries, [*common, dq, places], layout, "queries", depth)
    columns = max(depth, value_depth)
    _call(emit, cuda.attention.attention_of_keys, [*common, dk, dv, places], layout, "keys", columns)


def _arguments(
    emit: Emitter, inputs: list[Ref], *, scale: float, causal: bool, rate: float, masked: bool
) -> tuple[list[Ref], dict[str, int]]:
    """What the kernels take first, and their layout."""
    q, k, v = (x if x.strides[3] == 1 and not x.backwards else contiguous(x, emit) for x in inputs[:3])
    (batch, queries, heads, depth), keys, value_depth = q.shape, k.shape[1], v.shape[3]
    mask = contiguous(inputs[3], emit) if masked else emit.constant(np.zeros(1, bool))
    steps = mask.broadcast((batch, heads, queries, keys)).strides if masked else (0, 0, 0, 0)
    key = contiguous(inputs[-1], emit) if rate else emit.constant(np.zeros(2, np.uint32))
    numbers = emit.constant(np.array([scale, rate], q.dtype))
    layout = {
        "batch": batch, "heads": heads, "queries": queries, "keys": keys, "depth": depth, "value_depth": value_depth,
        "causal": causal, "masked": masked, "dropped": rate > 0,
    }  # fmt: skip
    for name, x in (("q", q), ("k", k), ("v", v)):
        layout |= zip((f"{name}_batch", f"{name}_time", f"{name}_head"), x.strides[:3], strict=True)
    layout |= zip(("mask_batch", "mask_head", "mask_query", "mask_key"), steps, strict=True)
    return [q, k, v, mask, key, numbers], layout


def _call(emit: Emitter, kernel: Any, refs: list[Ref], layout: dict[str, int], rows: str, columns: int) -> None:
    """A launch with a warp for each of these rows of every head, and a block for so many columns of results."""
    count, lanes, width = layout[rows], cuda.attention.LANES, cuda.attention.WIDTH
    many = max(1, min(count, cuda.attention.ROWS))
    blocks = layout["batch"] * layout["heads"] * -(-count // many)
    if blocks:
        emit.call(kernel[(blocks, max(1, -(-columns // width))), (lanes, many)], *refs)
