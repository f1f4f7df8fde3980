"""The gated recurrent unit, the reset gate behind the product.

    z, r, a = [x, 1] [W; b]     z, r += [1, h] [b'_zr; U_zr]     q = [1, h] [b'_g; U_g]
    z, r = rec(z), rec(r)       g = act(a + r q)                 h' = z h + (1 - z) g

Source: K. Cho et al. 2014, in the form that multiplies before it resets (Keras ``reset_after=True``).
"""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import activate, put_gates, times_slope
from fnet.kernels.cuda.recurrent_walk import (
    ACT,
    REC,
    SAVING,
    STATE_ROW,
    STATE_STEP,
    STEPS,
    UNITS,
    N,
    sum_of,
    time_of,
    walk_back_of,
    walk_of,
)
from fnet.kernels.cuda.runtime.kernel import device_function

GATES = 3
SAVED = 4


@device_function
def _advance(z, bias, c, cell, saved, shared, sums, sizes, k, sample, unit, before, off):
    """A unit of one sample: its state after a step; z, r, g and q are saved."""
    units, rec, t = sizes[UNITS], sizes[REC], time_of(sizes, k)
    at_z = (sample * sizes[STEPS] + t) * GATES * units + unit
    update = activate(rec, z[at_z] + (bias[unit] + sum_of(shared, sums, 0)))
    reset = activate(rec, z[at_z + units] + (bias[units + unit] + sum_of(shared, sums, 1)))
    q = bias[2 * units + unit] + sum_of(shared, sums, 2)
    g = activate(sizes[ACT], z[at_z + 2 * units] + reset * q)
    if sizes[SAVING] != 0:
        put_gates(saved, (t * sizes[N] + sample) * SAVED * units + unit, units, (update, reset, g, q))
    return before if off else update * (before - g) + g


@device_function
def _retreat(saved, c, states, dc, dz_input, sizes, k, sample, unit, dh, off, zero):
    """A unit of one sample in a step back: the slopes of z, r, q, and what is left of dh; states: those before.

    dz_input: (T, N, 3H), the slopes of z, r, a.
    """
    n, units, rec, t = sizes[N], sizes[UNITS], sizes[REC], time_of(sizes, k)
    d_update, d_reset, da, dq, left = zero, zero, zero, zero, dh
    if not off:
        before = states[t * sizes[STATE_STEP] + sample * sizes[STATE_ROW] + unit]
        place = (t * n + sample) * SAVED * units + unit
        update, reset, g, q = saved[place], saved[place + units], saved[place + 2 * units], saved[place + 3 * units]
        da = times_slope(dh - dh * update, sizes[ACT], g)
        d_update, d_reset = times_slope(dh * (before - g), rec, update), times_slope(da * q, rec, reset)
        dq, left = da * reset, dh * update
    put_gates(dz_input, (t * n + sample) * GATES * units + unit, units, (d_update, d_reset, da))
    return (d_update, d_reset, dq), left


walk = walk_of(GATES, _advance)
walk_back = walk_back_of(GATES, SAVED, _retreat)
