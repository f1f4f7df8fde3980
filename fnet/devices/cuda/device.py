"""A card as a device: its memory, its stream, what is written there and what runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous_strides
from fnet.compile.loops import Loops
from fnet.compile.plan import Plan
from fnet.compile.workspace import Workspace
from fnet.device import Rule, Shape
from fnet.device_array import DeviceArray
from fnet.devices.cuda import sharing
from fnet.devices.cuda.arrays import address_of, is_row_major, window_of
from fnet.devices.cuda.driver import Argument, Driver
from fnet.devices.cuda.eager import Eager
from fnet.devices.cuda.executor import Executor
from fnet.devices.cuda.feed import Feed
from fnet.devices.cuda.guard import ArrayGuard
from fnet.devices.cuda.memory import ALIGNMENT, Pool, Stretch
from fnet.devices.lowering import Rules
from fnet.kernels.cuda.runtime.product import Product
from fnet.spec import check_array

NUMBERS = 256  # so many numbers are kept on the card
KIND = "cuda"


class Cuda:
    """One card; see `fnet.device.Device`. All work is done in the order of one stream, while the host goes on.

    capturing: a stream for recording graphs, in which nothing is done, for who holds the lock.
    """

    array: type[Any] = DeviceArray
    alignment = ALIGNMENT
    # A launch takes as long as a loop over some megabytes; gradients wait for each other in memory, not in a cache.
    alike_bytes = 1 << 23, 1 << 27
    has_segments = True

    def __init__(self, name: str, driver: Driver, pools: list[Pool] | None = None) -> None:
        self.name, self.driver, self.limits = name, driver, driver.limits
        self.stream, self.capturing, self.lock = driver.stream(), driver.stream(), threading.Lock()
        self._pools: list[Pool] = [] if pools is None else pools  # of all streams of the card
        self.pool = Pool(driver, self.stream, name, self._pools)
        self._rules = Rules(KIND, "fnet.devices.cuda.lower")
        self._numbers: dict[tuple[np.dtype, bytes], DeviceArray] = {}
        self.feeds: list[Feed] = []  # that nobody uses, with their memory
        self._eager = Eager(self)

    # Arrays.

    def owns(self, x: Any) -> bool:
        return type(x) is DeviceArray and x.home is self

    def are_ready(self, found: Iterable[tuple[Any, np.dtype, Shape]]) -> bool:
        for array, dtype, shape in found:
            if type(array) is not DeviceArray or array.home is not self:
                return False
            if array.shape != shape or array.dtype != dtype or not is_row_major(array):
                return False
        return True

    def ready(self, x: Any, dtype: np.dtype) -> DeviceArray:
        if not self.owns(x):
            return self._number(np.asarray(x, dtype))
        return x if is_row_major(x) else self.copied(x)

    def operand(self, x: Any) -> DeviceArray:
        if self.owns(x):
            return x
        if isinstance(x, np.ndarray):
            check_array(x)
        return self._number(np.asarray(x))

    def empty(self, shape: Shape, dtype: np.dtype) -> DeviceArray:
        dtype = np.dtype(dtype)
        strides, size = contiguous_strides(shape), dtype.itemsize
        for n in shape:
            size *= n
        return DeviceArray(self, self.pool.allocate(size, (dtype, shape)), dtype, shape, strides)

    def allocator(self, shape: Shape, dtype: np.dtype) -> Callable[[Shape, np.dtype], DeviceArray]:
        return self.empty

    def put(self, array: np.ndarray) -> DeviceArray:
        made = self.empty(array.shape, array.dtype)
        if array.size:
            self.driver.copy_in(made.memory.address, np.ascontiguousarray(array), self.stream)
        return made

    def get(self, array: DeviceArray) -> np.ndarray:
        if array.size == 0:
            return np.empty(array.shape, array.dtype)
        if not is_row_major(array):
            array = self.copied(array)
        host = np.empty(array.shape, array.dtype)
        self.driver.copy_out(host, address_of(array), self.stream)
        self.driver.synchronize(self.stream)
        return host

    def taken(self, array: DeviceArray) -> DeviceArray:
        """What is done with the array by now comes before the copy, and what its device does later behind it."""
        home = array.home
        if not isinstance(home, Cuda):
            return self.put(home.get(array))
        array, made = home.ready(array, array.dtype), self.empty(array.shape, array.dtype)
        self.driver.wait(self.stream, home.driver.record(home.stream))
        self.driver.copy_from(made.memory.address, home.driver, address_of(array), array.nbytes, self.stream)
        home.driver.wait(home.stream, self.driver.record(self.stream))
        return made

    def copied(self, array: DeviceArray) -> DeviceArray:
        made = self.empty(array.shape, array.dtype)
        if is_row_major(array):
            self.driver.copy(made.memory.address, address_of(array), array.nbytes, self.stream)
        elif array.size:
            self._eager.copy(array, made)
        return made

    def lasting(self, array: DeviceArray) -> DeviceArray:
        return self.copied(array) if array.memory.is_changed else self.ready(array, array.dtype)

    def assign(self, target: DeviceArray, source: Any) -> None:
        target.memory.is_changed = True
        if not self.owns(source):
            host = np.broadcast_to(np.asarray(source, target.dtype), target.shape)
            if target.size:
                self.driver.copy_in(address_of(target), np.ascontiguousarray(host), self.stream)
            return
        source = self.ready(source, target.dtype)
        assert (source.shape, source.dtype) == (target.shape, target.dtype)
        self.driver.copy(address_of(target), address_of(source), target.nbytes, self.stream)

    def feed(self) -> Feed:
        return self.feeds.pop() if self.feeds else Feed(self)

    def share_memory(self, array: DeviceArray, block: Stretch | DeviceArray) -> bool:
        return array.memory is (block.memory if isinstance(block, DeviceArray) else block)

    def _number(self, array: np.ndarray) -> DeviceArray:
        """A host array on the device; numbers, which are the same in call after call, are kept there."""
        if array.ndim:
            return self.put(array)
        key = array.dtype, array.tobytes()
        found = self._numbers.get(key)
        if found is None:
            if len(self._numbers) >= NUMBERS:
                self._numbers.clear()
            found = self._numbers[key] = self.put(array)
        return found

    # Arrays of other libraries.

    @property
    def place_for_others(self) -> tuple[int, int]:
        """What DLPack calls the card."""
        return sharing.CUDA, self.driver.number

    def interface(self, array: DeviceArray) -> dict[str, Any]:
        """What other libraries ask for to read an array."""
        return sharing.interface(array, self.stream)

    def exported(self, array: DeviceArray, stream: int | None) -> Any:
        """A capsule of DLPack; what is done in `stream` comes after what was begun here, unless it is -1."""
        if stream != sharing.UNORDERED:
            self.driver.wait(sharing.DEFAULT if stream is None else stream, self.driver.record(self.stream))
        return sharing.exported(array, self.place_for_others)

    def imported(self, x: Any) -> DeviceArray:
        """An array of another library on this card, without a copy."""
        return sharing.imported(self, x)

    # Blocks.

    def block(self, nbytes: int) -> Stretch:
        made = self.pool.allocate(nbytes, "a jitted function")
        if nbytes:
            made.is_changed = True
            self.driver.zero(made.address, nbytes, self.stream)
        return made

    def size_of(self, block: Stretch) -> int:
        return block.nbytes

    def window(self, block: Stretch, offset: int, shape: Shape, dtype: np.dtype) -> DeviceArray:
        return DeviceArray(self, block, dtype, shape, contiguous_strides(shape), offset // dtype.itemsize)

    def flat(self, memory: Stretch | DeviceArray, offset: int, count: int, dtype: np.dtype) -> Argument:
        address = memory.address if isinstance(memory, Stretch) else address_of(memory)
        return address + offset, count, dtype

    def release(self) -> None:
        self.pool.release()

    def clear(self) -> None:
        self._eager.clear()
        self._numbers.clear()
        self.feeds.clear()
        self.pool.release()

    # Code.

    def rule(self, primitive: Any) -> Rule:
        return self._rules.of(primitive)

    def compute(self, primitive: Any, arrays: Sequence[DeviceArray], params: dict[str, Any]) -> list[DeviceArray]:
        return self._eager.compute(primitive, arrays, params)

    def viewed(self, array: DeviceArray, primitive: Any, params: dict[str, Any]) -> DeviceArray:
        row_major = self.ready(array, array.dtype) if primitive.of_row_major else array
        seen = window_of(row_major).viewed(primitive.view, **params)
        return DeviceArray(self, seen.buffer, seen.dtype, seen.shape, seen.strides, seen.offset)

    def loop(self, loops: Loops, emit: Emitter) -> None:
        from fnet.devices.cuda.loops import emit_loops

        emit_loops(loops, emit)

    def copy(self, source: Ref, target: Ref, emit: Emitter) -> None:
        from fnet.devices.cuda.copying import emit_copy

        emit_copy(source, target, emit)

    def fill(self, target: Ref, value: Any, emit: Emitter) -> None:
        from fnet.devices.cuda.copying import emit_fill

        emit_fill(target, value, emit)

    def multiplies(self, product: Product) -> bool:
        """Whether a library computes a product here; rules of products ask."""
        return self.driver.multiplies(product)

    def runner(self, plan: Plan, executor: str) -> Executor:
        return Executor(self, plan, executor)

    def direct(self, kernel: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
        return kernel

    def guard(
        self,
        runner: Any,
        workspace: Workspace,
        state: Stretch | None,
        read: Sequence[tuple[int, np.dtype, Shape]],
        held: Sequence[tuple[DeviceArray, np.dtype, Shape]],
        dicts: Sequence[dict],
    ) -> ArrayGuard:
        return ArrayGuard(self, state, read)

    def thread_count(self) -> int:
        return 1

    def set_thread_count(self, count: int) -> None:
        """It is the card's threads that share the work."""

    def wait(self) -> None:
        self.driver.synchronize(self.stream)

    def beside(self, name: str) -> Cuda:
        return Cuda(name, self.driver, self._pools)


def names() -> list[str]:
    """The cards that are there: the first one has no number."""
    from fnet.kernels.cuda.runtime.driver import cards

    return [_name(number) for number in cards()[0]]


def why_not() -> str:
    """Why there are no cards, or no others; empty where nothing is wrong."""
    from fnet.kernels.cuda.runtime.driver import cards

    return cards()[1]


def libraries() -> dict[str, str]:
    """The libraries that compute beside fnet's kernels: what is in use, or why nothing is; none without a card."""
    from fnet.kernels.cuda.runtime import cublaslt

    return {"cublaslt": cublaslt.said()} if names() else {}


def device(number: int) -> Cuda:
    """The device of the card of this number."""
    from fnet.kernels.cuda.runtime.driver import Driver

    return Cuda(_name(number), Driver(number))


def _name(number: int) -> str:
    return f"{KIND}:{number}" if number else KIND
