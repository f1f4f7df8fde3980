"""Attention: the kernels' layout, their tasks and memory, and the arithmetic of their products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.lowering import lowering
from fnet.kernels import cpu
from fnet.kernels.cpu import attention_operands as sizes
from fnet.kernels.cpu.operands import PAIRS
from fnet.kernels.cpu.runtime.ways import products_in_tiles, takes_pairs, takes_tiles
from fnet.kernels.cpu.vector import amx
from fnet.kernels.cpu.vector.tile_operands import share

SMALLEST = 64  # queries and keys from which on products gain by pairs of bfloat16


@lowering(strided=True)
def attention(emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any) -> None:
    """Tasks are panels of queries."""
    arguments, layout = _arguments(emit, inputs, **params)
    slot = sizes.forward_slot(layout["queries"], layout["keys"], layout["depth"], inputs[0].dtype)
    _emit_tasks(
        emit, cpu.attention.attention, [*arguments, *outputs], layout, slot, inputs[0].dtype, precision, backward=False
    )


@lowering(strided=True)
def attention_vjp(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any
) -> None:
    """The weights are computed again from the log-sum-exp."""
    *forward, o, logsum, g = inputs
    arguments, layout = _arguments(emit, forward, **params)
    slot = sizes.backward_slot(layout["depth"], layout["value_depth"], g.dtype)
    rest = [contiguous(x, emit) for x in (o, logsum, g)]
    kernel, arguments = cpu.attention.attention_vjp, [*arguments, *rest, *outputs]
    _emit_tasks(emit, kernel, arguments, layout, slot, g.dtype, precision, backward=True)


def _arguments(
    emit: Emitter, inputs: list[Ref], *, scale: float, causal: bool, rate: float, masked: bool
) -> tuple[list[Ref], dict[str, int]]:
    """What both kernels take first, and their layout but for the number of tasks and their scratch memory."""
    q, k, v = (x if x.strides[3] == 1 and not x.backwards else contiguous(x, emit) for x in inputs[:3])
    (batch, queries, heads, depth), keys, value_depth = q.shape, k.shape[1], v.shape[3]
    nothing = emit.constant(np.zeros(1, bool))
    mask = contiguous(inputs[3], emit) if masked else nothing
    steps = mask.broadcast((batch, heads, queries, keys)).strides if masked else (0, 0, 0, 0)
    key = contiguous(inputs[-1], emit) if rate else emit.constant(np.zeros(2, np.uint32))
    numbers = emit.constant(np.array([scale * math.log2(math.e), scale, rate, math.log2(math.e)], q.dtype))
    layout = {
        "batch": batch, "heads": heads, "queries": queries, "keys": keys, "depth": depth, "value_depth": value_depth,
        "causal": causal, "masked": masked, "dropped": rate > 0,
    }  # fmt: skip
    for name, x in (("q", q), ("k", k), ("v", v)):
        layout |= zip((f"{name}_batch", f"{name}_time", f"{name}_head"), x.strides[:3], strict=True)
    layout |= zip(("mask_batch", "mask_head", "mask_query", "mask_key"), steps, strict=True)
    return [q, k, v, mask, key, numbers], layout


def _emit_tasks(
    emit: Emitter, kernel: Any, refs: list[Ref], layout: dict[str, int], slot: int, dtype: np.dtype, precision: str,
    *, backward: bool,
) -> None:  # fmt: skip
    if _takes_tiles(layout, precision):
        _emit_tiles(emit, refs, layout, precision, backward=backward)
        return
    heads, queries = layout["batch"] * layout["heads"], layout["queries"]
    keys, depth, value_depth = layout["keys"], layout["depth"], layout["value_depth"]
    tasks = max(1, min(heads * -(-queries // sizes.panel_width(dtype)), sizes.MAX_TASKS))
    operands = PAIRS if min(queries, keys) >= SMALLEST and takes_pairs(precision) else dtype
    shared = sizes.shared_words(heads, keys, depth, value_depth, operands, backward=backward)
    own = sizes.own_words(depth, value_depth, operands)
    places = sizes.LAYOUT.array(**layout, tasks=tasks, slot=slot, shared_words=shared, own_words=own)
    words = emit.scratch(shared + tasks * own, operands)
    emit.call(kernel, *refs, emit.scratch(tasks * slot, dtype), words, emit.constant(places))


def _takes_tiles(layout: dict[str, int], precision: str) -> bool:
    """Whether to compute with AMX tiles, which many queries and keys of depths of use fill."""
    queries, keys = layout["queries"], layout["keys"]
    filled = min(share(keys, queries, layout[size]) for size in ("depth", "value_depth"))
    return min(queries, keys) >= SMALLEST and takes_tiles(precision, filled)


def _emit_tiles(emit: Emitter, refs: list[Ref], layout: dict[str, int], precision: str, *, backward: bool) -> None:
    tiles, products = cpu.attention_tiles, products_in_tiles(precision)
    keys, depth, value_depth = layout["keys"], layout["depth"], layout["value_depth"]
    heads, panels = layout["batch"] * layout["heads"], -(-layout["queries"] // sizes.panel_width("float32"))
    tasks = max(1, min(heads if backward else heads * panels, sizes.MAX_TASKS))
    slot = tiles.slot_size(depth, value_depth)
    shared = tiles.head_words(keys, depth, value_depth, products, backward=backward)
    own = tiles.task_words(depth, value_depth, products)
    places = sizes.LAYOUT.array(**layout, tasks=tasks, slot=slot, shared_words=shared, own_words=own)
    words = emit.scratch(heads * shared + tasks * own, np.dtype("uint32"))
    scratch = emit.scratch(tasks * slot, np.dtype("float32"))
    kernel = tiles.attention_vjp_tiles if backward else tiles.attention_tiles
    constants = [emit.constant(amx.state(tasks)), emit.constant(places)]
    emit.call(kernel, *refs, scratch, words, *constants, products)
