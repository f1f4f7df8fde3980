"""Machine code for cards, kept in the folder of the CPU's: it is found by all that a kernel is made of."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

from fnet.kernels.compiler.cache_folder import cache_directory, keep, kept
from fnet.kernels.cuda.runtime import adapter
from fnet.kernels.cuda.runtime.adapter import Capability, Compiled, Signature
from fnet.kernels.cuda.runtime.kernel import Instruction, Kernel

PACKAGES = ("numba-cuda", "numba", "nvidia-cuda-nvrtc", "nvidia-nvjitlink", "nvidia-nvvm")
BESIDE = ("adapter.py", "intrinsics.py")  # files that make machine code, too
LIBRARIES = {"math", "numpy", "numba", "numba_cuda"}  # whose attributes are known by their versions
_PLAIN = (bool, int, float, complex, str, bytes, type(None), type(Ellipsis), np.generic, np.dtype, type)


class _UnknownError(Exception):
    """Something that a kernel depends on, and whose text says nothing of its content."""


def compiled(kernel: Kernel, signature: Signature, capability: Capability) -> Compiled:
    """See `fnet.kernels.cuda.runtime.adapter.compiled`; code that was kept comes without its PTX."""
    folder = cache_directory()
    name = None if folder is None else name_of(kernel, signature, capability)
    if folder is None or name is None:
        return adapter.compiled(kernel, signature, capability)
    path = folder / "cuda" / name
    content = kept(path)
    if content is not None:
        head, _, cubin = content.partition(b"\n")
        return Compiled(**json.loads(head), ptx="", cubin=cubin)
    made = adapter.compiled(kernel, signature, capability)
    figures = {k: v for k, v in dataclasses.asdict(made).items() if k not in ("ptx", "cubin")}
    keep(path, json.dumps(figures).encode() + b"\n" + made.cubin)
    return made


def name_of(kernel: Kernel, signature: Signature, capability: Capability) -> str | None:
    """The name of a file for what is compiled, None where something in the kernel has no text to be known by."""
    try:
        made_of = [*_parts(kernel, set()), str(signature), str(capability)]
    except _UnknownError:
        return None
    text = "\n".join([_compilers(), *made_of])
    return f"{kernel.__name__}_{hashlib.sha256(text.encode()).hexdigest()[:24]}.cubin"


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    """Texts that differ for values which compile to different code."""
    if isinstance(value, tuple | frozenset):
        yield f"{type(value).__name__} of {len(value)}"
        for entry in sorted(value, key=repr) if isinstance(value, frozenset) else value:
            yield from _parts(entry, seen)
    elif isinstance(value, ModuleType) and value.__name__.partition(".")[0] in LIBRARIES:
        yield f"module {value.__name__}"
    elif isinstance(value, BuiltinFunctionType | np.ufunc):
        yield f"function {getattr(value, '__module__', '')} {value.__name__}"
    elif isinstance(value, _PLAIN):
        yield f"{type(value).__qualname__} {value!r}"
    elif isinstance(value, CodeType):
        yield f"code {value.co_code.hex()} {value.co_names} {value.co_varnames} {value.co_freevars}"
        yield from _parts(value.co_consts, seen)
    elif isinstance(function := getattr(value, "py_func", value), FunctionType):
        yield from _of_function(value, function, seen)
    else:
        raise _UnknownError


def _of_function(value: Any, function: FunctionType, seen: set[int]) -> Iterator[str]:
    """The texts of a function, and of what its names stand for."""
    yield f"{type(value).__qualname__} {function.__qualname__}"
    if isinstance(value, Kernel):
        yield f"{value.threads} {value.contract} {value.blocks}"
    if isinstance(value, Instruction) or id(function) in seen:
        return
    seen.add(id(function))
    yield from _parts(function.__code__, seen)
    yield from _parts(function.__defaults__ or (), seen)
    for cell in function.__closure__ or ():
        yield from _parts(cell.cell_contents, seen)
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield name
            yield from _parts(function.__globals__[name], seen)


def _compilers() -> str:
    """What makes the machine code: versions of packages, and fnet's own part."""
    versions = [sys.version]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {importlib.metadata.version(package)}")
        except importlib.metadata.PackageNotFoundError:
            versions.append(f"no {package}")
    here = Path(__file__).parent
    return "\n".join([*versions, *(here.joinpath(name).read_text(encoding="utf-8") for name in BESIDE)])
