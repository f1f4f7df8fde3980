"""Depthwise convolution, for kernels (*sizes, C): a thread has neighbouring channels."""

from __future__ import annotations

import math

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import THREADS, channels_grid, check_samples, warps
from fnet.devices.cuda.lower.linalg import EPILOGUES
from fnet.devices.lowering import lowering
from fnet.kernels import cuda
from fnet.taps import Axes

CHANNELS = 32  # of a block that sums over targets
PART = 16  # targets of a thread, at least, where they are cut into parts
PARTS = 512
BLOCKS = 4096  # of a weight gradient that are enough


@lowering(absorbs=EPILOGUES)
def depthwise_conv(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, **params: str) -> None:
    """Targets are outputs."""
    _gather(emit, inputs, outputs[0], axes, False, **params)


@lowering(absorbs=EPILOGUES)
def depthwise_conv_input(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, **params: str) -> None:
    """Targets are inputs."""
    _gather(emit, inputs, outputs[0], axes, True, **params)


def _gather(emit: Emitter, inputs: list[Ref], y: Ref, axes: Axes, transposed: bool, activation: str = "linear") -> None:
    x, w, *bias = inputs
    samples, *targets, channels = y.shape
    check_samples(x.shape, y.shape)
    if y.size:
        geometry = _geometry(axes, transposed, samples, channels, bool(bias), activation)
        launch = cuda.depthwise.gather_channels[channels_grid(samples, math.prod(targets), channels)]
        emit.call(launch, x, w, bias[0] if bias else y, y, emit.constant(geometry))


@lowering()
def depthwise_conv_weight(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes) -> None:
    """Parts of the targets, then the sum over them."""
    (x, g), (dw,) = inputs, outputs
    if not dw.size:
        return
    samples, *targets, channels = g.shape
    check_samples(x.shape, g.shape)
    taps = dw.size // channels
    across = min(channels, CHANNELS)
    down, tiles = THREADS // across, -(-channels // across)
    wanted = min(PARTS, -(-BLOCKS // (taps * tiles)), samples * math.prod(targets) // (PART * down))
    parts = max(1, wanted)
    work = emit.scratch(dw.size * parts, dw.dtype)
    geometry = emit.constant(_geometry(axes, False, samples, channels, False, "linear"))
    launch = cuda.depthwise.channel_products[(tiles, parts, taps), (across, down)]
    emit.call(launch, x, g, work, geometry)
    emit.call(cuda.depthwise.merge_channel_products[warps(dw.size)], work, dw, dw.size, parts)


def _geometry(axes: Axes, transposed: bool, samples: int, channels: int, has_bias: bool, activation: str) -> np.ndarray:
    """What `fnet.kernels.cuda.depthwise` needs to know; the axes are the last of three, others have one position.

    transposed: targets are inputs, not outputs.
    """
    rows = [(1, 1, 1, 1, 1, 0, 1)] * (3 - len(axes))
    for a in axes:
        if transposed:
            rows.append((a.size, a.outputs, a.kernel, 1, -a.dilation, a.before, a.stride))
        else:
            rows.append((a.outputs, a.size, a.kernel, a.stride, a.dilation, -a.before, 1))
    of_axes: dict[str, int] = {}
    for place, row in enumerate(rows):
        of_axes |= cuda.depthwise.axis_geometry(place, *row)
    return cuda.depthwise.GEOMETRY.array(
        **of_axes, samples=samples, channels=channels, bias=int(has_bias), act=activation_code(activation)
    )
