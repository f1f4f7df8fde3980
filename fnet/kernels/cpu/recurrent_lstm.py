"""The LSTM over whole sequences, and its vector-Jacobian product.

    i, f, o = rec(z_i), rec(z_f), rec(z_o)      g = act(z_g)      z = [x, 1, h] [W; b; U], columns i, f, g, o
    c' = f c + i g                              h' = o act(c')

Source: S. Hochreiter and J. Schmidhuber 1997, with the forget gate of F. Gers et al. 2000.
"""

from __future__ import annotations

import numpy.typing as npt

from fnet.kernels.cpu.lanewise import LINEAR, lanewise
from fnet.kernels.cpu.product import pack_panels, packed_size, product_packed
from fnet.kernels.cpu.recurrent import PAD, add, clear, copy, tasks_for, time_of
from fnet.kernels.cpu.simd import at
from fnet.kernels.cpu.threads import parallel_for
from fnet.kernels.cpu.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel


def _step_formula(math, rec, act, z_i, z_f, z_g, z_o, c):
    i, f, g, o = math.activate(rec, z_i), math.activate(rec, z_f), math.activate(act, z_g), math.activate(rec, z_o)
    new = f * c + i * g
    h = o * math.activate(act, new)
    return i, f, g, o, new, new, h, h


def _back_formula(math, rec, act, i, f, g, o, c, before, dh, dy, dc):
    y, dh = math.activate(act, c), dh + dy
    dc = dc + math.times_slope(dh * o, act, y)
    dz_i, dz_f = math.times_slope(dc * g, rec, i), math.times_slope(dc * before, rec, f)
    dz_g, dz_o = math.times_slope(dc * i, act, g), math.times_slope(dh * y, rec, o)
    return dz_i, dz_f, dz_g, dz_o, dz_i, dz_f, dz_g, dz_o, dc * f


_step = lanewise(_step_formula, 2, "i f g o c kept h y")
_back = lanewise(_back_formula, 2, "i f g o kept_i kept_f kept_g kept_o dc")


def workspace(n: int, features: int, units: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `forward` needs."""
    k = features + 1 + units
    return packed_size(4 * units, k, dtype) + n * (k + 5 * units + PAD)


def backward_workspace(n: int, units: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `backward` needs."""
    return packed_size(units, 4 * units, dtype) + n * (4 * units + PAD)


@kernel
def forward(
    x, weights, h0, c0, mask, ys, h_last, c_last, gates, cells, rows, work,
    n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, rec, act,
):  # fmt: skip
    """All steps of all samples.

    x: (N, T, D), N and T at the strides x_row and x_time; weights: (D + 1 + H, 4H); h0, c0: (N, H), N at the stride
    h_row; mask: (N, T), read if ``masked != 0`` -> ys: (N, T, H); h_last, c_last: (N, H); and if ``saving != 0`` gates:
    (N, T, 4H) behind their activations, cells: (N, T, H), rows: (N, T, D + 1 + H). rec and act are codes
    of activations.
    """
    k, z_row = features + 1 + units, 4 * units + PAD
    packed = at(work, 0)
    operands = at(packed, work.size - n * (k + units + z_row))
    z = at(operands, n * k)
    c = at(z, n * z_row)
    pack_panels(at(weights, 0), packed, 4 * units, k, 4 * units, 1)
    count = tasks_for(n, n * steps * k * 4 * units)
    block = (n + count - 1) // count
    parallel_for(
        _forward_rows, count, count, block, at(x, 0), packed, at(h0, 0), at(c0, 0), at(mask, 0), at(ys, 0),
        at(h_last, 0), at(c_last, 0), at(gates, 0), at(cells, 0), at(rows, 0), operands, z, c,
        n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, rec, act,
    )  # fmt: skip


@kernel
def _forward_rows(
    task, block, x, packed, h0, c0, mask, ys, h_last, c_last, gates, cells, rows, operands, z, c,
    n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, rec, act,
):  # fmt: skip
    """The steps of `block` samples."""
    first, k, z_row = task * block, features + 1 + units, 4 * units + PAD
    last = min(first + block, n)
    operands_here, z_here = at(operands, first * k), at(z, first * z_row)
    for i in range(first, last):
        operand = at(operands, i * k)
        operand[features] = 1
        copy(units, at(h0, i * h_row), at(operand, features + 1))
        copy(units, at(c0, i * h_row), at(c, i * units))
    for s in range(steps):
        t = time_of(s, steps, backwards)
        for i in range(first, last):
            copy(features, at(x, i * x_row + t * x_time), at(operands, i * k))
        product_packed(
            operands_here, packed, z_here, z_here, last - first, 4 * units, k, k, 1, z_row, FROM_ZERO, LINEAR
        )
        for i in range(first, last):
            p = i * steps + t
            state, h, y = at(c, i * units), at(operands, i * k + features + 1), at(ys, p * units)
            kept = at(cells, p * units) if saving else state
            if masked and mask[p] == 0:
                copy(units, h, y)
                copy(units, state, kept)
                if saving:
                    clear(k, at(rows, p * k))
                continue
            if saving:
                copy(k, at(operands, i * k), at(rows, p * k))
            z_i = at(z, i * z_row)
            gate = at(gates, p * 4 * units) if saving else z_i
            z_f, z_g, z_o = at(z_i, units), at(z_i, 2 * units), at(z_i, 3 * units)
            gate_f, gate_g, gate_o = at(gate, units), at(gate, 2 * units), at(gate, 3 * units)
            _step(units, rec, act, z_i, z_f, z_g, z_o, state, gate, gate_f, gate_g, gate_o, state, kept, h, y)
    for i in range(first, last):
        copy(units, at(operands, i * k + features + 1), at(h_last, i * units))
        copy(units, at(c, i * units), at(c_last, i * units))


@kernel
def backward(
    dys, dh_last, dc_last, weights, c0, gates, cells, mask, dz, dh0, dc0, work,
    n, steps, features, units, dy_row, dy_time, dh_row, dc_row, c0_row, backwards, masked, rec, act,
):  # fmt: skip
    """The gradients of what enters the gates and of the initial states.

    dys: (N, T, H), N and T at the strides dy_row and dy_time; dh_last, dc_last, c0: (N, H), N at the strides dh_row,
    dc_row and c0_row; the rest as in `forward` -> dz: (N, T, 4H); dh0, dc0: (N, H).
    """
    d_row = 4 * units + PAD
    packed = at(work, 0)
    d = at(packed, work.size - n * d_row)
    pack_panels(at(weights, (features + 1) * 4 * units), packed, units, 4 * units, 1, 4 * units)
    count = tasks_for(n, n * steps * units * 4 * units)
    block = (n + count - 1) // count
    parallel_for(
        _backward_rows, count, count, block, at(dys, 0), at(dh_last, 0), at(dc_last, 0), packed, at(c0, 0),
        at(mask, 0), at(gates, 0), at(cells, 0), at(dz, 0), at(dh0, 0), at(dc0, 0), d,
        n, steps, units, dy_row, dy_time, dh_row, dc_row, c0_row, backwards, masked, rec, act,
    )  # fmt: skip


@kernel
def _backward_rows(
    task, block, dys, dh_last, dc_last, packed, c0, mask, gates, cells, dz, dh, dc, d,
    n, steps, units, dy_row, dy_time, dh_row, dc_row, c0_row, backwards, masked, rec, act,
):  # fmt: skip
    """The steps of `block` samples, from the last one back."""
    first, d_row = task * block, 4 * units + PAD
    last = min(first + block, n)
    d_here, dh_here = at(d, first * d_row), at(dh, first * units)
    start = FROM_C if masked else FROM_ZERO
    for i in range(first, last):
        copy(units, at(dh_last, i * dh_row), at(dh, i * units))
        copy(units, at(dc_last, i * dc_row), at(dc, i * units))
    for s in range(steps - 1, -1, -1):
        t, earlier = time_of(s, steps, backwards), time_of(s - 1, steps, backwards)
        for i in range(first, last):
            p = i * steps + t
            here, carried, dy = at(dh, i * units), at(dc, i * units), at(dys, i * dy_row + t * dy_time)
            d_i, kept = at(d, i * d_row), at(dz, p * 4 * units)
            if masked and mask[p] == 0:
                add(units, here, dy, here)
                clear(4 * units, d_i)
                clear(4 * units, kept)
                continue
            before = at(cells, (i * steps + earlier) * units) if s else at(c0, i * c0_row)
            gate = at(gates, p * 4 * units)
            f, g, o = at(gate, units), at(gate, 2 * units), at(gate, 3 * units)
            d_f, d_g, d_o = at(d_i, units), at(d_i, 2 * units), at(d_i, 3 * units)
            kept_f, kept_g, kept_o = at(kept, units), at(kept, 2 * units), at(kept, 3 * units)
            c = at(cells, p * units)
            _back(
                units, rec, act, gate, f, g, o, c, before, here, dy, carried,
                d_i, d_f, d_g, d_o, kept, kept_f, kept_g, kept_o, carried,
            )  # fmt: skip
            if masked:
                clear(units, here)
        product_packed(d_here, packed, dh_here, dh_here, last - first, units, 4 * units, d_row, 1, units, start, LINEAR)
