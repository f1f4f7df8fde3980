"""Calls of kernels at once, on NumPy arrays."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fnet.compile.emit import Ref
from fnet.device import Device


class EagerEmitter:
    """Runs every call at once; see `fnet.compile.emit.Emitter`."""

    def __init__(self, device: Device) -> None:
        self.device = device

    def call(self, kernel: Callable, *args: Ref | int, touched: int | None = None) -> None:
        kernel(*(a.buffer[a.offset : a.offset + a.extent] if isinstance(a, Ref) else a for a in args))

    def scratch(self, size: int, dtype: np.dtype) -> Ref:
        return Ref.whole(np.empty(max(size, 1), dtype), np.dtype(dtype), (max(size, 1),))

    def constant(self, value: np.ndarray) -> Ref:
        return ref_of(value)


def ref_of(array: np.ndarray) -> Ref:
    """A `Ref` to a NumPy array, copying only what no kernel can read (read-only, unaligned, oddly strided)."""
    flags = array.flags
    if flags.writeable and flags.aligned:
        if flags.c_contiguous:
            return Ref.whole(array.reshape(-1), array.dtype, array.shape)
        if flags.f_contiguous:
            strides = tuple(s // array.itemsize for s in array.strides)
            return Ref(array.T.reshape(-1), array.dtype, array.shape, strides)
    copy = np.array(array, order="C", copy=True)
    return Ref.whole(copy.reshape(-1), copy.dtype, copy.shape)
