"""Compiling kernels of CUDA: the one place that knows Numba's compiler for cards and NVIDIA's assembler.

Nothing here asks for a card: a kernel is compiled for the capability that is said.
"""

from __future__ import annotations

import functools
import importlib
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FunctionType
from typing import Any

import numpy as np

from fnet.errors import DeviceError
from fnet.kernels.cuda.runtime.kernel import DeviceFunction, Instruction, Kernel, OfItsType, cuda

Capability = tuple[int, int]
Signature = tuple[np.dtype | None, ...]
"""For each argument the dtype of a flat array, or None for an int64 number."""

LEAST: Capability = (8, 0)
"""The first capability that kernels are written for: Ampere's."""

PACKAGES = "numba-cuda, nvidia-cuda-nvrtc, nvidia-nvjitlink and nvidia-nvvm"


@dataclass(frozen=True, slots=True)
class Compiled:
    """A kernel for one signature and one capability, and what the assembler says of it.

    name: of the entry in `cubin`; registers: of a thread; shared, local, spilled: bytes of a block's shared memory, of
    a thread's stack, and of what was stored there because registers were missing.
    """

    name: str
    cubin: bytes
    ptx: str
    registers: int
    shared: int
    local: int
    spilled: int


def why_missing() -> str:
    """What keeps kernels from being compiled; empty where nothing does."""
    try:
        for name in ("numba.cuda.extending", "cuda.bindings.nvjitlink"):
            importlib.import_module(name)
    except ImportError as error:
        return f"{error}. Install {PACKAGES}."
    return ""


@functools.cache
def compiled(kernel: Kernel, signature: Signature, capability: Capability) -> Compiled:
    """The machine code of a kernel; raises `DeviceError` where the compiler or the assembler cannot make it."""
    missing = why_missing()
    if missing:
        raise DeviceError(f"{kernel.__name__}: no compiler for kernels of CUDA. {missing}")
    ptx = _ptx(kernel, signature, capability)
    cubin, log = _assembled(kernel, ptx, capability)
    entry = re.search(r"\.visible \.entry (\w+)", ptx)
    assert entry is not None
    return Compiled(
        entry[1],
        cubin,
        ptx,
        _figure(r"Used (\d+) registers", log),
        _figure(r"(\d+) bytes smem", log),
        _figure(r"(\d+) bytes stack frame", log),
        _figure(r"(\d+) bytes spill stores", log),
    )


def _ptx(kernel: Kernel, signature: Signature, capability: Capability) -> str:
    """The text of a kernel for the assembler."""
    (ptx,) = _typed(kernel, signature).get_asm_strs(cc=capability)
    return ptx


@functools.lru_cache(maxsize=1)
def _typed(kernel: Kernel, signature: Signature) -> Any:
    """What Numba makes of a kernel, for any capability: most of the work, kept for the next one that is asked for."""
    numba = _numba()
    with _as_current(LEAST):
        library, _ = numba.compiler._compile_pyfunc_with_fixup(
            _compilable(kernel.py_func),
            tuple(numba.typed(dtype) for dtype in signature),
            device=False,
            abi="numba",
            cc=LEAST,
            launch_bounds=kernel.threads and (kernel.threads, kernel.blocks),
        )
    library._nvvm_options["fma"] = kernel.contract
    return library


def _assembled(kernel: Kernel, ptx: str, capability: Capability) -> tuple[bytes, str]:
    """The machine code, and the figures in the words of the assembler."""
    linker: Any = importlib.import_module("cuda.bindings.nvjitlink")
    options = [f"-arch=sm_{capability[0]}{capability[1]}", "-verbose", "-Xptxas=-v"]
    handle, text = linker.create(len(options), options), ptx.encode()
    try:
        try:
            linker.add_data(handle, linker.InputType.PTX, text, len(text), kernel.__name__)
            linker.complete(handle)
        except linker.nvJitLinkError as error:
            log = bytearray(linker.get_error_log_size(handle))
            linker.get_error_log(handle, log)
            found = log.decode().strip("\0").strip()
            raise DeviceError(f"{kernel.__name__}: the assembler refuses it: {found or error}") from None
        cubin = bytearray(linker.get_linked_cubin_size(handle))
        linker.get_linked_cubin(handle, cubin)
        log = bytearray(linker.get_info_log_size(handle))
        linker.get_info_log(handle, log)
    finally:
        linker.destroy(handle)
    return bytes(cubin), log.decode()


def _figure(pattern: str, log: str) -> int:
    return max((int(found) for found in re.findall(pattern, log)), default=0)


class _Numba:
    """Numba's compiler."""

    def __init__(self) -> None:
        if not hasattr(np, "row_stack"):
            setattr(np, "row_stack", np.vstack)  # noqa: B010  (numba-cuda asks for it, NumPy 2.5 has it no more)
        self.cuda: Any = importlib.import_module("numba.cuda")
        self.compiler: Any = importlib.import_module("numba.cuda.compiler")
        self._types: Any = importlib.import_module("numba.types")
        _watch_current_device()

    def typed(self, dtype: np.dtype | None) -> Any:
        if dtype is None:
            return self._types.int64
        element = self._types.boolean if dtype.kind == "b" else getattr(self._types, dtype.name)
        return self._types.Array(element, 1, "C")


@dataclass(frozen=True)
class _Card:
    compute_capability: Capability
    id: int = 0
    name: str = "compiler"
    uuid: str = "compiler"


class _Asked(threading.local):
    """For which card this thread compiles."""

    card: _Card | None = None


_asked = _Asked()


@functools.cache
def _watch_current_device() -> None:
    """Numba asks the current device for which capability it compiles what kernels call: there it learns ours.

    That is for the thread that compiles, while it does: everyone else gets the device that is there.
    """
    dispatcher: Any = importlib.import_module("numba.cuda.dispatcher")
    of_numba = dispatcher.get_current_device
    dispatcher.get_current_device = lambda: _asked.card or of_numba()


@contextmanager
def _as_current(capability: Capability) -> Iterator[None]:
    """Compile for this capability; a compilation within another one ends before it."""
    before, _asked.card = _asked.card, _Card(capability)
    try:
        yield
    finally:
        _asked.card = before


@functools.cache
def _numba() -> _Numba:
    return _Numba()


def _compilable(function: FunctionType) -> FunctionType:
    """The function with the real module, and with compiled functions, in the places of what stands for them."""
    scope = function.__globals__
    used = {name: scope[name] for name in function.__code__.co_names if name in scope}
    names = {name: _meaning(value) for name, value in used.items()}
    cells = tuple(type(cell)(_meaning(cell.cell_contents)) for cell in function.__closure__ or ())
    names["__name__"] = function.__module__
    made = FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
    made.__module__, made.__qualname__ = function.__module__, function.__qualname__
    return made


def _meaning(value: Any) -> Any:
    if value is cuda:
        return _numba().cuda
    return _device_function(value) if isinstance(value, DeviceFunction) else value


@functools.cache
def _device_function(function: DeviceFunction) -> Any:
    if isinstance(function, Instruction):
        return getattr(importlib.import_module("fnet.kernels.cuda.runtime.intrinsics"), function.__name__)
    if isinstance(function, OfItsType):
        return _of_its_type(function)
    python = _compilable(function.py_func)
    return _numba().cuda.jit(python, device=True, forceinline=True)


def _of_its_type(function: OfItsType) -> Any:
    """A function that Numba replaces by the one for the type of its argument."""
    single, double = (_device_function(one) for one in (function.single, function.double))

    def chosen(*args: Any) -> None: ...

    def of_one(x):  # Numba compares its signature with that of what it gives
        return (lambda x: single(x)) if x.bitwidth == 32 else (lambda x: double(x))

    def of_two(x, y):
        return (lambda x, y: single(x, y)) if x.bitwidth == 32 else (lambda x, y: double(x, y))

    extending: Any = importlib.import_module("numba.cuda.extending")
    extending.overload(chosen)(of_one if function.py_func.__code__.co_argcount == 1 else of_two)
    return chosen


def signature_of(arguments: Sequence[Any]) -> Signature:
    """The signature of arguments: flat NumPy arrays, and integers."""
    return tuple(argument.dtype if isinstance(argument, np.ndarray) else None for argument in arguments)
