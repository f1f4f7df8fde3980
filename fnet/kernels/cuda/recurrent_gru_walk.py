"""All steps of the gated recurrent unit in one launch, and its walk back (`fnet.kernels.cuda.recurrent_walk`)."""

from __future__ import annotations

from fnet.kernels.cuda.recurrent import put_gates
from fnet.kernels.cuda.recurrent_gru import GATES, SAVED, advance, retreat
from fnet.kernels.cuda.recurrent_walk import (
    ACT,
    DY_ROW,
    DY_STEP,
    H_ROW,
    H_STEP,
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
    )


@kernel(threads=THREADS)
def walk(z, recurrent, bias, h, mask, y, gates, sizes):
    """All steps of all samples.

    sizes: `WALK_SIZES`. z: (N, T, 3H), what inputs and their bias give; recurrent: (H, 3H); bias: (3H,), beside it; h:
    (N, H), the states before, at the stride h_row; mask: (N, T) -> y: (N, T, H); gates: z, r, g, q, (T, N, 4H), written
    if ``saving != 0``.
    """
    shared = cuda.shared.array(0, z.dtype, alignment=16)
    n, steps, units = sizes[N], sizes[STEPS], sizes[UNITS]
    columns = GATES * units
    begin(shared, recurrent, h, sizes, columns)
    for k in range(steps):
        t = time_of(sizes, k)
        multiply(shared, units, columns)
        i = cuda.threadIdx.x
        while i < SAMPLES * units:
            own = i // units
            unit, sample = i - own * units, first_sample() + own
            if sample < n:
                before, at_z = shared[unit * SAMPLES + own], (sample * steps + t) * columns + unit
                sums = _sums(shared, units, own, unit)
                four, new = advance(z, at_z, units, bias, unit, sums, before, sizes[REC], sizes[ACT])
                new = before if is_off(mask, sizes, sample, t) else new
                y[(sample * steps + t) * units + unit] = new
                shared[unit * SAMPLES + own] = new
                if sizes[SAVING] != 0:
                    put_gates(gates, (t * n + sample) * SAVED * units + unit, units, four)
            i += cuda.blockDim.x
        cuda.syncthreads()


@kernel(threads=THREADS)
def walk_back(recurrent, carry, dy, mask, gates, h, dz_input, dz, sizes):
    """All steps back: slopes of all steps, and `carry`, (N, H), in place of that of the last state.

    sizes: `WALK_SIZES`. dy: (N, T, H), at the strides dy_row and dy_step; h: (T, N, H), the states before each step, at
    the strides h_step and h_row -> dz_input: of z, r, a, and dz: of z, r, q, both (T, N, 3H); the rest as in `walk`.
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
                three, of_q, left = (zero, zero, zero), zero, dh
                if not is_off(mask, sizes, sample, t):
                    before, place = (
                        h[t * sizes[H_STEP] + sample * sizes[H_ROW] + unit],
                        (t * n + sample) * SAVED * units,
                    )
                    three, of_q, left = retreat(gates, place + unit, units, dh, before, sizes[REC], sizes[ACT])
                carry[at], place = left, (t * n + sample) * columns + unit
                put_gates(dz_input, place, units, three)
                put_gates(dz, place, units, (three[0], three[1], of_q))
                put_gates(shared, unit * SAMPLES + own, units * SAMPLES, (three[0], three[1], of_q))
            i += cuda.blockDim.x
        cuda.syncthreads()
