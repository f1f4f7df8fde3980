"""The gradients of weights and inputs along the walk back, while what they are made of lies in the caches.

Some samples, a part, walk some steps back; then ``rows' dz`` of these steps is added to the part's share of the
gradient of ``[W; b; U]``, and dz is forgotten. The gradient of the input of a step follows at once. The number of parts
depends on nothing but the number of samples, and the shares are added in order: threads change no bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fnet.activation_codes import LINEAR
from fnet.kernels.cpu.operands import PAD
from fnet.kernels.cpu.product import K_BLOCK, product, product_workspace
from fnet.kernels.cpu.recurrent import (
    BACKWARDS,
    BLOCK,
    DZ_ROW,
    FEATURES,
    H_ROW,
    MASKED,
    STEPS,
    TOGETHER,
    UNITS,
    X_ROW,
    X_TIME,
    N,
    add,
    clear,
    copy,
    time_of,
)  # fmt: skip
from fnet.kernels.cpu.recurrent_tiles import OUTER_ROWS, gather_tile, outer_tile
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.vector.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel, scalar

MOST_PARTS = 8
PART = 32  # samples, or fewer if there are two
WORTH = 1 << 20  # multiply-adds of a walk that are worth two parts
CONFLICT = 256  # elements between rows that compete for the same lines of the first-level cache


@dataclass(frozen=True)
class Shares:
    """How the work is shared, and the elements of memory of a part."""

    parts: int
    most: int  # samples that walk at once
    together: int  # steps that are added at once
    slopes_row: int  # the distance of rows of dz
    memory: int


def shares(n: int, steps: int, k: int, columns: int, dtype: npt.DTypeLike) -> Shares:
    """The shares of n samples, for weights (k, columns)."""
    few = min(n, 2) if n * steps * k * columns >= WORTH else 1
    parts = min(max(n // PART, few, 1), MOST_PARTS)
    most = max(1, min(BLOCK, -(-n // parts)))
    narrow = columns <= VECTOR_BYTES // np.dtype(dtype).itemsize
    rows = PART if narrow else K_BLOCK  # tiles pack nothing: few rows stay in the first-level cache
    together = max(1, rows // most)
    work = product_workspace(k, columns, most * together, dtype)
    slopes_row = columns if columns % CONFLICT else columns + PAD
    return Shares(parts, most, together, slopes_row, most * together * (k + slopes_row) + work + k * columns)


@scalar
def places(memory, size, task, most, together, k, columns, slopes_row, whole):
    """Where a part has its rows, its dz, its memory for a product, and its share, which of the first is `whole`."""
    rows = at(memory, task * size)
    slopes = at(rows, most * together * k)
    work = at(slopes, most * together * slopes_row)
    share = at(memory, (task + 1) * size - k * columns)
    return rows, slopes, work, share if task else whole


@kernel
def gather_rows(x, x_row, h, h_row, mask, mask_row, masked, rows, m, features, units):
    """``[x_t, 1, h_{t-1}]`` of m samples, zeros where the mask is off."""
    k = features + 1 + units
    if not masked and features < lanes(rows) and units <= lanes(rows):
        gather_tile(x, x_row, h, h_row, rows, m, features, units)
        return
    for i in range(m):
        row = at(rows, i * k)
        if masked and mask[i * mask_row] == 0:
            clear(k, row)
            continue
        copy(features, at(x, i * x_row), row)
        row[features] = 1
        copy(units, at(h, i * h_row), at(row, features + 1))


@kernel
def gather(x, h0, ys, mask, rows, sizes):
    """The operands of all steps, rows: (T, N, D + 1 + H).

    sizes: `recurrent.FORWARD_SIZES`. x: (N, T, D), N and T at the strides x_row and x_time; h0: (N, H), N at the stride
    h_row; ys: (N, T, H); mask: (N, T), read if ``masked != 0``.
    """
    n, steps, features, units = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS]
    count = min(steps, threads_for(n * steps * (features + 1 + units) // 4))
    block = (steps + max(count, 1) - 1) // max(count, 1)
    parallel_for(
        _gather_steps, count, count, block, at(x, 0), at(h0, 0), at(ys, 0), at(mask, 0), at(rows, 0), at(sizes, 0),
    )  # fmt: skip


@kernel
def _gather_steps(task, block, x, h0, ys, mask, rows, sizes):
    """The rows of `block` steps."""
    n, steps, features, units, x_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[X_ROW]
    x_time, h_row, backwards, masked = sizes[X_TIME], sizes[H_ROW], sizes[BACKWARDS], sizes[MASKED]
    k = features + 1 + units
    for s in range(task * block, min(task * block + block, steps)):
        t, h, h_step = time_of(s, steps, backwards), at(h0, 0), h_row
        if s:
            h, h_step = at(ys, time_of(s - 1, steps, backwards) * units), steps * units
        own = at(rows, t * n * k)
        gather_rows(at(x, t * x_time), x_row, h, h_step, at(mask, masked * t), steps, masked, own, n, features, units)


@kernel
def add_to_share(rows, slopes, slopes_row, share, work, count, k, columns, begun):
    """``share += rows' slopes`` of so many rows; a share that is not `begun` holds anything."""
    if columns <= lanes(share):
        if not begun:
            clear(k * columns, share)
        for i in range(0, k, OUTER_ROWS):
            outer_tile(at(rows, i), k, slopes, slopes_row, at(share, i * columns), columns, count, k - i, columns)
    else:
        start = FROM_C if begun else FROM_ZERO
        product(rows, slopes, share, share, work, k, columns, count, 1, k, slopes_row, 1, columns, start, LINEAR)


@scalar
def add_step(x, h0, ys, mask, rows, slopes, share, work, first, m, s, done, begun, columns, sizes):
    """Add step s of m samples from `first` on, whose dz are there, to a share, or leave it to wait for others.

    sizes: `recurrent.BACKWARD_SIZES`; x, h0, ys, mask: of all samples; rows, slopes, share, work: as `places` says;
    done: how many steps wait; begun: whether the share is; returns how many wait now, 0 if they have been added.
    """
    steps, features, units, masked, x_row = sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[MASKED], sizes[X_ROW]
    backwards, k, h, h_step = sizes[BACKWARDS], features + 1 + units, at(h0, first * sizes[H_ROW]), sizes[H_ROW]
    t = time_of(s, steps, backwards)
    if s:
        h, h_step = at(ys, (first * steps + time_of(s - 1, steps, backwards)) * units), steps * units
    gather_rows(
        at(x, first * x_row + t * sizes[X_TIME]), x_row, h, h_step, at(mask, masked * (first * steps + t)), steps,
        masked, at(rows, done * m * k), m, features, units,
    )  # fmt: skip
    done += 1
    if done < sizes[TOGETHER] and s:
        return done
    add_to_share(rows, slopes, sizes[DZ_ROW], share, work, done * m, k, columns, begun)
    return 0


@kernel
def add_shares(memory, size, parts, whole, count):
    """The first share becomes the sum of all."""
    for part in range(1, parts):
        add(count, whole, at(memory, (part + 1) * size - count), whole)
