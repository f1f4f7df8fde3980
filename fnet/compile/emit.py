"""What lowering rules see: references to memory, and an emitter that takes kernel calls.

A `Ref` is a strided window on a flat buffer. In eager execution the buffer is memory of the device and a call runs at
once; in a plan it is a `Buffer` without an address yet and a call is appended to the plan.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from fnet.device import Device

Shape = tuple[int, ...]


def contiguous_strides(shape: Shape) -> Shape:
    """Row-major strides, in elements."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.append(step)
        step *= size
    return tuple(reversed(strides))


@dataclass(slots=True)
class Ref:
    """A window of `shape` on a flat `buffer`: element (i, j) is at ``offset + i*strides[0] + j*strides[1]``.

    It is never changed. The class is not frozen, because Python makes objects of frozen ones three times as slowly.
    """

    buffer: Any
    dtype: np.dtype
    shape: Shape
    strides: Shape
    offset: int = 0

    @classmethod
    def whole(cls, buffer: Any, dtype: np.dtype, shape: Shape) -> Ref:
        return cls(buffer, dtype, shape, contiguous_strides(shape))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def contiguous(self) -> bool:
        expected = contiguous_strides(self.shape)
        return all(n == 1 or s == e for n, s, e in zip(self.shape, self.strides, expected, strict=True))

    @property
    def extent(self) -> int:
        """How many elements of the buffer the window spans, from its offset on."""
        extent = 1
        for n, stride in zip(self.shape, self.strides, strict=True):
            if n == 0:
                return 0
            extent += (n - 1) * stride
        return extent

    @property
    def backwards(self) -> bool:
        return min(self.strides, default=0) < 0 and any(
            n > 1 and s < 0 for n, s in zip(self.shape, self.strides, strict=True)
        )

    @property
    def settled(self) -> Ref:
        """The same window, where axes of one element have the strides of contiguous memory.

        Such strides mean nothing, but kernels choose by strides how they compute. They then choose the same way for
        the same elements.
        """
        usual = zip(self.shape, self.strides, contiguous_strides(self.shape), strict=True)
        return replace(self, strides=tuple(expected if n == 1 else s for n, s, expected in usual))

    def broadcast(self, shape: Shape) -> Ref:
        """The same elements seen in a larger shape; a repeated axis has stride 0."""
        lead = len(shape) - len(self.shape)
        strides = [0] * lead + [0 if n == 1 else s for n, s in zip(self.shape, self.strides, strict=True)]
        return replace(self, shape=shape, strides=tuple(strides))

    def viewed(self, view: Callable[..., np.ndarray], **params: Any) -> Ref:
        """The window that a NumPy view function makes of this one; `view` must not need to copy."""
        item = self.dtype.itemsize
        stand_in = np.lib.stride_tricks.as_strided(
            np.zeros(1, self.dtype), self.shape, [s * item for s in self.strides], writeable=False
        )
        seen = view(stand_in, **params)
        moved = (seen.__array_interface__["data"][0] - stand_in.__array_interface__["data"][0]) // item
        offset = self.offset + (moved if self.size and seen.size else 0)
        return Ref(self.buffer, self.dtype, seen.shape, tuple(s // item for s in seen.strides), offset)


class Emitter(Protocol):
    """Takes kernel calls for a `device`; arguments are `Ref`s (passed as flat windows) and integers."""

    device: Device

    def call(self, kernel: Callable, *args: Ref | int, touched: int | None = None) -> None:
        """One call; `touched` says how many bytes it uses if that is not the size of all its windows."""
        ...

    def scratch(self, size: int, dtype: np.dtype) -> Ref:
        """Uninitialised memory for the calls of this primitive only."""
        ...

    def constant(self, value: np.ndarray) -> Ref:
        """Memory that holds `value`, to be read only."""
        ...

    def counters(self, count: int) -> Ref:
        """So many zeros, uint32, that each call leaves as zeros."""
        ...


def contiguous(ref: Ref, emit: Emitter) -> Ref:
    """The same elements in row-major order, through a copy into scratch memory where they are not."""
    if ref.contiguous:
        return ref
    target = Ref.whole(emit.scratch(ref.size, ref.dtype).buffer, ref.dtype, ref.shape)
    copy(ref, target, emit)
    return target


def copy(source: Ref, target: Ref, emit: Emitter) -> None:
    """Emit calls that copy between windows of equal shape, whatever their strides."""
    if source.size:
        emit.device.copy(source, target, emit)


def merged_axes(source: Ref, target: Ref) -> tuple[Shape, Shape, Shape]:
    """The shape and both strides without axes of one element, neighbours joined where neither has a gap between."""
    merged: list[tuple[int, int, int]] = []
    for n, s, t in zip(source.shape, source.strides, target.strides, strict=True):
        if n == 1:
            continue
        if merged and merged[-1][1] == s * n and merged[-1][2] == t * n:
            merged[-1] = (merged[-1][0] * n, s, t)
        else:
            merged.append((n, s, t))
    shape, inner, outer = zip(*merged, strict=True) if merged else ((), (), ())
    return tuple(shape), tuple(inner), tuple(outer)
