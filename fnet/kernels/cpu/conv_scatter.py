"""The input gradient of convolutions of few channels: products for every output, then added to where its taps lie.

`fnet.kernels.cpu.conv` sums over taps and filters with the channels in the lanes of vectors, most of which are idle if
there are 3. Here the lanes hold taps and channels: a line of outputs (all positions of the last axis) times the weights
gives ``p[output, tap, channel]``, and what neighbouring taps of the last axis have lies side by side there as in the
input. A task has a band of lines of one sample; the sum for an element goes over the outputs in their order.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np
import numpy.typing as npt

from fnet.activation_codes import LINEAR, RELU
from fnet.kernels.cpu.product import activate, pack_panels, packed_size, product_packed
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at
from fnet.kernels.cpu.vector.spans import add
from fnet.kernels.cpu.vector.tiles import FROM_ZERO
from fnet.kernels.policy import kernel
from fnet.kernels.sizes import Sizes
from fnet.taps import Axis

FEW = 4  # of the lanes of a vector in which channels would lie, this part of one is few
TASKS = 8  # at least, where the lines suffice
LINES = 16  # of a band at least: its neighbours compute some of its products, too
BAND = 4  # fields of a band: its first line and the line behind its last one, and the same of the lines of outputs
ROUND = 16  # elements to which rows of products are rounded up

SIZES = Sizes("samples lines outputs filters columns channels size taps stride before has_bias act")
(
    SAMPLES, LINES_OF_OUTPUTS, OUTPUTS, FILTERS, COLUMNS, CHANNELS, SIZE, TAPS, STRIDE, BEFORE, HAS_BIAS, ACT,
) = SIZES  # fmt: skip


def gains(axes: tuple[Axis, ...], channels: int, filters: int, dtype: npt.DTypeLike) -> bool:
    """Whether there are so few channels, but enough outputs, filters and neighbouring taps."""
    lanes, last = VECTOR_BYTES // np.dtype(dtype).itemsize, axes[-1]
    return channels * FEW <= lanes <= filters and last.dilation == 1 and last.outputs >= lanes and last.kernel > 1


@functools.lru_cache(maxsize=64)
def line_table(axes: tuple[Axis, ...], samples: int) -> np.ndarray:
    """Bands of lines of the input, and for every line of outputs the taps by which it reaches lines of the input.

    The number of bands, `BAND` fields for each, where the taps of a line of outputs begin (and the last ones end), then
    tap and line, alternately.
    """
    outer = axes[:-1]
    lines, outputs = (math.prod(getattr(a, name) for a in outer) for name in ("size", "outputs"))
    strides = {name: _strides([getattr(a, name) for a in outer]) for name in ("size", "kernel")}
    starts, reached = [0], []
    for place in itertools.product(*(range(a.outputs) for a in outer)):
        for tap in itertools.product(*(range(a.kernel) for a in outer)):
            at_line = [o * a.stride + t * a.dilation - a.before for o, t, a in zip(place, tap, outer, strict=True)]
            if all(0 <= i < a.size for i, a in zip(at_line, outer, strict=True)):
                pairs = ((tap, strides["kernel"]), (at_line, strides["size"]))
                reached.append([sum(i * step for i, step in zip(*pair, strict=True)) for pair in pairs])
        starts.append(len(reached))
    count = max(1, min(-(-TASKS // max(samples, 1)), lines // LINES))
    targets, bands = np.array(reached, np.int64).reshape(-1, 2)[:, 1], []
    sources = np.repeat(np.arange(outputs), np.diff(starts))
    for band in range(count):
        first, end = band * lines // count, (band + 1) * lines // count
        seen = sources[(first <= targets) & (targets < end)]
        bands += [first, end, seen.min(initial=outputs), seen.max(initial=-1) + 1]
    return np.array([count, *bands, *starts, *itertools.chain.from_iterable(reached)], np.int64)


def _strides(sizes: list[int]) -> list[int]:
    return [math.prod(sizes[i + 1 :]) for i in range(len(sizes))]


def panels_size(filters: int, columns: int, dtype: npt.DTypeLike) -> int:
    """The elements of `panels` that `input_gradient` needs for so many taps and channels.

    >>> panels_size(0, 147, "float32")
    0
    """
    return packed_size(columns, filters, dtype)


def work_size(samples: int, table: np.ndarray, outputs: int, columns: int) -> int:
    """The elements of `work` that `input_gradient` needs.

    >>> work_size(2, np.array([1]), 10, 20)
    640
    """
    return samples * int(table[0]) * outputs * (-(-columns // ROUND) * ROUND)


@kernel
def input_gradient(g, w, bias, dx, table, panels, work, sizes):
    """``dx[s, i, c] = act(bias[c] + sum over outputs, taps and filters of g[s, o, f] w[tap, c, f])``.

    g: (samples, lines of outputs, outputs, filters); w: (columns, filters), columns being taps and channels; dx:
    (samples, lines, size, channels); table: `line_table`; panels: `panels_size`, work: `work_size` elements; sizes:
    `SIZES`, with the lines of the outputs, and the size, taps, stride and padding before of the last axis.
    """
    samples, lines, outputs, filters = sizes[SAMPLES], sizes[LINES_OF_OUTPUTS], sizes[OUTPUTS], sizes[FILTERS]
    columns = sizes[COLUMNS]
    pack_panels(at(w, 0), at(panels, 0), columns, filters, 1, filters)
    bands = table[0]
    parallel_for(
        _band, samples * bands, threads_for(samples * lines * outputs * columns * filters // 64), at(g, 0),
        at(panels, 0), at(bias, 0), at(dx, 0), at(table, 0), at(work, 0), dx.size // max(samples, 1), at(sizes, 0),
    )  # fmt: skip


@kernel
def _band(task, g, panels, bias, dx, table, work, dx_sample, sizes):
    lines, outputs, filters, columns = sizes[LINES_OF_OUTPUTS], sizes[OUTPUTS], sizes[FILTERS], sizes[COLUMNS]
    channels, size, taps, stride, before = sizes[CHANNELS], sizes[SIZE], sizes[TAPS], sizes[STRIDE], sizes[BEFORE]
    has_bias, act = sizes[HAS_BIAS], sizes[ACT]
    bands = table[0]
    sample, band = task // bands, at(table, 1 + task % bands * BAND)
    starts = at(table, 1 + bands * BAND)
    reached = at(starts, lines + 1)
    row, line = (columns + ROUND - 1) // ROUND * ROUND, size * channels
    own, here = at(work, task * outputs * row), at(dx, sample * dx_sample)
    for i in range(band[0] * size, band[1] * size):
        for c in range(channels):
            here[i * channels + c] = bias[c] if has_bias else 0
    for source in range(band[2], band[3]):
        x = at(g, (sample * lines + source) * outputs * filters)
        product_packed(x, panels, own, own, outputs, columns, filters, filters, filters, 1, row, FROM_ZERO, LINEAR)
        for o in range(outputs):
            start = o * stride - before
            first, end = max(0, -start), min(taps, size - start)
            if end > first:
                products = at(own, o * row)
                for e in range(starts[source], starts[source + 1]):
                    tap, target = reached[2 * e], reached[2 * e + 1]
                    if band[0] <= target < band[1]:
                        place = at(here, target * line + (start + first) * channels)
                        add(place, at(products, (tap * taps + first) * channels), (end - first) * channels)
    activate_line(at(here, band[0] * line), (band[1] - band[0]) * line, act)


@kernel
def activate_line(x, count, act):
    """``x = act(x)`` for contiguous elements."""
    if act == RELU:
        for i in range(count):
            x[i] = x[i] if x[i] > 0 or x[i] != x[i] else 0
    else:
        activate(x, 1, count, count, act)
