"""Folds that are no loop nests: the place of the largest or smallest element of each row."""

from __future__ import annotations

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import rows_grid
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


@lowering()
def argmax(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, largest: bool) -> None:
    """The place of the smallest element where it is not the `largest` that is asked for."""
    rows, columns = outputs[0].size, inputs[0].shape[-1]
    if rows:
        kernel = cuda.reduce.argmax if largest else cuda.reduce.argmin
        emit.call(kernel[rows_grid(rows, columns)], inputs[0], outputs[0], rows, columns)
