"""Eager calls on a card: launches of kernels, recorded once for each kind of arguments."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.compile.emit import Ref
from fnet.compile.recording import Layout, Recording, record
from fnet.device_array import DeviceArray
from fnet.devices.cuda.arrays import address_of, is_row_major, is_transposed
from fnet.spec import ArraySpec

MOST, MOST_BYTES = 2048, 1 << 28
"""The launches for so many kinds of arguments are kept, with constants of so many bytes."""


class Eager:
    """Computes primitives, and keeps the launches for the kinds of arguments that it has met."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._known: dict[tuple[Any, ...], _Launches] = {}
        self._bytes = 0

    def compute(self, primitive: Any, arrays: Sequence[DeviceArray], params: dict[str, Any]) -> list[DeviceArray]:
        """The results; arguments that are neither row-major nor transposed are copied."""
        arrays = [x if is_row_major(x) or is_transposed(x) else self._device.copied(x) for x in arrays]
        kind = [(x.shape, x.dtype, is_row_major(x)) for x in arrays]
        key = (primitive, *kind, *params.items())
        for value in params.values():
            if type(value) is float and value == 0:  # 0.0 and -0.0 would be one key
                key += (math.copysign(1.0, value),)
        launches = self._known.get(key) if primitive.kernels is None else None
        if launches is None:
            launches = _Launches(*record(primitive, self._device, [Layout(*of_one) for of_one in kind], params))
            if primitive.kernels is None:  # rules of users may look at anything
                self._keep(key, launches)
        return launches.run(arrays)

    def copy(self, source: DeviceArray, target: DeviceArray) -> None:
        """Copy into a row-major array of the same shape and dtype."""
        key = (source.shape, source.dtype, source.strides)
        launches = self._known.get(key)
        if launches is None:
            recording = Recording(self._device, 2)
            seen = Ref(0, source.dtype, source.shape, source.strides)
            self._device.copy(seen, Ref.whole(1, target.dtype, target.shape), recording)
            launches = _Launches(recording, [])
            self._keep(key, launches)
        launches.run([source, target])

    def clear(self) -> None:
        """Keep no launches."""
        self._known.clear()
        self._bytes = 0

    def _keep(self, key: tuple[Any, ...], launches: _Launches) -> None:
        self._bytes += launches.constant_bytes
        if len(self._known) >= MOST or self._bytes > MOST_BYTES:
            self._known.clear()
            self._bytes = launches.constant_bytes
        self._known[key] = launches


class _Launches:
    """Launches of kernels on arguments, results, scratch memory and constants, which are numbered in this order."""

    def __init__(self, recording: Recording, results: Sequence[ArraySpec]) -> None:
        self._device: Any = recording.device
        self._results = [(y.shape, y.dtype) for y in results]
        self._extra = [x if isinstance(x, tuple) else self._device.put(x) for x in recording.extra]
        self._calls = [(kernel, list(map(_place, args))) for kernel, args in recording.calls]

    @property
    def constant_bytes(self) -> int:
        """The size of the constants; scratch memory is not kept."""
        return sum(x.nbytes for x in self._extra if isinstance(x, DeviceArray))

    def run(self, arrays: Sequence[DeviceArray]) -> list[DeviceArray]:
        """The results; what else the launches need is held while they are begun."""
        device = self._device
        results = [device.empty(shape, dtype) for shape, dtype in self._results]
        extra = [x if isinstance(x, DeviceArray) else device.empty((x[0],), x[1]) for x in self._extra]
        addresses = [address_of(x) for x in (*arrays, *results, *extra)]
        launch, stream = device.driver.launch, device.stream
        for kernel, places in self._calls:
            launch(kernel, [(addresses[p[0]] + p[1], *p[2:]) if isinstance(p, tuple) else p for p in places], stream)
        return results


def _place(arg: Ref | int) -> tuple[int, int, int, np.dtype] | int:
    """An argument: the number of its memory, the bytes in front of it, how many elements, their dtype; or a number."""
    if isinstance(arg, Ref):
        return arg.buffer, arg.offset * arg.dtype.itemsize, arg.extent, arg.dtype
    return int(arg)
