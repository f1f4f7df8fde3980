"""A stable sort of small integers, digit by digit, and what follows from it: sums of segments, and permutations.

A pass sorts by 8 bits in three launches: each block counts the digits of its tile, a warp for each digit adds up what
is before every tile, each block writes its tile there. A warp has a stretch of the tile; lanes with one digit find each
other by a vote. So positions of equal keys stay in their order, whatever the number of blocks.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, WARP, row_of_thread

THREADS = 256
BITS = 8
DIGITS = 1 << BITS  # a thread of a block for each
_WARPS = THREADS // WARP
_COUNTERS = _WARPS * DIGITS
COLUMNS = 4  # of a thread that adds up rows, which are WARP elements apart
WIDTH = WARP * COLUMNS


@kernel(threads=THREADS)
def keys_of_index(index, keys, count, size, from_end):
    """``keys[i]``: the row of a table of `size` rows that index[i] means, or `size` where there is none.

    from_end: whether numbers below 0 count from the end.
    """
    i = cuda.grid(1)
    while i < count:
        k = index[i]
        k = k + size if k < 0 and from_end else k
        keys[i] = np.int32(k if 0 <= k < size else size)
        i += cuda.gridsize(1)


@device_function
def _digit(keys, i, shift):
    return np.int32((keys[i] >> shift) & (DIGITS - 1))


@kernel(threads=THREADS)
def count_digits(keys, counts, count, shift, rounds):
    """``counts: (DIGITS, tiles) int32``: how often each digit comes in each tile: a block, `rounds` keys a thread."""
    seen = cuda.shared.array(DIGITS, np.int32)
    seen[cuda.threadIdx.x] = 0
    cuda.syncthreads()
    i = cuda.blockIdx.x * THREADS * rounds + cuda.threadIdx.x
    end = min(count, (cuda.blockIdx.x + 1) * THREADS * rounds)
    while i < end:
        cuda.atomic.add(seen, _digit(keys, i, shift), 1)
        i += THREADS
    cuda.syncthreads()
    counts[cuda.threadIdx.x * cuda.gridDim.x + cuda.blockIdx.x] = seen[cuda.threadIdx.x]


@kernel(threads=THREADS)
def add_up_counts(counts, totals, tiles):
    """Each count of a digit becomes the sum of those of the tiles before it, and totals[digit] that of all.

    A warp is for a digit, and takes 32 tiles at a time.
    """
    digit, lane = row_of_thread(), cuda.threadIdx.x
    if digit < DIGITS:
        total, first = np.int32(0), np.int64(0)
        while first < tiles:
            tile = first + lane
            own = np.int32(0)
            if tile < tiles:
                own = counts[digit * tiles + tile]
            sum_of_own = own
            step = 1
            while step < WARP:
                other = cuda.shfl_up_sync(ALL, sum_of_own, step)
                sum_of_own += other if lane >= step else np.int32(0)
                step <<= 1
            if tile < tiles:
                counts[digit * tiles + tile] = total + sum_of_own - own
            total += cuda.shfl_sync(ALL, sum_of_own, WARP - 1)
            first += WARP
        if lane == 0:
            totals[digit] = total


@device_function
def _sum_before(value, sums):
    """The sum of the values of the threads of a block that come before this one; sums: `THREADS` elements."""
    t = cuda.threadIdx.x
    sums[t] = value
    cuda.syncthreads()
    step = 1
    while step < THREADS:
        other = sums[t - step] if t >= step else np.int32(0)
        cuda.syncthreads()
        sums[t] += other
        cuda.syncthreads()
        step <<= 1
    return np.int32(sums[t] - value)


@kernel(threads=THREADS)
def place_digits(keys, order, counts, totals, sorted_keys, sorted_order, count, shift, rounds, begun):
    """Write keys and their positions in the order of a digit; order: before that, read once that has `begun`."""
    places, sums = cuda.shared.array(_COUNTERS, np.int32), cuda.shared.array(DIGITS, np.int32)
    t, lane = cuda.threadIdx.x, cuda.threadIdx.x % WARP
    for warp in range(_WARPS):
        places[warp * DIGITS + t] = 0
    cuda.syncthreads()
    own = t // WARP * DIGITS
    first = (cuda.blockIdx.x * _WARPS + t // WARP) * WARP * rounds + lane
    for r in range(rounds):
        if first + r * WARP < count:
            cuda.atomic.add(places, own + _digit(keys, first + r * WARP, shift), 1)
    cuda.syncthreads()
    place = np.int32(counts[t * cuda.gridDim.x + cuda.blockIdx.x] + _sum_before(totals[t], sums))
    for warp in range(_WARPS):
        many = places[warp * DIGITS + t]
        places[warp * DIGITS + t] = place
        place += many
    cuda.syncthreads()
    for r in range(rounds):
        i = first + r * WARP
        digit = np.int32(DIGITS)  # of no element
        if i < count:
            digit = _digit(keys, i, shift)
        same = np.uint32(cuda.match_any_sync(ALL, digit))
        before = cuda.popc(np.uint32(same & np.uint32((np.uint64(1) << np.uint64(lane)) - np.uint64(1))))
        if i < count:
            at = places[own + digit] + before
            sorted_keys[at] = keys[i]
            sorted_order[at] = order[i] if begun else np.int32(i)
        cuda.syncwarp()
        if i < count and before == 0:
            places[own + digit] += cuda.popc(same)
        cuda.syncwarp()


@kernel(threads=THREADS)
def sum_segments(g, keys, order, y, outer, size, count, inner):
    """``y[o, key, i] = the sum of g[o, position, i]`` over the positions of a key, in their order.

    keys, order: sorted. A warp is for a place among them, if a key begins there, and `WIDTH` columns: y of the grid.
    """
    task, lane = row_of_thread(), cuda.threadIdx.x
    if task < outer * count:
        o = task // count
        begin = task - o * count
        key = keys[begin]
        if key < size and (begin == 0 or keys[begin - 1] != key):
            first = cuda.blockIdx.y * WIDTH + lane
            sums = cuda.local.array(COLUMNS, g.dtype)
            for n in range(COLUMNS):
                sums[n] = 0
            many = WARP
            while many == WARP:
                j = begin + lane
                own, same = np.int32(0), False
                if j < count:
                    own, same = order[j], keys[j] == key
                many = cuda.popc(np.uint32(cuda.ballot_sync(ALL, same)))
                for k in range(many):
                    row = (o * count + cuda.shfl_sync(ALL, own, k)) * inner
                    for n in range(COLUMNS):
                        if first + n * WARP < inner:
                            sums[n] += g[row + first + n * WARP]
                begin += WARP
            target = (o * size + key) * inner
            for n in range(COLUMNS):
                if first + n * WARP < inner:
                    y[target + first + n * WARP] = sums[n]
