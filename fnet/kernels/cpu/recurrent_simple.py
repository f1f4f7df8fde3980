"""The simple recurrent layer over whole sequences, ``h_t = act([x_t, 1, h_{t-1}] [W; b; U])``, and its VJP.

Source: J. Elman 1990.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.activation_codes import TANH
from fnet.kernels.cpu.operands import words_row
from fnet.kernels.cpu.product import NARROW_ROWS
from fnet.kernels.cpu.recurrent import (
    ACT,
    BACKWARDS,
    DH_ROW,
    DY_ROW,
    DY_TIME,
    DZ_ROW,
    FEATURES,
    H_ROW,
    MASKED,
    MOST,
    PARTS,
    SPREAD,
    STARTED,
    STEPS,
    TOGETHER,
    UNITS,
    WANTED,
    X_ROW,
    X_TIME,
    Memory,
    N,
    add,
    clear,
    copy,
    copy_rows,
    memory,
    pack_transposed,
    pack_weights,
    place_of_state,
    read_inputs,
    size_of_panels,
    step_product,
    tasks_for,
    time_of,
)  # fmt: skip
from fnet.kernels.cpu.recurrent_shares import add_shares, add_step, places
from fnet.kernels.cpu.recurrent_tiles import simple_activate, simple_back, simple_products
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.lanewise import lanewise
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.vector.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel, scalar


def _step_formula(math, act, z):
    h = math.activate(act, z)
    return h, h


def _back_formula(math, act, h, dh, dy):
    return (math.times_slope(dh + dy, act, h),)


_step = lanewise(_step_formula, (TANH,), "h y")
_back = lanewise(_back_formula, (TANH,), "dz")


def workspace(n: int, features: int, units: int, dtype: npt.DTypeLike, operands: npt.DTypeLike) -> Memory:
    """The memory that `forward` needs for operands of products of this type."""
    needed = memory(n, [(units, features + 1 + units)], dtype, operands)
    return Memory(needed.work + n * max(units, VECTOR_BYTES // np.dtype(dtype).itemsize), needed.panels)


def backward_workspace(n: int, units: int, dtype: npt.DTypeLike, operands: npt.DTypeLike, features: int = 0) -> Memory:
    """The memory that `backward` needs for operands of products of this type; features: of a wanted dx."""
    needed = memory(n, [(units, units), (features, units)], dtype, operands)
    return Memory(needed.work + 2 * n * VECTOR_BYTES // np.dtype(dtype).itemsize, needed.panels)


@kernel
def forward(x, weights, bias, recurrent, h0, mask, ys, h_last, rows, panels, work, sizes):
    """All steps of all samples.

    sizes: `recurrent.FORWARD_SIZES`. x: (N, T, D), N and T at the strides x_row and x_time; weights: (D, H); bias:
    (H,); recurrent: (H, H); h0: (N, H), N at the stride h_row; mask: (N, T), read if ``masked != 0`` -> ys: (N, T, H);
    h_last: (N, H). rows: memory of (N, D + 1 + H). act is the code of an activation.
    """
    n, steps, features, units = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS]
    k = features + 1 + units
    packed, strip = at(panels, 0), at(work, n * max(units, lanes(at(x, 0))))
    words = at(packed, size_of_panels(packed, units, k))
    pack_weights(at(weights, 0), at(bias, 0), at(recurrent, 0), packed, strip, features, 1, units, units, units)
    count = tasks_for(n, (1 + sizes[SPREAD]) * n * steps * k * units)
    block = (n + count - 1) // count
    parallel_for(
        _forward_rows, count, count, block, at(x, 0), packed, words, at(h0, 0), at(mask, 0), at(ys, 0), at(h_last, 0),
        at(rows, 0), at(work, 0), at(sizes, 0),
    )  # fmt: skip


@kernel
def _forward_rows(task, block, x, packed, words, h0, mask, ys, h_last, rows, z, sizes):
    """The steps of `block` samples."""
    n, steps, features, units, x_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[X_ROW]
    x_time, h_row, started, backwards = sizes[X_TIME], sizes[H_ROW], sizes[STARTED], sizes[BACKWARDS]
    masked, act = sizes[MASKED], sizes[ACT]
    first, k, one = task * block, features + 1 + units, lanes(z)
    m = min(block, n - first)
    h, h_step = place_of_state(0, rows, h_last, first, n, steps, features, units, backwards, 0)
    copy_rows(at(h0, first * h_row), h_row, h, h_step, m, units)
    done = _whole_tiles(words_row(words, k), one, m, units, masked, act)
    if done:
        state = at(z, first * one)
        copy_rows(at(h0, first * h_row), h_row, state, one, done, units)
        _forward_tiles(first, done, x, packed, state, ys, h_last, rows, sizes)
    first, m = first + done, m - done
    own_words, z = at(words, first * words_row(words, k)), at(z, first * max(units, one))
    for s in range(steps):
        t = time_of(s, steps, backwards)
        operands = at(rows, first * k)
        read_inputs(at(x, first * x_row + t * x_time), x_row, operands, m, features, k)
        depth = k if s or started else features + 1
        step_product(operands, k, own_words, packed, z, units, m, units, depth, k, FROM_ZERO)
        h, h_step = place_of_state(s + 1, rows, h_last, first, n, steps, features, units, backwards, 0)
        for i in range(m):
            p, to = (first + i) * steps + t, at(h, i * h_step)
            y = at(ys, p * units)
            if masked and mask[p] == 0:
                operand = at(operands, i * k)
                copy(units, at(operand, features + 1), to)
                copy(units, to, y)
                continue
            _step(units, act, at(z, i * units), to, y)


@scalar
def _whole_tiles(words_row, one, m, units, masked, act):
    """How many of m samples go through the tiles of `fnet.kernels.cpu.recurrent_tiles`."""
    fit = units <= one and act == TANH and masked == 0 and words_row == 0
    return m // NARROW_ROWS * NARROW_ROWS if fit else 0


@kernel
def _forward_tiles(first, m, x, packed, state, ys, h_last, rows, sizes):
    """The steps of m samples, whose first states lie in rows of a vector."""
    n, steps, features, units, x_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[X_ROW]
    x_time, started, backwards = sizes[X_TIME], sizes[STARTED], sizes[BACKWARDS]
    one, alone = lanes(state), m == NARROW_ROWS
    other, to, to_row, y, rows_of_other = state, h_last, units, ys, 0
    for s in range(steps):
        t = time_of(s, steps, backwards)
        depth, inputs = units if s or started else 0, at(x, first * x_row + t * x_time)
        h, h_row = place_of_state(s + 1, rows, h_last, first, n, steps, features, units, backwards, 0)
        for i in range(0, m, NARROW_ROWS):
            own = at(state, i * one)
            simple_products(
                at(inputs, i * x_row), x_row, packed, own, features, depth, other, to, to_row, y, steps * units, units,
                rows_of_other,
            )  # fmt: skip
            other, to, to_row, y = own, at(h, i * h_row), h_row, at(ys, ((first + i) * steps + t) * units)
            rows_of_other = 0 if alone else NARROW_ROWS
            if alone or (s == steps - 1 and i + NARROW_ROWS == m):
                simple_activate(other, to, to_row, y, steps * units, units, NARROW_ROWS)


@kernel
def backward(dys, dh_last, recurrent, ys, mask, dz, dh0, x, h0, weights, whole, dx, memory, panels, work, sizes):
    """The gradients of what enters the activations and of the initial states, or for the first those of weights and x.

    sizes: `recurrent.BACKWARD_SIZES`. dys: (N, T, H), N and T at the strides dy_row and dy_time; dh_last: (N, H), N at
    the stride dh_row; the rest as in `forward`, x and h0 only for ``parts != 0`` -> dh0: (N, H), of no meaning if
    ``started == 0``; and either, for ``parts == 0``, dz: (T, N, H), N at the stride dz_row, or by `shares` whole: (D +
    1 + H, H), and dx: (N, T, D) if it is `wanted`.
    """
    n, steps, features, units, parts = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[PARTS]
    wanted = sizes[WANTED]
    k = features + 1 + units
    packed = at(panels, 0)
    packed_x = at(packed, size_of_panels(packed, units, units))
    words = at(packed_x, wanted * size_of_panels(packed, features, units))
    pack_transposed(at(recurrent, 0), packed, at(work, 0), units, units)
    if wanted:
        pack_transposed(at(weights, 0), packed_x, at(work, 0), features, units)
    nanoseconds = n * steps * (units + k + wanted * features) * units // 40
    count = parts or tasks_for(n, n * steps * units * units)
    threads = threads_for(nanoseconds) if parts else count
    block = (n + count - 1) // count
    states = at(work, work.size - 2 * n * lanes(at(work, 0)))
    parallel_for(
        _backward_rows, count, threads, block, at(dys, 0), at(dh_last, 0), packed, packed_x, words, at(mask, 0),
        at(ys, 0), at(dz, 0), at(dh0, 0), at(x, 0), at(h0, 0), at(whole, 0), at(dx, 0), at(memory, 0), states,
        memory.size // max(parts, 1), at(sizes, 0),
    )  # fmt: skip
    if parts:
        add_shares(at(memory, 0), memory.size // parts, parts, at(whole, 0), k * units)


@kernel
def _backward_rows(
    task, block, dys, dh_last, packed, packed_x, words, mask, ys, dz, dh0, x, h0, whole, dx, memory, states, size,
    sizes,
):  # fmt: skip
    """The steps of `block` samples, from the last one back, `most` samples at once where there are parts."""
    n, steps, features, units = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS]
    started, backwards = sizes[STARTED], sizes[BACKWARDS]
    masked, act, dy_row, dy_time, dh_row = sizes[MASKED], sizes[ACT], sizes[DY_ROW], sizes[DY_TIME], sizes[DH_ROW]
    dz_row, parts, most, together, wanted = sizes[DZ_ROW], sizes[PARTS], sizes[MOST], sizes[TOGETHER], sizes[WANTED]
    k, one, start = features + 1 + units, lanes(states), FROM_C if masked else FROM_ZERO
    own_rows, own_slopes, own_work, share = places(memory, size, task, most, together, k, units, dz_row, whole)
    begun = 0
    for first in range(task * block, min(task * block + block, n), most if parts else max(block, 1)):
        m = min(most if parts else block, min(task * block + block, n) - first)
        own_words, dh = at(words, first * words_row(words, units)), at(dh0, first * units)
        copy_rows(at(dh_last, first * dh_row), dh_row, dh, units, m, units)
        fit = _whole_tiles(words_row(words, units), one, m, units, masked, act)
        state = at(states, 2 * first * one)
        copy_rows(dh, units, state, one, fit, units)
        done = 0
        for s in range(steps - 1, -1, -1):
            t = time_of(s, steps, backwards)
            place = t * n + first
            slopes = at(own_slopes, done * m * dz_row) if parts else at(dz, place * dz_row)
            for i in range(0, fit, NARROW_ROWS):
                y, dy = at(ys, ((first + i) * steps + t) * units), at(dys, (first + i) * dy_row + t * dy_time)
                simple_back(
                    y, steps * units, dy, dy_row, at(state, i * one), at(state, (fit + i) * one), packed,
                    at(slopes, i * dz_row), dz_row, units,
                )  # fmt: skip
            for i in range(fit, m):
                p, here, d = (first + i) * steps + t, at(dh, i * units), at(slopes, i * dz_row)
                dy = at(dys, (first + i) * dy_row + t * dy_time)
                if masked and mask[p] == 0:
                    add(units, here, dy, here)
                    clear(units, d)
                    continue
                _back(units, act, at(ys, p * units), here, dy, d)
                if masked:
                    clear(units, here)
            if fit < m and (s or started):
                below, more = at(slopes, fit * dz_row), at(dh, fit * units)
                step_product(below, dz_row, own_words, packed, more, units, m - fit, units, units, units, start)
            if wanted:
                d = at(dx, (first * steps + t) * features)
                step_product(
                    slopes, dz_row, own_words, packed_x, d, steps * features, m, features, units, units, FROM_ZERO
                )
            if parts:
                done = add_step(
                    x, h0, ys, mask, own_rows, own_slopes, share, own_work, first, m, s, done, begun, units, sizes,
                )  # fmt: skip
                begun = 1 if done == 0 else begun
        copy_rows(state, one, dh, units, fit, units)
    if parts and not begun:
        clear(k * units, share)
