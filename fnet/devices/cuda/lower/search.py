"""Places in an order: kernel calls for searches among edges, and for the largest elements of rows."""

from __future__ import annotations

import math

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import rows_grid, spread
from fnet.devices.cuda.sorting import emit_argsort
from fnet.devices.lowering import lowering
from fnet.kernels import cuda


@lowering()
def searchsorted(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, right: bool) -> None:
    """A binary search for each element."""
    edges, x = inputs
    if x.size:
        launch = cuda.search.searchsorted[spread(x.size)]
        emit.call(launch, edges, x, *outputs, edges.size, x.size, int(right))


@lowering()
def top_k(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, k: int) -> None:
    """Each row by itself."""
    *lead, columns = inputs[0].shape
    rows = math.prod(lead)
    if rows * k:
        emit.call(cuda.search.top_k[rows_grid(rows, columns)], *inputs, *outputs, rows, columns, k)


@lowering()
def argsort(emit: Emitter, inputs: list[Ref], outputs: list[Ref]) -> None:
    """All rows together, digit by digit."""
    if inputs[0].size:
        emit_argsort(inputs[0], outputs[0], emit)
