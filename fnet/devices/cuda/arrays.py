"""How the elements of a card's arrays lie in its memory."""

from __future__ import annotations

import functools

import numpy as np

from fnet.compile.emit import Ref, Shape
from fnet.device_array import DeviceArray


def window_of(array: DeviceArray) -> Ref:
    """The elements as a window on the memory of the array."""
    return Ref(array.memory, array.dtype, array.shape, array.strides, array.offset)


def address_of(array: DeviceArray) -> int:
    """Where the first element is."""
    return array.memory.address + array.offset * array.dtype.itemsize


def is_row_major(array: DeviceArray) -> bool:
    """Whether the elements follow one another in the order of their indices."""
    return _follow(array.shape, array.strides)


def is_transposed(array: DeviceArray) -> bool:
    """Whether they do in the transposed array."""
    return _follow(array.shape[::-1], array.strides[::-1])


@functools.lru_cache(4096)
def _follow(shape: Shape, strides: Shape) -> bool:
    return Ref(None, np.dtype(np.int8), shape, strides).contiguous
