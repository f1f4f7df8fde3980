"""All steps of the simple recurrent layer in one launch, and its walk back (`fnet.kernels.cuda.recurrent_walk`)."""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import activate, times_slope
from fnet.kernels.cuda.recurrent_walk import (
    ACT,
    DY_ROW,
    DY_STEP,
    SAMPLES,
    STEPS,
    THREADS,
    UNITS,
    N,
    begin,
    begin_back,
    first_sample,
    is_off,
    multiply,
    multiply_back,
    product_back_of,
    product_of,
    time_of,
)  # fmt: skip
from fnet.kernels.cuda.runtime.kernel import cuda, kernel


@kernel(threads=THREADS)
def walk(z, recurrent, h, mask, y, sizes):
    """All steps of all samples.

    sizes: `WALK_SIZES`. z: (N, T, H), what inputs and bias give; recurrent: (H, H); h: (N, H), the states before, at
    the stride h_row; mask: (N, T) -> y: (N, T, H).
    """
    shared = cuda.shared.array(0, z.dtype, alignment=16)
    n, steps, units = sizes[N], sizes[STEPS], sizes[UNITS]
    begin(shared, recurrent, h, sizes, units)
    for k in range(steps):
        t = time_of(sizes, k)
        multiply(shared, units, units)
        i = cuda.threadIdx.x
        while i < SAMPLES * units:
            own = i // units
            unit, sample = i - own * units, first_sample() + own
            if sample < n:
                at, new = (sample * steps + t) * units + unit, shared[unit * SAMPLES + own]
                if not is_off(mask, sizes, sample, t):
                    new = activate(sizes[ACT], z[at] + product_of(shared, units, units, own, unit, 0))
                y[at] = new
                shared[unit * SAMPLES + own] = new
            i += cuda.blockDim.x
        cuda.syncthreads()


@kernel(threads=THREADS)
def walk_back(recurrent, carry, dy, mask, y, dz, sizes):
    """All steps back: dz: (T, N, H), and `carry`, (N, H), in place of that of the last state.

    sizes: `WALK_SIZES`. dy: (N, T, H), at the strides dy_row and dy_step; y: (N, T, H).
    """
    shared = cuda.shared.array(0, dz.dtype, alignment=16)
    n, steps, units = sizes[N], sizes[STEPS], sizes[UNITS]
    begin_back(shared, recurrent, sizes, units)
    for k in range(steps - 1, -1, -1):
        t = time_of(sizes, k)
        multiply_back(shared, units, units)
        i = cuda.threadIdx.x
        while i < SAMPLES * units:
            own = i // units
            unit, sample = i - own * units, first_sample() + own
            if sample < n:
                at, total = sample * units + unit, product_back_of(shared, units, units, own, unit)
                dh, slope = carry[at] + total + dy[sample * sizes[DY_ROW] + t * sizes[DY_STEP] + unit], dz.dtype.type(0)
                if is_off(mask, sizes, sample, t):
                    carry[at] = dh
                else:
                    carry[at] = slope
                    slope = times_slope(dh, sizes[ACT], y[(sample * steps + t) * units + unit])
                dz[t * n * units + at] = slope
                shared[unit * SAMPLES + own] = slope
            i += cuda.blockDim.x
        cuda.syncthreads()
