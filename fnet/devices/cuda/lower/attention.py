"""Attention: the kernels' layout, their tiles and grids.

| kernels | where |
|---|---|
| `attention_few` | outputs of up to `FEW` queries, in float32 |
| `attention_tensor` | float32 at "high" or "medium", `SMALLEST` queries, keys and columns or more |
| `attention_tiled` | float32 otherwise |
| `attention` | float64, and more than 128 columns |

The first three are made for up to 64 and for up to 128 columns of queries and of values. For gradients of keys and
values with dropout and more than 64 columns, tensor cores leave too few registers: those take `attention_tiled`.

A block has as many rows (queries, or keys in the gradients of keys and values) as its tile holds, or half or a quarter
of them where there would be fewer blocks than `ENOUGH`. Where there still are, the others are cut into parts of `PART`
or more, whose results a second stage puts together in their order. `attention_few` has a block for each query, and four
times as many blocks, with parts of a quarter. The choice depends on sizes only.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.cuda.grids import warps
from fnet.devices.cuda.lower.linalg import emit_sum_of_parts
from fnet.devices.cuda.tiling import ENOUGH, tiles
from fnet.devices.lowering import lowering
from fnet.kernels import cuda
from fnet.kernels.scalar.philox import ROUNDS

PART = 256  # keys or queries: a multiple of all tiles
MOST_PARTS = 64
FEW = 4
SMALLEST = 16  # a tile of tensor cores
MOST_BYTES = 96 << 10  # of shared memory, which cards of all capabilities from 8.0 on have


class Way(NamedTuple):
    """A kernel; x of its blocks, and y at most; rows for each y, 0 where a block has one row; shared bytes, by y."""

    kernel: Any
    across: int
    most: int
    each: int
    shared: Callable[[int], int]


def forward_way(layout: dict[str, int], dtype: np.dtype, precision: str) -> Way | None:
    """The tiles that outputs are computed in, None for none."""
    width, few = _width(layout, dtype), cuda.attention_few
    if width == 0:
        return None
    if layout["queries"] <= FEW:
        return Way(getattr(few, f"few_queries_{width}"), few.ACROSS, few.DOWN, 0, lambda down: 0)
    if _takes_tensors(layout, precision):
        tensor = cuda.attention_tensor
        shape = getattr(tensor, f"{precision}_{width}".upper())
        return _tensor_way(f"{precision}_{width}", lambda warps: tensor.shared_words(shape, warps, 1, 1, 1))
    tiled = cuda.attention_tiled
    shape = getattr(tiled, f"FORWARD_{width}")
    return _tiled_way(f"attention_{width}", shape, lambda down: tiled.forward_size(shape, down))


def back_way(layout: dict[str, int], dtype: np.dtype, precision: str, rows: str) -> Way | None:
    """The tiles that gradients are computed in, those of "queries", or those of "keys" and values; None for none."""
    width = _width(layout, dtype)
    if width == 0:
        return None
    too_wide = rows == "keys" and width == 128 and layout["dropped"] > 0
    if _takes_tensors(layout, precision) and not too_wide:
        tensor, name = cuda.attention_tensor, f"{precision}_of_{rows}_{width}"
        shape, others = getattr(tensor, name.upper()), (2, 1) if rows == "queries" else (2, 2)
        return _tensor_way(name, lambda warps: tensor.shared_words(shape, warps, 2, *others))
    tiled = cuda.attention_tiled
    shape = getattr(tiled, f"BACK_{width}")
    return _tiled_way(f"attention_of_{rows}_{width}", shape, lambda down: tiled.back_size(shape, down))


def _tiled_way(name: str, shape: tuple[int, int, int], elements: Callable[[int], int]) -> Way:
    tiled = cuda.attention_tiled
    most = tiled.THREADS // tiled.ACROSS
    return Way(getattr(tiled, name), tiled.ACROSS, most, shape[0], lambda down: 4 * elements(down))


def _tensor_way(name: str, words: Callable[[int], int]) -> Way:
    tensor = cuda.attention_tensor
    most = tensor.WARPS
    while 4 * words(most) > MOST_BYTES:
        most //= 2
    return Way(getattr(tensor, name), 32, most, tensor.ROWS, lambda warps: 4 * words(warps))


def _takes_tensors(layout: dict[str, int], precision: str) -> bool:
    sides = (layout[name] for name in ("queries", "keys", "depth", "value_depth"))
    return precision != "highest" and min(sides) >= SMALLEST


class Cut(NamedTuple):
    """How the rows of all heads are cut: blocks of them and their y, the others of a part, how many parts there are."""

    blocks: int
    down: int
    part: int
    parts: int


def cut(heads: int, rows: int, others: int, way: Way) -> Cut:
    """others: how many rows a block streams."""
    down = way.most
    if way.each == 0:
        blocks, enough, unit = heads * rows, 4 * ENOUGH, PART // 4
    else:
        while down > max(1, way.most // 4) and heads * tiles(rows, way.each * down) < ENOUGH:
            down //= 2
        blocks, enough, unit = heads * tiles(rows, way.each * down), ENOUGH, PART
    parts = max(1, min(tiles(enough, max(blocks, 1)), others // unit, MOST_PARTS))
    part = tiles(others, parts * unit) * unit if parts > 1 else max(others, 1)
    return Cut(blocks, down, part, tiles(max(others, 1), part))


@lowering(strided=True)
def attention(emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any) -> None:
    """Blocks are panels of queries."""
    arguments, layout = _arguments(emit, inputs, **params)
    o, logsum = outputs
    way = forward_way(layout, o.dtype, precision)
    if way is None:
        refs = [*arguments, *outputs, _places(emit, layout)]
        _call(emit, cuda.attention.attention, refs, layout, "queries", layout["value_depth"])
        return
    partial, parts = _emit_tiles(emit, way, arguments, outputs, layout, "queries", "keys")
    if parts > 1:
        merge = cuda.attention_parts.merge_parts[warps(logsum.size)]
        emit.call(merge, *partial, o, logsum, _places(emit, layout), parts)


@lowering(strided=True)
def attention_vjp(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], precision: str = "highest", **params: Any
) -> None:
    """The weights are computed again from the log-sum-exp, for panels of queries and for panels of keys."""
    *forward, o, logsum, g = inputs
    arguments, layout = _arguments(emit, forward, **params)
    o, logsum, g = (contiguous(x, emit) for x in (o, logsum, g))
    places, delta = _places(emit, layout), emit.scratch(logsum.size, g.dtype)
    if logsum.size:
        emit.call(cuda.attention.row_dots[warps(logsum.size)], g, o, delta, places)
    dq, dk, dv = outputs
    common = [*arguments, logsum, g, delta]
    for rows, others, results in (("queries", "keys", [dq]), ("keys", "queries", [dk, dv])):
        way = back_way(layout, g.dtype, precision, rows)
        if way is None:
            kernel, columns = getattr(cuda.attention, f"attention_of_{rows}"), max(x.shape[3] for x in results)
            _call(emit, kernel, [*common, *results, places], layout, rows, columns)
            continue
        partial, parts = _emit_tiles(emit, way, common, results, layout, rows, others)
        for part, total in zip(partial, results, strict=True):
            if parts > 1 and total.size:
                emit_sum_of_parts(emit, part, total, parts)


def _emit_tiles(
    emit: Emitter, way: Way, common: list[Ref], results: list[Ref], layout: dict[str, int], rows: str, others: str
) -> tuple[list[Ref], int]:
    """Emit a launch of tiles; gives where the results of its parts are, which are the results if there is one part."""
    found = cut(layout["batch"] * layout["heads"], layout[rows], layout[others], way)
    if found.parts > 1:
        results = [emit.scratch(found.parts * x.size, x.dtype) for x in results]
    if found.blocks:
        launch = way.kernel[(found.blocks, found.parts), (way.across, found.down), way.shared(found.down)]
        emit.call(launch, *common, *results, _places(emit, layout, found.part))
    return results, found.parts


def _arguments(
    emit: Emitter, inputs: list[Ref], *, scale: float, causal: bool, rate: float, masked: bool
) -> tuple[list[Ref], dict[str, int]]:
    """What the kernels take first, and their layout but for the length of a part."""
    q, k, v = (x if x.strides[3] == 1 and not x.backwards else contiguous(x, emit) for x in inputs[:3])
    (batch, queries, heads, depth), keys, value_depth = q.shape, k.shape[1], v.shape[3]
    mask = contiguous(inputs[3], emit) if masked else emit.constant(np.zeros(1, bool))
    steps = mask.broadcast((batch, heads, queries, keys)).strides if masked else (0, 0, 0, 0)
    key = contiguous(inputs[-1], emit) if rate else emit.constant(np.zeros(2, np.uint32))
    numbers = emit.constant(np.array([scale, rate], q.dtype))
    layout = {
        "batch": batch, "heads": heads, "queries": queries, "keys": keys, "depth": depth, "value_depth": value_depth,
        "causal": causal, "masked": masked, "dropped": ROUNDS if rate else 0,
    }  # fmt: skip
    for name, x in (("q", q), ("k", k), ("v", v)):
        layout |= zip((f"{name}_batch", f"{name}_time", f"{name}_head"), x.strides[:3], strict=True)
    layout |= zip(("mask_batch", "mask_head", "mask_query", "mask_key"), steps, strict=True)
    return [q, k, v, mask, key, numbers], layout


def _places(emit: Emitter, layout: dict[str, int], part: int = 0) -> Ref:
    return emit.constant(cuda.attention_operands.LAYOUT.array(**layout, part=part))


def _width(layout: dict[str, int], dtype: np.dtype) -> int:
    """The columns that kernels of tiles have, 0 where there are none."""
    depth = max(layout["depth"], layout["value_depth"])
    if dtype != np.float32 or depth > 128:
        return 0
    return 64 if depth <= 64 else 128


def _call(emit: Emitter, kernel: Any, refs: list[Ref], layout: dict[str, int], rows: str, columns: int) -> None:
    """A launch with a warp for each of these rows of every head, and a block for so many columns of results."""
    count, lanes, width = layout[rows], cuda.attention.LANES, cuda.attention.WIDTH
    many = max(1, min(count, cuda.attention.ROWS))
    blocks = layout["batch"] * layout["heads"] * tiles(count, many)
    if blocks:
        emit.call(kernel[(blocks, max(1, -(-columns // width))), (lanes, many)], *refs)
