"""The product of a step of a recurrent layer: vectors of some samples times the columns of weights that a block has.

A thread has 4 samples and 8 columns of the product in registers. It adds up a slice of the depth: every so many fours
of it. Of 4 depths it reads 4 x 4 numbers of vectors and 4 x 8 of weights, 16 bytes at a time: 12 reads, or 48 numbers,
for 128 products and sums. The sums of the slices then lie in shared memory, where a unit's are added up by one thread.

In shared memory of a block lie the weights, ``[depth][columns]``: all, or those of two chunks of the depth; then the
vectors of a tile of samples, ``[samples][chunk + SPACE]``, twice where the depth has several chunks: while one is
multiplied, the next one is on its way; then the sums, ``[slices][samples][columns]``. Columns that no unit has, samples
that are not there and depths beyond the end are zeros.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.access import load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function

THREADS = 256
SAMPLES, COLUMNS = 4, 8  # of a thread
DEEP = 8  # the depth is a multiple of that
SPACE = 4  # behind the vector of a sample, so that vectors begin in different banks
AHEAD = 4  # fours of a chunk that a thread fetches while the one before is multiplied


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
        shared[at + deep * columns + column] = weight
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
        store4(shared, at + four[0] * (chunk + SPACE) + 4 * four[1], numbers)


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
    """The columns of a thread, in eights, its first sample, and its slice."""
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
def _added(sums, xs, shared, place, half):
    """The sums with the products of a depth added, whose weights begin at a place."""
    low, high = load4(shared, place), load4(shared, place + half)
    return (
        _of_sample(sums[0], xs[0], low, high),
        _of_sample(sums[1], xs[1], low, high),
        _of_sample(sums[2], xs[2], low, high),
        _of_sample(sums[3], xs[3], low, high),
    )


@device_function
def multiplied(sums, shared, weights, vectors, chunk, columns, samples, slices):
    """The sums of a thread with those of a chunk of the depth added; weights, vectors: where these begin."""
    eight, sample, part = place_of_thread(columns, samples)
    half, apart, pitch = columns // 2, samples // SAMPLES * (chunk + SPACE), chunk + SPACE
    if part >= slices:
        return sums
    place, row = vectors + sample * pitch + 4 * part, weights + 4 * part * columns + 4 * eight
    end = vectors + sample * pitch + chunk
    while place < end:
        a, b = load4(shared, place), load4(shared, place + apart)
        c, d = load4(shared, place + 2 * apart), load4(shared, place + 3 * apart)
        sums = _added(sums, (a[0], b[0], c[0], d[0]), shared, row, half)
        sums = _added(sums, (a[1], b[1], c[1], d[1]), shared, row + columns, half)
        sums = _added(sums, (a[2], b[2], c[2], d[2]), shared, row + 2 * columns, half)
        sums = _added(sums, (a[3], b[3], c[3], d[3]), shared, row + 3 * columns, half)
        place, row = place + 4 * slices, row + 4 * slices * columns
    return sums


@device_function
def put_sums(shared, at, sums, columns, samples, slices):
    """Write the sums of a thread to shared memory, where the sums begin at a place."""
    eight, sample, part = place_of_thread(columns, samples)
    if part < slices:
        place, step = at + (part * samples + sample) * columns + 4 * eight, samples // SAMPLES * columns
        for i in range(SAMPLES):
            low, high = sums[i]
            store4(shared, place + i * step, low)
            store4(shared, place + i * step + columns // 2, high)


@device_function
def total(shared, place, step, slices):
    """A number of the product: the sum of its slices, which lie so far apart."""
    value = shared[place]
    for k in range(1, slices):
        value += shared[place + k * step]
    return value
