"""Where a sliding window looks: for each position of an axis, the taps that lie inside of the array they read.

A convolution reads the source position ``o * stride + t * dilation - before`` for the output o and the tap t of its
kernel; its input gradient reads, for the input position i, every output o that read i. Positions that see the same
taps form a region. Inside of a region nothing has to be checked, and no tap that reads padding (or falls between the
strides) is ever multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Axis:
    """One axis of a convolution: sizes of its input, output and kernel, and `before`, the padding in front."""

    size: int
    outputs: int
    kernel: int
    stride: int = 1
    dilation: int = 1
    before: int = 0


Axes = tuple[Axis, ...]
"""The axes between batch and channels."""


class Region(NamedTuple):
    """Positions that see the same taps: ``targets[i]`` reads ``sources[i] + shifts[j]`` through ``taps[j]``."""

    targets: tuple[int, ...]
    sources: tuple[int, ...]
    taps: range
    shifts: tuple[int, ...]


def output_regions(axis: Axis) -> list[Region]:
    """The regions of the outputs, which read inputs."""

    def seen() -> Iterable[tuple[int, range, int]]:
        for o in range(axis.outputs):
            start = o * axis.stride - axis.before
            taps = range(max(0, -(start // axis.dilation)), min(axis.kernel, -(-(axis.size - start) // axis.dilation)))
            yield o, taps, start + taps.start * axis.dilation

    return _regions(seen(), axis.dilation)


def input_regions(axis: Axis) -> list[Region]:
    """The regions of the inputs, which read outputs; their taps count from the end of the kernel, so sources ascend."""
    apart = axis.stride // math.gcd(axis.stride, axis.dilation)  # of the taps that read from the same input
    shift = axis.dilation * apart // axis.stride

    def seen() -> Iterable[tuple[int, range, int]]:
        for i in range(axis.size):
            place = i + axis.before
            low = max(0, (place - axis.outputs * axis.stride) // axis.dilation + 1)
            fits = (t for t in range(low, low + apart) if (place - t * axis.dilation) % axis.stride == 0)
            taps = range(next(fits, axis.kernel), min(axis.kernel, place // axis.dilation + 1), apart)
            reversed_taps = range(axis.kernel - 1 - taps[-1], axis.kernel - taps.start, apart) if taps else range(0)
            yield i, reversed_taps, (place - taps[-1] * axis.dilation) // axis.stride if taps else 0

    return _regions(seen(), shift)


def _regions(seen: Iterable[tuple[int, range, int]], shift: int) -> list[Region]:
    """Group positions by their taps; neighbouring taps read `shift` apart."""
    groups: dict[range, list[tuple[int, int]]] = {}
    for target, taps, source in seen:
        groups.setdefault(taps or range(0), []).append((target, source if taps else 0))
    found = []
    for taps, positions in groups.items():
        targets, sources = zip(*positions, strict=True)
        found.append(Region(targets, sources, taps, tuple(j * shift for j in range(len(taps)))))
    return found
