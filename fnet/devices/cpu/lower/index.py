"""Indexing: kernel calls for gathers, and for sums of rows by position."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


@lowering()
def take(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axis: int) -> None:
    """Where a position is outside of the axis stands NaN, or 0 among integers."""
    (x, index), (y,) = inputs, outputs
    missing = emit.constant(np.full(1, np.nan if x.dtype.kind == "f" else 0, x.dtype))
    touched = 2 * y.size * y.dtype.itemsize + index.size * index.dtype.itemsize
    blocks = _blocks(x.shape, axis, index.size)
    emit.call(cpu.index.taking(blocks[-1], x.dtype.itemsize), x, index, missing, y, *blocks, touched=touched)


@lowering()
def scatter_add(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: tuple[int, ...], axis: int) -> None:
    """Sums in the order of the positions."""
    g, index = inputs
    emit.call(cpu.index.scatter_add, g, index, outputs[0], *_blocks(shape, axis, index.size))


def _blocks(shape: tuple[int, ...], axis: int, count: int) -> tuple[int, int, int, int]:
    """How often the axis comes, its size, how many positions, and how many elements lie side by side at each."""
    return math.prod(shape[:axis]), shape[axis], count, math.prod(shape[axis + 1 :])
