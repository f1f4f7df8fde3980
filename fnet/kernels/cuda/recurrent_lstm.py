"""The long short-term memory.

    i, f, g, o = [x, 1, h] [W; b; U]     c' = rec(f) c + rec(i) act(g)     h' = rec(o) act(c')

Source: S. Hochreiter and J. Schmidhuber 1997; F. Gers et al. 2000.
"""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import activate, put_gates, times_slope
from fnet.kernels.cuda.recurrent_walk import (
    ACT,
    C_ROW,
    REC,
    SAVING,
    STEPS,
    UNITS,
    N,
    sum_of,
    time_of,
    walk_back_of,
    walk_of,
)
from fnet.kernels.cuda.runtime.kernel import device_function

GATES = 4


@device_function
def _cell_before(c, cell, sizes, k, sample, unit, apart):
    """The cell of a unit before a step; apart: how far the cells behind two steps are."""
    place = sample * sizes[UNITS] + unit
    return c[sample * sizes[C_ROW] + unit] if k == 0 else cell[time_of(sizes, k - 1) * apart + place]


@device_function
def _advance(z, bias, c, cell, saved, shared, sums, sizes, k, sample, unit, before, off):
    """A unit of one sample: its cell and its state after a step; its gates and its cell are saved."""
    units, rec, act, t = sizes[UNITS], sizes[REC], sizes[ACT], time_of(sizes, k)
    at_z, apart = (sample * sizes[STEPS] + t) * GATES * units + unit, sizes[N] * units if sizes[SAVING] != 0 else 0
    i = activate(rec, z[at_z] + sum_of(shared, sums, 0))
    f = activate(rec, z[at_z + units] + sum_of(shared, sums, 1))
    g = activate(act, z[at_z + 2 * units] + sum_of(shared, sums, 2))
    o = activate(rec, z[at_z + 3 * units] + sum_of(shared, sums, 3))
    c_before = _cell_before(c, cell, sizes, k, sample, unit, apart)
    after = f * c_before + i * g
    new = o * activate(act, after)
    if off:
        after, new = c_before, before
    cell[t * apart + sample * units + unit] = after
    if sizes[SAVING] != 0:
        put_gates(saved, (t * sizes[N] + sample) * GATES * units + unit, units, (i, f, g, o))
    return new


@device_function
def _retreat(saved, c, states, dc, dz_input, sizes, k, sample, unit, dh, off, zero):
    """A unit of one sample in a step back: the slopes of its gates, and what is left of dh; states: the cells."""
    if off:
        return (zero, zero, zero, zero), dh
    n, units, rec, act = sizes[N], sizes[UNITS], sizes[REC], sizes[ACT]
    own, row = sample * units + unit, time_of(sizes, k) * n
    place = (row + sample) * GATES * units + unit
    i, f, g, o = saved[place], saved[place + units], saved[place + 2 * units], saved[place + 3 * units]
    before, y = _cell_before(c, states, sizes, k, sample, unit, n * units), activate(act, states[row * units + own])
    slope = dc[own] + times_slope(dh * o, act, y)
    dc[own] = slope * f
    di, df = times_slope(slope * g, rec, i), times_slope(slope * before, rec, f)
    return (di, df, times_slope(slope * i, act, g), times_slope(dh * y, rec, o)), zero


walk = walk_of(GATES, _advance)
walk_back = walk_back_of(GATES, GATES, _retreat)
