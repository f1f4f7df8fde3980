"""Layers that make one array of several."""

from __future__ import annotations

import functools

from fnet.io.keras.config import FLAG, either, integers, several
from fnet.io.keras.fields import Field, layer_row
from fnet.io.keras.variables import nothing

_AXIS = integers(-100)
_row = functools.partial(layer_row, variables=nothing, inputs="list")

ROWS = (
    *(_row(kind, ()) for kind in ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum")),
    _row("Concatenate", (Field("axis", _AXIS),)),
    _row("Dot", (Field("axes", either(_AXIS, several(_AXIS, 2, 2))), Field("normalize", FLAG))),
)
