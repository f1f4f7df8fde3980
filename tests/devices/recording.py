"""A device for tests: kernels of the CPU, memory that NumPy does not see, and a record of what it is asked for."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous_strides
from fnet.compile.loops import Loops
from fnet.compile.plan import Plan
from fnet.compile.recording import Layout, record
from fnet.compile.walk import Kernels, Walker
from fnet.device import Shape
from fnet.device_array import DeviceArray
from fnet.devices.cpu.copying import emit_copy, emit_fill
from fnet.devices.cpu.loops import emit_loops
from fnet.devices.lowering import Rules


class Memory:
    """A stretch of the device's memory, filled with NaN; `bytes` are for the device only."""

    def __init__(self, nbytes: int, fill: int = 255) -> None:
        self.bytes = np.full(nbytes, fill, np.uint8)


class Recording:
    """See `fnet.device.Device`. seen: how often it did what; kernels: how many calls it made of each."""

    array = DeviceArray
    alignment = 128
    alike_bytes = 1 << 16, 1 << 18
    has_segments = False

    def __init__(self, name: str) -> None:
        self.name = name
        self.seen: Counter[str] = Counter()
        self.kernels: Counter[str] = Counter()
        self._rules = Rules(name, "fnet.devices.cpu.lower")

    # Arrays.

    def owns(self, x: Any) -> bool:
        return isinstance(x, DeviceArray) and x.home is self

    def are_ready(self, found: Iterable[tuple[Any, np.dtype, Shape]]) -> bool:
        return all(
            self.owns(array) and (array.dtype, array.shape) == (dtype, shape) and _ref(array).contiguous
            for array, dtype, shape in found
        )

    def ready(self, x: Any, dtype: np.dtype) -> DeviceArray:
        if not self.owns(x):
            return self.put(np.asarray(x, dtype))
        return x if _ref(x).contiguous else self.copied(x)

    def operand(self, x: Any) -> DeviceArray:
        return x if self.owns(x) else self.put(np.asarray(x))

    def empty(self, shape: Shape, dtype: np.dtype) -> DeviceArray:
        self.seen["arrays"] += 1
        memory = Memory(np.dtype(dtype).itemsize * math.prod(shape))
        return DeviceArray(self, memory, np.dtype(dtype), shape, contiguous_strides(shape))

    def allocator(self, shape: Shape, dtype: np.dtype) -> Callable[[Shape, np.dtype], DeviceArray]:
        return self.empty

    def put(self, array: np.ndarray) -> DeviceArray:
        assert type(array) is np.ndarray
        self.seen["put"] += 1
        made = self.empty(array.shape, array.dtype)
        self._elements(made)[...] = array
        return made

    def get(self, array: DeviceArray) -> np.ndarray:
        self.seen["got"] += 1
        return self._elements(array).copy()

    def taken(self, array: Any) -> DeviceArray:
        return self.put(array.home.get(array))

    def copied(self, array: DeviceArray) -> DeviceArray:
        made = self.empty(array.shape, array.dtype)
        self._elements(made)[...] = self._elements(array)
        return made

    def lasting(self, array: DeviceArray) -> DeviceArray:
        return self.copied(array)

    def assign(self, target: DeviceArray, source: Any) -> None:
        self.seen["assigned"] += 1
        self._elements(target)[...] = self._elements(source) if self.owns(source) else np.asarray(source)

    def feed(self) -> Recording:
        return self

    def send(self, arrays: Sequence[Any]) -> Sequence[Any]:
        return [x if self.owns(x) else x.copy() for x in arrays]

    def receive(self, sent: Sequence[Any]) -> tuple[DeviceArray, ...]:
        return tuple(x if self.owns(x) else self.put(x) for x in sent)

    def close(self) -> None:
        self.seen["closed"] += 1

    def share_memory(self, array: DeviceArray, block: Any) -> bool:
        return array.memory is (block.memory if isinstance(block, DeviceArray) else block)

    # Blocks.

    def block(self, nbytes: int) -> Memory:
        self.seen["blocks"] += 1
        return Memory(nbytes, 0)

    def size_of(self, block: Memory) -> int:
        return block.bytes.nbytes

    def window(self, block: Memory, offset: int, shape: Shape, dtype: np.dtype) -> DeviceArray:
        assert offset % self.alignment == 0
        return DeviceArray(self, block, dtype, shape, contiguous_strides(shape), offset // dtype.itemsize)

    def flat(self, memory: Any, offset: int, count: int, dtype: np.dtype) -> np.ndarray:
        if not isinstance(memory, Memory):
            assert self.are_ready([(memory, memory.dtype, memory.shape)])
            memory, offset = memory.memory, offset + memory.offset * memory.dtype.itemsize
        return memory.bytes[offset : offset + count * dtype.itemsize].view(dtype)

    def release(self) -> None:
        self.seen["released"] += 1

    def clear(self) -> None:
        self.seen["cleared"] += 1

    # Code.

    def rule(self, primitive: Any) -> Any:
        return self._rules.of(primitive)

    def compute(self, primitive: Any, arrays: Sequence[DeviceArray], params: dict[str, Any]) -> list[DeviceArray]:
        arrays = [self.ready(x, x.dtype) for x in arrays]
        recording, specs = record(primitive, self, [Layout(x.shape, x.dtype) for x in arrays], params)
        results = [self.empty(spec.shape, spec.dtype) for spec in specs]
        memory = [*arrays, *results]
        for extra in recording.extra:
            memory.append(self.put(extra) if isinstance(extra, np.ndarray) else self.empty((extra[0],), extra[1]))
        for kernel, args in recording.calls:
            self.kernels[kernel.__name__] += 1
            kernel(*(self._window(memory[a.buffer], a) if isinstance(a, Ref) else a for a in args))
        return results

    def _window(self, array: DeviceArray, ref: Ref) -> np.ndarray:
        return self.flat(array, ref.offset * ref.dtype.itemsize, ref.extent, ref.dtype)

    def viewed(self, array: DeviceArray, primitive: Any, params: dict[str, Any]) -> DeviceArray:
        seen = _ref(self.ready(array, array.dtype) if primitive.of_row_major else array)
        seen = seen.viewed(primitive.view, **params)
        return DeviceArray(self, seen.buffer, seen.dtype, seen.shape, seen.strides, seen.offset)

    def loop(self, loops: Loops, emit: Emitter) -> None:
        self.seen["loops"] += 1
        emit_loops(loops, emit)

    def copy(self, source: Ref, target: Ref, emit: Emitter) -> None:
        self.seen["copies"] += 1
        emit_copy(source, target, emit)

    def fill(self, target: Ref, value: Any, emit: Emitter) -> None:
        self.seen["fills"] += 1
        emit_fill(target, value, emit)

    def runner(self, plan: Plan, executor: str) -> _Runner:
        assert plan.device is self
        self.seen["plans"] += 1
        return _Runner(self, plan)

    def direct(self, kernel: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
        return kernel

    def guard(self, *what: Any) -> None:
        """There is none: steady calls take the longer way."""

    def thread_count(self) -> int:
        return 1

    def set_thread_count(self, count: int) -> None:
        """One thread is what it has."""

    def wait(self) -> None:
        self.seen["waited"] += 1

    def _elements(self, array: DeviceArray) -> np.ndarray:
        assert self.owns(array)
        size = array.dtype.itemsize
        strides = [step * size for step in array.strides]
        return np.ndarray(array.shape, array.dtype, array.memory.bytes, array.offset * size, strides)


def _ref(array: DeviceArray) -> Ref:
    return Ref(array.memory, array.dtype, array.shape, array.strides, array.offset)


class _Runner:
    """Walks the plan, whatever the executor."""

    native = None
    is_atomic = True
    is_settled = True

    def __init__(self, device: Recording, plan: Plan) -> None:
        self._device, self._plan = device, plan
        self._blocks: dict[str, Memory] = {}

    def bind(self, place: str, block: Memory) -> None:
        assert isinstance(block, Memory)
        self._blocks[place] = block

    def run(self, repeat: int, inputs: list[Any], outputs: list[Any]) -> None:
        assert all(array is None or self._device.owns(array) for array in (*inputs, *outputs))
        for call in self._plan.calls:
            self._device.kernels[call.kernel.__name__] += repeat
        self._device.seen["runs"] += repeat
        Walker(self._plan, Kernels(self._plan), self._blocks).run(repeat, inputs, outputs)
