"""A stand-in for cuBLASLt, compiled from `stand_in.c`, for memory of the host."""

from __future__ import annotations

import ctypes
import functools
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fnet.kernels.cuda.runtime.algorithms import Algorithms
from fnet.kernels.cuda.runtime.cublaslt import Library
from fnet.kernels.cuda.runtime.product import Product

CREATE, HEURISTIC, CHECK, MATMUL = range(4)
COMPILER = shutil.which("cc") or shutil.which("gcc")
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="no compiler of C")


@functools.cache
def built(version: int = 130100) -> str:
    """The path of a stand-in of this version."""
    assert COMPILER is not None
    path = Path(_folder().name) / f"{version}.so"
    source = str(Path(__file__).with_name("stand_in.c"))
    subprocess.run([COMPILER, "-shared", "-fPIC", f"-DVERSION={version}", "-o", str(path), source], check=True)
    return str(path)


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory()


class StandIn:
    """One that is loaded. failing: what functions give in place of success; called: how often each was called."""

    def __init__(self) -> None:
        self.library = Library(built())
        for numbers in (self.failing, self.called):
            numbers[:] = [0] * 4

    @property
    def failing(self) -> Any:
        return (ctypes.c_int * 4).in_dll(self.library._functions, "failing")

    @property
    def called(self) -> Any:
        return (ctypes.c_int * 4).in_dll(self.library._functions, "called")

    def number(self, name: str, kind: Any = ctypes.c_int) -> int:
        """A number that it keeps."""
        return int(kind.in_dll(self.library._functions, name).value)

    def algorithms(self) -> Algorithms:
        return Algorithms(self.library, self.library.start())

    def multiplying(self) -> Callable[..., None]:
        """What computes a `Product` of flat arrays."""
        algorithms = self.algorithms()
        return lambda product, *arrays: algorithms.run(product, arguments(arrays), 0)


def arguments(arrays: Sequence[np.ndarray]) -> list[tuple[int, int, np.dtype]]:
    """Arrays as a driver takes them; who calls holds them."""
    return [(x.__array_interface__["data"][0], x.size, x.dtype) for x in arrays]


def product(shape: tuple[int, int, int], left: Any, right: Any, **options: Any) -> Product:
    """A product of float32 at "highest", if not said otherwise."""
    m, k, n = shape
    usual = {"count": 1, "dtype": np.dtype(np.float32), "level": "highest", "has_bias": False, "workspace": 1024}
    return Product(m=m, k=k, n=n, left=left, right=right, **(usual | options))
