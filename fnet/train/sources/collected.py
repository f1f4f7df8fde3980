"""The outputs for batches, put together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fnet import ops
from fnet.device import Device
from fnet.errors import ShapeError
from fnet.spec import ArraySpec


class Collected:
    """Outputs of one batch after another.

    count: of all samples; None where it is not known. like: specs of the outputs, but for the number of samples.
    """

    def __init__(self, home: Device, count: int | None, like: Sequence[ArraySpec]) -> None:
        self._home, self._at = home, 0
        self._arrays: list[Any] = []
        if count is not None:
            self._arrays = [home.empty((count, *spec.shape[1:]), spec.dtype) for spec in like]
        self._parts: list[list[Any]] = []

    def add(self, parts: Sequence[Any]) -> None:
        """The outputs for the next batch."""
        if not self._arrays:
            self._parts.append(list(parts))
            return
        end = self._at + parts[0].shape[0]
        for array, part in zip(self._arrays, parts, strict=True):
            self._home.assign(array[self._at : end], part)
        self._at = end

    def arrays(self) -> list[Any]:
        """The outputs for all samples. Raises `ShapeError` where those of batches do not fit together."""
        if self._arrays:
            return [array[: self._at] if self._at < len(array) else array for array in self._arrays]
        for parts in self._parts:
            for first, part in zip(self._parts[0], parts, strict=True):
                if part.shape[1:] != first.shape[1:]:
                    raise ShapeError(
                        f"the outputs for batches do not fit together: {first.shape} and {part.shape}. Pad the inputs "
                        f"to one length, or predict each batch by itself."
                    )
        return [ops.concatenate(outputs) for outputs in zip(*self._parts, strict=True)]
