"""Matrix products for large sizes: a thread has a tile of the product in registers.

A block has a tile of 64 x 64 or 128 x 128 elements, a thread 4 x 4 of each 64 x 64 of them. Tiles of the operands pass
through shared memory with k as their rows, in two buffers: while one is multiplied, the next one is on its way. An
element is summed in the order of k from its bias on, as in `fnet.kernels.cuda.gemm`, whose sizes these are.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda import gemm
from fnet.kernels.cuda.activation import activated
from fnet.kernels.cuda.gemm import A_BATCH, A_COLUMN, A_ROW, B_BATCH, B_COLUMN, B_ROW, BATCH, BIAS, K, M, N
from fnet.kernels.cuda.runtime.access import BYTES, is_aligned, load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.sizes import Sizes

(*_, ACT) = SIZES = Sizes(" ".join((*gemm.SIZES.names, "act")))

THREADS = 256
TILE = 64  # which every thread has 4 x 4 elements of
_STEP = 16  # of k, for one tile; each thread fetches four elements of each operand
_SPACE = 4  # between rows of k, so that columns lie in different banks
_SUMS_1, _SHARED_1 = 16, 4 * _STEP * (TILE + _SPACE)
_SUMS_2, _SHARED_2 = 64, 2 * _STEP * (2 * TILE + _SPACE)


@device_function
def _is_wide(x, along_step, other_step, sample_step):
    """Whether four neighbours of an operand can be read at once."""
    return along_step == 1 and (other_step | sample_step) & 3 == 0 and is_aligned(x)


@device_function
def _many(most, deep, depth, along_k):
    """How many of four neighbours at k = `deep` lie within an operand; depth: all of k.

    most: along k what `depth` is for this row or column, 0 if that lies outside; else how many there are from here on.
    """
    if along_k:
        return most - deep
    return most if deep < depth else 0


@device_function
def _fetched(x, place, step, count, wide):
    """Four elements of an operand from `place` on; 0 for those beyond the first `count`."""
    zero = x.dtype.type(0)
    if wide and count >= 4:
        return load4(x, place)
    return (
        x[np.uint64(place)] if count > 0 else zero,
        x[np.uint64(place + step)] if count > 1 else zero,
        x[np.uint64(place + 2 * step)] if count > 2 else zero,
        x[np.uint64(place + 3 * step)] if count > 3 else zero,
    )


@device_function
def _keep(shared, place, pitch, along_k, four):
    """Put four elements into a tile."""
    if along_k:
        shared[np.uint64(place)] = four[0]
        shared[np.uint64(place + pitch)] = four[1]
        shared[np.uint64(place + 2 * pitch)] = four[2]
        shared[np.uint64(place + 3 * pitch)] = four[3]
    else:
        store4(shared, place, four)


@device_function
def _add_row(sums, first, x, four):
    sums[first] += x * four[0]
    sums[first + 1] += x * four[1]
    sums[first + 2] += x * four[2]
    sums[first + 3] += x * four[3]


@device_function
def _add_products(sums, first, left, right):
    """Add the outer product of four rows and four columns to 4 x 4 sums."""
    _add_row(sums, first, left[0], right)
    _add_row(sums, first + 4, left[1], right)
    _add_row(sums, first + 8, left[2], right)
    _add_row(sums, first + 12, left[3], right)


@device_function
def _begin_column(sums, first, value):
    sums[first] = value
    sums[first + 4] = value
    sums[first + 8] = value
    sums[first + 12] = value


@device_function
def _begin(sums, first, added, has_bias, column, columns, zero):
    """Begin 4 x 4 sums, with the bias where there is one."""
    _begin_column(sums, first, added[np.uint64(column)] if has_bias and column < columns else zero)
    _begin_column(sums, first + 1, added[np.uint64(column + 1)] if has_bias and column + 1 < columns else zero)
    _begin_column(sums, first + 2, added[np.uint64(column + 2)] if has_bias and column + 2 < columns else zero)
    _begin_column(sums, first + 3, added[np.uint64(column + 3)] if has_bias and column + 3 < columns else zero)


@device_function
def _put_row(tiles, place, sums, first):
    tiles[np.uint64(place)] = sums[first]
    tiles[np.uint64(place + THREADS)] = sums[first + 1]
    tiles[np.uint64(place + 2 * THREADS)] = sums[first + 2]
    tiles[np.uint64(place + 3 * THREADS)] = sums[first + 3]


@device_function
def _write(c, place, count, wide, tiles, at, act):
    """Write four neighbours; count: how many of them belong to the product."""
    four = (
        activated(tiles[np.uint64(at)], act),
        activated(tiles[np.uint64(at + THREADS)], act),
        activated(tiles[np.uint64(at + 2 * THREADS)], act),
        activated(tiles[np.uint64(at + 3 * THREADS)], act),
    )
    if wide and count >= 4:
        store4(c, place, four)
    else:
        if count > 0:
            c[np.uint64(place)] = four[0]
        if count > 1:
            c[np.uint64(place + 1)] = four[1]
        if count > 2:
            c[np.uint64(place + 2)] = four[2]
        if count > 3:
            c[np.uint64(place + 3)] = four[3]


@device_function
def _finish(c, sums, first, tiles, sizes, sample, row, column):
    """Write 4 x 4 sums, in a loop that finds them in shared memory: so this needs few registers."""
    at = np.int32(cuda.threadIdx.x)
    _put_row(tiles, at, sums, first)
    _put_row(tiles, at + 4 * THREADS, sums, first + 4)
    _put_row(tiles, at + 8 * THREADS, sums, first + 8)
    _put_row(tiles, at + 12 * THREADS, sums, first + 12)
    m, n, act = sizes[M], sizes[N], sizes[ACT]
    wide = n & 3 == 0 and is_aligned(c)
    end = min(m, row + 4)
    place = (sample * m + row) * n + column
    while row < end:
        _write(c, place, n - column, wide, tiles, at, act)
        at = np.int32(at + 4 * THREADS)
        place += n
        row += 1


@device_function
def _place_of_thread():
    """The first row and column that a thread has; a warp has 4 x 8 fours, so that its lanes share what they read."""
    warp, lane = cuda.threadIdx.x // 32, cuda.threadIdx.x % 32
    return 4 * (4 * (warp // 2) + lane // 8), 4 * (8 * (warp % 2) + lane % 8)


@device_function
def _place_in_tile(along_k, parts):
    """Which row or column of a tile, and which k, the four elements that a thread fetches begin with."""
    thread = cuda.threadIdx.x
    if along_k:
        fours = _STEP // parts // 4
        return thread // fours, 4 * (thread % fours)
    fours = TILE * parts // 4
    return 4 * (thread % fours), thread // fours


@device_function
def _products(a, b, c, added, sizes, tiles, sums, parts):
    """The tile of a block, in each sample of its own; parts: 64 x 64 elements are so many down and across."""
    m, n, k = np.int32(sizes[M]), np.int32(sizes[N]), np.int32(sizes[K])
    a_along, b_along = sizes[A_COLUMN] == 1, sizes[B_ROW] == 1 and sizes[B_COLUMN] != 1
    a_step, b_step = sizes[A_COLUMN if a_along else A_ROW], sizes[B_ROW if b_along else B_COLUMN]
    a_wide = _is_wide(a, a_step, sizes[A_ROW if a_along else A_COLUMN], sizes[A_BATCH])
    b_wide = _is_wide(b, b_step, sizes[B_COLUMN if b_along else B_ROW], sizes[B_BATCH])
    step, pitch = _STEP // parts, TILE * parts + _SPACE
    first_row = np.int32(cuda.blockIdx.x * (TILE * parts))
    first_column = np.int32(cuda.blockIdx.y * (TILE * parts))
    row, column = _place_of_thread()
    a_side, a_deep = _place_in_tile(a_along, parts)
    b_side, b_deep = _place_in_tile(b_along, parts)
    a_to, b_to = np.int32(a_deep * pitch + a_side), np.int32((2 * step + b_deep) * pitch + b_side)
    a_most, b_most = np.int32(m - first_row - a_side), np.int32(n - first_column - b_side)
    a_most = (k if a_most > 0 else np.int32(0)) if a_along else a_most
    b_most = (k if b_most > 0 else np.int32(0)) if b_along else b_most
    sample = np.int32(cuda.blockIdx.z)
    while sample < sizes[BATCH]:
        for i in range(parts):
            for h in range(parts):
                at = first_column + TILE * h + column
                _begin(sums, (i * parts + h) * 16, added, sizes[BIAS] != 0, at, n, c.dtype.type(0))
        a_place = sample * sizes[A_BATCH] + (first_row + a_side) * sizes[A_ROW] + a_deep * sizes[A_COLUMN]
        b_place = sample * sizes[B_BATCH] + (first_column + b_side) * sizes[B_COLUMN] + b_deep * sizes[B_ROW]
        _keep(tiles, a_to, pitch, a_along, _fetched(a, a_place, a_step, _many(a_most, a_deep, k, a_along), a_wide))
        _keep(tiles, b_to, pitch, b_along, _fetched(b, b_place, b_step, _many(b_most, b_deep, k, b_along), b_wide))
        cuda.syncthreads()
        p, now = np.int32(0), np.int32(0)
        while p < k:
            p = np.int32(p + step)
            a_place += step * sizes[A_COLUMN]
            b_place += step * sizes[B_ROW]
            next_a = _fetched(a, a_place, a_step, _many(a_most, p + a_deep, k, a_along), a_wide)
            next_b = _fetched(b, b_place, b_step, _many(b_most, p + b_deep, k, b_along), b_wide)
            for j in range(step):
                for i in range(parts):
                    rows = load4(tiles, now + j * pitch + TILE * i + row)
                    for h in range(parts):
                        columns = load4(tiles, now + 2 * step * pitch + j * pitch + TILE * h + column)
                        _add_products(sums, (i * parts + h) * 16, rows, columns)
            now = np.int32(step * pitch - now)
            _keep(tiles, now + a_to, pitch, a_along, next_a)
            _keep(tiles, now + b_to, pitch, b_along, next_b)
            cuda.syncthreads()
        to_row, to_column = np.int64(first_row + row), np.int64(first_column + column)
        _finish(c, sums, 0, tiles, sizes, sample, to_row, to_column)
        if parts > 1:
            _finish(c, sums, 16, tiles, sizes, sample, to_row, to_column + TILE)
            _finish(c, sums, 32, tiles, sizes, sample, to_row + TILE, to_column)
            _finish(c, sums, 48, tiles, sizes, sample, to_row + TILE, to_column + TILE)
        cuda.syncthreads()
        sample = np.int32(sample + cuda.gridDim.z)


@kernel(threads=THREADS, blocks=3)
def gemm_64(a, b, c, added, sizes):
    """``c = act(a b + added)`` for each sample of a stack, in tiles of 64 x 64; see `fnet.kernels.cuda.gemm.gemm`."""
    tiles = cuda.shared.array(_SHARED_1, a.dtype, alignment=BYTES)
    _products(a, b, c, added, sizes, tiles, cuda.local.array(_SUMS_1, a.dtype), 1)


@kernel(threads=THREADS, blocks=2)
def gemm_64_f64(a, b, c, added, sizes):
    """As `gemm_64`, for float64, which takes twice the registers."""
    tiles = cuda.shared.array(_SHARED_1, a.dtype, alignment=BYTES)
    _products(a, b, c, added, sizes, tiles, cuda.local.array(_SUMS_1, a.dtype), 1)


@kernel(threads=THREADS, blocks=2)
def gemm_128(a, b, c, added, sizes):
    """As `gemm_64`, in tiles of 128 x 128."""
    tiles = cuda.shared.array(_SHARED_2, a.dtype, alignment=BYTES)
    _products(a, b, c, added, sizes, tiles, cuda.local.array(_SUMS_2, a.dtype), 2)
