"""Which function answers to a name of ``keras.ops``: one of the modules here, `fnet.ops`, `fnet.activations`, NumPy."""

from __future__ import annotations

import functools
import importlib
from typing import Any

import numpy as np

from fnet import activations, ops
from fnet.errors import did_you_mean
from fnet.keras.ops.calls import on_nodes

_MODULES = [
    importlib.import_module(f"{__package__}.{name}")
    for name in ("arrays", "missing", "neural", "more_neural", "maths", "core", "patches", "pattern", "systems")
]
_NO_COMPLEX = "there are no complex numbers; fft and polar have the real and the imaginary part as a pair of arrays."
REFUSED = {
    "custom_gradient": "fnet.primitive makes a function with a derivative rule of its own.",
    "eig": "its values may be complex, and there are no complex numbers. Symmetric matrices have real ones.",
    "view_as_complex": _NO_COMPLEX,
    "view_as_real": _NO_COMPLEX,
}
"""What there is not, and what is there for it."""
_NOT_HERE = ("ndarray", "matrix", "asmatrix", "bmat", "save", "load", "savez", "fromfile", "test")


@functools.cache
def function_named(name: str) -> Any:
    """The function of this name; raises `AttributeError` where there is none."""
    for module in _MODULES:
        own = vars(module).get(name)
        if getattr(own, "__module__", "").startswith(__package__):
            return own
    if name in REFUSED:
        raise AttributeError(f"fnet.keras.ops has no {name}: {REFUSED[name]}")
    found = getattr(ops, name, None) or activations.ACTIVATIONS.get(name)
    if found is None and (name not in np.__all__ or name in _NOT_HERE):
        hint = did_you_mean(name, [*dir(ops), *activations.ACTIVATIONS])
        raise AttributeError(f"module {__package__!r} has no attribute {name!r}.{hint}")
    function = getattr(np, name) if found is None else found
    return on_nodes(function) if callable(function) and not isinstance(function, type) else function
