"""Pooling: maxima and means over windows of the axes between the batch and the channels."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.arguments import one_of
from fnet.errors import AxisSizeError, ShapeError
from fnet.ops.promotion import promote
from fnet.ops.window import Sizes, per_axis, window_axes
from fnet.spec import ArraySpec
from fnet.taps import Axes
from fnet.transforms.linear_maps import linear
from fnet.transforms.primitive import Primitive

PADDINGS = ("valid", "same")


def _taps(axes: Axes) -> int:
    return math.prod(axis.kernel for axis in axes)


def _pooled(x: ArraySpec, axes: Axes) -> tuple[int, ...]:
    return (x.shape[0], *(axis.outputs for axis in axes), x.shape[-1])


def _unpooled(g: ArraySpec, axes: Axes) -> tuple[int, ...]:
    return (g.shape[0], *(axis.size for axis in axes), g.shape[-1])


_max_pool = Primitive(
    "max_pool",
    lambda x, *, axes: (
        ArraySpec(_pooled(x, axes), x.dtype),
        ArraySpec(_pooled(x, axes), np.dtype(np.uint8 if _taps(axes) <= 256 else np.int32)),
    ),
    lowered="pooling",
    vjp=lambda g, y, x, *, axes: (_max_pool_vjp(g[0], y[1], axes=axes),),
    jvp=lambda tangents, y, x, *, axes: (_pick(tangents[0], y[1], axes=axes), None),
    multiple=True,
)
_pick = Primitive(
    "pick_pool",
    lambda x, index, *, axes: ArraySpec(index.shape, x.dtype),
    lowered="pooling",
    vjp=lambda g, y, x, index, *, axes: (_max_pool_vjp(g, index, axes=axes), None),
    jvp=lambda tangents, y, x, index, *, axes: _pick(tangents[0], index, axes=axes),
)
_max_pool_vjp = Primitive(
    "max_pool_vjp",
    lambda g, index, *, axes: ArraySpec(_unpooled(g, axes), g.dtype),
    lowered="pooling",
    vjp=lambda h, dx, g, index, *, axes: (_pick(h, index, axes=axes), None),
    jvp=lambda tangents, dx, g, index, *, axes: _max_pool_vjp(tangents[0], index, axes=axes),
)
_max_pool_vjp.unpicks = _max_pool
_average_pool = linear(
    "average_pool",
    lambda x, *, axes: ArraySpec(_pooled(x, axes), x.dtype),
    lambda g, y, x, *, axes: (_average_pool_vjp(g, axes=axes),),
    lowered="pooling",
)
_average_pool_vjp = linear(
    "average_pool_vjp",
    lambda g, *, axes: ArraySpec(_unpooled(g, axes), g.dtype),
    lambda h, dx, g, *, axes: (_average_pool(h, axes=axes),),
    lowered="pooling",
)


def max_pool(x: Any, pool_size: Sizes, strides: Sizes | None = None, padding: str = "valid") -> Any:
    """The largest element of each window, ``y[n, i, c] = max_p x[n, i s + p, c]`` along each axis between N and C.

    x: (N, ..., C) with one to three axes in between -> (N, ..., C). `strides` are the window's own sizes by default;
    `padding` is "valid" (whole windows only) or "same" (as many windows as strides fit, cut off at the edges).
    A window with NaN gives NaN. The gradient goes to the first largest element of a window in row-major order; the
    second derivative is zero. Raises `ShapeError` for other ranks and for windows larger than the input.

    >>> import numpy as np
    >>> max_pool(np.array([[[1.0], [3.0], [2.0], [0.0]]]), 2)[0, :, 0]
    array([3., 2.])
    """
    x, axes = _checked("max_pool", x, pool_size, strides, padding)
    return _max_pool(x, axes=axes)[0]


def average_pool(x: Any, pool_size: Sizes, strides: Sizes | None = None, padding: str = "valid") -> Any:
    """The mean of each window, ``y[n, i, c] = mean_p x[n, i s + p, c]``; what padding adds is not counted.

    Shapes, arguments and errors as for `max_pool`.

    >>> import numpy as np
    >>> average_pool(np.array([[[1.0], [3.0], [2.0]]]), 2, padding="same")[0, :, 0]
    array([2., 2.])
    """
    x, axes = _checked("average_pool", x, pool_size, strides, padding)
    return _average_pool(x, axes=axes)


def _checked(name: str, x: Any, pool_size: Sizes, strides: Sizes | None, padding: str) -> tuple[Any, Axes]:
    """`x` as floating-point numbers, and the axes that windows slide over."""
    (x,) = promote(x, floating=True)
    shape = x.shape
    sizes, rank = shape[1:-1], len(shape) - 2
    if not 1 <= rank <= 3:
        raise ShapeError(f"{name}: expected (batch, 1 to 3 axes, channels), received an input of shape {shape}.")
    window = per_axis(name, "pool_size", pool_size, rank)
    one_of(name, "padding", padding, PADDINGS)
    for n, p in zip(sizes, window, strict=True):
        if n < (p if padding == "valid" else 1):
            raise AxisSizeError(
                f"{name}: pool_size {window} does not fit into the axes between batch and channels, of sizes {sizes}. "
                f"Use a smaller pool_size, or padding='same' for axes that are not empty.",
                n,
                least=p,
            )
    return x, window_axes(name, sizes, window, window if strides is None else strides, padding, 1)
