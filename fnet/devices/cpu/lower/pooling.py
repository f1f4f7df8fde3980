"""Pooling: kernel calls for maxima and means over windows, and their gradients."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import Lowering
from fnet.kernels import cpu
from fnet.taps import Axes

_CHUNK = 16384  # elements that a task of a forward pass reads
_TASKS = 16  # tasks of a backward pass, where the input is long enough for so many


def _rule(kernel: str) -> Lowering:
    """A lowering rule: call `kernel` on inputs and outputs with the geometry of the windows."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, axes: Axes) -> None:
        samples, *_, channels = inputs[0].shape
        geometry = emit.constant(_geometry(samples, channels, axes))
        emit.call(getattr(cpu.pooling, kernel), *inputs, *outputs, geometry)

    return Lowering(emits)


max_pool = _rule("max_pool")
pick_pool = _rule("pick_pool")
max_pool_vjp = _rule("max_pool_vjp")
average_pool = _rule("average_pool")
average_pool_vjp = _rule("average_pool_vjp")


def _geometry(samples: int, channels: int, axes: Axes) -> np.ndarray:
    """What `fnet.kernels.cpu.pooling` needs to know."""
    rows = [[axis.size, axis.outputs, axis.kernel, axis.stride, axis.before] for axis in axes]
    # One axis is the first of three, two are the first and the last; the others have one position.
    single = [1, 1, 1, 1, 0]
    rows = {1: [*rows, single, single], 2: [rows[0], single, rows[-1]], 3: rows}[len(rows)]
    first, *others = axes
    bands = max(1, min(-(-_TASKS // max(1, samples)), first.size // (4 * first.kernel)))
    band = -(-first.size // bands)
    chunk = max(1, _CHUNK // max(1, math.prod(axis.kernel for axis in axes) * channels))
    tiled = all(a.stride == a.kernel for a in axes) and all(a.outputs * a.kernel >= a.size + a.before for a in others)
    of_axes: dict[str, int] = {}
    for place, row in enumerate(rows):
        of_axes |= cpu.pooling.axis_geometry(place, *row)
    return cpu.pooling.GEOMETRY.array(
        **of_axes, samples=samples, channels=channels, chunk=chunk, band=band, tiled=tiled
    )
