"""How many edits turn one sequence of labels into another."""

from __future__ import annotations

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import warps
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


@lowering()
def edit_distance(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """Each pair of sequences by itself."""
    (batch, a_width), (_, b_width) = inputs[0].shape, inputs[1].shape
    if batch:
        scratch = emit.scratch(cuda.edit_distance.scratch_size(batch, b_width), outputs[0].dtype)
        launch = cuda.edit_distance.edit_distance[warps(batch)]
        emit.call(launch, *inputs, *outputs, scratch, batch, a_width, b_width)
