"""Linear systems with a symmetric positive definite matrix."""

from __future__ import annotations

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


@lowering()
def solve_positive(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Cholesky's factor, a launch for each panel of columns, and then the solution; the factor is scratch memory."""
    (a, b), (x,) = inputs, outputs
    (n,), dtype = b.shape, b.dtype
    if not n:
        return
    panel, block = cuda.cholesky.PANEL, (cuda.cholesky.PANEL, cuda.cholesky.WARPS)
    factor, tiny = emit.scratch(n * (n + 1), dtype), emit.constant(np.full(1, n * np.finfo(dtype).eps, dtype))
    for first in range(0, n, panel):
        rows = n + 1 - min(n, first + panel)  # below the square, and that of b
        emit.call(cuda.cholesky.factor_panel[-(-rows // panel), block], a, b, factor, tiny, n, first)
    emit.call(cuda.cholesky.solve_transposed[1, block], factor, x, n)
