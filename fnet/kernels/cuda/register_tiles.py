"""Products of large matrices in float arithmetic: a thread has a tile of the product in registers.

A block has a tile of 64 x 64, 128 x 64 or 128 x 128 elements, a thread 4 x 4 of each 64 x 64 of them, which are so many
down and across. Tiles of the operands pass
through shared memory with k as their rows, in two buffers: while one is multiplied, the next one is on its way. An
element is summed in the order of k, from its bias on. What the operands are, a matrix or windows of an image, is known
to the functions that fetch four elements of them.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.activation import activated
from fnet.kernels.cuda.runtime.access import load4, store4
from fnet.kernels.cuda.runtime.kernel import DeviceFunction, cuda, device_function

THREADS = 256
TILE = 64  # which every thread has 4 x 4 elements of
_STEP = 16  # of k, for one tile; each thread fetches four elements of each operand
_SPACE = 4  # between rows of k, so that columns lie in different banks
SUMS_64, SHARED_64 = 16, 4 * _STEP * (TILE + _SPACE)
SUMS_128, SHARED_128 = 64, 2 * _STEP * (2 * TILE + _SPACE)
SUMS_NARROW, SHARED_NARROW = 32, 16 * THREADS  # which is what is written at once, and more than the tiles have


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
def _begin(sums, first, added, begin, column, columns, zero):
    """Begin 4 x 4 sums, with the bias, whose first element is number `begin`, where there is one."""
    has_bias = begin >= 0
    at = begin + column
    _begin_column(sums, first, added[np.uint64(at)] if has_bias and column < columns else zero)
    _begin_column(sums, first + 1, added[np.uint64(at + 1)] if has_bias and column + 1 < columns else zero)
    _begin_column(sums, first + 2, added[np.uint64(at + 2)] if has_bias and column + 2 < columns else zero)
    _begin_column(sums, first + 3, added[np.uint64(at + 3)] if has_bias and column + 3 < columns else zero)


@device_function
def begin(sums, added, bias, first_column, columns, zero, down, across):
    """Begin the sums of a block; bias: the number of the first element of `added` that is meant, -1 for none."""
    _, column = _place_of_thread()
    for i in range(down):
        for h in range(across):
            _begin(sums, (i * across + h) * 16, added, bias, first_column + TILE * h + column, columns, zero)


@device_function
def _put_row(tiles, place, sums, first):
    tiles[np.uint64(place)] = sums[first]
    tiles[np.uint64(place + THREADS)] = sums[first + 1]
    tiles[np.uint64(place + 2 * THREADS)] = sums[first + 2]
    tiles[np.uint64(place + 3 * THREADS)] = sums[first + 3]


@device_function
def write4(c, place, count, wide, four):
    """Write the first `count` of four neighbours; wide: whether all four may be written at once."""
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


def finish(place_of_row: DeviceFunction) -> DeviceFunction:
    """A function that writes the activations of the sums of a block.

    place_of_row: gives, for what is known of the rows of the result and the number of one, the place of its first
    element.
    """

    @device_function
    def write_part(sums, first, tiles, result, row, column, act):
        """Write 4 x 4 sums, in a loop that finds them in shared memory: so this needs few registers."""
        c, rows, m, n, wide = result
        at = np.int32(cuda.threadIdx.x)
        _put_row(tiles, at, sums, first)
        _put_row(tiles, at + 4 * THREADS, sums, first + 4)
        _put_row(tiles, at + 8 * THREADS, sums, first + 8)
        _put_row(tiles, at + 12 * THREADS, sums, first + 12)
        end = min(m, row + 4)
        while row < end:
            four = (
                activated(tiles[np.uint64(at)], act),
                activated(tiles[np.uint64(at + THREADS)], act),
                activated(tiles[np.uint64(at + 2 * THREADS)], act),
                activated(tiles[np.uint64(at + 3 * THREADS)], act),
            )
            write4(c, place_of_row(rows, row) + column, n - column, wide, four)
            at = np.int32(at + 4 * THREADS)
            row += 1

    @device_function
    def write(sums, tiles, result, first_row, first_column, act, down, across):
        """result: the array, what `place_of_row` takes, the rows, the columns, whether four may be written at once."""
        lower, right = _place_of_thread()
        row, column = np.int64(first_row + lower), np.int64(first_column + right)
        write_part(sums, 0, tiles, result, row, column, act)
        if across > 1:
            write_part(sums, 16, tiles, result, row, column + TILE, act)
        if down > 1:
            write_part(sums, 16 * across, tiles, result, row + TILE, column, act)
        if down > 1 and across > 1:
            write_part(sums, 48, tiles, result, row + TILE, column + TILE, act)
        cuda.syncthreads()

    return write


@device_function
def evenly(rows, row):
    """The place of a row where rows are evenly apart; rows: the place of the first one, and the step."""
    first, step = rows
    return first + row * step


@device_function
def _place_of_thread():
    """The first row and column that a thread has; a warp has 4 x 8 fours, so that its lanes share what they read."""
    warp, lane = cuda.threadIdx.x // 32, cuda.threadIdx.x % 32
    return 4 * (4 * (warp // 2) + lane // 8), 4 * (8 * (warp % 2) + lane % 8)


@device_function
def place_in_tile(along_k, sides, down):
    """Which row or column of a tile, and which k, the four elements that a thread fetches begin with.

    sides: how many times 64 rows or columns the operand has; where they are fewer than `down`, threads beyond the tile
    fetch nothing.
    """
    thread = cuda.threadIdx.x
    if along_k:
        fours = _STEP // down // 4
        return thread // fours, 4 * (thread % fours)
    fours = TILE * sides // 4
    return 4 * (thread % fours), thread // fours


def product(left_four: DeviceFunction, right_four: DeviceFunction) -> DeviceFunction:
    """A function that adds a product to the sums of a block.

    left_four, right_four: give, for an operand and a number k, the four elements of the operand that a thread fetches
    so much further than it begins: those of k to k + 3 in its row or column if they are fetched along k, else those at
    k in four rows or columns; 0 for what lies outside. An operand begins at the thread's `place_in_tile`.
    """

    @device_function
    def add_product(left, right, k, left_along, right_along, tiles, sums, down, across):
        """left, right: the operands; k: their length; tiles: shared memory; down, across: times 64 x 64."""
        step, left_pitch, right_pitch = _STEP // down, TILE * down + _SPACE, TILE * across + _SPACE
        row, column = _place_of_thread()
        left_side, left_deep = place_in_tile(left_along, down, down)
        right_side, right_deep = place_in_tile(right_along, across, down)
        fetches = across == down or (right_side < TILE * across and right_deep < step)
        left_to = np.int32(left_deep * left_pitch + left_side)
        right_to = np.int32(2 * step * left_pitch + right_deep * right_pitch + right_side)
        _keep(tiles, left_to, left_pitch, left_along, left_four(left, np.int32(0)))
        if fetches:
            _keep(tiles, right_to, right_pitch, right_along, right_four(right, np.int32(0)))
        cuda.syncthreads()
        p, now = np.int32(0), np.int32(0)  # now: which of the two buffers is multiplied
        zero = sums.dtype.type(0)
        next_right = zero, zero, zero, zero
        while p < k:
            p = np.int32(p + step)
            next_left = left_four(left, p)
            if fetches:
                next_right = right_four(right, p)
            from_left, from_right = now * step * left_pitch, 2 * step * left_pitch + now * step * right_pitch
            for j in range(step):
                for i in range(down):
                    rows = load4(tiles, from_left + j * left_pitch + TILE * i + row)
                    for h in range(across):
                        columns = load4(tiles, from_right + j * right_pitch + TILE * h + column)
                        _add_products(sums, (i * across + h) * 16, rows, columns)
            now = np.int32(1 - now)
            _keep(tiles, now * step * left_pitch + left_to, left_pitch, left_along, next_left)
            if fetches:
                _keep(tiles, now * step * right_pitch + right_to, right_pitch, right_along, next_right)
            cuda.syncthreads()

    return add_product
