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
    sample_of_thread,
    times_slope,
    unit_of_thread,
)
from fnet.kernels.cuda.runtime.kernel import cuda, kernel

_GATES = 3
_SAVED = 4
_RIGHT = _GATES * THREADS


@kernel(threads=THREADS)
def step(z, recurrent, bias, h, mask, y, gates, sizes, depth, h_row):
    """One step of all samples.

    sizes: `recurrent.STEP_SIZES`. z: (N, 3H), what inputs and their bias give; recurrent: (H, 3H); bias: (3H,), beside
    it; h: (N, H), the states before, at the stride h_row; mask: (N,) -> y: (N, H); gates: z, r, g, q, (N, 4H), written
    if ``saving != 0``. depth: H, or 0 where no states come before.
    """
    left, right = cuda.shared.array(THREADS, z.dtype), cuda.shared.array(_RIGHT, z.dtype)
    n, units = sizes[N], sizes[UNITS]
    of_z, of_r, of_q, _ = products(left, right, h, h_row, recurrent, n, units, depth, _GATES)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        at_z, before = sample * sizes[Z_ROW] + unit, h[sample * h_row + unit]
        update = activate(sizes[REC], z[at_z] + (bias[unit] + of_z))
        reset = activate(sizes[REC], z[at_z + units] + (bias[units + unit] + of_r))
        q = bias[2 * units + unit] + of_q
        g = activate(sizes[ACT], z[at_z + 2 * units] + reset * q)
        new = update * (before - g) + g
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            new = before
        y[sample * sizes[Y_ROW] + unit] = new
        if sizes[SAVING] != 0:
            at_gates = sample * _SAVED * units + unit
            gates[at_gates] = update
            gates[at_gates + units] = reset
            gates[at_gates + 2 * units] = g
            gates[at_gates + 3 * units] = q


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
        own, at_gates, place = sample * units + unit, sample * _SAVED * units + unit, sample * _GATES * units + unit
        dh = carry[own] + total + dy[sample * sizes[DY_ROW] + unit]
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            carry[own] = dh
            for gate in range(_GATES):
                dz_input[place + gate * units] = dz.dtype.type(0)
                dz[place + gate * units] = dz.dtype.type(0)
        else:
            update, reset = gates[at_gates], gates[at_gates + units]
            g, q = gates[at_gates + 2 * units], gates[at_gates + 3 * units]
            da = times_slope(dh - dh * update, sizes[ACT], g)
            d_update = times_slope(dh * (h[sample * h_row + unit] - g), sizes[REC], update)
            d_reset = times_slope(da * q, sizes[REC], reset)
            dz_input[place] = d_update
            dz_input[place + units] = d_reset
            dz_input[place + 2 * units] = da
            dz[place] = d_update
            dz[place + units] = d_reset
            dz[place + 2 * units] = da * reset
            carry[own] = dh * update
