"""Copies between windows, and filled ones."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, merged_axes
from fnet.devices.cuda.grids import spread
from fnet.kernels import cuda

MOST = 1 << 31  # elements of a call, which counts them in 32 bits


def emit_copy(source: Ref, target: Ref, emit: Emitter) -> None:
    """Emit calls that copy between windows of equal shape, whatever their strides."""
    axes = sorted(zip(*merged_axes(source, target), strict=True), key=lambda axis: -abs(axis[2]))
    low_in, first_in = _lowest(source)
    low_out, first_out = _lowest(target)
    _emit(axes, (low_in, first_in), (low_out, first_out), emit)


def _emit(axes: list[tuple[int, int, int]], source: tuple[Ref, int], target: tuple[Ref, int], emit: Emitter) -> None:
    """One call, or one for each index of the outermost axis where there are too many axes or elements."""
    depth = cuda.copy.DEPTH
    size = math.prod(n for n, _, _ in axes)
    if len(axes) > depth or size >= MOST:
        (n, step_in, step_out), *inner = axes
        pieces = range(n) if len(axes) > 1 else range(0)
        for i in pieces:
            _emit(inner, (source[0], source[1] + i * step_in), (target[0], target[1] + i * step_out), emit)
        if not inner:
            for begin in range(0, n, MOST // 2):
                part = [(min(MOST // 2, n - begin), step_in, step_out)]
                shifted = (source[0], source[1] + begin * step_in), (target[0], target[1] + begin * step_out)
                _emit(part, *shifted, emit)
        return
    transposed = _transposed(axes)
    axes = [(1, 0, 0)] * (depth - len(axes)) + (transposed or axes)
    places = {"x_first": source[1], "y_first": target[1]}
    for k, name in enumerate("nxy"):
        places |= {f"{name}{axis}": values[k] for axis, values in enumerate(axes)}
    sizes = emit.constant(cuda.copy.SIZES.array(**places))
    if transposed:
        (n3, _, _), (n4, _, _) = axes[-2:]
        tile = cuda.copy.TILE
        blocks = math.prod(n for n, _, _ in axes[:-2]) * -(-n3 // tile) * -(-n4 // tile)
        emit.call(cuda.copy.copy_transposed[blocks, (tile, cuda.copy.TILE_ROWS)], source[0], target[0], sizes)
    elif axes[-1][1:] == (1, 1):
        emit.call(cuda.copy.copy_rows[spread(-(-size // 4))], source[0], target[0], sizes, size)
    else:
        emit.call(cuda.copy.copy_strided[spread(size)], source[0], target[0], sizes, size)


def _transposed(axes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """The axes with the one that moves fastest in the source before the last, if tiles of the two are worth it."""
    if len(axes) < 2 or abs(axes[-1][1]) <= 1:
        return []
    fastest = min(axes[:-1], key=lambda axis: abs(axis[1]) or axes[-1][0] * abs(axes[-1][1]))
    worth = cuda.copy.TILE // 4
    if abs(fastest[1]) != 1 or min(fastest[0], axes[-1][0]) < worth:
        return []
    return [*(axis for axis in axes[:-1] if axis is not fastest), fastest, axes[-1]]


def emit_fill(target: Ref, value: Any, emit: Emitter) -> None:
    """Emit a call that writes one number into every element of a row-major window."""
    number = emit.constant(np.full(1, value, target.dtype))
    emit.call(cuda.copy.fill[spread(-(-target.size // 4))], target, number, target.size)


def _lowest(ref: Ref) -> tuple[Ref, int]:
    """The flat window from the lowest element on, and where the first element lies in it."""
    back = sum((n - 1) * -s for n, s in zip(ref.shape, ref.strides, strict=True) if s < 0)
    spread_over = 1 + sum((n - 1) * abs(s) for n, s in zip(ref.shape, ref.strides, strict=True))
    return Ref(ref.buffer, ref.dtype, (spread_over,), (1,), ref.offset - back), back
