"""Guards of steady calls: Python that looks at arrays of a card, whose attributes nobody changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.device import Shape
from fnet.device_array import DeviceArray
from fnet.devices.cuda.arrays import is_row_major
from fnet.devices.cuda.memory import Stretch

MATCHES, OTHER, SHARED = 0, 1, 2


class ArrayGuard:
    """See `fnet.device.Guard`. Donated arrays are told by what holds them: they do not change."""

    record = look = 0
    apart, shared = 1, SHARED
    runs = sees_dicts = False

    def __init__(self, home: Any, state: Stretch | None, read: Sequence[tuple[int, np.dtype, Shape]]) -> None:
        self._home, self._state = home, state
        self._kinds = [(dtype, shape) for _, dtype, shape in read]
        self._is_valid = True
        self.outputs: list[int] = []

    def enter(self, record: int, arrays: tuple[Any, ...]) -> int:
        """Whether the arrays are as before; the record says whether those that share the donated memory are told."""
        if not self._is_valid:
            return OTHER
        status, home, state = MATCHES, self._home, self._state
        for array, (dtype, shape) in zip(arrays, self._kinds, strict=True):
            if type(array) is not DeviceArray or array.home is not home or array.shape != shape:
                return OTHER
            if array.dtype != dtype or not is_row_major(array):
                return OTHER
            if array.memory is state and record != self.apart:
                status = SHARED
        return status

    def is_current(self) -> bool:
        return self._is_valid

    def end(self) -> None:
        self._is_valid = False
