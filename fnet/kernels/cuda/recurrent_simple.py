"""A step of the simple recurrent layer, ``h_t = act([x_t, 1, h_{t-1}] [W; b; U])``, and of its walk back.

Source: J. Elman 1990.
"""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import (
    ACT,
    DY_ROW,
    MASK_ROW,
    MASKED,
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


@kernel(threads=THREADS)
def step(z, recurrent, h, mask, y, sizes, depth, h_row):
    """One step of all samples.

    sizes: `recurrent.STEP_SIZES`. z: (N, H), what inputs and bias give; recurrent: (H, H); h: (N, H), the states
    before, at the stride h_row; mask: (N,) -> y: (N, H). depth: H, or 0 where no states come before.
    """
    left, right = cuda.shared.array(THREADS, z.dtype), cuda.shared.array(THREADS, z.dtype)
    n, units = sizes[N], sizes[UNITS]
    total, _, _, _ = products(left, right, h, h_row, recurrent, n, units, depth, 1)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        new = activate(sizes[ACT], z[sample * sizes[Z_ROW] + unit] + total)
        if sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0:
            new = h[sample * h_row + unit]
        y[sample * sizes[Y_ROW] + unit] = new


@kernel(threads=THREADS)
def step_back(dz_behind, recurrent, carry, dy, mask, y, dz, sizes, depth):
    """One step back of all samples: dz: (N, H) of this step, and `carry` of it in place of that of the step behind.

    sizes: `recurrent.STEP_SIZES`. dz_behind: (N, H), read if ``depth == H`` and not 0; dy, y: (N, H), at the strides
    dy_row and y_row; the rest as in `step`.
    """
    left, right = cuda.shared.array(THREADS, dz.dtype), cuda.shared.array(TURNED, dz.dtype)
    n, units = sizes[N], sizes[UNITS]
    total = product_back(left, right, dz_behind, recurrent, n, units, depth)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        own = sample * units + unit
        dh = carry[own] + total + dy[sample * sizes[DY_ROW] + unit]
        zero = dz.dtype.type(0)
        is_off = sizes[MASKED] != 0 and mask[sample * sizes[MASK_ROW]] == 0
        carry[own] = dh if is_off else zero
        dz[own] = zero if is_off else times_slope(dh, sizes[ACT], y[sample * sizes[Y_ROW] + unit])
