"""Products of large matrices by tensor cores, in tiles as those of `fnet.kernels.cuda.register_tiles`.

Operands become bfloat16 on their way into shared memory, where a word has two numbers that are neighbours along k. With
one product both operands are rounded. With three each number is split in two, ``x = high + low``, and ``low high + high
low + high high`` is summed: only ``low low`` is left out, which is 2**-16 of the product or less.

A block has 64 x 64, 128 x 64 or 128 x 128 elements, 64 x 64 of them so many times down and across. Its eight warps are
two down and four across, or four and two where it is narrow. A warp has 16 x 8 sums at a time, in float32.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.activation import activated
from fnet.kernels.cuda.register_tiles import THREADS, TILE, write4
from fnet.kernels.cuda.runtime.access import store4
from fnet.kernels.cuda.runtime.kernel import DeviceFunction, cuda, device_function
from fnet.kernels.cuda.runtime.registers import anew
from fnet.kernels.cuda.runtime.tensor_cores import bits_of, multiply_add_matrices, number_of, pair

_PAIRS = 16  # of k in a step, for one tile; each thread fetches eight elements of each operand
_SPACE = 8  # words between rows of pairs, so that the lanes of a warp read from all banks
_PLANES = 4 * _PAIRS  # two operands in two buffers
SUMS_64, WORDS_64 = 16, _PLANES * (TILE + _SPACE)
SUMS_128, WORDS_128 = 64, _PLANES // 2 * (2 * TILE + _SPACE)
SUMS_NARROW, WORDS_NARROW = 32, 16 * THREADS  # which is what is written at once, and more than the tiles have
SPLIT_WORDS_64, SPLIT_WORDS_128 = 2 * WORDS_64, 2 * WORDS_128
SPLIT_WORDS_NARROW = _PLANES // 2 * (3 * TILE + 2 * _SPACE)
_MOST_WORDS = 16  # of b that a lane has at once: four columns of tiles, two words each, high and low
_UPPER = 0xFFFF0000


@device_function
def low_pair(x, y, high):
    """What rounding to `high` has left of two numbers."""
    return pair(x - number_of(np.uint32(high << np.uint32(16))), y - number_of(np.uint32(high & np.uint32(_UPPER))))


@device_function
def _keep_pair(words, place, plane, x, y, products):
    high = pair(x, y)
    words[np.uint64(place)] = high
    if products > 1:
        words[np.uint64(place + plane)] = low_pair(x, y, high)


@device_function
def _keep(words, place, plane, pitch, apart, along_k, first, second, products):
    """Put eight elements into a tile; apart: rows of pairs between the first four and the second, along k."""
    if along_k:
        _keep_pair(words, place, plane, first[0], first[1], products)
        _keep_pair(words, place + pitch, plane, first[2], first[3], products)
        _keep_pair(words, place + apart * pitch, plane, second[0], second[1], products)
        _keep_pair(words, place + apart * pitch + pitch, plane, second[2], second[3], products)
    else:
        a, b = pair(first[0], second[0]), pair(first[1], second[1])
        c, d = pair(first[2], second[2]), pair(first[3], second[3])
        store4(words, place, (a, b, c, d))
        if products > 1:
            lows = (
                low_pair(first[0], second[0], a),
                low_pair(first[1], second[1], b),
                low_pair(first[2], second[2], c),
                low_pair(first[3], second[3], d),
            )
            store4(words, place + plane, lows)


@device_function
def place_in_tile(along_k, sides, down):
    """Which row or column of a tile, and which k, the elements that a thread fetches begin with.

    sides: see `register_tiles.place_in_tile`.
    """
    thread = cuda.threadIdx.x
    if along_k:
        fours = _PAIRS // down // 4
        return thread // fours, 4 * (thread % fours)
    fours = TILE * sides // 4
    return 4 * (thread % fours), 2 * (thread // fours)


@device_function
def _tiles_of_warp(down, across):
    """How many rows of 16 and columns of 8 elements a warp has."""
    return (4 if across > 1 else 2), (4 if down > 1 else 2)


@device_function
def _place_of_warp(warp, down, across):
    """The first row and column that a warp has in the tile of its block."""
    beside = 4 * across // down  # warps
    rows, columns = _tiles_of_warp(down, across)
    return 16 * rows * (warp // beside), 8 * columns * (warp % beside)


@device_function
def _add(sums, at, a, b0, b1):
    found = multiply_add_matrices(a, (b0, b1), (sums[at], sums[at + 1], sums[at + 2], sums[at + 3]))
    sums[at], sums[at + 1], sums[at + 2], sums[at + 3] = found


@device_function
def _words_of_a(words, place, pitch):
    return (
        words[np.uint64(place)],
        words[np.uint64(place + 8)],
        words[np.uint64(place + 4 * pitch)],
        words[np.uint64(place + 4 * pitch + 8)],
    )


@device_function
def _load_columns(words, right, plane, pitch, columns, many, products):
    """The words of b of a lane, for 16 k and the `many` columns of tiles of its warp; the first one is at `right`."""
    for copy in range(2 if products > 1 else 1):
        for j in range(many):
            place = right + copy * plane + 8 * j
            columns[(copy * many + j) * 2] = words[np.uint64(place)]
            columns[(copy * many + j) * 2 + 1] = words[np.uint64(place + 4 * pitch)]


@device_function
def _multiply(words, left, plane, pitch, sums, columns, first, last, many, products):
    """Add the products of 16 k to rows of tiles of a warp, from `first` to `last`; left: its first word of a."""
    for i in range(first, last):
        row = i * many * 4
        if products > 1:
            low = _words_of_a(words, left + plane + 16 * i, pitch)
            for j in range(many):
                _add(sums, row + 4 * j, low, columns[2 * j], columns[2 * j + 1])
        high = _words_of_a(words, left + 16 * i, pitch)
        if products > 1:
            for j in range(many, 2 * many):
                _add(sums, row + 4 * (j - many), high, columns[2 * j], columns[2 * j + 1])
        for j in range(many):
            _add(sums, row + 4 * j, high, columns[2 * j], columns[2 * j + 1])


def product(left_four: DeviceFunction, right_four: DeviceFunction) -> DeviceFunction:
    """A function that computes the sums of a block; what it takes is what `register_tiles.product` says."""

    @device_function
    def sum_products(left, right, k, left_along, right_along, words, sums, down, across, products):
        """products: 1 or 3; words: shared memory; the operands begin at the thread's `place_in_tile`."""
        pairs, left_pitch, right_pitch = _PAIRS // down, TILE * down + _SPACE, TILE * across + _SPACE
        left_plane, right_plane, copies = pairs * left_pitch, pairs * right_pitch, 2 if products > 1 else 1
        rows, many = _tiles_of_warp(down, across)
        for i in range(16 * down * across):
            sums[i] = np.float32(0)
        left_side, left_deep = place_in_tile(left_along, down, down)
        right_side, right_deep = place_in_tile(right_along, across, down)
        fetches = across == down or (right_side < TILE * across and right_deep < 2 * pairs)
        begin = 2 * copies * left_plane  # of the right operand
        left_to = np.int32(left_deep // 2 * left_pitch + left_side)
        right_to = np.int32(begin + right_deep // 2 * right_pitch + right_side)
        left_apart = np.int32(pairs if left_along else 1)
        right_apart = np.int32(pairs if right_along else 1)
        row, column = _place_of_warp(cuda.threadIdx.x // 32, down, across)
        lane = cuda.threadIdx.x % 32
        left_lane, right_lane = lane % 4 * left_pitch + lane // 4, lane % 4 * right_pitch + lane // 4
        columns = cuda.local.array(_MOST_WORDS, np.uint32)
        p, now = np.int32(0), np.int32(0)  # now: which of the two buffers is multiplied
        first, second = left_four(left, p), left_four(left, left_apart)
        _keep(words, left_to, left_plane, left_pitch, pairs // 2, left_along, first, second, products)
        if fetches:
            first, second = right_four(right, p), right_four(right, right_apart)
            _keep(words, right_to, right_plane, right_pitch, pairs // 2, right_along, first, second, products)
        cuda.syncthreads()
        while p < k:
            p = np.int32(p + 2 * pairs)
            from_left = now * copies * left_plane + left_lane + row
            from_right = begin + now * copies * right_plane + right_lane + column
            now = np.int32(1 - now)
            first = left_four(left, p)
            second = left_four(left, np.int32(p + left_apart))
            _load_columns(words, from_right, right_plane, right_pitch, columns, many, products)
            half = rows // 2 if down > 1 else rows
            _multiply(words, from_left, left_plane, left_pitch, sums, columns, 0, half, many, products)
            at = now * copies * left_plane + left_to
            _keep(words, at, left_plane, left_pitch, pairs // 2, left_along, first, second, products)
            if fetches:
                first = right_four(right, p)
                second = right_four(right, np.int32(p + right_apart))
            if down > 1:  # the other rows of tiles
                _multiply(words, from_left, left_plane, left_pitch, sums, columns, half, rows, many, products)
            else:  # the other half of the step
                _load_columns(words, from_right + 8 * right_pitch, right_plane, right_pitch, columns, many, products)
                from_left = from_left + 8 * left_pitch
                _multiply(words, from_left, left_plane, left_pitch, sums, columns, 0, rows, many, products)
            if fetches:
                at = now * copies * right_plane + right_to
                _keep(words, at, right_plane, right_pitch, pairs // 2, right_along, first, second, products)
            cuda.syncthreads()

    return sum_products


@device_function
def _is_number(x):
    return abs(x) < np.float32(np.inf)


def finish(element: DeviceFunction, place_of_row: DeviceFunction) -> DeviceFunction:
    """A function that writes the sums of a block.

    element: computes one element in float32, from what it is made of, its row and its column. Split numbers that are
    infinite, or whose products are, give none; such elements are computed so. place_of_row: see
    `register_tiles.finish`.
    """

    @device_function
    def write_rows(words, sums, i, result, made_of, first_row, first_column, added, bias, act, down, across, products):
        """Write the rows of tile i of a warp.

        Two lanes have the rows r and r + 8 of two columns each. One takes all four of row r, the other those of r + 8.
        """
        c, rows, m, n, wide = result
        thread = anew(np.int32(cuda.threadIdx.x))
        lane = np.int32(thread % 32)
        even, odd = np.int32(thread - lane % 2), np.int32(thread - lane % 2 + 1)
        lower, right = _place_of_warp(thread // 32, down, across)
        _, many = _tiles_of_warp(down, across)
        row = np.int32(first_row + lower + 16 * i + lane // 4 + 8 * (lane % 2))
        for v in range(4 * many):
            words[np.uint64(v * THREADS + thread)] = bits_of(sums[i * 4 * many + v])
        cuda.syncwarp()
        column = np.int32(first_column + right + 4 * (lane % 4 // 2))
        at = np.int32(2 * (lane % 2) * THREADS)
        for _ in range(many):
            if row < m and column < n:
                for v in range(min(np.int32(4), np.int32(n - column))):  # one after the other: this needs few registers
                    place = np.uint64(at + v % 2 * THREADS + (even if v < 2 else odd))
                    value = number_of(words[place])
                    if products > 1 and not _is_number(value):
                        value = element(made_of, row, column + v)
                    if bias >= 0:
                        value += added[np.uint64(bias + column + v)]
                    words[place] = bits_of(activated(value, act))
                four = (
                    number_of(words[np.uint64(at + even)]),
                    number_of(words[np.uint64(at + THREADS + even)]),
                    number_of(words[np.uint64(at + odd)]),
                    number_of(words[np.uint64(at + THREADS + odd)]),
                )
                write4(c, place_of_row(rows, row) + column, np.int32(n - column), wide, four)
            at = np.int32(at + 4 * THREADS)
            column = np.int32(column + 8)
        cuda.syncwarp()

    @device_function
    def write(words, sums, result, made_of, first_row, first_column, added, bias, act, down, across, products):
        """result: see `register_tiles.finish`; bias: the number of the first element of `added`, -1 for none."""
        of = result, made_of, first_row, first_column, added, bias, act, down, across, products
        write_rows(words, sums, 0, *of)
        write_rows(words, sums, 1, *of)
        if across > 1:
            write_rows(words, sums, 2, *of)
            write_rows(words, sums, 3, *of)
        cuda.syncthreads()

    return write
