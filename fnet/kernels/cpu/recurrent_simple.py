"""The simple recurrent layer over whole sequences, ``h_t = act([x_t, 1, h_{t-1}] [W; b; U])``, and its VJP.

Source: J. Elman 1990.
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


def _step_formula(math, act, z):
    h = math.activate(act, z)
    return h, h


def _back_formula(math, act, h, dh, dy):
    dz = math.times_slope(dh + dy, act, h)
    return dz, dz


_step = lanewise(_step_formula, 1, "h y")
_back = lanewise(_back_formula, 1, "d dz")


def workspace(n: int, features: int, units: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `forward` needs."""
    k = features + 1 + units
    return packed_size(units, k, dtype) + n * (k + units + PAD)


def backward_workspace(n: int, units: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `backward` needs."""
    return packed_size(units, units, dtype) + n * (units + PAD)


@kernel
def forward(
    x, weights, h0, mask, ys, h_last, rows, work,
    n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, act,
):  # fmt: skip
    """All steps of all samples.

    x: (N, T, D), N and T at the strides x_row and x_time; weights: (D + 1 + H, H); h0: (N, H), N at the stride h_row;
    mask: (N, T), read if ``masked != 0`` -> ys: (N, T, H); h_last: (N, H); and if ``saving != 0`` rows:
    (N, T, D + 1 + H). act is the code of an activation.
    """
    k, z_row = features + 1 + units, units + PAD
    packed = at(work, 0)
    operands = at(packed, work.size - n * (k + z_row))
    z = at(operands, n * k)
    pack_panels(at(weights, 0), packed, units, k, units, 1)
    count = tasks_for(n, n * steps * k * units)
    block = (n + count - 1) // count
    parallel_for(
        _forward_rows, count, count, block, at(x, 0), packed, at(h0, 0), at(mask, 0), at(ys, 0), at(h_last, 0),
        at(rows, 0), operands, z, n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, act,
    )  # fmt: skip


@kernel
def _forward_rows(
    task, block, x, packed, h0, mask, ys, h_last, rows, operands, z,
    n, steps, features, units, x_row, x_time, h_row, backwards, masked, saving, act,
):  # fmt: skip
    """The steps of `block` samples."""
    first, k, z_row = task * block, features + 1 + units, units + PAD
    last = min(first + block, n)
    operands_here, z_here = at(operands, first * k), at(z, first * z_row)
    for i in range(first, last):
        operand = at(operands, i * k)
        operand[features] = 1
        copy(units, at(h0, i * h_row), at(operand, features + 1))
    for s in range(steps):
        t = time_of(s, steps, backwards)
        for i in range(first, last):
            copy(features, at(x, i * x_row + t * x_time), at(operands, i * k))
        product_packed(operands_here, packed, z_here, z_here, last - first, units, k, k, 1, z_row, FROM_ZERO, LINEAR)
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
            _step(units, act, at(z, i * z_row), h, y)
    for i in range(first, last):
        copy(units, at(operands, i * k + features + 1), at(h_last, i * units))


@kernel
def backward(
    dys, dh_last, weights, ys, mask, dz, dh0, work,
    n, steps, features, units, dy_row, dy_time, dh_row, backwards, masked, act,
):  # fmt: skip
    """The gradients of what enters the activations and of the initial states.

    dys: (N, T, H), N and T at the strides dy_row and dy_time; dh_last: (N, H), N at the stride dh_row; the rest as in
    `forward` -> dz: (N, T, H); dh0: (N, H).
    """
    d_row = units + PAD
    packed = at(work, 0)
    d = at(packed, work.size - n * d_row)
    pack_panels(at(weights, (features + 1) * units), packed, units, units, 1, units)
    count = tasks_for(n, n * steps * units * units)
    block = (n + count - 1) // count
    parallel_for(
        _backward_rows, count, count, block, at(dys, 0), at(dh_last, 0), packed, at(mask, 0), at(ys, 0), at(dz, 0),
        at(dh0, 0), d, n, steps, units, dy_row, dy_time, dh_row, backwards, masked, act,
    )  # fmt: skip


@kernel
def _backward_rows(
    task, block, dys, dh_last, packed, mask, ys, dz, dh, d,
    n, steps, units, dy_row, dy_time, dh_row, backwards, masked, act,
):  # fmt: skip
    """The steps of `block` samples, from the last one back."""
    first, d_row = task * block, units + PAD
    last = min(first + block, n)
    d_here, dh_here = at(d, first * d_row), at(dh, first * units)
    start = FROM_C if masked else FROM_ZERO
    for i in range(first, last):
        copy(units, at(dh_last, i * dh_row), at(dh, i * units))
    for s in range(steps - 1, -1, -1):
        t = time_of(s, steps, backwards)
        for i in range(first, last):
            p = i * steps + t
            here, dy = at(dh, i * units), at(dys, i * dy_row + t * dy_time)
            if masked and mask[p] == 0:
                add(units, here, dy, here)
                clear(units, at(d, i * d_row))
                clear(units, at(dz, p * units))
                continue
            _back(units, act, at(ys, p * units), here, dy, at(d, i * d_row), at(dz, p * units))
            if masked:
                clear(units, here)
        product_packed(d_here, packed, dh_here, dh_here, last - first, units, units, d_row, 1, units, start, LINEAR)
