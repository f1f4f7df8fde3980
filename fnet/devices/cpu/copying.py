"""Copies between windows, and filled ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, merged_axes
from fnet.kernels import cpu


def emit_copy(source: Ref, target: Ref, emit: Emitter) -> None:
    """Emit calls that copy between windows of equal shape, whatever their strides."""
    shape, strides_in, strides_out = merged_axes(source, target)
    depth = cpu.copy.DEPTH
    if len(shape) > depth:
        for index in np.ndindex(*shape[:-depth]):
            moved_in = source.offset + sum(i * s for i, s in zip(index, strides_in, strict=False))
            moved_out = target.offset + sum(i * s for i, s in zip(index, strides_out, strict=False))
            inner = shape[-depth:]
            emit_copy(
                Ref(source.buffer, source.dtype, inner, strides_in[-depth:], moved_in),
                Ref(target.buffer, target.dtype, inner, strides_out[-depth:], moved_out),
                emit,
            )
        return
    pad = depth - len(shape)
    sizes = (1,) * pad + shape
    steps_in, steps_out = (0,) * pad + strides_in, (0,) * pad + strides_out
    low_in, first_in = _lowest(source)
    low_out, first_out = _lowest(target)
    places = {"x_first": first_in, "y_first": first_out}
    for name, values in (("n", sizes), ("x", steps_in), ("y", steps_out)):
        places |= {f"{name}{axis}": value for axis, value in enumerate(values)}
    emit.call(cpu.copy.copy_strided, low_in, low_out, emit.constant(cpu.copy.SIZES.array(**places)))


def emit_fill(target: Ref, value: Any, emit: Emitter) -> None:
    """Emit a call that writes one number into every element of a row-major window."""
    emit.call(cpu.copy.fill, target, emit.constant(np.full(1, value, target.dtype)), target.size)


def _lowest(ref: Ref) -> tuple[Ref, int]:
    """The flat window from the lowest element on, and where the first element lies in it."""
    back = sum((n - 1) * -s for n, s in zip(ref.shape, ref.strides, strict=True) if s < 0)
    spread = 1 + sum((n - 1) * abs(s) for n, s in zip(ref.shape, ref.strides, strict=True))
    return Ref(ref.buffer, ref.dtype, (spread,), (1,), ref.offset - back), back
