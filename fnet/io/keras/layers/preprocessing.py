"""Layers that bring raw numbers into shape."""

from __future__ import annotations

from fnet.io.keras.config import NUMBER, either, several
from fnet.io.keras.fields import fields, layer_row
from fnet.io.keras.variables import nothing

_NUMBERS = either(NUMBER, several(NUMBER, 1))

ROWS = (layer_row("Rescaling", fields(_NUMBERS, "scale", "offset"), nothing),)
