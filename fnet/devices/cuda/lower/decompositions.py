"""Decompositions of matrices: a block of threads for each matrix of a stack."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import THREADS, WARP
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


def _qr(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Reflectors lie in scratch memory."""
    *lead, m, n = inputs[0].shape
    if outputs[0].size:
        matrices, width = math.prod(lead), outputs[0].shape[-1]
        work = emit.scratch(max(1, matrices * (m * n + n)), inputs[0].dtype)
        launch = cuda.householder.qr[matrices, min(THREADS, WARP * -(-m // WARP))]
        emit.call(launch, *inputs, *outputs, work, m, n, width)


@lowering()
def qr(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """As many columns of Q as the matrix has."""
    _qr(emit, inputs, outputs)


@lowering()
def qr_complete(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """As many columns of Q as rows."""
    _qr(emit, inputs, outputs)


@lowering()
def eigh(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """What rotations leave of the matrices, and what they are together, lie in scratch memory."""
    (a,), dtype, n = inputs, inputs[0].dtype, inputs[0].shape[-1]
    if a.size:
        work, tiny = emit.scratch(2 * a.size, dtype), emit.constant(np.full(1, np.finfo(dtype).eps, dtype))
        launch = cuda.jacobi.eigh[math.prod(a.shape[:-2]), min(THREADS, WARP * -(-n // WARP))]
        emit.call(launch, a, *outputs, work, tiny, n)
