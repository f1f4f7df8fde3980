"""The tables of offsets that convolution kernels walk: which rows there are, and what is summed over for them.

A table is a vector of integers: the number of its regions, then for each region the fields below, then what they point
to. Where a table says "at", it means a place in the table itself. The region of most work comes first.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Sequence

import numpy as np

from fnet.taps import Axis, Region, input_regions, output_regions

Axes = tuple[Axis, ...]
Record = tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray], int, int, int, int]

# The fields of a region: the number of rows for each sample, and where their offsets in x and in c are; the number of
# runs, and where their starts in x (in elements) and in b (in rows) are; the steps of a run, and how far they lead; the
# number of rows in a line: rows come in lines, in each of which all offsets grow by the same steps; how many
# neighbouring regions are a group: they have as many rows, and as many runs at the same places of the outer axes.
ENTRIES, ROWS_X, ROWS_C, RUNS, RUNS_X, RUNS_B, STEPS, STEP_X, STEP_B, LINE, GROUP = range(11)
FIELDS = 11
LONG = 8  # rows of a line that are enough


@functools.lru_cache(maxsize=64)
def output_table(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """For a convolution: rows are output pixels, runs go over the taps and the `depth` channels that each tap reads.

    channels, filters: the numbers of channels of the whole input and output; depth: of the input, within one group.
    """
    regions = [output_regions(axis) for axis in axes]
    sizes, outputs = [a.size for a in axes], [a.outputs for a in axes]
    return _pixel_table(axes, regions, sizes, outputs, channels, filters, depth)


@functools.lru_cache(maxsize=64)
def input_table(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """For the input gradient: rows are input pixels, runs go over the reversed taps and `depth` channels of outputs."""
    regions = [input_regions(axis) for axis in axes]
    sizes, outputs = [a.size for a in axes], [a.outputs for a in axes]
    return _pixel_table(axes, regions, outputs, sizes, filters, channels, depth)


@functools.lru_cache(maxsize=64)
def weight_table(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """For the weight gradient: rows are the weights (tap, channel), runs go over the output pixels."""
    return _packed(_weight_records(axes, [output_regions(axis) for axis in axes], channels, filters, depth))


@functools.lru_cache(maxsize=64)
def column_table(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """As `weight_table`, but with a group of regions, one for every tap of the last axis, instead of a region.

    No region ends where a tap of the last axis reads padding, so there are no thin ones of pixels that lie far apart.
    """
    columns = _tap_regions(axes[-1])
    regions = [*(output_regions(axis) for axis in axes[:-1]), columns]
    return _packed(_weight_records(axes, regions, channels, filters, depth, len(axes) - 1), max(len(columns), 1))


def goes_along_last(axes: Axes) -> bool:
    """Whether lines of outputs go along the last axis."""
    return _along([a.outputs for a in axes]) == len(axes) - 1


def _weight_records(
    axes: Axes, regions: Sequence[list[Region]], channels: int, filters: int, depth: int, along: int | None = None
) -> list[Record]:
    """Rows are the weights (tap, channel), runs go over the output pixels, steps `along` an axis or the longest one."""
    sizes, outputs, kernel = ([getattr(a, name) for a in axes] for name in ("size", "outputs", "kernel"))
    in_steps, out_steps = _strides(sizes), _strides(outputs)
    records = []
    for region in itertools.product(*regions):
        taps = _grid([r.taps for r in region], _strides(kernel))
        shifts = _grid([r.shifts for r in region], in_steps) * channels
        within = np.arange(depth)
        rows_x = (shifts[:, None] + within).ravel()
        rows_c = ((taps[:, None] * depth + within) * filters).ravel()
        longest = max(range(len(axes)), key=lambda a: (a == along, len(region[a].targets), a))
        starts = [r.targets[:1] if a == longest else r.targets for a, r in enumerate(region)]
        sources = [r.sources[:1] if a == longest else r.sources for a, r in enumerate(region)]
        steps = len(region[longest].targets)
        apart = [(np.diff(p[:2]).sum()) for p in (region[longest].sources, region[longest].targets)]
        step_x, step_b = apart[0] * in_steps[longest] * channels, apart[1] * out_steps[longest]
        runs = (_grid(sources, in_steps) * channels, _grid(starts, out_steps))
        records.append(((rows_x, rows_c), runs, steps, step_x, step_b, len(region[-1].taps) if depth == 1 else depth))
    return records


@functools.lru_cache(maxsize=64)
def tap_table(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """For the weight gradient tap by tap: a region for every tap, of all pixels at which it reads no padding.

    Runs are parts of the lines of `line_places`, in whose order output pixels are counted here.
    """
    outputs = [a.outputs for a in axes]
    along = _along(outputs)
    in_steps, others = _strides([a.size for a in axes]), [n for a, n in enumerate(outputs) if a != along]
    line_steps = [step * outputs[along] for step in _strides(others)[: len(others)]]
    records = []
    for region in itertools.product(*(_tap_regions(axis) for axis in axes)):
        tap = _grid([r.taps for r in region], _strides([a.kernel for a in axes]))
        rows = (np.arange(depth), (tap * depth + np.arange(depth)) * filters)
        line = region[along]
        sources = [line.sources[:1] if a == along else r.sources for a, r in enumerate(region)]
        targets = [r.targets for a, r in enumerate(region) if a != along]
        runs = (_grid(sources, in_steps) * channels, _grid(targets, line_steps) + line.targets[0])
        step = axes[along].stride * in_steps[along] * channels
        records.append((rows, runs, len(line.targets), step, 1, depth))
    return _packed(records)


@functools.lru_cache(maxsize=64)
def filter_table(axes: Axes, channels: int, filters: int) -> np.ndarray:
    """For the transposed weight gradient: a region for every tap, whose rows are (tap, filter), of `channels` columns.

    Rows find their elements in g, and what they are multiplied with are pixels of x.
    """
    outputs = [a.outputs for a in axes]
    along, in_steps, out_steps = _along(outputs), _strides([a.size for a in axes]), _strides(outputs)
    records = []
    for region in itertools.product(*(_tap_regions(axis) for axis in axes)):
        tap = _grid([r.taps for r in region], _strides([a.kernel for a in axes]))
        rows = (np.arange(filters), (tap * filters + np.arange(filters)) * channels)
        stops = [1 if a == along else None for a in range(len(axes))]  # only the starts of lines
        seen = [(r.targets[:stop], r.sources[:stop]) for r, stop in zip(region, stops, strict=True)]
        targets, sources = _grid([o for o, _ in seen], out_steps), _grid([i for _, i in seen], in_steps)
        steps = (out_steps[along] * filters, axes[along].stride * in_steps[along])
        records.append((rows, (targets * filters, sources), len(region[along].targets), *steps, filters))
    return _packed(records)


@functools.lru_cache(maxsize=64)
def output_taps(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """As `output_table`, but with a region for every tap: all outputs for which it reads no padding."""
    sizes, outputs = [a.size for a in axes], [a.outputs for a in axes]
    return _pixel_table(axes, [_tap_regions(axis) for axis in axes], sizes, outputs, channels, filters, depth)


@functools.lru_cache(maxsize=64)
def input_taps(axes: Axes, channels: int, filters: int, depth: int) -> np.ndarray:
    """As `input_table`, but with a region for every (reversed) tap: all inputs that it reads."""
    sizes, outputs = [a.size for a in axes], [a.outputs for a in axes]
    regions = [
        [r._replace(targets=r.sources, sources=r.targets, taps=_reversed(axis, r.taps)) for r in _tap_regions(axis)]
        for axis in axes
    ]
    return _pixel_table(axes, regions, outputs, sizes, filters, channels, depth)


def _reversed(axis: Axis, taps: range) -> range:
    """A single tap counted from the end of the kernel."""
    return range(axis.kernel - taps.stop, axis.kernel - taps.start)


@functools.lru_cache(maxsize=64)
def line_places(outputs: tuple[int, ...], filters: int) -> np.ndarray:
    """Where the lines of an array of outputs are: their number and length, how far apart pixels are, the places."""
    along, steps = _along(outputs), _strides(outputs)
    outer = [a for a in range(len(outputs)) if a != along]
    places = _grid([range(outputs[a]) for a in outer], [steps[a] for a in outer]) * filters
    return np.array([places.size, outputs[along], steps[along] * filters, *places], np.int64)


def _along(sizes: Sequence[int]) -> int:
    """The axis along which lines go: the last one that is long enough, else the longest."""
    return max(range(len(sizes)), key=lambda a: (min(sizes[a], LONG), a))


def _tap_regions(axis: Axis) -> list[Region]:
    """For every tap of an axis that reads the array at all, all outputs at which it does."""
    found = []
    for tap in range(axis.kernel):
        reads = ((o, o * axis.stride + tap * axis.dilation - axis.before) for o in range(axis.outputs))
        inside = [(o, i) for o, i in reads if 0 <= i < axis.size]
        if inside:
            targets, sources = zip(*inside, strict=True)
            found.append(Region(targets, sources, range(tap, tap + 1), (0,)))
    return found


def _pixel_table(
    axes: Axes,
    regions: Sequence[list[Region]],
    sizes: list[int],
    targets: list[int],
    channels: int,
    filters: int,
    depth: int,
) -> np.ndarray:
    """Rows are pixels of the target array of `filters` channels, which read the source array of `channels`."""
    in_steps, out_steps, kernel_steps = _strides(sizes), _strides(targets), _strides([a.kernel for a in axes])
    records = []
    for region in itertools.product(*regions):
        along = max(range(len(axes)), key=lambda a: (min(len(region[a].targets), LONG), a))
        order = [*(a for a in range(len(axes)) if a != along), along]
        rows_x = _grid([region[a].sources for a in order], [in_steps[a] for a in order]) * channels
        rows_c = _grid([region[a].targets for a in order], [out_steps[a] for a in order]) * filters
        line = len(region[along].targets) if _is_even(region[along]) else 1
        *outer, last = region
        shift, gap = (last.shifts[1] if len(last.shifts) > 1 else 1) * channels, last.taps.step
        # The steps of a run go through all taps of the last axis where their elements lie evenly, else through one.
        together = depth == 1 or (depth == channels == shift and gap == 1)
        taps, shifts = (last.taps[:1], last.shifts[:1]) if together else (last.taps, last.shifts)
        runs_x = _grid([*(r.shifts for r in outer), shifts], in_steps) * channels
        runs_b = _grid([*(r.taps for r in outer), taps], kernel_steps) * depth
        steps, step_x, step_b = depth, 1, 1
        if together:
            steps = depth * len(last.taps)
            step_x, step_b = (shift, gap) if depth == 1 else (1, 1)
        records.append(((rows_x, rows_c), (runs_x, runs_b), steps, step_x, step_b, line))
    return _packed(records)


def _packed(records: list[Record], group: int = 1) -> np.ndarray:
    """The table of regions, each `group` of which stay together, those without rows left out."""
    records = [r for r in records if r[0][0].size]
    groups = [records[i : i + group] for i in range(0, len(records), group)]
    groups.sort(key=lambda g: sum(r[0][0].size * r[1][0].size * r[2] for r in g), reverse=True)
    records = [record for g in groups for record in g]
    parts, place = [], 1 + FIELDS * len(records)
    fields = np.zeros((len(records), FIELDS), np.int64)
    for field, (rows, runs, *numbers) in zip(fields, records, strict=True):
        field[[ENTRIES, RUNS, STEPS, STEP_X, STEP_B, LINE, GROUP]] = rows[0].size, runs[0].size, *numbers, group
        for name, part in zip((ROWS_X, ROWS_C, RUNS_X, RUNS_B), (*rows, *runs), strict=True):
            field[name] = place
            place += part.size
            parts.append(part)
    return np.concatenate([[len(records)], fields.ravel(), *parts]).astype(np.int64)


def _is_even(region: Region) -> bool:
    """Whether positions are evenly spaced; those that see no taps may not be."""
    return all(len(set(np.diff(places))) < 2 for places in (region.targets, region.sources))


def _strides(sizes: Sequence[int]) -> list[int]:
    """Row-major strides."""
    steps = [1]
    for size in sizes[:0:-1]:
        steps.insert(0, steps[0] * size)
    return steps


def _grid(positions: Sequence[Sequence[int]], steps: Sequence[int]) -> np.ndarray:
    """The flat places of all combinations of positions, row-major."""
    places = np.zeros(1, np.int64)
    for along, step in zip(positions, steps, strict=True):
        places = (places[:, None] + np.asarray(along, np.int64) * step).ravel()
    return places
