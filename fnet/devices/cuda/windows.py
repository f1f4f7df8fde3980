"""The windows of a convolution, or of its input gradient, as sizes and a table for `fnet.kernels.cuda.window`.

The targets of an input gradient are inputs, which fall into residues by the strides: those of one residue read the same
taps, and with them neighbouring outputs. So no tap is multiplied that falls between the strides.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from fnet.taps import Axes, Axis


class Steps(NamedTuple):
    """Targets of an axis that see the same taps, and what they read.

    Target i is the position ``first + i * apart`` of the result, of so `many`; through the t-th of its `taps` it reads
    ``i * scale + t * step + offset``.
    """

    first: int
    apart: int
    many: int
    taps: range
    scale: int
    step: int
    offset: int


class Windows(NamedTuple):
    """sizes: a dictionary of them for each residue; table: of all residues; taps: the numbers of all their taps."""

    sizes: list[dict[str, int]]
    table: np.ndarray
    taps: np.ndarray

    @property
    def tap_tables(self) -> list[int]:
        """Where the part of the table of each residue has its taps."""
        return [(1 + w["taps"] // max(1, w["last_taps"])) * w["lines"] for w in self.sizes]


def windows(samples: int, axes: Axes, groups: int, depth: int, columns: int, transposed: bool) -> Windows:
    """depth, columns: channels of the source and of the result in a group; transposed: whether targets are inputs."""
    results, sources = [_ends(axis, transposed) for axis in axes], [_ends(axis, not transposed) for axis in axes]
    residues = list(itertools.product(*(_residues(axis) if transposed else [_outputs(axis)] for axis in axes)))
    sizes, tables, order, begin, weights = [], [], [], 0, 0
    for steps in residues:
        *_, last = steps
        taps = _numbers(steps, axes)
        table = np.concatenate([_result_lines(steps[:-1], results), _source_lines(steps[:-1], sources), taps])
        sizes.append({
            "samples": samples, "groups": groups, "depth": depth, "columns": columns,
            "lines": math.prod(s.many for s in steps[:-1]), "line": last.many, "pixels": math.prod(sources),
            "taps": len(taps), "last_taps": len(last.taps),
            "scale": last.scale, "step": last.step, "offset": last.offset, "limit": sources[-1],
            "residues": len(residues), "leads": begin, "weights": weights,
            "result_pixels": math.prod(results), "result_line": results[-1],
            "result_first": last.first, "result_step": last.apart,
        })  # fmt: skip
        tables.append(table)
        order.append(taps)
        begin, weights = begin + len(table), weights + len(taps) * depth * columns
    return Windows(sizes, np.concatenate(tables).astype(np.int32), np.concatenate(order))


def _ends(axis: Axis, transposed: bool) -> int:
    """The targets along an axis."""
    return axis.size if transposed else axis.outputs


def _outputs(axis: Axis) -> Steps:
    """All outputs see all taps."""
    return Steps(0, 1, axis.outputs, range(axis.kernel), axis.stride, axis.dilation, -axis.before)


def _residues(axis: Axis) -> list[Steps]:
    """The input i is read by the output o through the tap t if ``o * stride + t * dilation = i + before``."""
    apart = axis.stride // math.gcd(axis.stride, axis.dilation)  # of the taps of a residue
    found = []
    for first in range(min(axis.stride, axis.size)):
        place = first + axis.before
        begins = (t for t in range(min(apart, axis.kernel)) if (place - t * axis.dilation) % axis.stride == 0)
        taps = range(next(begins, axis.kernel), axis.kernel, apart)
        offset = (place - taps.start * axis.dilation) // axis.stride if taps else 0
        step, count = -(apart * axis.dilation // axis.stride), -(-(axis.size - first) // axis.stride)
        found.append(Steps(first, axis.stride, count, taps, 1, step, offset))
    return found


def _numbers(steps: Sequence[Steps], axes: Axes) -> np.ndarray:
    """The numbers of the taps of a residue among all taps, in their order."""
    numbers = np.zeros(1, np.int64)
    for step, axis in zip(steps, axes, strict=True):
        numbers = (numbers[:, None] * axis.kernel + np.array(step.taps, np.int64)).reshape(-1)
    return numbers


def _result_lines(steps: Sequence[Steps], results: Sequence[int]) -> np.ndarray:
    """The line of the result that each line of targets is; steps: of the axes before the last."""
    lines = np.zeros(1, np.int64)
    for step, size in zip(steps, results, strict=False):
        lines = (lines[:, None] * size + step.first + step.apart * np.arange(step.many)).reshape(-1)
    return lines


def _source_lines(steps: Sequence[Steps], sources: Sequence[int]) -> np.ndarray:
    """The lines of the source that taps (rows) of these axes read for lines of targets (columns), -1 outside of it."""
    found = np.zeros((1, 1), np.int64)
    for step, size in zip(steps, sources, strict=False):
        taps, targets = len(step.taps), np.arange(step.many)
        places = targets * step.scale + np.arange(taps)[:, None] * step.step + step.offset
        outer, inner = found[:, None, :, None], np.where((places >= 0) & (places < size), places, -1)[:, None]
        both = np.where((outer < 0) | (inner < 0), -1, outer * size + inner)
        found = both.reshape(len(found) * taps, found.shape[1] * step.many)
    return found.reshape(-1)
