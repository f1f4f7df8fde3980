"""Linear systems, determinants and Cholesky's factor: kernel calls for stacks of matrices."""

from __future__ import annotations

import math

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


@lowering()
def solve(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """What elimination leaves of the matrices lies in scratch memory."""
    *lead, n, k = inputs[1].shape
    factors = emit.scratch(inputs[0].size, inputs[0].dtype)
    emit.call(cpu.lu.solve, *inputs, *outputs, factors, math.prod(lead), n, k)


@lowering()
def solve_triangular(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, lower: bool) -> None:
    """Substitution, row by row."""
    *lead, n, k = inputs[1].shape
    emit.call(cpu.lu.solve_triangular, *inputs, *outputs, math.prod(lead), n, k, int(lower))


@lowering()
def slogdet(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """What elimination leaves of the matrices lies in scratch memory."""
    *lead, n, _ = inputs[0].shape
    factors = emit.scratch(inputs[0].size, inputs[0].dtype)
    emit.call(cpu.lu.slogdet, *inputs, *outputs, factors, math.prod(lead), n)


@lowering()
def cholesky(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """One matrix after another."""
    *lead, n, _ = inputs[0].shape
    work = emit.scratch(cpu.cholesky.cholesky_workspace(n, inputs[0].dtype), inputs[0].dtype)
    emit.call(cpu.cholesky.factors, *inputs, *outputs, work, math.prod(lead), n)
