"""Indexing: kernel calls for gathers, and for sums of rows by position."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import WARP, rows_grid, spread, warps
from fnet.devices.cuda.sorting import emit_sort
from fnet.devices.lowering import lowering
from fnet.kernels import cuda

COMPARED = 2048  # positions, at most, that are compared with each other: a sort takes four launches or more


@lowering()
def take(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axis: int) -> None:
    """Where a position is outside of the axis stands NaN, or 0 among integers."""
    (x, index), (y,) = inputs, outputs
    if y.size == 0:
        return
    missing = emit.constant(np.full(1, np.nan if x.dtype.kind == "f" else 0, x.dtype))
    touched = 2 * y.size * y.dtype.itemsize + index.size * index.dtype.itemsize
    outer, size, count, inner = _blocks(x.shape, axis, index.size)
    if inner < WARP:
        launch = cuda.index.take_numbers[spread(y.size)]
    else:
        launch = cuda.index.take_rows[rows_grid(outer * count, inner // 4)]
    emit.call(launch, x, index, missing, y, outer, size, count, inner, touched=touched)


@lowering()
def scatter_add(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: tuple[int, ...], axis: int) -> None:
    """Sums in the order of the positions: few are compared with each other, more are sorted by rows of the table."""
    (g, index), (y,) = inputs, outputs
    if y.size:
        emit.device.fill(y, 0, emit)
    if not g.size:
        return
    sizes = outer, size, count, inner = _blocks(shape, axis, index.size)
    grid, block = warps(outer * count)
    columns = -(-inner // cuda.sort.WIDTH)
    if count <= COMPARED:
        emit.call(cuda.index.scatter_add[(grid, columns), block], g, index, y, *sizes)
    else:
        keys, order = emit_sort(index, size, emit)
        emit.call(cuda.sort.sum_segments[(grid, columns), block], g, keys, order, y, *sizes)


def _blocks(shape: tuple[int, ...], axis: int, count: int) -> tuple[int, int, int, int]:
    """How often the axis comes, its size, how many positions, and how many elements lie side by side at each."""
    return math.prod(shape[:axis]), shape[axis], count, math.prod(shape[axis + 1 :])
