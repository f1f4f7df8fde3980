"""Pooling: kernel calls for maxima and means over windows, and their gradients."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import channels_grid, check_samples
from fnet.devices.lowering import Lowering
from fnet.kernels import cuda
from fnet.taps import Axes


def _rule(kernel: str) -> Lowering:
    """A lowering rule: call `kernel` on inputs and outputs with the geometry of the windows."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes) -> None:
        samples, *positions, channels = outputs[0].shape
        check_samples(*(ref.shape for ref in (*inputs, *outputs)))
        if outputs[0].size:
            geometry = emit.constant(_geometry(samples, channels, axes))
            grid = channels_grid(samples, math.prod(positions), channels)
            emit.call(getattr(cuda.pooling, kernel)[grid], *inputs, *outputs, geometry)

    return Lowering(emits)


max_pool = _rule("max_pool")
pick_pool = _rule("pick_pool")
max_pool_vjp = _rule("max_pool_vjp")
average_pool = _rule("average_pool")
average_pool_vjp = _rule("average_pool_vjp")


def _geometry(samples: int, channels: int, axes: Axes) -> np.ndarray:
    """What `fnet.kernels.cuda.pooling` needs to know; the axes are the last of three, others have one position."""
    rows = [(1, 1, 1, 1, 0)] * (3 - len(axes))
    rows += [(axis.size, axis.outputs, axis.kernel, axis.stride, axis.before) for axis in axes]
    of_axes: dict[str, int] = {}
    for place, row in enumerate(rows):
        of_axes |= cuda.pooling.axis_geometry(place, *row)
    return cuda.pooling.GEOMETRY.array(**of_axes, samples=samples, channels=channels)
