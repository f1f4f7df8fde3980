"""Arguments and memory for generated functions that the user's own compiled code calls."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic, overload
from numba.np.numpy_support import as_dtype, from_dtype

from fnet.errors import DtypeError, ShapeError
from fnet.kernels.compiler.stack import reserve

_ALIGNMENT = 64


def taken(array, name, code, shape):
    """Return `array` if it is C-contiguous with elements of type `code` (such as "f4"), else a copy that is.

    `name` and `shape` say in errors what was expected. Ranks are compared here, in compiled code when it is compiled,
    sizes by the caller.
    """
    is_array = isinstance(array, np.ndarray)
    _check(array.dtype if is_array else None, array.ndim if is_array else -1, array, name, code, shape)
    return np.ascontiguousarray(array, code).reshape(array.shape)


def _check(dtype: np.dtype | None, ndim: int, received: Any, name: str, code: str, shape: Any) -> None:
    wanted = np.dtype(code)
    if dtype is None or not np.can_cast(dtype, wanted, "same_kind"):
        shown = dtype or (received if isinstance(received, types.Type) else type(received).__name__)
        raise DtypeError(f"njit_apply: {name} must be an array of {wanted}, received {shown}.")
    if ndim != len(shape):
        raise ShapeError(f"njit_apply: {name} must have {len(shape)} axes, received {ndim}.")


@overload(taken, prefer_literal=True)
def _taken(array, name, code, shape):
    element, is_array = np.dtype(code.literal_value), isinstance(array, types.Array)
    own = as_dtype(array.dtype) if is_array and isinstance(array.dtype, types.Number | types.Boolean) else None
    _check(own, array.ndim if is_array else -1, array, name.literal_value, code.literal_value, shape)
    if array.dtype == from_dtype(element) and array.layout == "C":
        return lambda array, name, code, shape: array

    def copied(array, name, code, shape):
        copy = np.empty(array.shape, element)
        for index, value in np.ndenumerate(array):
            copy[index] = value
        return copy

    return copied


@intrinsic(prefer_literal=True)
def _stack(typing, size):
    """The address of `size` bytes, a literal number, that last until the function returns."""
    count = size.literal_value

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Any) -> ir.Value:
        memory = reserve(builder, ir.ArrayType(ir.IntType(8), count))
        memory.align = _ALIGNMENT
        return builder.ptrtoint(memory, ir.IntType(64))

    return types.int64(size), generate


@intrinsic
def _hold(typing, array):
    """Keeps `array` alive up to here: nothing is computed, but Numba frees an array only after its last use."""
    return types.void(array), lambda context, builder, signature, values: context.get_dummy_value()


# `stack(size)` is what views take as the base of so many bytes of memory, `hold(array)` ends the use of an array
# through views.
stack: Any = (lambda size: np.empty(size, np.uint8)) if config.DISABLE_JIT else _stack
hold: Any = (lambda array: None) if config.DISABLE_JIT else _hold
