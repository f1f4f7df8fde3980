"""The LSTM over whole sequences, and its vector-Jacobian product.

    i, f, o = rec(z_i), rec(z_f), rec(z_o)      g = act(z_g)      z = [x, 1, h] [W; b; U], columns i, f, g, o
    c' = f c + i g                              h' = o act(c')

Source: S. Hochreiter and J. Schmidhuber 1997, with the forget gate of F. Gers et al. 2000.
"""

from __future__ import annotations

import numpy.typing as npt

from fnet.activation_codes import SIGMOID, TANH
from fnet.kernels.cpu.operands import words_row
from fnet.kernels.cpu.recurrent import (
    ACT,
    BACKWARDS,
    C0_ROW,
    DC_ROW,
    DH_ROW,
    DY_ROW,
    DY_TIME,
    DZ_ROW,
    FAR,
    FEATURES,
    H_ROW,
    MASKED,
    MOST,
    PARTS,
    REC,
    SAVING,
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
    step_product_fetching,
    tasks_for,
    time_of,
)  # fmt: skip
from fnet.kernels.cpu.recurrent_shares import add_shares, add_step, places
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.lanewise import lanewise
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel


def _cell_formula(math, rec, act, z_i, z_f, z_g, z_o, c):
    i, f, o = math.activate_each(rec, z_i, z_f, z_o)
    g = math.activate(act, z_g)
    return i, f, g, o, f * c + i * g


def _output_formula(math, act, o, c):
    h = o * math.activate(act, c)
    return h, h


def _back_formula(math, rec, act, i, f, g, o, c, before, dh, dy, dc):
    y, dh = math.activate(act, c), dh + dy
    dc = dc + math.times_slope(dh * o, act, y)
    dz_i, dz_f = math.times_slope(dc * g, rec, i), math.times_slope(dc * before, rec, f)
    dz_g, dz_o = math.times_slope(dc * i, act, g), math.times_slope(dh * y, rec, o)
    return dz_i, dz_f, dz_g, dz_o, dc * f


update_cell = lanewise(_cell_formula, (SIGMOID, TANH), "i f g o c")
put_out = lanewise(_output_formula, (TANH,), "h y")
_back = lanewise(_back_formula, (SIGMOID, TANH), "i f g o dc")


def workspace(n: int, features: int, units: int, dtype: npt.DTypeLike, operands: npt.DTypeLike) -> Memory:
    """The memory that `forward` needs for operands of products of this type."""
    return memory(n, [(4 * units, features + 1 + units)], dtype, operands)


def backward_workspace(n: int, units: int, dtype: npt.DTypeLike, operands: npt.DTypeLike, features: int = 0) -> Memory:
    """The memory that `backward` needs for operands of products of this type; features: of a wanted dx."""
    return memory(n, [(units, 4 * units), (features, 4 * units)], dtype, operands)


@kernel
def forward(x, weights, bias, recurrent, h0, c0, mask, ys, h_last, c_last, gates, cells, rows, panels, work, sizes):
    """All steps of all samples.

    sizes: `recurrent.FORWARD_SIZES`. x: (N, T, D), N and T at the strides x_row and x_time; weights: (D, 4H); bias:
    (4H,); recurrent: (H, 4H); h0, c0: (N, H), N at the stride h_row; mask: (N, T), read if ``masked != 0`` -> ys: (N,
    T, H); h_last, c_last: (N, H), and the steps' gates behind their activations: (T, N, 4H), cells: (T, N, H). rows:
    memory of (N, D + 1 + H). rec and act are codes of activations.
    """
    n, steps, features, units = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS]
    k, columns = features + 1 + units, 4 * units
    packed = at(panels, 0)
    words = at(packed, size_of_panels(packed, columns, k))
    pack_weights(
        at(weights, 0), at(bias, 0), at(recurrent, 0), packed, at(work, 0), features, 1, units, columns, columns
    )
    count = tasks_for(n, (1 + sizes[SPREAD]) * n * steps * k * columns)
    block = (n + count - 1) // count
    parallel_for(
        _forward_rows, count, count, block, at(x, 0), packed, words, at(h0, 0), at(c0, 0), at(mask, 0), at(ys, 0),
        at(h_last, 0), at(c_last, 0), at(gates, 0), at(cells, 0), at(rows, 0), at(sizes, 0),
    )  # fmt: skip


@kernel
def _forward_rows(task, block, x, packed, words, h0, c0, mask, ys, h_last, c_last, gates, cells, rows, sizes):
    """The steps of `block` samples."""
    n, steps, features, units, x_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[X_ROW]
    x_time, h_row, started, backwards = sizes[X_TIME], sizes[H_ROW], sizes[STARTED], sizes[BACKWARDS]
    masked, rec, act, saving = sizes[MASKED], sizes[REC], sizes[ACT], sizes[SAVING]
    first, k, columns = task * block, features + 1 + units, 4 * units
    m = min(block, n - first)
    own_words, c, c_step = at(words, first * words_row(words, k)), at(c0, first * h_row), h_row
    h, h_step = place_of_state(0, rows, h_last, first, n, steps, features, units, backwards, 0)
    copy_rows(at(h0, first * h_row), h_row, h, h_step, m, units)
    for s in range(steps):
        t = time_of(s, steps, backwards)
        place = saving * t * n + first
        operands = at(rows, first * k)
        z, cells_here = at(gates, place * columns), at(cells, place * units)
        read_inputs(at(x, first * x_row + t * x_time), x_row, operands, m, features, k)
        depth = k if s or started else features + 1
        later = at(gates, (saving * time_of(s + 1, steps, backwards) * n + first) * columns)
        fetched = m * columns if saving and s + 1 < steps and n * steps * columns > FAR else 0
        step_product_fetching(
            operands, k, own_words, packed, z, columns, m, columns, depth, k, FROM_ZERO, later, fetched
        )
        h, h_step = place_of_state(s + 1, rows, h_last, first, n, steps, features, units, backwards, 0)
        # One loop after the other: an output would wait for its cell, and the next row for both.
        for i in range(m):
            before, kept, z_i = at(c, i * c_step), at(cells_here, i * units), at(z, i * columns)
            if masked and mask[(first + i) * steps + t] == 0:
                copy(units, before, kept)
                continue
            z_f, z_g, z_o = at(z_i, units), at(z_i, 2 * units), at(z_i, 3 * units)
            update_cell(units, rec, act, z_i, z_f, z_g, z_o, before, z_i, z_f, z_g, z_o, kept)
        for i in range(m):
            p, to = (first + i) * steps + t, at(h, i * h_step)
            y = at(ys, p * units)
            if masked and mask[p] == 0:
                operand = at(operands, i * k)
                copy(units, at(operand, features + 1), to)
                copy(units, to, y)
                continue
            put_out(units, act, at(z, i * columns + 3 * units), at(cells_here, i * units), to, y)
        c, c_step = cells_here, units
    copy_rows(c, c_step, at(c_last, first * units), units, m, units)


@kernel
def backward(
    dys, dh_last, dc_last, recurrent, c0, gates, cells, ys, mask, dz, dh0, dc0, x, h0, weights, whole, dx, memory,
    panels, work, sizes,
):  # fmt: skip
    """The gradients of what enters the gates and of the initial states, or in its place those of weights and input.

    sizes: `recurrent.BACKWARD_SIZES`. dys: (N, T, H), N and T at the strides dy_row and dy_time; dh_last, dc_last, c0:
    (N, H), N at the strides dh_row, dc_row and c0_row; the rest as in `forward`, ys, x and h0 only for ``parts != 0``
    -> dh0, dc0: (N, H), of which dh0 has no meaning if ``started == 0``; and either, for ``parts == 0``, dz: (T, N,
    4H), N at the stride dz_row, or by `shares` whole: (D + 1 + H, 4H), and dx: (N, T, D) if it is `wanted`.
    """
    n, steps, features, units, parts = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[PARTS]
    wanted = sizes[WANTED]
    k, columns = features + 1 + units, 4 * units
    packed = at(panels, 0)
    packed_x = at(packed, size_of_panels(packed, units, columns))
    words = at(packed_x, wanted * size_of_panels(packed, features, columns))
    pack_transposed(at(recurrent, 0), packed, at(work, 0), units, columns)
    if wanted:
        pack_transposed(at(weights, 0), packed_x, at(work, 0), features, columns)
    nanoseconds = n * steps * (units + k + wanted * features) * columns // 40
    count = parts or tasks_for(n, n * steps * units * columns)
    threads = threads_for(nanoseconds) if parts else count
    block = (n + count - 1) // count
    parallel_for(
        _backward_rows, count, threads, block, at(dys, 0), at(dh_last, 0), at(dc_last, 0), packed, packed_x, words,
        at(c0, 0), at(mask, 0), at(gates, 0), at(cells, 0), at(ys, 0), at(dz, 0), at(dh0, 0), at(dc0, 0), at(x, 0),
        at(h0, 0), at(whole, 0), at(dx, 0), at(memory, 0), memory.size // max(parts, 1), at(sizes, 0),
    )  # fmt: skip
    if parts:
        add_shares(at(memory, 0), memory.size // parts, parts, at(whole, 0), k * columns)


@kernel
def _backward_rows(
    task, block, dys, dh_last, dc_last, packed, packed_x, words, c0, mask, gates, cells, ys, dz, dh0, dc0, x, h0, whole,
    dx, memory, size, sizes,
):  # fmt: skip
    """The steps of `block` samples, from the last one back, `most` samples at once where there are parts."""
    n, steps, features, units = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS]
    started, backwards = sizes[STARTED], sizes[BACKWARDS]
    masked, rec, act, dy_row, dy_time = sizes[MASKED], sizes[REC], sizes[ACT], sizes[DY_ROW], sizes[DY_TIME]
    dh_row, dz_row, dc_row, c0_row, parts = sizes[DH_ROW], sizes[DZ_ROW], sizes[DC_ROW], sizes[C0_ROW], sizes[PARTS]
    most, together, wanted = sizes[MOST], sizes[TOGETHER], sizes[WANTED]
    k, columns = features + 1 + units, 4 * units
    start = FROM_C if masked else FROM_ZERO
    own_rows, own_slopes, own_work, share = places(memory, size, task, most, together, k, columns, dz_row, whole)
    begun = 0
    for first in range(task * block, min(task * block + block, n), most if parts else max(block, 1)):
        m = min(most if parts else block, min(task * block + block, n) - first)
        own_words = at(words, first * words_row(words, columns))
        dh, dc = at(dh0, first * units), at(dc0, first * units)
        copy_rows(at(dh_last, first * dh_row), dh_row, dh, units, m, units)
        copy_rows(at(dc_last, first * dc_row), dc_row, dc, units, m, units)
        done = 0
        for s in range(steps - 1, -1, -1):
            t = time_of(s, steps, backwards)
            place = t * n + first
            slopes = at(own_slopes, done * m * dz_row) if parts else at(dz, place * dz_row)
            c, c_row = at(c0, first * c0_row), c0_row
            if s:
                c, c_row = at(cells, (time_of(s - 1, steps, backwards) * n + first) * units), units
            for i in range(m):
                here, carried, d_i = at(dh, i * units), at(dc, i * units), at(slopes, i * dz_row)
                dy = at(dys, (first + i) * dy_row + t * dy_time)
                if masked and mask[(first + i) * steps + t] == 0:
                    add(units, here, dy, here)
                    clear(columns, d_i)
                    continue
                gate, after, before = at(gates, (place + i) * columns), at(cells, (place + i) * units), at(c, i * c_row)
                f, g, o = at(gate, units), at(gate, 2 * units), at(gate, 3 * units)
                d_f, d_g, d_o = at(d_i, units), at(d_i, 2 * units), at(d_i, 3 * units)
                _back(units, rec, act, gate, f, g, o, after, before, here, dy, carried, d_i, d_f, d_g, d_o, carried)
                if masked:
                    clear(units, here)
            if s or started:
                earlier = at(gates, (time_of(s - 1, steps, backwards) * n + first) * columns)
                fetched = m * columns if s and n * steps * columns > FAR else 0
                step_product_fetching(
                    slopes, dz_row, own_words, packed, dh, units, m, units, columns, columns, start, earlier, fetched
                )
            if wanted:
                d = at(dx, (first * steps + t) * features)
                step_product_fetching(
                    slopes, dz_row, own_words, packed_x, d, steps * features, m, features, columns, columns, FROM_ZERO,
                    d, 0,
                )  # fmt: skip
            if parts:
                done = add_step(
                    x, h0, ys, mask, own_rows, own_slopes, share, own_work, first, m, s, done, begun, columns, sizes,
                )  # fmt: skip
                begun = 1 if done == 0 else begun
    if parts and not begun:
        clear(k * columns, share)
