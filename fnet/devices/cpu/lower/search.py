"""Places in an order: kernel calls for searches among edges, and for the largest elements of rows."""

from __future__ import annotations

import math

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


@lowering()
def searchsorted(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, right: bool) -> None:
    """A binary search for each element."""
    emit.call(cpu.search.searchsorted, *inputs, *outputs, inputs[0].size, inputs[1].size, int(right))


@lowering()
def top_k(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, k: int) -> None:
    """Each row by itself."""
    *lead, columns = inputs[0].shape
    emit.call(cpu.search.top_k, *inputs, *outputs, math.prod(lead), columns, k)


@lowering()
def argsort(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Each row by itself, merged to and fro between the result and a second array of positions."""
    *lead, columns = inputs[0].shape
    other = emit.scratch(inputs[0].size, outputs[0].dtype)
    emit.call(cpu.sort.argsort, *inputs, *outputs, other, math.prod(lead), columns)
