"""The simple recurrent layer, ``h_t = act([x_t, 1, h_{t-1}] [W; b; U])``.

Source: J. Elman 1990.
"""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import activate, times_slope
from fnet.kernels.cuda.recurrent_walk import (
    ACT,
    STATE_ROW,
    STATE_STEP,
    STEPS,
    UNITS,
    sum_of,
    time_of,
    walk_back_of,
    walk_of,
)
from fnet.kernels.cuda.runtime.kernel import device_function

GATES = 1


@device_function
def _advance(z, bias, c, cell, saved, shared, sums, sizes, k, sample, unit, before, off):
    """A unit of one sample: its state after a step."""
    if off:
        return before
    place = (sample * sizes[STEPS] + time_of(sizes, k)) * sizes[UNITS] + unit
    return activate(sizes[ACT], z[place] + sum_of(shared, sums, 0))


@device_function
def _retreat(saved, c, states, dc, dz_input, sizes, k, sample, unit, dh, off, zero):
    """A unit of one sample in a step back: its slope, and what is left of dh; states: those after each step."""
    if off:
        return (zero,), dh
    y = states[sample * sizes[STATE_ROW] + time_of(sizes, k) * sizes[STATE_STEP] + unit]
    return (times_slope(dh, sizes[ACT], y),), zero


walk = walk_of(GATES, _advance)
walk_back = walk_back_of(GATES, 0, _retreat)
