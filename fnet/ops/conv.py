"""Convolution and transposed convolution over any number of axes, channels last, in groups of channels."""

from __future__ import annotations

from typing import Any

from fnet.arguments import integer
from fnet.errors import ShapeError
from fnet.ops.bilinear import bilinear_trio
from fnet.ops.linalg import matmul, precision_of
from fnet.ops.promotion import promote
from fnet.ops.shape import reshape
from fnet.ops.window import Padding, Sizes, spatial, transposed_axes, window_axes
from fnet.spec import ArraySpec
from fnet.taps import Axes

# ----------------------------------------------------------------------------------------------- primitives


def _output(x: ArraySpec, w: ArraySpec, *bias: ArraySpec, axes: Axes, **params: Any) -> ArraySpec:
    return ArraySpec((x.shape[0], *(a.outputs for a in axes), w.shape[-1]), x.dtype)


def _input(g: ArraySpec, w: ArraySpec, *bias: ArraySpec, axes: Axes, groups: int, **params: Any) -> ArraySpec:
    return ArraySpec((g.shape[0], *(a.size for a in axes), w.shape[-2] * groups), g.dtype)


def _weight(x: ArraySpec, g: ArraySpec, *, axes: Axes, groups: int, **params: Any) -> ArraySpec:
    return ArraySpec((*(a.kernel for a in axes), x.shape[-1] // groups, g.shape[-1]), x.dtype)


_conv, _conv_input, _conv_weight = bilinear_trio(
    ("conv", "conv_input", "conv_weight"), (_output, _input, _weight), lowered="conv"
)


# ----------------------------------------------------------------------------------------------- operations


def conv(x: Any, w: Any, strides: Sizes = 1, padding: Padding = "valid", dilation: Sizes = 1, groups: int = 1) -> Any:
    """``y[n, o, f] = sum over t, c of x[n, o*stride + t*dilation - before, c] w[t, c, f]`` (a cross-correlation).

    x: (N, *sizes, C), w: (*kernel, C / groups, F) -> (N, *outputs, F); o and t range over one axis or several.
    padding: "valid"; "same", ``outputs = ceil(size / stride)``, the larger half behind; "causal", all in front (one
    axis); or a pair (before, after) for each axis. Group i of the filters sees group i of the channels.
    Raises `ShapeError` where sizes do not fit and `ValueRangeError` for arguments out of range.

    >>> import numpy as np
    >>> conv(np.ones((1, 4, 4, 2)), np.ones((3, 3, 2, 5)), padding="same")[0, :, :, 0]
    array([[ 8., 12., 12.,  8.],
           [12., 18., 18., 12.],
           [12., 18., 18., 12.],
           [ 8., 12., 12.,  8.]])
    """
    x, w = promote(x, w, floating=True)
    sizes, kernel = spatial("conv", x, w)
    integer("conv", "groups", groups, says="{argument} must be a positive integer")
    channels, (depth, filters) = x.shape[-1], w.shape[-2:]
    if channels != depth * groups:
        raise ShapeError(
            f"conv: an input {x.shape} in {groups} groups needs a kernel (*sizes, channels / groups, filters) "
            f"for {channels} channels, received {w.shape}."
        )
    if filters % groups:
        raise ShapeError(f"conv: groups must divide the filters, received {filters} filters in {groups} groups.")
    axes = window_axes("conv", sizes, kernel, strides, padding, dilation)
    if groups == 1 and all((a.kernel, a.stride, a.before, a.outputs) == (1, 1, 0, a.size) for a in axes):
        return matmul(x, reshape(w, (channels, filters)))
    return _conv(x, w, axes=axes, groups=int(groups), **precision_of(x))


def conv_transpose(
    x: Any,
    w: Any,
    strides: Sizes = 1,
    padding: str = "valid",
    dilation: Sizes = 1,
    output_padding: Sizes | None = None,
) -> Any:
    """``y[n, o*stride + t*dilation - before, f] += x[n, o, c] w[t, f, c]``: the transpose of `conv`.

    x: (N, *sizes, C), w: (*kernel, F, C) -> (N, *outputs, F). With ``span = (kernel - 1) dilation + 1`` and without
    output_padding, outputs is ``(size - 1) stride + max(span, stride)`` for padding "valid" and ``size * stride`` for
    "same"; with it, ``(size - 1) stride + output_padding`` and span for "valid", ``span % 2`` for "same".
    Raises as `conv`. Source: Keras ``ops.conv_transpose``.

    >>> import numpy as np
    >>> conv_transpose(np.ones((1, 3, 1)), np.ones((2, 1, 1)), strides=2)[0, :, 0]
    array([1., 1., 1., 1., 1., 1.])
    """
    x, w = promote(x, w, floating=True)
    sizes, kernel = spatial("conv_transpose", x, w)
    if x.shape[-1] != w.shape[-1]:
        raise ShapeError(
            f"conv_transpose: an input {x.shape} needs a kernel (*sizes, filters, channels) for "
            f"{x.shape[-1]} channels, received {w.shape}."
        )
    axes = transposed_axes("conv_transpose", sizes, kernel, strides, padding, dilation, output_padding)
    return _conv_input(x, w, axes=axes, groups=1, **precision_of(x))
