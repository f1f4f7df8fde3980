"""The calls that a card would get, run by the checker of kernels on NumPy arrays, with no device between.

With ``-m gpu`` the same calls are run on the machine's card; see `conftest`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.compile.loops import Loops
from fnet.compile.recording import Layout, Recording, record
from fnet.devices.cuda.copying import emit_copy, emit_fill
from fnet.devices.cuda.driver import Argument, Driver
from fnet.devices.cuda.loops import emit_loops
from fnet.devices.cuda.memory import ALIGNMENT
from fnet.devices.lowering import Rules
from fnet.kernels.cuda.runtime.kernel import Launch
from fnet.kernels.cuda.runtime.limits import Limits
from fnet.kernels.cuda.runtime.product import Product
from fnet.testing.cuda import run_kernel
from tests.devices.cuda.emulated import LIMITS


class Unloaded:
    """The part of `fnet.device.Device` that rules ask; launched: how often each kernel was run; limits: of the
    card that the calls are for.

    driver: the card that runs the calls; None for the checker.
    """

    name = "cuda"
    driver: Driver | None = None

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or (LIMITS if self.driver is None else self.driver.limits)
        self.launched: Counter[str] = Counter()
        self._rules = Rules("cuda", "fnet.devices.cuda.lower")

    def rule(self, primitive: Any) -> Any:
        return self._rules.of(primitive)

    def loop(self, loops: Loops, emit: Emitter) -> None:
        emit_loops(loops, emit)

    def copy(self, source: Ref, target: Ref, emit: Emitter) -> None:
        emit_copy(source, target, emit)

    def fill(self, target: Ref, value: Any, emit: Emitter) -> None:
        emit_fill(target, value, emit)

    def multiplies(self, product: Product) -> bool:
        return False  # what runs here are fnet's own kernels

    def run(self, recording: Recording, memory: list[np.ndarray]) -> None:
        """Run the recorded calls; memory: the flat arrays of arguments and results."""
        memory = [*memory, *(_memory(extra) for extra in recording.extra)]
        for launch, _ in recording.calls:
            assert isinstance(launch, Launch)
            self.launched[launch.__name__] += 1
        if self.driver is not None:
            _run_there(self.driver, recording, memory)
            return
        for launch, args in recording.calls:
            given = [_window(memory, a) if isinstance(a, Ref) else a for a in args]
            run_kernel(launch.kernel, launch.grid, launch.block, *given, shared_bytes=launch.shared_bytes)

    def compute(self, primitive: Any, *arrays: np.ndarray, **params: Any) -> list[np.ndarray]:
        """The results of a primitive; arguments are row-major or column-major."""
        layouts = [Layout(x.shape, x.dtype, x.flags.c_contiguous) for x in arrays]
        recording, specs = record(primitive, self, layouts, params)
        results = [aligned(y.shape, y.dtype) for y in specs]
        flat = [copied(x if x.flags.c_contiguous else x.T).reshape(-1) for x in arrays]
        self.run(recording, [*flat, *(y.reshape(-1) for y in results)])
        return results


def aligned(shape: Sequence[int], dtype: Any) -> np.ndarray:
    """An array of nonsense at a multiple of 256 bytes, as a card allocates them."""
    dtype = np.dtype(dtype)
    nbytes = math.prod(shape) * dtype.itemsize
    whole = np.full(nbytes + 256, 0x7F if dtype.kind == "b" else 0xFF, np.uint8)
    start = -whole.__array_interface__["data"][0] % 256
    return whole[start : start + nbytes].view(dtype).reshape(shape)


def copied(array: np.ndarray) -> np.ndarray:
    """The same elements in such an array."""
    made = aligned(array.shape, array.dtype)
    made[...] = array
    return made


def _run_there(driver: Driver, recording: Recording, memory: list[np.ndarray]) -> None:
    """Run the calls on a card: copies of the arrays lie there as they lie here, relative to multiples of 256 bytes."""
    stream, begins, addresses = driver.stream(), [], []
    for array in memory:
        skipped = array.__array_interface__["data"][0] % ALIGNMENT
        begins.append(driver.allocate(skipped + array.nbytes or 1))  # nothing behind: a tool sees who goes on reading
        addresses.append(begins[-1] + skipped)
        if array.nbytes:
            driver.copy_in(addresses[-1], array, stream)

    def argument(arg: Ref | int) -> Argument:
        if not isinstance(arg, Ref):
            return int(arg)
        window = _window(memory, arg)
        return addresses[arg.buffer] + arg.offset * memory[arg.buffer].itemsize, window.size, window.dtype

    for launch, args in recording.calls:
        driver.launch(launch, list(map(argument, args)), stream)
    for array, address in zip(memory, addresses, strict=True):
        if array.nbytes:
            driver.copy_out(array, address, stream)
    driver.synchronize(stream)
    for begin in begins:
        driver.free(begin)


def _memory(extra: tuple[int, np.dtype] | np.ndarray) -> np.ndarray:
    return copied(extra.reshape(-1)) if isinstance(extra, np.ndarray) else aligned((extra[0],), extra[1])


def _window(memory: list[np.ndarray], ref: Ref) -> np.ndarray:
    return memory[ref.buffer][ref.offset : ref.offset + ref.extent]
