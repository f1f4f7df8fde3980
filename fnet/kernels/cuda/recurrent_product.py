"""The product of a step of a recurrent layer: vectors of some samples times the columns of weights that a block has.

A thread has 4 samples and 8 columns of the product in registers. It adds up a slice of the depth: every so many fours
of it. Of 4 depths it reads 4 x 4 numbers of vectors and 4 x 8 of weights, 16 bytes at a time: 12 reads, or 48 numbers,
for 128 products and sums. The sums of the slices then lie in shared memory, where a unit's are added up by one thread.

In shared memory of a block lie the weights: all, or those of two chunks of the depth; then the vectors of a tile of
samples, twice where the depth has several chunks: while one is multiplied, the next one is on its way; then the sums,
``[slices][samples][columns]``. What a thread reads for 4 depths lies side by side, so that it counts two addresses on:
weights of 8 columns, `WEIGHTS` numbers, in the order ``[depth / 4][columns / 8]``; and vectors of 4 samples, `VECTORS`
numbers, ``[samples / 4][depth / 4]``. A gap behind each lets neighbours begin in different banks. Columns that no unit
has, samples that are not there and depths beyond the end are zeros.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.access import load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function

THREADS = 256
SAMPLES, COLUMNS = 4, 8  # of a thread
DEEP = 8  # the depth is a multiple of that
SPACE = 4  # a gap
WEIGHTS, VECTORS = 4 * COLUMNS + SPACE, 4 * SAMPLES + SPACE
AHEAD = 4  # fours of a chunk that a thread fetches while the one before is multiplied


def weights_size(depth: int, columns: int) -> int:
    """How many numbers the weights take in shared memory."""
    return depth // 4 * (columns // COLUMNS) * WEIGHTS


def vectors_size(samples: int, chunk: int) -> int:
    """How many numbers the vectors of a chunk take."""
    return samples // SAMPLES * (chunk // 4 * VECTORS + SPACE)


place_of_weights, place_of_samples = device_function(weights_size), device_function(vectors_size)


@device_function
def place_in_vector(sample, deep, chunk):
    """Where a number of the vector of a sample lies."""
    return place_of_samples(sample, chunk) + sample % 4 * 4 + deep // 4 * VECTORS + deep % 4


@device_function
def _gate_of(column, own):
    """To which gate a column belongs, without a division."""
    return int(column >= own) + int(column >= 2 * own) + int(column >= 3 * own)


@device_function
def load_weights(shared, at, recurrent, depth, first_deep, chunk, columns, gates, own, first_unit, units, steps):
    """Fetch the weights of a chunk of the depth, for the units of a block.

    at: where they begin; recurrent: the recurrent kernel; own: units of a block; columns: of a block, gate by gate;
    steps: how far apart weights are whose depths, gates and units are neighbours. Threads that are neighbours fetch
    what is.
    """
    deep_step, gate_step, unit_step = steps
    is_along = deep_step == 1
    rows, wide, zero = columns if is_along else chunk, chunk if is_along else columns, shared.dtype.type(0)
    row, place = cuda.threadIdx.x // wide, cuda.threadIdx.x % wide
    by_rows, by_places = cuda.blockDim.x // wide, cuda.blockDim.x % wide
    while row < rows:
        column, deep = (row, place) if is_along else (place, row)
        gate = _gate_of(column, own) if gates > 1 else 0
        unit, weight = column - gate * own, zero
        if first_deep + deep < depth and column < gates * own and first_unit + unit < units:
            weight = recurrent[(first_deep + deep) * deep_step + gate * gate_step + (first_unit + unit) * unit_step]
        place_of_weight = (deep // 4 * (columns // COLUMNS) + column // COLUMNS) * WEIGHTS
        shared[at + place_of_weight + deep % 4 * COLUMNS + column % COLUMNS] = weight
        row, place = row + by_rows, place + by_places
        if place >= wide:
            row, place = row + 1, place - wide


@device_function
def _four(source, place, left, is_wide):
    """Four neighbours, zeros beyond those that are left; is_wide: whether one access may read them."""
    if is_wide and left >= 4:
        return load4(source, place)
    zero = source.dtype.type(0)
    return (
        source[place] if left > 0 else zero,
        source[place + 1] if left > 1 else zero,
        source[place + 2] if left > 2 else zero,
        source[place + 3] if left > 3 else zero,
    )


@device_function
def first_four(chunk):
    """Which four numbers of a chunk of vectors a thread fetches first, and how far apart its fours are.

    Both are a sample, and the four of it.
    """
    fours = chunk // 4
    place, apart = cuda.threadIdx.x, cuda.blockDim.x
    return (place // fours, place % fours), (apart // fours, apart % fours)


@device_function
def _next_four(four, apart, chunk):
    """The one behind."""
    sample, place = four[0] + apart[0], four[1] + apart[1]
    return (sample + 1, place - chunk // 4) if place >= chunk // 4 else (sample, place)


@device_function
def _fetched(four, source, first, row, is_wide, depth, there):
    """Four numbers of the vector of a sample; see `load_vectors`."""
    left = depth - 4 * four[1] if four[0] < there else 0
    return _four(source, first + four[0] * row + 4 * four[1], left, is_wide)


@device_function
def _keep(shared, at, four, numbers, chunk, samples):
    """Write four numbers to shared memory."""
    if four[0] < samples:
        store4(shared, at + place_in_vector(four[0], 4 * four[1], chunk), numbers)


@device_function
def load_vectors(shared, at, source, first, row, is_wide, depth, chunk, samples, there):
    """Fetch a chunk of vectors: of so many samples, of which `there` are there.

    first: where the chunk of the first vector begins in its array; row: how far apart vectors are; is_wide: whether
    four neighbours can be read at once; depth: of what is left of the vectors.
    """
    four, apart = first_four(chunk)
    while four[0] < samples:
        _keep(shared, at, four, _fetched(four, source, first, row, is_wide, depth, there), chunk, samples)
        four = _next_four(four, apart, chunk)


@device_function
def fetch_ahead(source, first, row, is_wide, depth, chunk, there):
    """The `AHEAD` fours of a thread of a chunk, see `load_vectors`; they come while the one before is multiplied."""
    a, apart = first_four(chunk)
    b = _next_four(a, apart, chunk)
    c = _next_four(b, apart, chunk)
    d = _next_four(c, apart, chunk)
    return (
        _fetched(a, source, first, row, is_wide, depth, there),
        _fetched(b, source, first, row, is_wide, depth, there),
        _fetched(c, source, first, row, is_wide, depth, there),
        _fetched(d, source, first, row, is_wide, depth, there),
    )


@device_function
def keep_ahead(shared, at, fours, chunk, samples):
    """Write what `fetch_ahead` gave."""
    four, apart = first_four(chunk)
    for k in range(AHEAD):
        _keep(shared, at, four, fours[k], chunk, samples)
        four = _next_four(four, apart, chunk)


@device_function
def place_of_thread(columns, samples):
    """The columns of a thread, in eights, its samples, in fours, and its slice."""
    eights, i = columns // COLUMNS, cuda.threadIdx.x
    return i % eights, i // eights % (samples // SAMPLES), i // (eights * (samples // SAMPLES))


@device_function
def no_sums(zero):
    """The sums of a thread before the first product: of each sample of its own two times four columns."""
    four = zero, zero, zero, zero
    return (four, four), (four, four), (four, four), (four, four)


@device_function
def _of_sample(sums, x, low, high):
    p, q = sums
    return (
        (p[0] + x * low[0], p[1] + x * low[1], p[2] + x * low[2], p[3] + x * low[3]),
        (q[0] + x * high[0], q[1] + x * high[1], q[2] + x * high[2], q[3] + x * high[3]),
    )


@device_function
def _added(sums, xs, shared, place):
    """The sums with the products of a depth added, whose weights begin at a place."""
    low, high = load4(shared, place), load4(shared, place + 4)
    return (
        _of_sample(sums[0], xs[0], low, high),
        _of_sample(sums[1], xs[1], low, high),
        _of_sample(sums[2], xs[2], low, high),
        _of_sample(sums[3], xs[3], low, high),
    )


@device_function
def multiplied(sums, shared, weights, vectors, chunk, columns, samples, slices):
    """The sums of a thread with those of a chunk of the depth added; weights, vectors: where these begin."""
    eight, four, part = place_of_thread(columns, samples)
    if part >= slices:
        return sums
    begin, apart = vectors + place_of_samples(SAMPLES * four, chunk), slices * (columns // COLUMNS) * WEIGHTS
    place, end = begin + part * VECTORS, begin + chunk // 4 * VECTORS
    row = weights + (part * (columns // COLUMNS) + eight) * WEIGHTS
    while place < end:
        a, b = load4(shared, place), load4(shared, place + 4)
        c, d = load4(shared, place + 8), load4(shared, place + 12)
        sums = _added(sums, (a[0], b[0], c[0], d[0]), shared, row)
        sums = _added(sums, (a[1], b[1], c[1], d[1]), shared, row + COLUMNS)
        sums = _added(sums, (a[2], b[2], c[2], d[2]), shared, row + 2 * COLUMNS)
        sums = _added(sums, (a[3], b[3], c[3], d[3]), shared, row + 3 * COLUMNS)
        place, row = place + slices * VECTORS, row + apart
    return sums


@device_function
def put_sums(shared, at, sums, columns, samples, slices):
    """Write the sums of a thread to shared memory, where the sums begin at a place."""
    eight, four, part = place_of_thread(columns, samples)
    if part < slices:
        place = at + (part * samples + SAMPLES * four) * columns + COLUMNS * eight
        for i in range(SAMPLES):
            low, high = sums[i]
            store4(shared, place + i * columns, low)
            store4(shared, place + i * columns + 4, high)


@device_function
def total(shared, place, step, slices):
    """A number of the product: the sum of its slices, which lie so far apart."""
    value = shared[place]
    for k in range(1, slices):
        value += shared[place + k * step]
    return value
