"""How many edits turn one sequence of labels into another."""

from __future__ import annotations

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


@lowering()
def edit_distance(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Each pair of sequences by itself."""
    (batch, a_width), (_, b_width) = inputs[0].shape, inputs[1].shape
    scratch = emit.scratch(cpu.edit_distance.scratch_size(batch, b_width), outputs[0].dtype)
    emit.call(cpu.edit_distance.edit_distance, *inputs, *outputs, scratch, batch, a_width, b_width)
