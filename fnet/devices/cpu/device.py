"""The CPU as a device."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.compile.loops import Loops
from fnet.compile.plan import Plan
from fnet.compile.workspace import Workspace
from fnet.device import Guard, Rule, Shape
from fnet.devices.cpu import results
from fnet.devices.cpu.blocks import ALIGNMENT, allocate
from fnet.devices.cpu.executor import Executor
from fnet.devices.lowering import Rules
from fnet.errors import DeviceError
from fnet.spec import check_array


class Cpu:
    """The device of NumPy's arrays; see `fnet.device.Device`. What compiles, and so imports Numba, is loaded late."""

    name = "cpu"
    array: type[Any] = np.ndarray
    alignment = ALIGNMENT
    # In larger arrays the call of one loop more is nothing, and a gradient that waits for others leaves the cache.
    alike_bytes = 1 << 16, 1 << 18
    has_segments = False
    empty = staticmethod(results.empty)
    release = staticmethod(results.release)
    block = staticmethod(allocate)

    def __init__(self) -> None:
        self._rules = Rules(self.name, "fnet.devices.cpu.lower")

    # Arrays.

    def owns(self, x: Any) -> bool:
        return type(x) is np.ndarray

    def are_ready(self, found: Iterable[tuple[Any, np.dtype, Shape]]) -> bool:
        for array, dtype, shape in found:
            if type(array) is not np.ndarray or array.dtype is not dtype or array.shape != shape:
                return False
            if not array.flags.carray:
                return False
        return True

    def ready(self, x: Any, dtype: np.dtype) -> np.ndarray:
        if type(x) is np.ndarray and x.flags.carray:
            return x
        array = np.asarray(x, dtype, order="C")
        return array if array.flags.carray else np.array(array, order="C")

    def operand(self, x: Any) -> np.ndarray:
        if type(x) is np.ndarray:
            return x
        if not isinstance(x, np.ndarray):
            return np.asarray(x)
        check_array(x)
        return x

    def allocator(self, shape: Shape, dtype: np.dtype) -> Callable[[Shape, np.dtype], np.ndarray]:
        return results.empty if results.is_reused(shape, dtype) else np.empty

    def put(self, array: np.ndarray) -> np.ndarray:
        return np.array(array)

    def get(self, array: np.ndarray) -> np.ndarray:
        return np.array(array)

    def taken(self, array: Any) -> np.ndarray:
        return array.home.get(array)

    def copied(self, array: np.ndarray) -> np.ndarray:
        return np.array(array)

    def lasting(self, array: np.ndarray) -> np.ndarray:
        return self.copied(array)

    def assign(self, target: np.ndarray, source: Any) -> None:
        target[...] = source

    def feed(self) -> Here:
        return _HERE

    def share_memory(self, array: np.ndarray, block: np.ndarray) -> bool:
        return np.may_share_memory(array, block)

    # Blocks.

    def size_of(self, block: np.ndarray) -> int:
        return block.nbytes

    def window(self, block: np.ndarray, offset: int, shape: Shape, dtype: np.dtype) -> np.ndarray:
        return block[offset : offset + dtype.itemsize * math.prod(shape)].view(dtype).reshape(shape)

    def flat(self, memory: np.ndarray, offset: int, count: int, dtype: np.dtype) -> np.ndarray:
        flat = memory.reshape(-1)
        if flat.dtype is not dtype:
            return flat.view(np.uint8)[offset : offset + count * dtype.itemsize].view(dtype)
        if count == flat.size:
            return flat
        start = offset // flat.itemsize
        return flat[start : start + count]

    def clear(self) -> None:
        results.clear()
        self.__dict__.pop("compute", None)  # with the kernel calls that it has recorded

    # Code.

    def rule(self, primitive: Any) -> Rule:
        return self._rules.of(primitive)

    @functools.cached_property
    def compute(self) -> Callable[[Any, Sequence[np.ndarray], dict[str, Any]], list[np.ndarray]]:
        from fnet.devices.cpu.eager import Eager

        return Eager(self).compute

    def viewed(self, array: np.ndarray, primitive: Any, params: dict[str, Any]) -> np.ndarray:
        viewed: np.ndarray = primitive.view(array, **params)
        return viewed

    def loop(self, loops: Loops, emit: Emitter) -> None:
        from fnet.devices.cpu.loops import emit_loops

        emit_loops(loops, emit)

    def copy(self, source: Ref, target: Ref, emit: Emitter) -> None:
        from fnet.devices.cpu.copying import emit_copy

        emit_copy(source, target, emit)

    def fill(self, target: Ref, value: Any, emit: Emitter) -> None:
        from fnet.devices.cpu.copying import emit_fill

        emit_fill(target, value, emit)

    def runner(self, plan: Plan, executor: str) -> Executor:
        return Executor(plan, executor)

    def direct(self, kernel: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
        from fnet.devices.cpu.direct import direct

        return direct(kernel, args)

    def guard(
        self,
        runner: Any,
        workspace: Workspace,
        state: np.ndarray | None,
        read: Sequence[tuple[int, np.dtype, Shape]],
        held: Sequence[tuple[np.ndarray, np.dtype, Shape]],
        dicts: Sequence[dict],
    ) -> Guard | None:
        from fnet.devices.cpu.guard import RecordGuard
        from fnet.kernels.cpu.runtime import guarded_call

        entries = guarded_call.entries()  # none where compiled code cannot look into objects of this interpreter
        return None if entries is None else RecordGuard(entries, runner, workspace, state, read, held, dicts)

    def thread_count(self) -> int:
        from fnet.kernels.cpu.runtime import threads

        return threads.thread_count()

    def set_thread_count(self, count: int) -> None:
        from fnet.kernels.cpu.runtime import threads

        threads.set_thread_count(count)

    def wait(self) -> None:
        """Kernels have run when their calls return."""

    def beside(self, name: str) -> NoReturn:
        raise DeviceError(f"there is no device {name!r}: work on the CPU is done by the threads that call.")


class Here:
    """Arrays of the host are where they should be; see `fnet.device.Feed`."""

    def send(self, arrays: Sequence[Any]) -> tuple[Any, ...]:
        return tuple(arrays)

    def receive(self, sent: tuple[Any, ...]) -> tuple[Any, ...]:
        return sent

    def close(self) -> None:
        """There is nothing to close."""


_CPU, _HERE = Cpu(), Here()


def names() -> list[str]:
    """The CPU is one device, whatever its number of cores."""
    return [_CPU.name]


def why_not() -> str:
    """It is always there."""
    return ""


def libraries() -> dict[str, str]:
    """All that computes here is fnet's own."""
    return {}


def device(number: int) -> Cpu:
    """The only device."""
    return _CPU
