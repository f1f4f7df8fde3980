"""One image or several, with channels behind their sides or in front of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import ops
from fnet.errors import ShapeError
from fnet.keras.ops.neural import of_channels_last
from fnet.ops.promotion import promote


def seen(function: Callable[[Any], Any], images: Any, data_format: str | None, rank: int = 2) -> Any:
    """A function of (N, *sizes, C) on one image or several, of either data format."""
    if len(images.shape) not in (rank + 1, rank + 2):
        raise ShapeError(
            f"images: expected {rank + 1} axes for one or {rank + 2} for several, received {images.shape}."
        )
    if len(images.shape) == rank + 2:
        return of_channels_last(function, images, data_format)
    return ops.squeeze(of_channels_last(function, ops.expand_dims(images, 0), data_format), 0)


def floating(x: Any) -> Any:
    """Images as floating-point numbers."""
    return promote(x, floating=True)[0]
