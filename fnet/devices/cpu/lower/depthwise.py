"""Depthwise convolution, for kernels (*sizes, C): the channels lie side by side in a vector."""

from __future__ import annotations

import math

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.devices.cpu.lower.linalg import EPILOGUES
from fnet.devices.lowering import lowering
from fnet.kernels import cpu
from fnet.taps import Axes


@lowering(absorbs=EPILOGUES)
def depthwise_conv(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, **activation: str) -> None:
    """Windows of the input."""
    channels = inputs[0].shape[-1]
    table = cpu.conv_table.output_table(axes, channels, channels, 1)
    _gather(emit, inputs, outputs[0], table, **activation)


@lowering(absorbs=EPILOGUES)
def depthwise_conv_input(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, **activation: str
) -> None:
    """Windows of the gradient, under the kernel with its taps reversed."""
    g, w, *bias = inputs
    table = cpu.conv_table.input_table(axes, g.shape[-1], g.shape[-1], 1)
    reversed_taps = contiguous(w.viewed(np.flip, axis=tuple(range(len(axes)))), emit)
    _gather(emit, [g, reversed_taps, *bias], outputs[0], table, **activation)


def _gather(emit: Emitter, inputs: list[Ref], y: Ref, table: np.ndarray, activation: str = "linear") -> None:
    x, w, *bias = inputs
    x_sample, y_sample = (math.prod(r.shape[1:]) for r in (x, y))
    emit.call(
        cpu.depthwise.gather_channels, x, w, bias[0] if bias else y, y, emit.constant(table), x.shape[0], x_sample,
        y_sample, x.shape[-1], math.prod(w.shape[:-1]), int(bool(bias)), activation_code(activation),
    )  # fmt: skip


@lowering()
def depthwise_conv_weight(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes) -> None:
    """Parts of the samples, then the sum over them."""
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
