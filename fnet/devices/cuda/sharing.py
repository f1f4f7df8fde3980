"""Arrays of a card for other libraries, and arrays of theirs: by DLPack and the CUDA array interface, without a copy.

A capsule of DLPack is made, and read, as NumPy does it for memory of the host: NumPy keeps what owns the memory, and
never looks into it. Only the name of the device is written over.
Source: DLPack, https://dmlc.github.io/dlpack/latest/python_spec.html.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from fnet.device_array import DeviceArray
from fnet.devices.cuda.arrays import address_of
from fnet.devices.cuda.memory import Foreign, Stretch
from fnet.spec import check_dtype

CPU, CUDA = 1, 2
DEFAULT, UNORDERED = 1, -1
"""What DLPack calls the stream that belongs to no library, and a consumer that orders nothing."""

_DEVICE_PLACE = ctypes.sizeof(ctypes.c_void_p)  # in what a capsule points at: the address of the elements comes first
_pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
_pointer_of.restype, _pointer_of.argtypes = ctypes.c_void_p, (ctypes.py_object, ctypes.c_char_p)


def interface(array: DeviceArray, stream: int) -> dict[str, Any]:
    """The CUDA array interface, version 3, of an array whose elements are written in a stream."""
    _share(array)
    return {
        "shape": array.shape,
        "typestr": array.dtype.str,
        "data": (address_of(array) if array.size else 0, False),
        "strides": tuple(step * array.dtype.itemsize for step in array.strides),
        "stream": stream,
        "version": 3,
    }


def exported(array: DeviceArray, place: tuple[int, int]) -> Any:
    """A capsule of DLPack, which holds the array; place: what DLPack calls the card."""
    _share(array)
    capsule = _as_if_of_host(array).__dlpack__()
    _name_device(capsule, place)
    return capsule


def imported(home: Any, x: Any) -> DeviceArray:
    """An array with ``__dlpack__``, whose work so far comes before what is begun on the device `home`."""
    capsule = x.__dlpack__(stream=home.stream)
    _name_device(capsule, (CPU, 0))
    owner = np.from_dlpack(_OfHost(capsule))
    check_dtype(owner.dtype)
    strides = tuple(step // owner.itemsize for step in owner.strides)
    memory = Foreign(owner.__array_interface__["data"][0], owner.nbytes, owner)
    return DeviceArray(home, memory, owner.dtype, owner.shape, strides)


class _OfHost:
    """A capsule as an array that gives it."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **asked: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return CPU, 0


def _as_if_of_host(array: DeviceArray) -> np.ndarray:
    """The array as if the host could read its elements; it holds the device array."""
    size = array.dtype.itemsize
    steps = [(n - 1) * step for n, step in zip(array.shape, array.strides, strict=True)] if array.size else [0]
    low, high = sum(min(step, 0) for step in steps), sum(max(step, 0) for step in steps)
    count = (high - low + 1) * size if array.size else 0
    block: Any = (ctypes.c_uint8 * count).from_address(address_of(array) + low * size)
    block.owner = array
    return np.ndarray(array.shape, array.dtype, block, -low * size, [step * size for step in array.strides])


def _name_device(capsule: Any, place: tuple[int, int]) -> None:
    """Write over which device the memory of a capsule is of."""
    device: Any = (ctypes.c_int32 * 2).from_address(_pointer_of(capsule, b"dltensor") + _DEVICE_PLACE)
    device[:] = place


def _share(array: DeviceArray) -> None:
    memory: Stretch = array.memory
    memory.is_shared = True
