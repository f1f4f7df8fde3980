"""Kernels of CUDA as plain Python functions that are not compiled, and launches of them.

Neither needs Numba. What compiles a kernel puts the module `numba.cuda` in the place of `cuda`, and compiled functions
in the places of `DeviceFunction`s. `fnet.testing.cuda.run_kernel` runs a kernel as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from types import FunctionType, ModuleType
from typing import Any, NoReturn, cast

import numpy as np

from fnet.errors import StructureError

Dim = tuple[int, int, int]


class _StandIn(ModuleType):
    """The module of its name, where the text of a kernel speaks of it."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"cuda.{name} is for kernels while they run: write it into a function marked @kernel.")


cuda: Any = _StandIn("numba.cuda", "What kernels know of the grid, of threads and of memory.")


@dataclass(frozen=True, slots=True)
class Launch:
    """A kernel, how many blocks run it, and how many threads each has.

    shared_bytes: the size of the shared memory that the kernel declares with a shape of 0; together: whether all blocks
    run at the same time, since they wait for each other (`fnet.kernels.cuda.runtime.grid_barrier`).
    """

    kernel: Kernel
    grid: Dim
    block: Dim
    shared_bytes: int = 0
    together: bool = False

    @property
    def __name__(self) -> str:
        return self.kernel.__name__

    def __call__(self, *args: Any) -> NoReturn:
        raise StructureError(
            f"{self.__name__} is a kernel of CUDA, which Python cannot call.\n"
            f"Without a card: fnet.testing.cuda.run_kernel(kernel, grid, block, ...)."
        )


class _Text:
    """A function that is kept as it is written."""

    __name__: str

    def __init__(self, function: FunctionType) -> None:
        functools.update_wrapper(cast(Any, self), function)
        self.py_func = function

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.__module__}.{self.__name__}>"


class Kernel(_Text):
    """A function that all threads of a grid run: ``kernel[grid, block]`` is a `Launch` of it.

    py_func: the function; threads: how many a block has at most, None where any number; contract: whether a product
    and the sum behind it may be rounded once; blocks: for how many of `threads` a multiprocessor must have registers,
    which is what limits those of a thread.
    """

    def __init__(self, function: FunctionType, threads: int | None, contract: bool, blocks: int = 1) -> None:
        super().__init__(function)
        self.threads, self.contract, self.blocks = threads, contract, blocks

    def __getitem__(self, how: tuple[Any, ...]) -> Launch:
        """The launch of ``grid, block`` or ``grid, block, shared_bytes``; each of the first is one to three numbers."""
        grid, block, *shared_bytes = how
        return Launch(self, _dim(grid), _dim(block), int(shared_bytes[0]) if shared_bytes else 0)


class DeviceFunction(_Text):
    """A function that kernels call; Python can call it, too, if it does not speak of `cuda`."""

    def __call__(self, *args: Any) -> Any:
        return self.py_func(*args)


class Instruction(DeviceFunction):
    """A function whose text is for Python; compiled code has that of its name in `intrinsics`, a module beside."""


class OfItsType(DeviceFunction):
    """One function for float32 and another for float64, chosen by the type of the first argument."""

    def __init__(self, single: DeviceFunction, double: DeviceFunction) -> None:
        def of_one(x: Any) -> Any:
            return single(x) if isinstance(x, np.float32) else double(x)

        def of_two(x: Any, y: Any) -> Any:
            return single(x, y) if isinstance(x, np.float32) else double(x, y)

        super().__init__(_plain(of_one if single.py_func.__code__.co_argcount == 1 else of_two))
        self.single, self.double = single, double


@functools.cache
def _of_user(function: FunctionType) -> Kernel:
    return Kernel(function, None, True)


def launch_of(kernel: Any) -> Launch:
    """A launch, or a user's ``@cuda.jit`` function of Numba's with its grid and block, as a launch."""
    if isinstance(kernel, Launch):
        return kernel
    function = getattr(getattr(kernel, "dispatcher", None), "py_func", None)
    if function is None:
        raise StructureError(
            f"expected a kernel with a grid and a block, kernel[grid, block], received a {type(kernel).__name__}."
        )
    return Launch(_of_user(function), _dim(kernel.griddim), _dim(kernel.blockdim), int(kernel.sharedmem))


def kernel(
    function: Callable | None = None,
    *,
    threads: int | None = None,
    contract: bool = True,
    blocks: int = 1,
) -> Any:
    """Mark a function as a kernel: it takes flat arrays and int64 numbers, writes into its outputs, and gives nothing.

    threads, contract, blocks: see `Kernel`.

    >>> @kernel(threads=256)
    ... def double(x):
    ...     i = cuda.grid(1)
    ...     if i < x.size:
    ...         x[i] *= 2
    >>> double[4, 256].block
    (256, 1, 1)
    """
    if function is None:
        return functools.partial(kernel, threads=threads, contract=contract, blocks=blocks)
    return Kernel(_plain(function), threads, contract, blocks)


def device_function(function: Callable) -> DeviceFunction:
    """Mark a function that kernels call; it is inlined into them."""
    return DeviceFunction(_plain(function))


def instruction(function: Callable) -> Instruction:
    """Mark what its text means as an instruction of the card."""
    return Instruction(_plain(function))


def _plain(function: Callable) -> FunctionType:
    if not isinstance(function, FunctionType):
        raise StructureError(f"expected a plain Python function, received a {type(function).__name__}.")
    return function


def _dim(sizes: Any) -> Dim:
    """One to three numbers as three."""
    x, y, z = (*(sizes if isinstance(sizes, tuple) else (sizes,)), 1, 1)[:3]
    return int(x), int(y), int(z)
