"""Folds that are no loop nests: the place of the largest or smallest element of each row."""

from __future__ import annotations

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


@lowering()
def argmax(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, largest: bool) -> None:
    """The place of the smallest element where it is not the `largest` that is asked for."""
    rows, columns = outputs[0].size, inputs[0].shape[-1]
    emit.call(cpu.reduce.argmax if largest else cpu.reduce.argmin, inputs[0], outputs[0], rows, columns)
