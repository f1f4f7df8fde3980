"""Depthwise convolution: every channel has kernels of its own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.errors import ShapeError
from fnet.ops.bilinear import bilinear_trio
from fnet.ops.linalg import EPILOGUES
from fnet.ops.promotion import promote
from fnet.ops.shape import broadcast_to, expand_dims, reshape
from fnet.ops.window import Padding, Sizes, spatial, window_axes
from fnet.spec import ArraySpec
from fnet.taps import Axes
from fnet.transforms.primitive import spec_of

# Primitives, for kernels (*sizes, C).


def _output(x: ArraySpec, w: ArraySpec, *bias: ArraySpec, axes: Axes, **params: Any) -> ArraySpec:
    return ArraySpec((x.shape[0], *(a.outputs for a in axes), x.shape[-1]), x.dtype)


def _input(g: ArraySpec, w: ArraySpec, *bias: ArraySpec, axes: Axes, **params: Any) -> ArraySpec:
    return ArraySpec((g.shape[0], *(a.size for a in axes), g.shape[-1]), g.dtype)


def _weight(x: ArraySpec, g: ArraySpec, *, axes: Axes) -> ArraySpec:
    return ArraySpec((*(a.kernel for a in axes), x.shape[-1]), x.dtype)


def _lower_output(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, **activation: str) -> None:
    from fnet.kernels import cpu

    channels = inputs[0].shape[-1]
    table = cpu.conv_table.output_table(axes, channels, channels, 1)
    _gather(emit, inputs, outputs[0], table, **activation)


def _lower_input(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, **activation: str) -> None:
    from fnet.kernels import cpu

    g, w, *bias = inputs
    table = cpu.conv_table.input_table(axes, g.shape[-1], g.shape[-1], 1)
    reversed_taps = contiguous(w.viewed(np.flip, axis=tuple(range(len(axes)))), emit)
    _gather(emit, [g, reversed_taps, *bias], outputs[0], table, **activation)


def _gather(emit: Emitter, inputs: list[Ref], y: Ref, table: np.ndarray, activation: str = "linear") -> None:
    from fnet.kernels import cpu

    x, w, *bias = inputs
    x_sample, y_sample = (math.prod(r.shape[1:]) for r in (x, y))
    emit.call(
        cpu.depthwise.gather_channels, x, w, bias[0] if bias else y, y, emit.constant(table), x.shape[0], x_sample,
        y_sample, x.shape[-1], math.prod(w.shape[:-1]), int(bool(bias)), EPILOGUES.index(activation),
    )  # fmt: skip


def _lower_weight(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes) -> None:
    from fnet.kernels import cpu

    (x, g), (dw,) = inputs, outputs
    channels = dw.shape[-1]
    table = cpu.conv_table.weight_table(axes, channels, channels, 1)
    parts = cpu.conv_weight.part_count(x.shape[0], x.size + g.size, dw.size)
    partial = emit.scratch(parts * dw.size if parts > 1 else 0, dw.dtype)
    x_sample, g_sample = (math.prod(r.shape[1:]) for r in (x, g))
    emit.call(
        cpu.depthwise.channel_weight_gradient, x, g, dw, partial, emit.constant(table), x.shape[0], x_sample, g_sample,
        channels, math.prod(dw.shape[:-1]), parts,
    )  # fmt: skip


_depthwise, _depthwise_input, _depthwise_weight = bilinear_trio(
    ("depthwise_conv", "depthwise_conv_input", "depthwise_conv_weight"),
    (_output, _input, _weight),
    (_lower_output, _lower_input, _lower_weight),
)
_depthwise.epilogues = _depthwise_input.epilogues = EPILOGUES


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
    shape, (channels, multiplier) = spec_of(x).shape, spec_of(w).shape[-2:]
    if shape[-1] != channels:
        raise ShapeError(
            f"depthwise_conv: an input {shape} needs a kernel (*sizes, channels, multiplier) for {shape[-1]} channels, "
            f"received {spec_of(w).shape}."
        )
    axes = window_axes("depthwise_conv", sizes, kernel, strides, padding, dilation)
    if multiplier != 1:
        x = reshape(broadcast_to(expand_dims(x, -1), (*shape, multiplier)), (*shape[:-1], channels * multiplier))
    return _depthwise(x, reshape(w, (*kernel, channels * multiplier)), axes=axes)
