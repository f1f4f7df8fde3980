"""Linear systems with a symmetric positive definite matrix."""

from __future__ import annotations

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


@lowering()
def solve_positive(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Cholesky's factor lies in scratch memory."""
    (n,), dtype = inputs[1].shape, inputs[1].dtype
    factor = emit.scratch(n * n, dtype)
    work = emit.scratch(cpu.cholesky.cholesky_workspace(n, dtype), dtype)
    emit.call(cpu.cholesky.solve_positive, *inputs, *outputs, factor, work, n)
