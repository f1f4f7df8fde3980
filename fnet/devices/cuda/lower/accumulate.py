"""Running sums along the last axis, and sums of weights by index."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import warps
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


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
    """All weights are looked at for each index."""
    if length:
        emit.call(cuda.accumulate.bincount[warps(length)], *inputs, *outputs, inputs[0].size, length)
