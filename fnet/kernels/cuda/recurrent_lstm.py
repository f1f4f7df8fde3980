"""A step of the long short-term memory, and of its walk back.

    i, f, g, o = [x, 1, h] [W; b; U]     c' = rec(f) c + rec(i) act(g)     h' = rec(o) act(c')

Source: S. Hochreiter and J. Schmidhuber 1997; F. Gers et al. 2000.
"""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import (
    ACT,
    DY_ROW,
    MASK_ROW,
    MASKED,
    REC,
    SAVING,
    THREADS,
    TURNED,
    UNITS,
    Y_ROW,
    Z_ROW,
    N,
    activate,
    product_back,
    products,
    put_gates,
    sample_of_thread,
    times_slope,
    unit_of_thread,
)
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel

GATES = 4
_RIGHT = GATES * THREADS


@device_function
def advance(z, at_z, units, sums, before, rec, act):
    """A unit of one sample: its gates, its cell and its state after a step; sums: the products of the gates."""
    i, f = activate(rec, z[at_z] + sums[0]), activate(rec, z[at_z + units] + sums[1])
    g, o = activate(act, z[at_z + 2 * units] + sums[2]), activate(rec, z[at_z + 3 * units] + sums[3])
    after = f * before + i * g
    return (i, f, g, o), after, o * activate(act, after)


@device_function
def retreat(gates, place, units, dh, dc, before, after, rec, act):
    """A unit of one sample in a step back: the slopes of its gates, and its new dc; before, after: its cell."""
    i, f = gates[place], gates[place + units]
    g, o = gates[place + 2 * units], gates[place + 3 * units]
    y = activate(act, after)
    slope = dc + times_slope(dh * o, act, y)
    di, df = times_slope(slope * g, rec, i), times_slope(slope * before, rec, f)
    return (di, df, times_slope(slope * i, act, g), times_slope(dh * y, rec, o)), slope * f


@kernel(threads=THREADS)
def step(z, recurrent, h, c, mask, y, cell, gates, sizes, depth, h_row, c_row):
    """One step of all samples.

    sizes: `recurrent.STEP_SIZES`. z: (N, 4H), what inputs and bias give; recurrent: (H, 4H); h, c: (N, H), the states
    before, at the strides h_row and c_row; mask: (N,) -> y, cell: (N, H); gates: (N, 4H), written if ``saving != 0``.
    depth: H, or 0 where no h comes before; `cell` may be c itself.
    """
    left, right = cuda.shared.array(THREADS, z.dtype), cuda.shared.array(_RIGHT, z.dtype)
    n, units = sizes[N], sizes[UNITS]
    sums = products(left, right, h, h_row, recurrent, n, units, depth, GATES)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        at_z, own, before = sample * sizes[Z_ROW] + unit, sample * units + unit, c[sample * c_row + unit]
        four, after, new = advance(z, at_z, units, sums, before, sizes[REC], sizes[ACT])
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            after, new = before, h[sample * h_row + unit]
        cell[own] = after
        y[sample * sizes[Y_ROW] + unit] = new
        if sizes[SAVING] != 0:
            put_gates(gates, sample * GATES * units + unit, units, four)


@kernel(threads=THREADS)
def step_back(dz_behind, recurrent, carry, dc, dy, mask, gates, c, cell, dz, sizes, depth, c_row):
    """One step back of all samples: dz: (N, 4H) of this step, and its `carry` and dc in place of those behind.

    sizes: `recurrent.STEP_SIZES`. dz_behind: (N, 4H), read if ``depth == 4H`` and not 0; dy: (N, H), at the stride
    dy_row; the rest as in `step`.
    """
    left, right = cuda.shared.array(THREADS, dz.dtype), cuda.shared.array(TURNED, dz.dtype)
    n, units = sizes[N], sizes[UNITS]
    total = product_back(left, right, dz_behind, recurrent, n, units, depth)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        own, place = sample * units + unit, sample * GATES * units + unit
        dh, zero = carry[own] + total + dy[sample * sizes[DY_ROW] + unit], dz.dtype.type(0)
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            carry[own] = dh
            put_gates(dz, place, units, (zero, zero, zero, zero))
        else:
            carry[own] = zero
            before = c[sample * c_row + unit]
            four, dc[own] = retreat(gates, place, units, dh, dc[own], before, cell[own], sizes[REC], sizes[ACT])
            put_gates(dz, place, units, four)
