"""The gated recurrent unit over whole sequences, the reset gate behind the product, and its VJP.

    z, r, a = [x, 1] [W; b]     z, r += [1, h] [b'_zr; U_zr]     q = [1, h] [b'_g; U_g]
    z, r = rec(z), rec(r)       g = act(a + r q)                 h' = z h + (1 - z) g

Source: K. Cho et al. 2014, in the form that multiplies before it resets (Keras ``reset_after=True``).
"""

from __future__ import annotations

import numpy.typing as npt

from fnet.kernels.cpu.lanewise import LINEAR, lanewise
from fnet.kernels.cpu.product import pack_panels, packed_size, product_packed
from fnet.kernels.cpu.recurrent import PAD, add, clear, copy, size_of_panels, tasks_for, time_of
from fnet.kernels.cpu.simd import at
from fnet.kernels.cpu.threads import parallel_for
from fnet.kernels.cpu.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel


def _step_formula(math, rec, act, z, r, a, q, h):
    z, r = math.activate(rec, z), math.activate(rec, r)
    g = math.activate(act, a + r * q)
    new = z * (h - g) + g
    return z, r, g, q, new, new


def _back_formula(math, rec, act, z, r, g, q, h, dh, dy):
    dh = dh + dy
    da = math.times_slope(dh - dh * z, act, g)
    dz, dr = math.times_slope(dh * (h - g), rec, z), math.times_slope(da * q, rec, r)
    dq = da * r
    return dz, dr, dq, da, dz, dr, dq, dh * z


_step = lanewise(_step_formula, 2, "z r g q h y")
_back = lanewise(_back_formula, 2, "z r q kept_a kept_z kept_r kept_q dh")


def workspace(n: int, features: int, units: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `forward` needs."""
    panels = ((3 * units, features + 1), (2 * units, units + 1), (units, units + 1))
    return sum(packed_size(*shape, dtype) for shape in panels) + n * (features + 1 + 5 * units + PAD)


def backward_workspace(n: int, units: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `backward` needs."""
    return packed_size(units, 3 * units, dtype) + n * (3 * units + PAD)


@kernel
def forward(
    x, weights, recurrent, h0, mask, ys, h_last, gates, rows, work,
    n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, rec, act,
):  # fmt: skip
    """All steps of all samples.

    x: (N, T, D), N and T at the strides x_row and x_time; weights: (D + 1, 3H), recurrent: (1 + H, 3H), both z, r,
    g; h0: (N, H), N at the stride h_row; mask: (N, T), read if ``masked != 0`` -> ys: (N, T, H); h_last: (N, H); and if
    ``saving != 0`` gates z, r, g, q: (N, T, 4H), rows: (N, T, D + 1 + H). rec and act are codes of activations.
    """
    k, z_row = features + 1 + units, 4 * units + PAD
    panels = at(work, 0)
    panels_zr = at(panels, size_of_panels(panels, 3 * units, features + 1))
    panels_q = at(panels_zr, size_of_panels(panels, 2 * units, units + 1))
    operands = at(panels, work.size - n * (k + z_row))
    z = at(operands, n * k)
    pack_panels(at(weights, 0), panels, 3 * units, features + 1, 3 * units, 1)
    pack_panels(at(recurrent, 0), panels_zr, 2 * units, units + 1, 3 * units, 1)
    pack_panels(at(recurrent, 2 * units), panels_q, units, units + 1, 3 * units, 1)
    count = tasks_for(n, n * steps * k * 3 * units)
    block = (n + count - 1) // count
    parallel_for(
        _forward_rows, count, count, block, at(x, 0), panels, panels_zr, panels_q, at(h0, 0), at(mask, 0), at(ys, 0),
        at(h_last, 0), at(gates, 0), at(rows, 0), operands, z,
        n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, rec, act,
    )  # fmt: skip


@kernel
def _forward_rows(
    task, block, x, panels, panels_zr, panels_q, h0, mask, ys, h_last, gates, rows, operands, z,
    n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, rec, act,
):  # fmt: skip
    """The steps of `block` samples."""
    first, k, z_row = task * block, features + 1 + units, 4 * units + PAD
    last = min(first + block, n)
    m, operands_here, z_here = last - first, at(operands, first * k), at(z, first * z_row)
    with_h, q_here = at(operands_here, features), at(z_here, 3 * units)
    for i in range(first, last):
        operand = at(operands, i * k)
        operand[features] = 1
        copy(units, at(h0, i * h_row), at(operand, features + 1))
    for s in range(steps):
        t = time_of(s, steps, backwards)
        for i in range(first, last):
            copy(features, at(x, i * x_row + t * x_time), at(operands, i * k))
        product_packed(
            operands_here, panels, z_here, z_here, m, 3 * units, features + 1, k, 1, z_row, FROM_ZERO, LINEAR
        )
        product_packed(with_h, panels_zr, z_here, z_here, m, 2 * units, 1 + units, k, 1, z_row, FROM_C, LINEAR)
        product_packed(with_h, panels_q, q_here, q_here, m, units, 1 + units, k, 1, z_row, FROM_ZERO, LINEAR)
        for i in range(first, last):
            p = i * steps + t
            operand, h, y = at(operands, i * k), at(operands, i * k + features + 1), at(ys, p * units)
            if masked and mask[p] == 0:
                copy(units, h, y)
                if saving:
                    clear(k, at(rows, p * k))
                continue
            if saving:
                copy(k, operand, at(rows, p * k))
            z_z = at(z, i * z_row)
            z_r, z_a, z_q = at(z_z, units), at(z_z, 2 * units), at(z_z, 3 * units)
            gate = at(gates, p * 4 * units) if saving else z_z
            gate_r, gate_g, gate_q = at(gate, units), at(gate, 2 * units), at(gate, 3 * units)
            _step(units, rec, act, z_z, z_r, z_a, z_q, h, gate, gate_r, gate_g, gate_q, h, y)
    for i in range(first, last):
        copy(units, at(operands, i * k + features + 1), at(h_last, i * units))


@kernel
def backward(
    dys, dh_last, recurrent, gates, rows, mask, dz, dh0, work,
    n, steps, features, units, dy_row, dy_time, dh_row, backwards, masked, rec, act,
):  # fmt: skip
    """The gradients of what enters the activations and of the initial states.

    dys: (N, T, H), N and T at the strides dy_row and dy_time; dh_last: (N, H), N at the stride dh_row; the rest as in
    `forward` -> dh0: (N, H); dz of a, z, r, q: (N, T, 4H), so that the first three blocks belong to the weights and the
    last three to the recurrent ones.
    """
    d_row = 3 * units + PAD
    packed = at(work, 0)
    d = at(packed, work.size - n * d_row)
    pack_panels(at(recurrent, 3 * units), packed, units, 3 * units, 1, 3 * units)
    count = tasks_for(n, n * steps * units * 3 * units)
    block = (n + count - 1) // count
    parallel_for(
        _backward_rows, count, count, block, at(dys, 0), at(dh_last, 0), packed, at(mask, 0), at(gates, 0),
        at(rows, 0), at(dz, 0), at(dh0, 0), d,
        n, steps, features, units, dy_row, dy_time, dh_row, backwards, masked, rec, act,
    )  # fmt: skip


@kernel
def _backward_rows(
    task, block, dys, dh_last, packed, mask, gates, rows, dz, dh, d,
    n, steps, features, units, dy_row, dy_time, dh_row, backwards, masked, rec, act,
):  # fmt: skip
    """The steps of `block` samples, from the last one back."""
    first, k, d_row = task * block, features + 1 + units, 3 * units + PAD
    last = min(first + block, n)
    d_here, dh_here = at(d, first * d_row), at(dh, first * units)
    for i in range(first, last):
        copy(units, at(dh_last, i * dh_row), at(dh, i * units))
    for s in range(steps - 1, -1, -1):
        t = time_of(s, steps, backwards)
        for i in range(first, last):
            p = i * steps + t
            here, dy = at(dh, i * units), at(dys, i * dy_row + t * dy_time)
            d_z, kept_a = at(d, i * d_row), at(dz, p * 4 * units)
            if masked and mask[p] == 0:
                add(units, here, dy, here)
                clear(3 * units, d_z)
                clear(4 * units, kept_a)
                continue
            gate, h = at(gates, p * 4 * units), at(rows, p * k + features + 1)
            r, g, q = at(gate, units), at(gate, 2 * units), at(gate, 3 * units)
            d_r, d_q = at(d_z, units), at(d_z, 2 * units)
            kept_z, kept_r, kept_q = at(kept_a, units), at(kept_a, 2 * units), at(kept_a, 3 * units)
            _back(units, rec, act, gate, r, g, q, h, here, dy, d_z, d_r, d_q, kept_a, kept_z, kept_r, kept_q, here)
        product_packed(
            d_here, packed, dh_here, dh_here, last - first, units, 3 * units, d_row, 1, units, FROM_C, LINEAR
        )
