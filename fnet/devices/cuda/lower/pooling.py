"""Pooling: kernel calls for maxima and means over windows, and their gradients."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import channels_grid, check_samples
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cuda
from fnet.taps import Axes


def _emit(emit: Emitter, kernel: str, inputs: list[Ref], outputs: list[Ref], axes: Axes, *rest: int) -> None:
    """Call `kernel` on inputs and outputs with the geometry of the windows."""
    samples, *positions, channels = outputs[0].shape
    check_samples(*(ref.shape for ref in (*inputs, *outputs)))
    if outputs[0].size:
        geometry = emit.constant(_geometry(samples, channels, axes))
        grid = channels_grid(samples, math.prod(positions), channels)
        emit.call(getattr(cuda.pooling, kernel)[grid], *inputs, *outputs, geometry, *rest)


def _rule(kernel: str) -> Lowering:
    """A lowering rule: one call of `kernel`."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes) -> None:
        _emit(emit, kernel, inputs, outputs, axes)

    return Lowering(emits)


@lowering(picks_positive=True)
def max_pool(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes, picks: str = "largest") -> None:
    """Where only positive elements are picked, other windows have the number that is behind those of all taps."""
    none = math.prod(axis.kernel for axis in axes) if picks == "positive" else -1
    _emit(emit, "max_pool", inputs, outputs, axes, none)


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
