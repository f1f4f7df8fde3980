"""Walks over the steps of a recurrent layer, forward and back, which differ by the gates of the layer only.

A block has some units, with all of their gates, and a group of samples. So it needs those columns of the recurrent
kernel for the walk forward, ``h U``, and those rows for the walk back, ``dz U'``. There are three ways, by sizes
(`fnet.devices.cuda.walks` chooses):

- one block has all units. It keeps their weights, and the vectors of its samples, in shared memory for all steps.
- several blocks share out the units, and keep their weights for all steps. Behind a step they wait for each other, as
  far as they have the same samples; then each fetches what the others wrote.
- a launch for each step, which fetches the weights, too.

The products of all inputs are made ahead, ``z: (N, T, G)``. What is saved for the walk back, and the slopes dz of what
enters the activations, lie by steps, (T, N, ...). In the walk back dh has two parts: ``carry: (N, H)``, what the step
behind left past its product, and ``dz U'`` of that step. A step that the mask switches off keeps the states, and leaves
zeros in dz.
"""

from __future__ import annotations

from typing import Any

from fnet.kernels.cuda.recurrent import put_gates
from fnet.kernels.cuda.recurrent_product import (
    THREADS,
    fetch_ahead,
    keep_ahead,
    load_vectors,
    load_weights,
    multiplied,
    no_sums,
    place_in_vector,
    place_of_samples,
    place_of_weights,
    put_sums,
    total,
)
from fnet.kernels.cuda.runtime.access import is_aligned, prefetch
from fnet.kernels.cuda.runtime.grid_barrier import arrive, leave, wait_for
from fnet.kernels.cuda.runtime.kernel import DeviceFunction, Kernel, cuda, device_function, kernel
from fnet.kernels.sizes import Sizes

# Numbers of samples, steps and units; flags; activations; distances of rows and of steps of what is given by windows.
# Then the way: how many blocks share out the units, units and columns of a block, samples of a block and of a tile of
# it, the depth of a product, zeros included, and of a chunk of it, its slices, whether weights and vectors stay.
(
    N, STEPS, UNITS, MASKED, SAVING, BACKWARDS, STARTED, REC, ACT, H_ROW, C_ROW, DY_ROW, DY_STEP, STATE_ROW, STATE_STEP,
    PARTS, OWN, COLUMNS, GROUP, SAMPLES, DEPTH, CHUNK, SLICES, KEEPS_WEIGHTS, KEEPS_VECTORS,
) = WALK_SIZES = Sizes(
    "n steps units masked saving backwards started rec act h_row c_row dy_row dy_step state_row state_step "
    "parts own columns group samples depth chunk slices keeps_weights keeps_vectors"
)  # fmt: skip


@device_function
def time_of(sizes, k):
    """The time of the k-th step of the walk forward."""
    return sizes[STEPS] - 1 - k if sizes[BACKWARDS] != 0 else k


@device_function
def is_off(mask, sizes, sample, t):
    """Whether the mask switches a sample off at a time."""
    return sizes[MASKED] != 0 and mask[sample * sizes[STEPS] + t] == 0


@device_function
def sum_of(shared, sums, gate):
    """The product for a gate of a unit; sums: where that of its first gate lies, how far slices are apart, sizes."""
    place, step, own, slices = sums
    return total(shared, place + gate * own, step, slices)


@device_function
def _places(sizes):
    """Where vectors and sums begin in shared memory; the weights are in front."""
    chunk, buffers = sizes[CHUNK], 2 if sizes[CHUNK] < sizes[DEPTH] else 1
    vectors = place_of_weights(sizes[DEPTH] if sizes[KEEPS_WEIGHTS] != 0 else buffers * chunk, sizes[COLUMNS])
    return vectors, vectors + buffers * place_of_samples(sizes[SAMPLES], chunk)


@device_function
def _begin(shared, recurrent, sizes, real, gates, steps):
    """Fetch the weights that stay for all steps, and clear the vectors that do; real: the depth without zeros."""
    if sizes[KEEPS_WEIGHTS] != 0:
        first_unit, columns, own = cuda.blockIdx.x * sizes[OWN], sizes[COLUMNS], sizes[OWN]
        load_weights(shared, 0, recurrent, real, 0, sizes[DEPTH], columns, gates, own, first_unit, sizes[UNITS], steps)
    if sizes[KEEPS_VECTORS] != 0:
        vectors, sums = _places(sizes)
        i = vectors + cuda.threadIdx.x
        while i < sums:
            shared[i] = shared.dtype.type(0)
            i += cuda.blockDim.x
        cuda.syncthreads()


@device_function
def _weights(shared, at, recurrent, real, deep, sizes, gates, steps):
    """Fetch the weights of a chunk of the depth, if they do not stay for all steps."""
    if sizes[KEEPS_WEIGHTS] == 0:
        own, units, chunk, columns = sizes[OWN], sizes[UNITS], sizes[CHUNK], sizes[COLUMNS]
        load_weights(shared, at, recurrent, real, deep, chunk, columns, gates, own, cuda.blockIdx.x * own, units, steps)


@device_function
def _product(shared, recurrent, source, first, row, real, initial, tile, end, sizes, gates, steps):
    """The product of a tile of samples, into shared memory.

    source: the array of vectors; first, row: where that of sample 0 begins, and how far apart they are; real: how long
    they are, 0 where there are none. initial: vectors in place of those, and how far apart they are, -1 for none;
    gates, steps: of the weights.
    """
    columns, samples, chunk, slices = sizes[COLUMNS], sizes[SAMPLES], sizes[CHUNK], sizes[SLICES]
    (vectors, sums_at), sums, zero = _places(sizes), no_sums(shared.dtype.type(0)), shared.dtype.type(0)
    h, h_row = initial
    is_wide, there, keeps_weights = is_aligned(source) and (first | row) & 3 == 0, end - tile, sizes[KEEPS_WEIGHTS] != 0
    begin, deep, buffer, size = first + tile * row, 0, 0, place_of_samples(samples, chunk)
    if real > 0:
        if h_row >= 0:
            load_vectors(shared, vectors, h, tile * h_row, h_row, False, real, chunk, samples, there)
        elif sizes[KEEPS_VECTORS] == 0:
            load_vectors(shared, vectors, source, begin, row, is_wide, real, chunk, samples, there)
        _weights(shared, 0, recurrent, real, 0, sizes, gates, steps)
        if h_row >= 0 or sizes[KEEPS_VECTORS] == 0:
            cuda.syncthreads()
    none = zero, zero, zero, zero
    while deep < real:
        ahead, fours = deep + chunk, (none, none, none, none)
        if ahead < real:
            if h_row >= 0:
                fours = fetch_ahead(h, tile * h_row + ahead, h_row, False, real - ahead, chunk, there)
            else:
                fours = fetch_ahead(source, begin + ahead, row, is_wide, real - ahead, chunk, there)
        weights = place_of_weights(deep if keeps_weights else buffer * chunk, columns)
        sums = multiplied(sums, shared, weights, vectors + buffer * size, chunk, columns, samples, slices)
        buffer = 1 - buffer
        if ahead < real:
            keep_ahead(shared, vectors + buffer * size, fours, chunk, samples)
            _weights(shared, place_of_weights(buffer * chunk, columns), recurrent, real, ahead, sizes, gates, steps)
            cuda.syncthreads()
        deep = ahead
    put_sums(shared, sums_at, sums, columns, samples, slices)
    cuda.syncthreads()


@device_function
def _meet(counters, sizes, done, steps):
    """Wait for the blocks that have the same samples, where they share out the units and there is a step to come."""
    if sizes[KEEPS_WEIGHTS] != 0 and sizes[PARTS] > 1:
        if cuda.threadIdx.x == 0:
            if done < steps:
                arrive(counters, cuda.blockIdx.y)
                wait_for(counters, cuda.blockIdx.y, done * sizes[PARTS])
            else:
                leave(counters, cuda.blockIdx.y, steps * sizes[PARTS])
        cuda.syncthreads()


def walk_of(gates: int, advance: DeviceFunction) -> Kernel:
    """The walk forward of a layer with so many gates; advance: a step of one unit of one sample."""

    @kernel(threads=THREADS)
    def walk(z, recurrent, bias, h, c, mask, y, cell, saved, counters, sizes, first, behind):
        """The steps from `first` on to the one before `behind`.

        sizes: `WALK_SIZES`. z: (N, T, G), what inputs and bias give; recurrent: (H, G); bias: beside it, for layers
        that have one; h, c: (N, H), the states before, at the strides h_row and c_row; mask: (N, T) -> y: (N, T, H). If
        ``saving != 0`` cell: (T, N, H) and saved: (T, N, ...), else cell: (N, H), the last one. counters: uint32
        zeros, one for each group of samples, which are zeros again afterwards.
        """
        shared = cuda.shared.array(0, z.dtype, alignment=16)
        steps, units, own, samples = sizes[STEPS], sizes[UNITS], sizes[OWN], sizes[SAMPLES]
        begin, first_unit, apart = cuda.blockIdx.y * sizes[GROUP], cuda.blockIdx.x * own, (gates * units, units, 1)
        end, (vectors, sums_at) = min(begin + sizes[GROUP], sizes[N]), _places(sizes)
        columns, slices = sizes[COLUMNS], sizes[SLICES]
        _begin(shared, recurrent, sizes, units, gates, apart)
        k = first
        while k < behind:
            t, before_t = time_of(sizes, k), time_of(sizes, k - 1)
            tile = begin
            while tile < end:
                real, h_row = units if k > 0 or sizes[STARTED] != 0 else 0, -1 if k > 0 else sizes[H_ROW]
                at, row = before_t * units, steps * units
                _product(shared, recurrent, y, at, row, real, (h, h_row), tile, end, sizes, gates, apart)
                i = cuda.threadIdx.x
                while i < samples * own:
                    nth, u = i // own, i % own
                    sample, unit = tile + nth, first_unit + u
                    if sample < end and unit < units:
                        if k + 1 < steps:
                            ahead = (sample * steps + time_of(sizes, k + 1)) * gates * units + unit
                            for gate in range(gates):
                                prefetch(z, ahead + gate * units)
                        if k == 0:
                            before = h[sample * sizes[H_ROW] + unit]
                        else:
                            before = y[(sample * steps + before_t) * units + unit]
                        sums = sums_at + nth * columns + u, samples * columns, own, slices
                        off = is_off(mask, sizes, sample, t)
                        new = advance(z, bias, c, cell, saved, shared, sums, sizes, k, sample, unit, before, off)
                        y[(sample * steps + t) * units + unit] = new
                        if sizes[KEEPS_VECTORS] != 0:
                            shared[vectors + place_in_vector(nth, unit, sizes[CHUNK])] = new
                    i += cuda.blockDim.x
                cuda.syncthreads()
                tile += samples
            k += 1
            _meet(counters, sizes, k - first, behind - first)

    return _of_module(walk, advance)


def walk_back_of(gates: int, kept: int, retreat: DeviceFunction) -> Kernel:
    """The walk back of a layer with so many gates, of which `kept` numbers are saved.

    retreat: a step back of one unit of one sample.
    """

    @kernel(threads=THREADS)
    def walk_back(recurrent, carry, dc, dy, mask, saved, c, states, dz_input, dz, counters, sizes, first, behind):
        """The steps back from `first` on to the one before `behind`, 0 being that of the last step.

        sizes: `WALK_SIZES`. carry, dc: (N, H), in place of those of the last states; dy: (N, T, H), at the strides
        dy_row and dy_step; saved, c: as in `walk`; states: what else the layer saved of each step, at the strides
        state_row and state_step -> dz: (T, N, G), and dz_input, what enters the product of the inputs where this is
        not the same. The step back number T adds ``dz U'`` of the first step to `carry`.
        """
        shared = cuda.shared.array(0, dz.dtype, alignment=16)
        n, steps, units, own, samples = sizes[N], sizes[STEPS], sizes[UNITS], sizes[OWN], sizes[SAMPLES]
        begin, first_unit, apart = cuda.blockIdx.y * sizes[GROUP], cuda.blockIdx.x * own, (1, 0, gates * units)
        end, (vectors, sums_at) = min(begin + sizes[GROUP], n), _places(sizes)
        columns, slices, zero = sizes[COLUMNS], sizes[SLICES], dz.dtype.type(0)
        _begin(shared, recurrent, sizes, gates * units, 1, apart)
        j = first
        while j < behind:
            k = steps - 1 - j
            t, behind_t = time_of(sizes, k), time_of(sizes, k + 1)
            tile = begin
            while tile < end:
                row = gates * units
                at, real = behind_t * n * row, row if j > 0 else 0
                _product(shared, recurrent, dz, at, row, real, (dz, -1), tile, end, sizes, 1, apart)
                i = cuda.threadIdx.x
                while i < samples * own:
                    nth, u = i // own, i % own
                    sample, unit = tile + nth, first_unit + u
                    if sample < end and unit < units:
                        if k > 0:
                            ahead = time_of(sizes, k - 1)
                            prefetch(dy, sample * sizes[DY_ROW] + ahead * sizes[DY_STEP] + unit)
                            prefetch(states, sample * sizes[STATE_ROW] + ahead * sizes[STATE_STEP] + unit)
                            for gate in range(kept):
                                prefetch(saved, ((ahead * n + sample) * kept + gate) * units + unit)
                        place = sample * units + unit
                        dh = carry[place] + total(shared, sums_at + nth * columns + u, samples * columns, slices)
                        if k >= 0:
                            dh += dy[sample * sizes[DY_ROW] + t * sizes[DY_STEP] + unit]
                            off = is_off(mask, sizes, sample, t)
                            slopes, dh = retreat(saved, c, states, dc, dz_input, sizes, k, sample, unit, dh, off, zero)
                            put_gates(dz, (t * n + sample) * row + unit, units, slopes)
                            if sizes[KEEPS_VECTORS] != 0:
                                for gate in range(gates):
                                    deep = gate * units + unit
                                    shared[vectors + place_in_vector(nth, deep, sizes[CHUNK])] = slopes[gate]
                        carry[place] = dh
                    i += cuda.blockDim.x
                cuda.syncthreads()
                tile += samples
            j += 1
            _meet(counters, sizes, j - first, behind - first)

    return _of_module(walk_back, retreat)


def _of_module(made: Any, function: DeviceFunction) -> Kernel:
    """A kernel as one of the module that it was made for."""
    made.__module__ = function.__module__
    return made
