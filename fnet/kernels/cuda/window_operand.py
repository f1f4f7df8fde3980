"""Operands of products that are windows of an image, read in place: four elements at a time.

Rows are targets and k runs over (tap, channel), or k runs over targets and rows are (tap, channel); see
`fnet.kernels.cuda.window`. All numbers, also of pixels, are below 2**31, so that a quotient is a product and a shift.

Source: Granlund and Montgomery, Division by invariant integers using multiplication (1994).
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, load4
from fnet.kernels.cuda.runtime.kernel import device_function
from fnet.kernels.cuda.window import (
    DEPTH,
    GROUPS,
    LAST_TAPS,
    LIMIT,
    LINE,
    LINES,
    OFFSET,
    PIXELS,
    SCALE,
    STEP,
    TAPS,
    WINDOW,
    result_pixel,
    targets_of,
)
from fnet.kernels.sizes import Sizes

DIVISORS = ("depth", "lines", "line", "last_taps")
NAMES = f"{WINDOW} {' '.join(f'{name}_by {name}_shift' for name in DIVISORS)} part"
(*_, DEPTH_BY, _, LINES_BY, _, LINE_BY, _, LAST_TAPS_BY, _, PART) = Sizes(NAMES)


def multiplier(divisor: int) -> tuple[int, int]:
    """The factor and the shift with which ``n // divisor == n * factor >> shift`` for n in [0, 2**31)."""
    bits = 31 + (divisor - 1).bit_length()
    return -(-(1 << bits) // divisor), bits


@device_function
def _quotient(n, sizes, by):
    """n divided by the number whose multiplier is the size `by`."""
    return np.int32((np.uint64(np.uint32(n)) * np.uint64(np.uint32(sizes[by]))) >> np.uint64(sizes[by + 1]))


@device_function
def _place_of_target(sizes, target):
    """The sample of a target, its line and its place in the line."""
    line = _quotient(target, sizes, LINE_BY)
    sample = _quotient(line, sizes, LINES_BY)
    return sample, np.int32(line - sample * np.int32(sizes[LINES])), np.int32(target - line * np.int32(sizes[LINE]))


@device_function
def pixel_of_target(leads, sizes, target):
    """The pixel of the result, over all samples, that a target is."""
    return result_pixel(leads, sizes, *_place_of_target(sizes, target))


@device_function
def _target(sizes, target):
    """The first pixel of the sample of a target, its line, and where its window begins along the last axis."""
    sample, line, last = _place_of_target(sizes, target)
    first = np.int32(last * np.int32(sizes[SCALE]) + np.int32(sizes[OFFSET]))
    return np.int32(sample * np.int32(sizes[PIXELS])), line, first


@device_function
def _tap(sizes, k):
    """Where `leads` has the lines of the tap that k belongs to, how far its last axis reads, and the channel."""
    tap = _quotient(k, sizes, DEPTH_BY)
    lead = _quotient(tap, sizes, LAST_TAPS_BY)
    last = np.int32(tap - lead * np.int32(sizes[LAST_TAPS]))
    return (
        np.int32((lead + 1) * np.int32(sizes[LINES])),
        np.int32(last * np.int32(sizes[STEP])),
        np.int32(k - tap * np.int32(sizes[DEPTH])),
    )


@device_function
def _place(leads, sizes, group, target, tap):
    """Where the source has what a tap reads for a target, -1 where it reads nothing."""
    sample, line, first = target
    lead, reach, channel = tap
    source_line, pixel, limit = leads[lead + line], np.int32(first + reach), np.int32(sizes[LIMIT])
    if source_line < 0 or pixel < 0 or pixel >= limit:
        return np.int64(-1)
    pixels = np.int32(sample + source_line * limit + pixel)
    return (np.int64(pixels) * sizes[GROUPS] + group) * sizes[DEPTH] + channel


@device_function
def place_in_source(leads, sizes, group, target, k):
    """Where the source has what k, a tap and a channel, reads for a target, -1 where it reads nothing."""
    return _place(leads, sizes, group, _target(sizes, target), _tap(sizes, k))


@device_function
def _loaded(x, place):
    return x[np.uint64(place)] if place >= 0 else x.dtype.type(0)


@device_function
def _four(x, place):
    if place >= 0:
        return load4(x, place)
    zero = x.dtype.type(0)
    return zero, zero, zero, zero


@device_function
def _one(x, leads, sizes, group, target, k, count):
    return _loaded(x, _place(leads, sizes, group, target, _tap(sizes, k)) if count > 0 else np.int64(-1))


@device_function
def _each(x, leads, sizes, group, target, k, count):
    """The elements k to k + 3 of a target's window; 0 for those beyond the first `count`."""
    return (
        _one(x, leads, sizes, group, target, k, count),
        _one(x, leads, sizes, group, target, np.int32(k + 1), count - 1),
        _one(x, leads, sizes, group, target, np.int32(k + 2), count - 2),
        _one(x, leads, sizes, group, target, np.int32(k + 3), count - 3),
    )


@device_function
def _run(x, leads, sizes, group, target, k, count):
    """As `_each`, with less to compute where the four lie side by side."""
    tap, end = _tap(sizes, k), _tap(sizes, np.int32(k + 3))
    if count > 3 and tap[0] == end[0]:
        first, last = _place(leads, sizes, group, target, tap), _place(leads, sizes, group, target, end)
        if first >= 0 and last - first == 3:  # in one line both ends are inside, so the two between are
            return x[np.uint64(first)], x[np.uint64(first + 1)], x[np.uint64(first + 2)], x[np.uint64(first + 3)]
    return _each(x, leads, sizes, group, target, k, count)


@device_function
def _at_once(x, leads, sizes, group, target, k, count):
    """As `_each`, of four channels of one pixel."""
    return _four(x, _place(leads, sizes, group, target, _tap(sizes, k)) if count > 0 else np.int64(-1))


@device_function
def _is_wide(x, sizes):
    """Whether four channels of a pixel may be read at once."""
    return sizes[DEPTH] & 3 == 0 and is_aligned(x)


@device_function
def rows_of_targets(x, leads, sizes, group, target, deep):
    """What `four_of_targets` knows: x, the thread's target, and the k that it begins with."""
    targets = targets_of(sizes)
    k = np.int32(sizes[TAPS] * sizes[DEPTH] - deep) if target < targets else np.int32(0)
    found = _target(sizes, np.int32(min(target, targets - 1)))
    return x, leads, sizes, group, found, np.int32(deep), k, _is_wide(x, sizes)


@device_function
def four_of_targets(operand, k):
    """The elements of k to k + 3 further than the operand begins, in the row of its target; 0 outside."""
    x, leads, sizes, group, target, deep, left, wide = operand
    k, count = np.int32(k + deep), np.int32(left - k)
    if wide:
        return _at_once(x, leads, sizes, group, target, k, count)
    return _run(x, leads, sizes, group, target, k, count)


@device_function
def rows_of_taps(x, leads, sizes, group, row, first, deep):
    """What `four_of_taps` knows: x, the first of the thread's rows, and the target that it begins with.

    first: the first target of the part; deep: how far from there the thread begins.
    """
    targets, rows = targets_of(sizes), sizes[TAPS] * sizes[DEPTH]
    left = np.int32(min(targets - first, sizes[PART]) - deep)
    return (
        x,
        leads,
        sizes,
        group,
        row,
        np.int32(rows - row),
        np.int32(first + deep),
        left,
        _is_wide(x, sizes),
    )


@device_function
def four_of_taps(operand, k):
    """What four rows, which are taps and channels, read for the target k further than the operand begins; 0 outside."""
    x, leads, sizes, group, row, rows, first, left, wide = operand
    count = rows if k < left else np.int32(0)
    target = _target(sizes, np.int32(first + (k if count > 0 else np.int32(0))))
    if wide:
        return _at_once(x, leads, sizes, group, target, row, count)
    return _each(x, leads, sizes, group, target, row, count)
