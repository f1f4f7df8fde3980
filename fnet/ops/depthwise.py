"""Depthwise convolution: every channel has kernels of its own."""

from __future__ import annotations

from typing import Any

from fnet.errors import ShapeError
from fnet.ops.bilinear import bilinear_trio
from fnet.ops.promotion import promote
from fnet.ops.shape import broadcast_to, expand_dims, reshape
from fnet.ops.window import Padding, Sizes, spatial, window_axes
from fnet.spec import ArraySpec
from fnet.taps import Axes

# Primitives, for kernels (*sizes, C).


def _output(x: ArraySpec, w: ArraySpec, *bias: ArraySpec, axes: Axes, **params: Any) -> ArraySpec:
    return ArraySpec((x.shape[0], *(a.outputs for a in axes), x.shape[-1]), x.dtype)


def _input(g: ArraySpec, w: ArraySpec, *bias: ArraySpec, axes: Axes, **params: Any) -> ArraySpec:
    return ArraySpec((g.shape[0], *(a.size for a in axes), g.shape[-1]), g.dtype)


def _weight(x: ArraySpec, g: ArraySpec, *, axes: Axes) -> ArraySpec:
    return ArraySpec((*(a.kernel for a in axes), x.shape[-1]), x.dtype)


_depthwise, _depthwise_input, _depthwise_weight = bilinear_trio(
    ("depthwise_conv", "depthwise_conv_input", "depthwise_conv_weight"), (_output, _input, _weight), lowered="depthwise"
)


def depthwise_conv(x: Any, w: Any, strides: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1) -> Any:
    """``y[n, o, c*M + m] = sum over t of x[n, o*stride + t*dilation - before, c] w[t, c, m]``.

    x: (N, *sizes, C), w: (*kernel, C, M) -> (N, *outputs, C * M); strides, padding, dilation and errors as in `conv`.
    Source: Keras ``ops.depthwise_conv``.

    >>> import numpy as np
    >>> depthwise_conv(np.ones((1, 5, 2)), np.ones((3, 2, 1))).tolist()
    [[[3.0, 3.0], [3.0, 3.0], [3.0, 3.0]]]
    """
    x, w = promote(x, w, floating=True)
    sizes, kernel = spatial("depthwise_conv", x, w)
    shape, (channels, multiplier) = x.shape, w.shape[-2:]
    if shape[-1] != channels:
        raise ShapeError(
            f"depthwise_conv: an input {shape} needs a kernel (*sizes, channels, multiplier) for {shape[-1]} channels, "
            f"received {w.shape}."
        )
    axes = window_axes("depthwise_conv", sizes, kernel, strides, padding, dilation)
    if multiplier != 1:
        x = reshape(broadcast_to(expand_dims(x, -1), (*shape, multiplier)), (*shape[:-1], channels * multiplier))
    return _depthwise(x, reshape(w, (*kernel, channels * multiplier)), axes=axes)
