"""Linear systems, determinants and Cholesky's factor: a block of threads for each matrix of a stack."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import THREADS, WARP
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


def _block(n: int) -> int:
    """Threads for a matrix of n rows."""
    return min(THREADS, WARP * -(-n * n // (4 * WARP)))


@lowering()
def solve(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """What elimination leaves of the matrices lies in scratch memory."""
    *lead, n, k = inputs[1].shape
    if outputs[0].size:
        factors = emit.scratch(inputs[0].size, inputs[0].dtype)
        emit.call(cuda.lu.solve[math.prod(lead), _block(n)], *inputs, *outputs, factors, n, k)


@lowering()
def solve_triangular(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, lower: bool) -> None:
    """Substitution, row by row."""
    *lead, n, k = inputs[1].shape
    if outputs[0].size:
        emit.call(cuda.lu.solve_triangular[math.prod(lead), _block(n)], *inputs, *outputs, n, k, int(lower))


@lowering()
def slogdet(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """What elimination leaves of the matrices lies in scratch memory."""
    *lead, n, _ = inputs[0].shape
    if outputs[0].size:
        factors = emit.scratch(max(1, inputs[0].size), inputs[0].dtype)
        emit.call(cuda.lu.slogdet[math.prod(lead), max(WARP, _block(n))], *inputs, *outputs, factors, n)


@lowering()
def cholesky(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """The columns of the factors lie in scratch memory."""
    (a,), dtype, n = inputs, inputs[0].dtype, inputs[0].shape[-1]
    if a.size:
        columns, tiny = emit.scratch(a.size, dtype), emit.constant(np.full(1, n * np.finfo(dtype).eps, dtype))
        launch = cuda.cholesky_stack.factors[math.prod(a.shape[:-2]), min(THREADS, WARP * -(-n // WARP))]
        emit.call(launch, a, *outputs, columns, tiny, n)
