"""The gated recurrent unit over whole sequences, the reset gate behind the product, and its VJP.

    z, r, a = [x, 1] [W; b]     z, r += [1, h] [b'_zr; U_zr]     q = [1, h] [b'_g; U_g]
    z, r = rec(z), rec(r)       g = act(a + r q)                 h' = z h + (1 - z) g

Source: K. Cho et al. 2014, in the form that multiplies before it resets (Keras ``reset_after=True``).
"""

from __future__ import annotations

import numpy.typing as npt

from fnet.activation_codes import SIGMOID, TANH
from fnet.kernels.cpu.operands import words_row
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
    REC,
    SAVING,
    SPREAD,
    STARTED,
    STEPS,
    UNITS,
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
from fnet.kernels.cpu.runtime.threads import parallel_for
from fnet.kernels.cpu.vector.lanewise import lanewise
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel


def _step_formula(math, rec, act, z, r, a, q, h):
    z, r = math.activate_each(rec, z, r)
    g = math.activate(act, a + r * q)
    new = z * (h - g) + g
    return z, r, g, q, new, new


def _back_formula(math, rec, act, z, r, g, q, h, dh, dy):
    dh = dh + dy
    da = math.times_slope(dh - dh * z, act, g)
    dz, dr = math.times_slope(dh * (h - g), rec, z), math.times_slope(da * q, rec, r)
    dq = da * r
    return da, dz, dr, dq, dh * z


_step = lanewise(_step_formula, (SIGMOID, TANH), "z r g q h y")
_back = lanewise(_back_formula, (SIGMOID, TANH), "a z r q dh")


def workspace(n: int, features: int, units: int, dtype: npt.DTypeLike, operands: npt.DTypeLike) -> Memory:
    """The memory that `forward` needs for operands of products of this type."""
    return memory(n, [(3 * units, features + 1), (2 * units, 1 + units), (units, 1 + units)], dtype, operands)


def backward_workspace(n: int, units: int, dtype: npt.DTypeLike, operands: npt.DTypeLike) -> Memory:
    """The memory that `backward` needs for operands of products of this type."""
    return memory(n, [(units, 3 * units)], dtype, operands)


@kernel
def forward(x, weights, bias, recurrent, h0, mask, ys, h_last, gates, rows, panels, work, sizes):
    """All steps of all samples.

    sizes: `recurrent.FORWARD_SIZES`. x: (N, T, D), N and T at the strides x_row and x_time; weights: (D, 3H), bias: (2,
    3H), recurrent: (H, 3H), all z, r, g; h0: (N, H), N at the stride h_row; mask: (N, T), read if ``masked != 0`` ->
    ys: (N, T, H); h_last: (N, H), and the steps' z, r, g, q: (T, N, 4H), rows: (T, N, D + 1 + H). rec and act are codes
    of activations.
    """
    n, steps, features, units = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS]
    columns, zr = 3 * units, 2 * units
    packed, strip = at(panels, 0), at(work, 0)
    packed_zr = at(packed, size_of_panels(packed, columns, features + 1))
    packed_q = at(packed_zr, size_of_panels(packed, zr, 1 + units))
    words = at(packed_q, size_of_panels(packed, units, 1 + units))
    w, b, u = at(weights, 0), at(bias, columns), at(recurrent, 0)
    pack_weights(w, at(bias, 0), u, packed, strip, features, 1, 0, columns, columns)
    pack_weights(w, b, u, packed_zr, strip, 0, 1, units, zr, columns)
    pack_weights(w, at(b, zr), at(u, zr), packed_q, strip, 0, 1, units, units, columns)
    count = tasks_for(n, (1 + sizes[SPREAD]) * n * steps * (features + 1 + units) * columns)
    block = (n + count - 1) // count
    parallel_for(
        _forward_rows, count, count, block, at(x, 0), packed, packed_zr, packed_q, words, at(h0, 0), at(mask, 0),
        at(ys, 0), at(h_last, 0), at(gates, 0), at(rows, 0), at(sizes, 0),
    )  # fmt: skip


@kernel
def _forward_rows(task, block, x, packed, packed_zr, packed_q, words, h0, mask, ys, h_last, gates, rows, sizes):
    """The steps of `block` samples."""
    n, steps, features, units, x_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[X_ROW]
    x_time, h_row, started, backwards = sizes[X_TIME], sizes[H_ROW], sizes[STARTED], sizes[BACKWARDS]
    masked, rec, act, saving = sizes[MASKED], sizes[REC], sizes[ACT], sizes[SAVING]
    first, k, columns = task * block, features + 1 + units, 4 * units
    m, with_h = min(block, n - first), 1 + units
    own_words = at(words, first * max(words_row(words, features + 1), words_row(words, with_h)))
    h, h_step = place_of_state(0, rows, h_last, first, n, steps, features, units, backwards, saving)
    copy_rows(at(h0, first * h_row), h_row, h, h_step, m, units)
    for s in range(steps):
        t = time_of(s, steps, backwards)
        place = saving * t * n + first
        operands, z = at(rows, place * k), at(gates, place * columns)
        read_inputs(at(x, first * x_row + t * x_time), x_row, operands, m, features, k)
        depth, ones, q = with_h if s or started else 1, at(operands, features), at(z, 3 * units)
        step_product(operands, k, own_words, packed, z, columns, m, 3 * units, features + 1, features + 1, FROM_ZERO)
        step_product(ones, k, own_words, packed_zr, z, columns, m, 2 * units, depth, with_h, FROM_C)
        step_product(ones, k, own_words, packed_q, q, columns, m, units, depth, with_h, FROM_ZERO)
        h, h_step = place_of_state(s + 1, rows, h_last, first, n, steps, features, units, backwards, saving)
        for i in range(m):
            p, before, to = (first + i) * steps + t, at(operands, i * k + features + 1), at(h, i * h_step)
            y = at(ys, p * units)
            if masked and mask[p] == 0:
                copy(units, before, to)
                copy(units, to, y)
                if saving:
                    clear(k, at(operands, i * k))
                continue
            z_z = at(z, i * columns)
            z_r, z_a, z_q = at(z_z, units), at(z_z, 2 * units), at(z_z, 3 * units)
            _step(units, rec, act, z_z, z_r, z_a, z_q, before, z_z, z_r, z_a, z_q, to, y)


@kernel
def backward(dys, dh_last, recurrent, gates, rows, mask, dz, dh0, panels, work, sizes):
    """The gradients of what enters the activations and of the initial states.

    sizes: `recurrent.BACKWARD_SIZES`. dys: (N, T, H), N and T at the strides dy_row and dy_time; dh_last: (N, H), N at
    the stride dh_row; the rest as in `forward` -> dz of a, z, r, q: (T, N, 4H), N at the stride dz_row, so that the
    first three blocks belong to the weights and the last three to the recurrent ones; dh0: (N, H), of no meaning if
    ``started == 0``.
    """
    n, steps, units = sizes[N], sizes[STEPS], sizes[UNITS]
    packed = at(panels, 0)
    words = at(packed, size_of_panels(packed, units, 3 * units))
    pack_transposed(at(recurrent, 0), packed, at(work, 0), units, 3 * units)
    count = tasks_for(n, n * steps * units * 3 * units)
    block = (n + count - 1) // count
    parallel_for(
        _backward_rows, count, count, block, at(dys, 0), at(dh_last, 0), packed, words, at(mask, 0), at(gates, 0),
        at(rows, 0), at(dz, 0), at(dh0, 0), at(sizes, 0),
    )  # fmt: skip


@kernel
def _backward_rows(task, block, dys, dh_last, packed, words, mask, gates, rows, dz, dh, sizes):
    """The steps of `block` samples, from the last one back."""
    n, steps, features, units, started = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[STARTED]
    backwards, masked, rec, act, dy_row = sizes[BACKWARDS], sizes[MASKED], sizes[REC], sizes[ACT], sizes[DY_ROW]
    dy_time, dh_row, dz_row = sizes[DY_TIME], sizes[DH_ROW], sizes[DZ_ROW]
    first, k, columns = task * block, features + 1 + units, 3 * units
    m = min(block, n - first)
    own_words, dh = at(words, first * words_row(words, columns)), at(dh, first * units)
    copy_rows(at(dh_last, first * dh_row), dh_row, dh, units, m, units)
    for s in range(steps - 1, -1, -1):
        t = time_of(s, steps, backwards)
        place = t * n + first
        slopes = at(dz, place * dz_row)
        for i in range(m):
            here, dy, d_a = at(dh, i * units), at(dys, (first + i) * dy_row + t * dy_time), at(slopes, i * dz_row)
            if masked and mask[(first + i) * steps + t] == 0:
                add(units, here, dy, here)
                clear(4 * units, d_a)
                continue
            z, h = at(gates, (place + i) * 4 * units), at(rows, (place + i) * k + features + 1)
            r, g, q = at(z, units), at(z, 2 * units), at(z, 3 * units)
            d_z, d_r, d_q = at(d_a, units), at(d_a, 2 * units), at(d_a, 3 * units)
            _back(units, rec, act, z, r, g, q, h, here, dy, d_a, d_z, d_r, d_q, here)
        if s or started:
            slopes = at(slopes, units)
            step_product(slopes, dz_row, own_words, packed, dh, units, m, units, columns, columns, FROM_C)
