"""Linear systems with a symmetric positive definite matrix."""

from __future__ import annotations

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import THREADS, WARP
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


@lowering()
def solve_positive(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Cholesky's factor lies in scratch memory."""
    (n,), dtype = inputs[1].shape, inputs[1].dtype
    if n:
        factor, tiny = emit.scratch(n * n, dtype), emit.constant(np.full(1, n * np.finfo(dtype).eps, dtype))
        block = min(THREADS, WARP * -(-n // WARP))
        emit.call(cuda.cholesky.solve_positive[1, block], *inputs, *outputs, factor, tiny, n)
