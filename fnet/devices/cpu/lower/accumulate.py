"""Running sums along the last axis, and sums of weights by index."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


@lowering()
def cumsum(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, reverse: bool) -> None:
    """Floats are added up in float64; the zero from which a sum begins says in which type."""
    *lead, columns = inputs[0].shape
    kind = inputs[0].dtype
    zero = emit.constant(np.zeros(1, np.float64 if kind.kind == "f" else kind))
    emit.call(cpu.accumulate.cumsum, inputs[0], zero, *outputs, math.prod(lead), columns, int(reverse))


@lowering()
def bincount(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, length: int) -> None:
    """Sums in the order of the weights."""
    emit.call(cpu.accumulate.bincount, *inputs, *outputs, inputs[0].size, length)
