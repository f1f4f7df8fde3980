"""A step of the gated recurrent unit, the reset gate behind the product, and of its walk back.

    z, r, a = [x, 1] [W; b]     z, r += [1, h] [b'_zr; U_zr]     q = [1, h] [b'_g; U_g]
    z, r = rec(z), rec(r)       g = act(a + r q)                 h' = z h + (1 - z) g

Source: K. Cho et al. 2014, in the form that multiplies before it resets (Keras ``reset_after=True``).
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

GATES = 3
SAVED = 4
_RIGHT = GATES * THREADS


@device_function
def advance(z, at_z, units, bias, unit, sums, before, rec, act):
    """A unit of one sample: z, r, g and q, and its state after a step; sums: the products of the gates."""
    update = activate(rec, z[at_z] + (bias[unit] + sums[0]))
    reset = activate(rec, z[at_z + units] + (bias[units + unit] + sums[1]))
    q = bias[2 * units + unit] + sums[2]
    g = activate(act, z[at_z + 2 * units] + reset * q)
    return (update, reset, g, q), update * (before - g) + g


@device_function
def retreat(gates, place, units, dh, before, rec, act):
    """A unit of one sample in a step back: the slopes of z, r, a, that of q, and what is left of dh."""
    update, reset = gates[place], gates[place + units]
    g, q = gates[place + 2 * units], gates[place + 3 * units]
    da = times_slope(dh - dh * update, act, g)
    d_update, d_reset = times_slope(dh * (before - g), rec, update), times_slope(da * q, rec, reset)
    return (d_update, d_reset, da), da * reset, dh * update


@kernel(threads=THREADS)
def step(z, recurrent, bias, h, mask, y, gates, sizes, depth, h_row):
    """One step of all samples.

    sizes: `recurrent.STEP_SIZES`. z: (N, 3H), what inputs and their bias give; recurrent: (H, 3H); bias: (3H,), beside
    it; h: (N, H), the states before, at the stride h_row; mask: (N,) -> y: (N, H); gates: z, r, g, q, (N, 4H), written
    if ``saving != 0``. depth: H, or 0 where no states come before.
    """
    left, right = cuda.shared.array(THREADS, z.dtype), cuda.shared.array(_RIGHT, z.dtype)
    n, units = sizes[N], sizes[UNITS]
    sums = products(left, right, h, h_row, recurrent, n, units, depth, GATES)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        at_z, before = sample * sizes[Z_ROW] + unit, h[sample * h_row + unit]
        four, new = advance(z, at_z, units, bias, unit, sums, before, sizes[REC], sizes[ACT])
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            new = before
        y[sample * sizes[Y_ROW] + unit] = new
        if sizes[SAVING] != 0:
            put_gates(gates, sample * SAVED * units + unit, units, four)


@kernel(threads=THREADS)
def step_back(dz_behind, recurrent, carry, dy, mask, gates, h, dz_input, dz, sizes, depth, h_row):
    """One step back of all samples: slopes of this step, and its `carry` in place of that of the step behind.

    sizes: `recurrent.STEP_SIZES`. dz_behind: (N, 3H), read if ``depth == 3H`` and not 0; dy: (N, H), at the stride
    dy_row -> dz_input: of z, r, a, and dz: of z, r, q, both (N, 3H); the rest as in `step`.
    """
    left, right = cuda.shared.array(THREADS, dz.dtype), cuda.shared.array(TURNED, dz.dtype)
    n, units = sizes[N], sizes[UNITS]
    total = product_back(left, right, dz_behind, recurrent, n, units, depth)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        own, at_gates, place = sample * units + unit, sample * SAVED * units + unit, sample * GATES * units + unit
        dh, zero = carry[own] + total + dy[sample * sizes[DY_ROW] + unit], dz.dtype.type(0)
        three, of_q, left = (zero, zero, zero), zero, dh
        if sizes[MASKED] == 0 or mask[sample * sizes[MASK_ROW]] != 0:
            before = h[sample * h_row + unit]
            three, of_q, left = retreat(gates, at_gates, units, dh, before, sizes[REC], sizes[ACT])
        carry[own] = left
        put_gates(dz_input, place, units, three)
        put_gates(dz, place, units, (three[0], three[1], of_q))
