"""cuBLASLt, NVIDIA's library of matrix products: where it is found, its C functions, what its errors say.

Nothing is loaded before somebody asks for it. Only `Library.start` needs a card.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import os
import sys
from collections.abc import Iterator
from ctypes import c_int, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from fnet.errors import DeviceError

VARIABLE = "FNET_CUBLASLT"
VERSIONS = (13, 12)
"""The versions whose functions are those below; the first is looked for first."""

# Names and numbers of cublasLt.h, cublas_api.h and library_types.h.
R_32F, R_64F = 0, 1
COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_16BF = 68, 70, 75
OP_N, OP_T = 0, 1
LAYOUT_COUNT, LAYOUT_STEP = 5, 6
DESC_TRANSPOSED_A, DESC_TRANSPOSED_B, DESC_EPILOGUE, DESC_BIAS = 3, 4, 7, 8
EPILOGUE_DEFAULT, EPILOGUE_BIAS = 1, 4
PREFERENCE_WORKSPACE, PREFERENCE_REDUCTIONS, PREFERENCE_ALIGNMENTS = 1, 3, (5, 6, 7, 8)  # the last of A, B, C, D
REDUCTION_COMPUTE_TYPE = 2

_STATUS = {
    1: "not initialized",
    3: "no room for what it allocates",
    7: "invalid value",
    8: "the card is of another kind than what it has code for",
    11: "mapping error",
    13: "execution failed",
    14: "internal error",
    15: "not supported",
    16: "license error",
}
_LOST = {11, 13, 14}
SUCCESS, UNKNOWN = 0, (7, 15)
"""The status of success, and those by which the library says that it does not know a way."""

_WITHIN = ("lib", "lib64", "targets/x86_64-linux/lib", "bin", "Library/bin")  # environments and toolkits

_FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "cublasLtCreate": (c_void_p,),
    "cublasLtMatmulDescCreate": (c_void_p, c_int, c_int),
    "cublasLtMatmulDescDestroy": (c_void_p,),
    "cublasLtMatmulDescSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatrixLayoutCreate": (c_void_p, c_int, c_uint64, c_uint64, ctypes.c_int64),
    "cublasLtMatrixLayoutDestroy": (c_void_p,),
    "cublasLtMatrixLayoutSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatmulPreferenceCreate": (c_void_p,),
    "cublasLtMatmulPreferenceDestroy": (c_void_p,),
    "cublasLtMatmulPreferenceSetAttribute": (c_void_p, c_int, c_void_p, c_size_t),
    "cublasLtMatmulAlgoGetHeuristic": (*(c_void_p,) * 7, c_int, c_void_p, c_void_p),
    "cublasLtMatmulAlgoCheck": (c_void_p,) * 8,
    "cublasLtMatmul": (*(c_void_p,) * 14, c_size_t, c_void_p),
}


class Algorithm(ctypes.Structure):
    """How one product is computed: cublasLtMatmulAlgo_t."""

    _fields_ = (("data", c_uint64 * 8),)


class Found(ctypes.Structure):
    """An algorithm and what it needs: cublasLtMatmulHeuristicResult_t."""

    _fields_ = (
        ("algorithm", Algorithm),
        ("workspace", c_size_t),
        ("state", c_int),
        ("waves", ctypes.c_float),
        ("reserved", c_int * 4),
    )


class Library:
    """The functions of a library that was loaded.

    path: its file, or the name that the system knows; number: its version, 130100 for 13.1.0; refused: why it did not
    start on a card, empty where it did.
    """

    def __init__(self, path: str) -> None:
        self._functions = ctypes.CDLL(path)
        self.path, self.refused = path, ""
        for name, types in _FUNCTIONS.items():
            getattr(self._functions, name).argtypes = types
        asked = self._functions.cublasLtGetVersion
        asked.restype = c_size_t
        self.number = int(asked())

    @property
    def version(self) -> str:
        return f"{self.number // 10000}.{self.number // 100 % 100}.{self.number % 100}"

    def status(self, name: str, *args: Any) -> int:
        """Call a function; 0 is success."""
        return int(getattr(self._functions, name)(*args))

    def call(self, what: object, name: str, *args: Any) -> None:
        """Call a function; raises what it says where that is not success, of which `what` says what it was about."""
        self.check(what, self.status(name, *args))

    def check(self, what: object, status: int) -> None:
        """Raise what a status says, if it is not success."""
        if status != SUCCESS:
            further = f"{VARIABLE}=0 in the environment keeps to fnet's own kernels."
            if status in _LOST:
                further = "The card takes no more work from this process: start it again."
            raise DeviceError(f"{what}: cuBLASLt says {_STATUS.get(status, f'status {status}')}.\n{further}")

    def made(self, what: object, name: str, *args: Any) -> int:
        """What a function makes, whose first argument says where the handle goes."""
        handle = c_void_p()
        self.call(what, name, ctypes.byref(handle), *args)
        assert handle.value is not None
        return handle.value

    def set(self, name: str, handle: int, attribute: int, value: Any) -> None:
        """Set an attribute of what was made; value: a number of C."""
        self.call("describing a product", name, handle, attribute, ctypes.byref(value), ctypes.sizeof(value))

    def start(self) -> int:
        """A handle for the card whose context is entered; 0 where it does not start there."""
        try:
            return self.made(f"starting {self.version} of {self.path}", "cublasLtCreate")
        except DeviceError as error:
            self.refused = str(error).partition("\n")[0]
        return 0


def library() -> tuple[Library | None, str]:
    """The first library that no card has refused, with where it is from; or None, and why there is none."""
    refused: list[Library] = []
    while True:
        found, words = _loaded(tuple(one.number for one in refused))
        if found is None:
            return None, "; ".join(one.refused for one in refused) or words
        if not found.refused:
            return found, words
        refused.append(found)


def said() -> str:
    """Which library is in use, and where it is from, or why none is."""
    found, words = library()
    return f"not in use: {words}" if found is None else words


@functools.cache
def _loaded(but: tuple[int, ...]) -> tuple[Library | None, str]:
    """The first one that is found of another version than these."""
    if os.environ.get(VARIABLE, "1").lower() in ("0", "off", "no", "false"):
        return None, f"off by {VARIABLE} in the environment"
    refused = []
    for path in _candidates():
        try:
            found = Library(path)
        except OSError:
            continue
        except AttributeError as error:
            refused.append(f"{path} is not cuBLASLt {VERSIONS[-1]} or later: {error}")
            continue
        if found.number // 10000 < VERSIONS[-1]:
            refused.append(f"{path} is of version {found.version}; {VERSIONS[-1]} or later is needed")
        elif found.number not in but:
            return found, f"{found.version} of {path}"
    return None, "; ".join(refused) or "not found: pip install nvidia-cublas"


def _candidates() -> Iterator[str]:
    """The names by which the system finds the library, then files in packages, in environments and in the toolkit."""
    pattern = "cublasLt64_{}.dll" if sys.platform == "win32" else "libcublasLt.so.{}"
    names = [pattern.format(version) for version in VERSIONS]
    yield from names
    for folder in _folders():
        for name in names:
            if (path := folder / name).exists():
                yield str(path)
    if sys.platform != "win32":
        yield "libcublasLt.so"


def _folders() -> Iterator[Path]:
    """Folders in which the library may be."""
    packages = importlib.util.find_spec("nvidia")
    for place in (packages and packages.submodule_search_locations) or ():
        for folder in (*sorted(Path(place).glob("cu[0-9]*"), reverse=True), Path(place) / "cublas"):
            yield from (folder / "lib", folder / "bin", folder / "bin" / "x86_64")
    for variable in ("CONDA_PREFIX", "CUDA_HOME", "CUDA_PATH"):
        if root := os.environ.get(variable):
            yield from (
                Path(root) / name for name in ("lib", "lib64", "targets/x86_64-linux/lib", "bin", "Library/bin")
            )
    yield Path("/usr/local/cuda/lib64")
