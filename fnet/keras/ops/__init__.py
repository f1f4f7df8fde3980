"""Operations for calls of layers of your own, and on symbolic values: ``keras.ops`` with its arguments and defaults.

A function that is not in one of the modules here is that of `fnet.ops`, of `fnet.activations`, or NumPy's.
"""

import importlib
import sys
from typing import Any

_ROOMS = ("linalg", "math", "nn", "numpy")  # where Keras has the same functions, too


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return sys.modules[__name__]
    if name == "image":
        return importlib.import_module(f"{__name__}.image")
    if name[0] == "_":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fnet.keras.ops.lookup import function_named  # imports modules of this package

    return function_named(name)
