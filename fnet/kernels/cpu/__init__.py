"""CPU kernels, one family a module, imported (with Numba) only when first used."""

import importlib
from types import ModuleType

_FAMILIES = ("copy", "crossentropy", "gemm", "index", "orthogonal", "permutation", "philox", "reduce", "softmax")


def __getattr__(name: str) -> ModuleType:
    if name in _FAMILIES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
