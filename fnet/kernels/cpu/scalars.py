"""The scalar functions (`fnet.kernels.scalar`) as the CPU compiles them, each when it is first asked for.

``exp_f32`` and ``exp_f64`` are for one type; ``exp``, for kernels written once, follows the type of its argument. Those
that generated loops are made of are compiled as `elementary`: they give the same bits in a chain as alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numba.core import config
from numba.extending import overload

from fnet.kernels.cpu.fused import multiply_add, polynomial
from fnet.kernels.policy import elementary, scalar
from fnet.kernels.scalar import (
    arithmetic,
    error_function,
    exponential,
    half,
    instructions,
    integers,
    inverse,
    logarithm,
    philox,
    quantile,
    scaled,
    sums,
)
from fnet.kernels.scalar.loading import Loader

_INSTRUCTIONS: dict[Callable, Any] = {
    instructions.multiply_add: multiply_add, instructions.polynomial: polynomial, instructions.sqrt: np.sqrt,
    instructions.power: np.power, instructions.copysign: np.copysign, instructions.floor: np.floor,
    instructions.ceil: np.ceil, instructions.trunc: np.trunc, instructions.rint: np.rint, instructions.sin: np.sin,
    instructions.cos: np.cos, instructions.tan: np.tan, instructions.arctan: np.arctan, instructions.erfc: math.erfc,
    instructions.arcsin: np.arcsin, instructions.arccos: np.arccos, instructions.arctan2: np.arctan2,
    instructions.arcsinh: np.arcsinh, instructions.arccosh: np.arccosh, instructions.arctanh: np.arctanh,
    instructions.cbrt: np.cbrt, instructions.hypot: np.hypot,
}  # fmt: skip
_ELEMENTARY = (arithmetic, error_function, exponential, half, integers, inverse, logarithm, quantile)

_loader = Loader(
    {**dict.fromkeys(_ELEMENTARY, elementary), sums: elementary(reassoc=True), philox: scalar, scaled: scalar},
    {} if config.DISABLE_JIT else _INSTRUCTIONS,
    __file__,
)
TEXTS = _loader.texts


def __getattr__(name: str) -> Any:
    text = TEXTS.get(name)
    try:
        value = _loader[name] if text is None or not _loader.is_typed(text) else _of_either_type(name)
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value
    return value


def _of_either_type(name: str) -> Callable:
    """The function of this name for the type of its first argument, in Python and in compiled code."""
    single, double = _loader[f"{name}_f32"], _loader[f"{name}_f64"]

    def of_its_type(x, *rest):
        return (single if isinstance(x, np.float32) else double)(x, *rest)

    def of_one(x):
        return (lambda x: single(x)) if x.bitwidth == 32 else (lambda x: double(x))

    def of_two(x, y):
        return (lambda x, y: single(x, y)) if x.bitwidth == 32 else (lambda x, y: double(x, y))

    if not config.DISABLE_JIT:
        chosen = of_one if single.py_func.__code__.co_argcount == 1 else of_two
        overload(of_its_type, jit_options={"error_model": "numpy", "nogil": True, "forceinline": True})(chosen)
    return of_its_type
