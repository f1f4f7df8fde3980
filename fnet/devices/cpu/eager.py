"""Eager calls on the CPU: calls of kernels, recorded once for each kind of arguments, run on NumPy arrays at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any

import numpy as np

from fnet.compile.emit import Ref
from fnet.compile.recording import Layout, Recording, record
from fnet.device import Device
from fnet.devices.cpu.direct import direct
from fnet.kernels.cpu.runtime.thread_pool import CONTROL, COUNT
from fnet.spec import ArraySpec

MOST, MOST_BYTES = 2048, 1 << 26
"""The calls for so many kinds of arguments are kept, with constants of so many bytes."""


class Eager:
    """Computes primitives, and keeps the calls of kernels for the kinds of arguments that it has met."""

    def __init__(self, device: Device) -> None:
        self._device = device
        self._known: dict[tuple[Any, ...], _Calls] = {}
        self._bytes = 0

    def compute(self, primitive: Any, arrays: Sequence[np.ndarray], params: dict[str, Any]) -> list[np.ndarray]:
        """The results; arguments that no kernel can read (read-only, unaligned, oddly strided) are copied."""
        memory: list[Any] = []
        kind: list[Any] = []
        for x in arrays:
            flags = x.flags
            row_major = flags.carray or not (flags.behaved and flags.f_contiguous)
            if not row_major:
                memory.append(x.T.reshape(-1))
            else:
                memory.append((x if flags.carray else np.array(x, order="C")).reshape(-1))
            kind += x.shape, x.dtype, row_major
        key = (primitive, CONTROL[COUNT // 8], *kind, *params.items())
        for value in params.values():
            if type(value) is float and value == 0:  # 0.0 and -0.0 would be one key
                key += (math.copysign(1.0, value),)
        calls = self._known.get(key) if primitive.kernels is None else None
        if calls is not None:
            results = calls.run(memory)
            if not calls.is_short:
                calls.shorten(memory)
            return results
        layouts = [Layout(*kind[first : first + 3]) for first in range(0, len(kind), 3)]
        calls = _Calls(layouts, *record(primitive, self._device, layouts, params))
        results = calls.run(memory)
        if _is_settled(primitive, params):
            self._bytes += calls.constant_bytes
            if len(self._known) >= MOST or self._bytes > MOST_BYTES:
                self._known.clear()
                self._bytes = calls.constant_bytes
            self._known[key] = calls
        return results


def _is_settled(primitive: Any, params: dict[str, Any]) -> bool:
    """Whether the calls depend on nothing but the kind of arguments.

    Rules of users may look at anything. How fast the ways of a product are, which its level of precision asks for, may
    be overruled.
    """
    return primitive.kernels is None and "precision" not in params


class _Calls:
    """Calls of kernels on a list of flat arrays and numbers.

    They are the arguments, the results, scratch memory and constants, pieces of all these, and numbers.
    """

    def __init__(self, inputs: list[Layout], recording: Recording, results: list[ArraySpec]) -> None:
        self.is_short = False
        allocator = recording.device.allocator
        self._results = [(allocator(y.shape, y.dtype), y.shape, y.dtype) for y in results]
        self._extra = recording.extra
        sizes = [math.prod(x.shape) for x in inputs] + [math.prod(y.shape) for y in results]
        sizes += [x[0] if isinstance(x, tuple) else x.size for x in recording.extra]
        self._pieces: list[tuple[int, int, int]] = []
        self._numbers: list[Any] = []
        windows = [[_window(a) if isinstance(a, Ref) else a for a in args] for _, args in recording.calls]
        place: dict[tuple[int, int, int], int] = {}
        for window in itertools.chain.from_iterable(windows):
            if not isinstance(window, tuple):
                self._numbers.append(window)
            elif window not in place:
                number, *span = window
                if span == [0, sizes[number]]:
                    place[window] = number
                else:
                    place[window] = len(sizes) + len(self._pieces)
                    self._pieces.append(window)
        numbers = itertools.count(len(sizes) + len(self._pieces))
        self._calls: list[tuple[Callable[..., Any], Any]] = [
            (kernel, _picked([place[w] if isinstance(w, tuple) else next(numbers) for w in row]))
            for (kernel, _), row in zip(recording.calls, windows, strict=True)
        ]

    @property
    def constant_bytes(self) -> int:
        """The size of the constants; scratch memory is not kept."""
        return sum(extra.nbytes for extra in self._extra if isinstance(extra, np.ndarray))

    def run(self, memory: list[Any]) -> list[np.ndarray]:
        """The results; `memory` has the arguments, and gets what else the calls need."""
        results = []
        for allocate, shape, dtype in self._results:
            array = allocate(shape, dtype)
            results.append(array)
            memory.append(array.reshape(-1))
        for extra in self._extra:
            memory.append(np.empty(*extra) if type(extra) is tuple else extra)
        for number, start, stop in self._pieces:
            memory.append(memory[number][start:stop])
        memory += self._numbers
        for kernel, arguments in self._calls:
            kernel(*arguments(memory))
        return results

    def shorten(self, memory: list[Any]) -> None:
        """Call the machine code of the kernels from now on, which have been run on this memory."""
        self._calls = [(direct(kernel, arguments(memory)), arguments) for kernel, arguments in self._calls]
        self.is_short = True


def _picked(places: list[int]) -> Callable[[list[Any]], tuple[Any, ...]]:
    """What picks the arguments at these places; of one place `itemgetter` gives no tuple."""
    return itemgetter(*places) if len(places) > 1 else lambda memory: (memory[places[0]],)


def _window(ref: Ref) -> tuple[int, int, int]:
    """The number of the memory that a window is on, where it begins there and ends."""
    return ref.buffer, ref.offset, ref.offset + ref.extent
