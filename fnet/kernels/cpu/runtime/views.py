"""Typed one-dimensional views of raw memory, made inside compiled code, without reference counting.

``view_f4(base, skip, count)`` sees `count` elements of float32, starting `skip` bytes after `base`: the first element
of an array of any type and rank, or an address. The caller keeps the memory alive.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import config
from numba.extending import intrinsic
from numba.np.arrayobj import make_array, populate_array
from numba.np.numpy_support import from_dtype


def _compiled_view(dtype: np.dtype) -> Callable:
    element = from_dtype(dtype)

    @intrinsic
    def view(typingctx: Any, base: Any, skip: Any, count: Any) -> Any:
        result = types.Array(element, 1, "C")
        signature = result(base, types.int64, types.int64)

        def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            base_type, _, _ = signature.args
            source, skipped, size = args
            if isinstance(base_type, types.Integer):
                start = builder.inttoptr(source, ir.IntType(8).as_pointer())
            else:
                array = make_array(base_type)(context, builder, source)
                start = builder.bitcast(array.data, ir.IntType(8).as_pointer())
            pointer = builder.gep(start, [skipped], source_etype=ir.IntType(8))
            data_type = context.get_data_type(element).as_pointer()
            item = context.get_constant(types.intp, dtype.itemsize)
            view = make_array(result)(context, builder)
            populate_array(
                view,
                data=builder.bitcast(pointer, data_type),
                shape=[size],
                strides=[item],
                itemsize=item,
                meminfo=None,
            )
            return view._getvalue()

        return signature, codegen

    return view


def _interpreted_view(dtype: np.dtype) -> Callable:
    def view(base: Any, skip: int, count: int) -> np.ndarray:
        size = int(count) * dtype.itemsize
        if isinstance(base, np.ndarray):
            return base.reshape(-1).view(np.uint8)[skip : skip + size].view(dtype)
        memory: Any = (ctypes.c_uint8 * size).from_address(int(base) + int(skip))
        return np.frombuffer(memory, dtype)

    return view


_make = _interpreted_view if config.DISABLE_JIT else _compiled_view

view_f4 = _make(np.dtype("f4"))
view_f8 = _make(np.dtype("f8"))
view_i1 = _make(np.dtype("i1"))
view_i2 = _make(np.dtype("i2"))
view_i4 = _make(np.dtype("i4"))
view_i8 = _make(np.dtype("i8"))
view_u1 = _make(np.dtype("u1"))
view_u2 = _make(np.dtype("u2"))
view_u4 = _make(np.dtype("u4"))
view_u8 = _make(np.dtype("u8"))
view_b1 = _make(np.dtype("?"))
