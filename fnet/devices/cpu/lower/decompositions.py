"""Decompositions of matrices: kernel calls for stacks of them."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


def _qr(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Reflectors lie in scratch memory."""
    *lead, m, n = inputs[0].shape
    matrices, width = math.prod(lead), outputs[0].shape[-1]
    work = emit.scratch(matrices * (m * n + n + width), inputs[0].dtype)
    emit.call(cpu.householder.qr, *inputs, *outputs, work, matrices, m, n, width)


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
    work, tiny = emit.scratch(2 * a.size, dtype), emit.constant(np.full(1, np.finfo(dtype).eps, dtype))
    emit.call(cpu.jacobi.eigh, a, *outputs, work, tiny, math.prod(a.shape[:-2]), n)
