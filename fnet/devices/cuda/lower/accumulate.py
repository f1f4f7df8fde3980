"""Running sums along the last axis, and sums of weights by index."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import THREADS, WARP, warps
from fnet.devices.cuda.sorting import emit_sort
from fnet.devices.lowering import lowering
from fnet.kernels import cuda

COMPARED = 512  # weights, at most, that are compared with each number
FEW = 256  # numbers, at most, with which eight times as many weights are


@lowering()
def cumsum(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, reverse: bool) -> None:
    """Floats are added up in float64; the zero from which a sum begins says in which type."""
    *lead, columns = inputs[0].shape
    kind, rows = inputs[0].dtype, math.prod(lead)
    if rows * columns:
        zero = emit.constant(np.zeros(1, np.float64 if kind.kind == "f" else kind))
        launch = cuda.accumulate.cumsum[warps(rows)]
        emit.call(launch, inputs[0], zero, *outputs, rows, columns, int(reverse))


@lowering()
def bincount(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, length: int) -> None:
    """All of few weights are looked at for each number; more are sorted by their numbers."""
    (index, weights), (y,), count = inputs, outputs, inputs[0].size
    if not length:
        return
    if count <= COMPARED or (count <= 8 * COMPARED and length <= FEW):
        emit.call(cuda.accumulate.bincount[warps(length)], index, weights, y, count, length)
        return
    keys, order = emit_sort(index, length, emit, from_end=False)
    threads = THREADS if count > length * WARP else WARP
    emit.call(cuda.accumulate.sum_bins[length, threads], keys, order, weights, y, count)
