"""What a kernel sees of CUDA: its place in the grid, shared and local memory, atomic operations."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from fnet.errors import StructureError
from fnet.testing.cuda.memory import CheckedArray, SharedArray, UncheckedArray
from fnet.testing.cuda.order import WARP, Clock, Place


class Dim3(tuple[int, int, int]):
    """Three numbers that kernels read as x, y, z."""

    __slots__ = ()
    x = property(lambda self: self[0])
    y = property(lambda self: self[1])
    z = property(lambda self: self[2])


class Memory:
    """The shared memory of one block: an array for each declaration in the source, one of a size said at launch."""

    def __init__(self, running: Callable[[], Clock], dynamic_bytes: int, check: bool) -> None:
        self._running, self._dynamic_bytes, self.check = running, dynamic_bytes, check
        self._arrays: dict[Any, SharedArray | UncheckedArray] = {}

    def array(self, place: str, shape: Any, dtype: Any, alignment: int | None) -> SharedArray | UncheckedArray:
        dtype, key = numpy_dtype(dtype), place
        if shape in (0, (0,)):
            key, shape = "dynamic", self._dynamic_bytes // dtype.itemsize
        found = self._arrays.get(key)
        if found is None:
            data, name = placed(shape, dtype, alignment), f"the shared array of {place}"
            found = self._arrays[key] = (
                SharedArray(data, name, self._running, blank=True) if self.check else UncheckedArray.of(data, name)
            )
        elif found.dtype != dtype:
            raise StructureError(
                f"{place}: shared memory of a size said at launch holds {found.dtype}, a second array {dtype}."
            )
        return found


def placed(shape: Any, dtype: np.dtype, alignment: int | None) -> np.ndarray:
    """An array at a multiple of what is said, or of its items' size, and of nothing larger."""
    nbytes, unit = math.prod(np.atleast_1d(shape).tolist()) * dtype.itemsize, alignment or dtype.itemsize
    whole = np.zeros(nbytes + 3 * unit, np.uint8)
    start = (unit - whole.__array_interface__["data"][0]) % (2 * unit)
    return whole[start : start + nbytes].view(dtype).reshape(shape)


class Thread:
    """The module ``cuda`` as one thread of a kernel sees it; what waits for other threads is not here, but yielded."""

    warpsize = WARP

    def __init__(self, index: Dim3, block: Dim3, block_dim: Dim3, grid_dim: Dim3, clock: Clock, memory: Memory) -> None:
        self.threadIdx, self.blockIdx, self.blockDim, self.gridDim = index, block, block_dim, grid_dim
        self.laneid = clock.thread % WARP
        self.atomic = ATOMIC
        self.const = CONST
        self.cg = GROUPS
        self.clock, self._memory = clock, memory

    def grid(self, ndim: int) -> Any:
        axes = zip(self.blockIdx, self.blockDim, self.threadIdx, strict=True)
        return _one_or_all([b * d + t for b, d, t in axes][:ndim])

    def gridsize(self, ndim: int) -> Any:
        return _one_or_all([g * d for g, d in zip(self.gridDim, self.blockDim, strict=True)][:ndim])

    def shared_array(
        self, place: str, shape: Any, dtype: Any, alignment: int | None = None
    ) -> SharedArray | UncheckedArray:
        return self._memory.array(place, shape, dtype, alignment)

    def local_array(
        self, place: str, shape: Any, dtype: Any, alignment: int | None = None
    ) -> CheckedArray | UncheckedArray:
        data, name = placed(shape, numpy_dtype(dtype), alignment), f"the local array of {place}"
        if self._memory.check:
            return CheckedArray(data, name, lambda: self.clock, blank=True)
        return UncheckedArray.of(data, name)

    def threadfence(self) -> None:
        """Writes are seen at once here, and no fence orders two threads by itself, but with atomic operations."""
        self.clock.fence()

    threadfence_system = threadfence

    def threadfence_block(self) -> None:
        """Nothing: it is for no other block."""

    @staticmethod
    def arrive(counters: Any, i: Any) -> None:
        """See `fnet.kernels.cuda.runtime.grid_barrier`."""
        counters.arrive(i)

    @staticmethod
    def popc(x: Any) -> int:
        return int(x).bit_count()

    @staticmethod
    def fma(a: Any, b: Any, c: Any) -> Any:
        """``a b + c``, rounded once, for float32 if all three are that."""
        single = isinstance(a, np.float32) and isinstance(b, np.float32) and isinstance(c, np.float32)
        return np.float32(_FMAF(a, b, c)) if single else np.float64(_FMA(a, b, c))

    @staticmethod
    def selp(condition: Any, a: Any, b: Any) -> Any:
        return a if condition else b

    def __getattr__(self, name: str) -> NoReturn:
        raise StructureError(f"cuda.{name} is not known to the checker of kernels.")


class _Atomic:
    """``cuda.atomic``: changes an element in one piece and gives the old value."""

    def __getattr__(self, name: str) -> Any:
        change = _CHANGES.get(name)
        if change is None:
            raise StructureError(f"cuda.atomic.{name} is not known to the checker of kernels.")
        return lambda array, index, value: array.update(index, lambda old: change(old, value))

    def cas(self, array: Any, index: Any, expected: Any, value: Any) -> Any:
        return array.update(index, lambda old: value if old == expected else old)

    def compare_and_swap(self, array: Any, expected: Any, value: Any) -> Any:
        return self.cas(array, 0, expected, value)


class _Const:
    """``cuda.const``: memory that is only read."""

    def array_like(self, array: np.ndarray) -> np.ndarray:
        return array


class _Groups:
    """``cuda.cg``: the grid is all that is known of it; to wait for it is yielded."""

    def this_grid(self) -> _Groups:
        return self


def _of_c(name: str, number: Any) -> Any:
    """A function of three numbers of the library of C."""
    function = getattr(ctypes.CDLL(None if os.name == "posix" else "ucrtbase"), name)
    function.argtypes, function.restype = [number] * 3, number
    return function


_FMAF, _FMA = _of_c("fmaf", ctypes.c_float), _of_c("fma", ctypes.c_double)

_CHANGES: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda old, value: old + value,
    "sub": lambda old, value: old - value,
    "max": lambda old, value: np.fmax(old, value),
    "min": lambda old, value: np.fmin(old, value),
    "and_": lambda old, value: old & value,
    "or_": lambda old, value: old | value,
    "xor": lambda old, value: old ^ value,
    "exch": lambda old, value: value,
    "inc": lambda old, value: 0 if old >= value else old + 1,
    "dec": lambda old, value: value if old == 0 or old > value else old - 1,
}
ATOMIC, CONST, GROUPS = _Atomic(), _Const(), _Groups()


def numpy_dtype(dtype: Any) -> np.dtype:
    """The dtype of a NumPy or Numba type."""
    return np.dtype(dtype if isinstance(dtype, np.dtype | type | str) else str(dtype))


def as_place(dim: int | tuple[int, ...]) -> Dim3:
    """One to three sizes as three."""
    return Dim3((*((dim,) if isinstance(dim, int) else dim), 1, 1)[:3])


def place(dim: Dim3) -> Place:
    """The three numbers as a plain tuple."""
    return (dim.x, dim.y, dim.z)


def _one_or_all(numbers: list[int]) -> Any:
    return numbers[0] if len(numbers) == 1 else tuple(numbers)
