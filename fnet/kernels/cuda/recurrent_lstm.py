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
    sample_of_thread,
    times_slope,
    unit_of_thread,
)
from fnet.kernels.cuda.runtime.kernel import cuda, kernel

_GATES = 4
_RIGHT = _GATES * THREADS


@kernel(threads=THREADS)
def step(z, recurrent, h, c, mask, y, cell, gates, sizes, depth, h_row, c_row):
    """One step of all samples.

    sizes: `recurrent.STEP_SIZES`. z: (N, 4H), what inputs and bias give; recurrent: (H, 4H); h, c: (N, H), the states
    before, at the strides h_row and c_row; mask: (N,) -> y, cell: (N, H); gates: (N, 4H), written if ``saving != 0``.
    depth: H, or 0 where no h comes before; `cell` may be c itself.
    """
    left, right = cuda.shared.array(THREADS, z.dtype), cuda.shared.array(_RIGHT, z.dtype)
    n, units = sizes[N], sizes[UNITS]
    z_i, z_f, z_g, z_o = products(left, right, h, h_row, recurrent, n, units, depth, _GATES)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        at_z, own, rec, act = sample * sizes[Z_ROW] + unit, sample * units + unit, sizes[REC], sizes[ACT]
        i, f = activate(rec, z[at_z] + z_i), activate(rec, z[at_z + units] + z_f)
        g, o = activate(act, z[at_z + 2 * units] + z_g), activate(rec, z[at_z + 3 * units] + z_o)
        before = c[sample * c_row + unit]
        after = f * before + i * g
        new = o * activate(act, after)
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            after, new = before, h[sample * h_row + unit]
        cell[own] = after
        y[sample * sizes[Y_ROW] + unit] = new
        if sizes[SAVING] != 0:
            at_gates = sample * _GATES * units + unit
            gates[at_gates] = i
            gates[at_gates + units] = f
            gates[at_gates + 2 * units] = g
            gates[at_gates + 3 * units] = o


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
        own, place, rec, act = sample * units + unit, sample * _GATES * units + unit, sizes[REC], sizes[ACT]
        dh = carry[own] + total + dy[sample * sizes[DY_ROW] + unit]
        zero = dz.dtype.type(0)
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            carry[own] = dh
            for gate in range(_GATES):
                dz[place + gate * units] = zero
        else:
            carry[own] = zero
            i, f = gates[place], gates[place + units]
            g, o = gates[place + 2 * units], gates[place + 3 * units]
            y = activate(act, cell[own])
            slope = dc[own] + times_slope(dh * o, act, y)
            dz[place] = times_slope(slope * g, rec, i)
            dz[place + units] = times_slope(slope * c[sample * c_row + unit], rec, f)
            dz[place + 2 * units] = times_slope(slope * i, act, g)
            dz[place + 3 * units] = times_slope(dh * y, rec, o)
            dc[own] = slope * f
