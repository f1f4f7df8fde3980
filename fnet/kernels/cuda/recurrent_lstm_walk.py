"""All steps of the long short-term memory in one launch, and its walk back (`fnet.kernels.cuda.recurrent_walk`)."""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import put_gates
from fnet.kernels.cuda.recurrent_lstm import GATES, advance, retreat
from fnet.kernels.cuda.recurrent_walk import (
    ACT,
    C_ROW,
    DY_ROW,
    DY_STEP,
    REC,
    SAMPLES,
    SAVING,
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
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel


@device_function
def _sums(shared, units, own, unit):
    columns = GATES * units
    return (
        product_of(shared, units, columns, own, unit, 0),
        product_of(shared, units, columns, own, unit, 1),
        product_of(shared, units, columns, own, unit, 2),
        product_of(shared, units, columns, own, unit, 3),
    )


@kernel(threads=THREADS)
def walk(z, recurrent, h, c, mask, y, cell, gates, sizes):
    """All steps of all samples.

    sizes: `WALK_SIZES`. z: (N, T, 4H), what inputs and bias give; recurrent: (H, 4H); h, c: (N, H), the states before,
    at the strides h_row and c_row; mask: (N, T) -> y: (N, T, H). If ``saving != 0`` cell: (T, N, H), gates: (T, N, 4H);
    else cell: (N, H), the last one.
    """
    shared = cuda.shared.array(0, z.dtype, alignment=16)
    n, steps, units = sizes[N], sizes[STEPS], sizes[UNITS]
    columns, saving = GATES * units, sizes[SAVING] != 0
    begin(shared, recurrent, h, sizes, columns)
    kept = n * units if saving else 0  # from one cell to the next
    for k in range(steps):
        t = time_of(sizes, k)
        multiply(shared, units, columns)
        i = cuda.threadIdx.x
        while i < SAMPLES * units:
            own = i // units
            unit, sample = i - own * units, first_sample() + own
            if sample < n:
                at, at_y = sample * units + unit, (sample * steps + t) * units + unit
                before = c[sample * sizes[C_ROW] + unit] if k == 0 else cell[time_of(sizes, k - 1) * kept + at]
                sums, at_z = _sums(shared, units, own, unit), (sample * steps + t) * columns + unit
                four, after, new = advance(z, at_z, units, sums, before, sizes[REC], sizes[ACT])
                if is_off(mask, sizes, sample, t):
                    after, new = before, shared[unit * SAMPLES + own]
                cell[t * kept + at], y[at_y], shared[unit * SAMPLES + own] = after, new, new
                if saving:
                    put_gates(gates, (t * n + sample) * columns + unit, units, four)
            i += cuda.blockDim.x
        cuda.syncthreads()


@kernel(threads=THREADS)
def walk_back(recurrent, carry, dc, dy, mask, gates, c, cell, dz, sizes):
    """All steps back: dz: (T, N, 4H), and `carry` and dc, (N, H), in place of those of the last states.

    sizes: `WALK_SIZES`. dy: (N, T, H), at the strides dy_row and dy_step; the rest as in `walk`.
    """
    shared = cuda.shared.array(0, dz.dtype, alignment=16)
    n, steps, units, zero = sizes[N], sizes[STEPS], sizes[UNITS], dz.dtype.type(0)
    columns = GATES * units
    begin_back(shared, recurrent, sizes, columns)
    for k in range(steps - 1, -1, -1):
        t = time_of(sizes, k)
        multiply_back(shared, units, columns)
        i = cuda.threadIdx.x
        while i < SAMPLES * units:
            own = i // units
            unit, sample = i - own * units, first_sample() + own
            if sample < n:
                at, total = sample * units + unit, product_back_of(shared, units, columns, own, unit)
                dh = carry[at] + total + dy[sample * sizes[DY_ROW] + t * sizes[DY_STEP] + unit]
                four, left, place = (zero, zero, zero, zero), dh, (t * n + sample) * columns + unit
                if not is_off(mask, sizes, sample, t):
                    before = c[sample * sizes[C_ROW] + unit] if k == 0 else cell[time_of(sizes, k - 1) * n * units + at]
                    after, left = cell[t * n * units + at], zero
                    four, dc[at] = retreat(gates, place, units, dh, dc[at], before, after, sizes[REC], sizes[ACT])
                carry[at] = left
                put_gates(dz, place, units, four)
                put_gates(shared, unit * SAMPLES + own, units * SAMPLES, four)
            i += cuda.blockDim.x
        cuda.syncthreads()
