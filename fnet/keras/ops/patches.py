"""Windows of images side by side as channels, and added up again."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from fnet import ops
from fnet.errors import ShapeError
from fnet.keras.ops.calls import of_arrays
from fnet.ops.window import Padding, per_axis, window_axes
from fnet.taps import Axes
from fnet.transforms import linear_maps

Index = tuple[tuple[int, int, int], ...]


@of_arrays
def unfold(x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """All windows of images: (N, C, H, W) -> (N, C kh kw, windows), zeros around the images by `padding`.

    >>> import numpy as np
    >>> unfold(np.arange(9.0).reshape(1, 1, 3, 3), 2)[0, :, 0]
    array([0., 1., 3., 4.])
    """
    if len(x.shape) != 4:
        raise ShapeError(f"unfold: expected images (N, C, H, W), received {x.shape}.")
    axes = _axes("unfold", x.shape[2:], kernel_size, stride, padding, dilation)
    parts = windows(ops.moveaxis(x, 1, -1), axes)
    by_channel = ops.transpose(ops.stack(parts, -1), (0, 3, 4, 1, 2))
    n, channels, taps, rows, columns = by_channel.shape
    return ops.reshape(by_channel, (n, channels * taps, rows * columns))


@of_arrays
def fold(x: Any, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Any:
    """Images to which windows add up: (N, C kh kw, windows) -> (N, C, H, W); the transpose of `unfold`."""
    sizes = per_axis("fold", "output_size", output_size, 2)
    axes = _axes("fold", sizes, kernel_size, stride, padding, dilation)
    taps, counts = math.prod(a.kernel for a in axes), tuple(a.outputs for a in axes)
    if len(x.shape) != 3 or x.shape[1] % taps or x.shape[2] != math.prod(counts):
        raise ShapeError(
            f"fold: expected (N, C {taps}, {math.prod(counts)}) for windows of {tuple(a.kernel for a in axes)} pixels "
            f"of images {sizes}, received {x.shape}."
        )
    channels = x.shape[1] // taps
    parts = ops.reshape(x, (x.shape[0], channels, taps, *counts))
    whole = tuple(a.before + max(a.size + a.before, _last(a)) for a in axes)
    everywhere = ((None, None, None),) * 2
    placed = [
        linear_maps.place(parts[:, :, k], shape=(*parts.shape[:2], *whole), index=(*everywhere, *index))
        for k, index in enumerate(_taps(axes))
    ]
    inner = tuple(slice(a.before, a.before + a.size) for a in axes)
    return functools.reduce(ops.add, placed)[(slice(None), slice(None), *inner)]


def patches(who: str, x: Any, size: Sequence[int], strides: Any, dilation: Any, padding: str) -> Any:
    """Windows of channels-last images as channels: (N, *sizes, C) -> (N, *counts, taps C)."""
    rank = len(size)
    axes = window_axes(who, x.shape[1 : 1 + rank], size, size if strides is None else strides, padding, dilation)
    return ops.concatenate(windows(x, axes), -1)


def windows(x: Any, axes: Axes) -> list[Any]:
    """For each tap of a window what it sees of channels-last images: (N, *counts, C)."""
    sides = [(a.before, max(_last(a) - a.before - a.size, 0)) for a in axes]
    x = ops.pad(x, [(0, 0), *sides, (0, 0)]) if any(map(any, sides)) else x
    return [x[(slice(None), *(slice(*i) for i in index))] for index in _taps(axes)]


def _taps(axes: Axes) -> Iterator[Index]:
    """For each tap the places that it sees on each axis, the last axis first."""
    for taps in itertools.product(*(range(a.kernel) for a in axes)):
        yield tuple(
            (t * a.dilation, t * a.dilation + (a.outputs - 1) * a.stride + 1, a.stride)
            for t, a in zip(taps, axes, strict=True)
        )


def _last(a: Any) -> int:
    """How many places of an axis the windows see, with the padding in front."""
    return (a.outputs - 1) * a.stride + (a.kernel - 1) * a.dilation + 1


def _axes(who: str, sizes: Sequence[int], kernel: Any, stride: Any, padding: Any, dilation: Any) -> Axes:
    kernel, around = per_axis(who, "kernel_size", kernel, 2), per_axis(who, "padding", padding, 2, 0)
    pairs: Padding = [(n, n) for n in around]
    return window_axes(who, sizes, kernel, stride, pairs, dilation)
