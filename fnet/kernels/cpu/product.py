"""Single-threaded matrix products of addresses, for kernels: blocked, packed, built from the FMA tiles.

Three kernels that other kernels call (m, n, k and strides are in elements, a, b, c, ... are addresses made by `at`):

``product(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, c_row, start, act)``
    ``C = act(S + A B)`` with ``A[i, p] = a[i*a_row + p*a_col]``, ``B[p, j] = b[p*b_row + j*b_col]`` and
    ``C[i, j] = c[i*c_row + j]``; S is zero (start = `FROM_ZERO`), ``bias[j]`` (`FROM_BIAS`) or C itself (`FROM_C`:
    accumulate); act is `LINEAR`, `RELU`, `TANH` or `SIGMOID`. work: `product_workspace(m, n, k, dtype)` elements,
    contents of no meaning before or after. `bias` is read only for `FROM_BIAS` (else pass any address).

``pack_panels(b, packed, n, k, b_row, b_col)`` then ``product_packed(a, packed, c, bias, m, n, k, rows, a_row, a_col,
c_row, start, act)``
    The same product, B having been copied once to `packed` (`packed_size(n, k, dtype)` elements): for a B that is
    multiplied many times, as the weights of a recurrent layer are. Of its `rows` the first k are multiplied. Needs no
    workspace.

C must overlap no other operand; no size is checked, any may be 0 (k = 0 leaves ``act(S)``). Strides may be any number
from 0 on.

An element of C is one chain of fused multiply-adds over p = 0 .. k-1 that starts from S: all tiles, blockings and
packings give the same bits, so rows and columns can be computed in any grouping and be shared among threads, and a
product over k can be continued with `FROM_C` in a later call. Only a `product` with one column (n = 1) whose operands
are both contiguous sums by lanes instead; its rows are independent of each other, too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.activation_codes import RELU, SIGMOID, TANH
from fnet.kernels.compiler.host import LEVEL_1, LEVEL_2
from fnet.kernels.cpu.scalars import sigmoid, tanh
from fnet.kernels.cpu.vector.packing import band_copier, row_copier, transposing_copier
from fnet.kernels.cpu.vector.simd import INSTRUCTION_SET, VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.vector.tiles import (
    FROM_BIAS,
    FROM_C,
    dot_tile,
    fetching_tile,
    fma_tile,
    packing_tile,
    transposed_row_tile,
)
from fnet.kernels.cpu.vector.unrolled_tile import FETCHES, UNROLLED, unrolled_tile
from fnet.kernels.policy import kernel, scalar

# AVX-512 has 32 vector registers: 14 x 2 accumulators, 2 vectors of B, 1 broadcast of A. The others have 16: 6 x 2.
VECTORS = 2
ROWS = 14 if INSTRUCTION_SET == "avx512" else 6
EDGE_ROWS = 8 if INSTRUCTION_SET == "avx512" else 6  # two vectors wide, masked
NARROW_ROWS = 2 * EDGE_ROWS  # one vector wide
WIDE_VECTORS = 8
LAST_VECTORS = 4
DOT_ROWS = 8

K_BLOCK = LEVEL_1 // 192 // 16 * 16  # rows of a panel of B, which fills two thirds of the first-level cache
PACKED_K_BLOCK = LEVEL_1 // 64 // 16 * 16  # of a packed B, which is fetched from the second-level cache in time
M_BLOCK = 8 * ROWS
PACK_SIZE = LEVEL_2 // 32  # elements of B from which on reading it in place misses the caches

_tile = fma_tile(ROWS, VECTORS, partial=False)
_tile_of_rows = unrolled_tile(ROWS, VECTORS, by_columns=False)
_tile_of_columns = unrolled_tile(ROWS, VECTORS, by_columns=True)
_packing_tile = packing_tile(ROWS, VECTORS)
_short = fma_tile(EDGE_ROWS, VECTORS, partial=False, fetching=False)
_fetching = fetching_tile(EDGE_ROWS, VECTORS)
_edge = fma_tile(EDGE_ROWS, VECTORS, partial=True, masked=True)
_narrow = fma_tile(NARROW_ROWS, 1, partial=False, masked=True)
_last_narrow = fma_tile(EDGE_ROWS, 1, partial=True, masked=True)
_row_tile = fma_tile(1, WIDE_VECTORS, partial=False)
_end_of_row = fma_tile(1, LAST_VECTORS, partial=False, masked=True)
_transposed_row = transposed_row_tile()
_dot = dot_tile(DOT_ROWS)
_copy = row_copier(VECTORS)
_copy_band = band_copier()
_copy_transposed = transposing_copier()


def product_workspace(m: int, n: int, k: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `product` needs for these sizes, whatever the strides.

    >>> product_workspace(32, 0, 16, "float32")
    0
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    width = VECTORS * lanes
    columns = m if n == 1 else n
    return -(-columns // width) * width * min(K_BLOCK, -(-k // lanes) * lanes)


def packed_size(n: int, k: int, dtype: npt.DTypeLike) -> int:
    """The elements of a packed B of k rows and n columns.

    >>> packed_size(0, 16, "float32")
    0
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    width = VECTORS * lanes
    return -(-n // width) * width * -(-k // lanes) * lanes


@kernel(shared=True)
def product(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, c_row, start, act):
    """``C = act(S + A B)``, S being what `start` says; see the top of the file."""
    relu = 1 if act == RELU else 0
    rows, columns, step = m, n, c_row
    if n == 1 and start == FROM_BIAS:  # it may be computed as a row, for which the bias is not a vector
        for i in range(m):
            c[i * c_row] = bias[0]
        start = FROM_C
    # With a_row = 1 it is not the rows of A that are contiguous but its columns, even if there is only one row.
    if n == 1 and c_row == 1 and a_col == 1 and a_row != 1 and b_row == 1:
        for i in range(0, m, DOT_ROWS):
            _dot(at(a, i * a_row), a_row, b, at(c, i), start, relu, k, m - i)
    else:
        if n == 1 and c_row == 1:  # C' = B' A'
            a, b, m, n, a_row, a_col, b_row, b_col = b, a, 1, m, 0, b_row, a_col, a_row
        if m == 1 and (b_col == 1 or b_row == 1):
            _row(a, b, c, bias, n, k, a_col, b_row, b_col, start, relu)
        else:
            _blocked(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, c_row, start, relu)
    activate(c, rows, columns, step, act)


@kernel
def _row(a, b, c, bias, n, k, a_col, b_row, b_col, start, relu):
    """m = 1: B is read once, in place."""
    wide, narrow = WIDE_VECTORS * lanes(c), LAST_VECTORS * lanes(c)
    if b_col == 1:
        j = 0
        while j + wide <= n:
            _row_tile(a, 0, a_col, at(b, j), b_row, at(c, j), 0, at(bias, j), start, relu, k, 1, wide)
            j += wide
        for v in range(j, n, narrow):
            _end_of_row(a, 0, a_col, at(b, v), b_row, at(c, v), 0, at(bias, v), start, relu, k, 1, n - v)
    else:
        for j in range(0, n, lanes(c)):
            _transposed_row(a, a_col, at(b, j * b_col), b_col, at(c, j), at(bias, j), start, relu, k, n - j)


@kernel
def _blocked(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, c_row, start, relu):
    """``C = S + A B``, and max(C, 0) if `relu`, by blocks of k and of rows, panels of columns, and tiles."""
    one, width = lanes(c), VECTORS * lanes(c)
    panel_rows = min(K_BLOCK, (k + one - 1) // one * one)
    pack = b_col != 1 or (k * n > PACK_SIZE and m > 4 * ROWS)
    p = 0
    while True:
        size = min(K_BLOCK, k - p)
        first = start if p == 0 else FROM_C
        last = relu if p + size == k else 0
        for i in range(0, m, M_BLOCK):
            rows = min(M_BLOCK, m - i)
            for j in range(0, n, width):
                columns = min(width, n - j)
                panel, panel_row, done = at(b, p * b_row + j * b_col), b_row, 0
                x, y, s = at(a, i * a_row + p * a_col), at(c, i * c_row + j), at(bias, j)
                if pack:
                    packed = at(work, j * panel_rows if m > M_BLOCK else 0)
                    if i == 0:
                        done = pack_panel_in_product(
                            panel, b_row, b_col, packed, x, a_row, a_col, y, c_row, s, first, last, size, rows, columns
                        )
                    panel, panel_row = packed, width
                x, y, left = at(x, done * a_row), at(y, done * c_row), rows - done
                panel_product(
                    x, a_row, a_col, ROWS * a_row, panel, panel_row, y, c_row, s, first, last, size, left, columns,
                    b, 0,
                )  # fmt: skip
        p += size
        if p >= k:
            break


@kernel(shared=True)
def panel_product(a, a_row, a_col, a_tile, b, b_row, c, c_row, bias, start, relu, k, m, n, ahead, ahead_row):
    """The tiles down a panel of n <= width columns of C; the arguments are those of a tile.

    A tile of `ROWS` full rows and columns lies ``a_tile`` behind the one before it. Where B is packed, the tiles fetch
    the k rows of the panel that is read next, at ``ahead[p*ahead_row]``.
    """
    one, width = lanes(c), VECTORS * lanes(c)
    i = 0
    if n > one:
        full = 0
        if n == width:
            short = _short_tiles(m) if a_tile == ROWS * a_row else (m % ROWS + EDGE_ROWS - 1) // EDGE_ROWS
            full = max(m - short * EDGE_ROWS + ROWS - 1, 0) // ROWS * ROWS
        while i < full:
            y = at(c, i * c_row)
            if b_row == width and (a_row == 1 or a_col == 1):
                place, step = _share(i // ROWS, full // ROWS, k, width, ahead_row)
                x = at(ahead, place) if step else b
                if a_row == 1:
                    _tile_of_columns(x, step, a, a_col, b, y, c_row, bias, start, relu, k)
                else:
                    _tile_of_rows(x, step, a, a_row, b, y, c_row, bias, start, relu, k)
            else:
                _tile(a, a_row, a_col, b, b_row, y, c_row, bias, start, relu, k, ROWS, width)
            a = at(a, a_tile)
            i += ROWS
        while n == width and i + EDGE_ROWS <= m:
            _short(a, a_row, a_col, b, b_row, at(c, i * c_row), c_row, bias, start, relu, k, EDGE_ROWS, n)
            a = at(a, EDGE_ROWS * a_row)
            i += EDGE_ROWS
        while i < m:
            _edge(a, a_row, a_col, b, b_row, at(c, i * c_row), c_row, bias, start, relu, k, m - i, n)
            a = at(a, EDGE_ROWS * a_row)
            i += EDGE_ROWS
    else:
        while i + NARROW_ROWS <= m:
            x, y = at(a, i * a_row), at(c, i * c_row)
            _narrow(x, a_row, a_col, b, b_row, y, c_row, bias, start, relu, k, NARROW_ROWS, n)
            i += NARROW_ROWS
        while i < m:
            x, y = at(a, i * a_row), at(c, i * c_row)
            _last_narrow(x, a_row, a_col, b, b_row, y, c_row, bias, start, relu, k, m - i, n)
            i += EDGE_ROWS


@scalar
def _share(number, tiles, k, width, row):
    """What a tile fetches of a panel of k rows: from where, and how far it goes with each line; 0 if nothing is left.

    Adjacent rows are shared by all tiles evenly. Of others each tile fetches a line of half of them.
    """
    lines = k // UNROLLED * FETCHES
    if row == width:
        step = (width * UNROLLED // FETCHES + tiles - 1) // tiles
        place = number * lines * step
        return place, step if place < k * width else 0
    place = min(number // 2 * width // VECTORS, width - 1) + number % 2 * lines * row
    return place, row if number // 2 <= VECTORS else 0


@scalar
def _short_tiles(m):
    """How many of the tiles of m rows have `EDGE_ROWS` instead of `ROWS`, so that none or one row is missing."""
    odd = m % 2
    short = (m + odd) % 7  # if tiles have 14 and 8 rows, m + odd - 8 short is a multiple of 14
    if ROWS != 14 or EDGE_ROWS != 8 or short * EDGE_ROWS > m + odd or short < odd:
        short = (m % ROWS + EDGE_ROWS - 1) // EDGE_ROWS
    return short


@kernel(shared=True)
def pack_panel_in_product(b, b_row, b_col, packed, a, a_row, a_col, c, c_row, bias, start, relu, k, m, n):
    """Pack a panel of n columns of B; returns how many rows of C, `ROWS` or 0, were computed along with it."""
    width = VECTORS * lanes(c)
    if b_col != 1 or n < width or m < ROWS:
        pack_panel(b, b_row, b_col, packed, width, k, n)
        return 0
    _packing_tile(packed, a, a_row, a_col, b, b_row, c, c_row, bias, start, relu, k)
    return ROWS


@kernel
def pack_panels(b, packed, n, k, b_row, b_col):
    """Copy B into panels as wide as a tile, one behind the other, for `product_packed`."""
    one, width = lanes(b), VECTORS * lanes(b)
    panel_rows = (k + one - 1) // one * one
    for j in range(0, n, width):
        pack_panel(at(b, j * b_col), b_row, b_col, at(packed, j * panel_rows), width, k, min(width, n - j))


@kernel
def product_packed(a, packed, c, bias, m, n, k, rows, a_row, a_col, c_row, start, act):
    """``C = act(S + A B)`` with the B that `pack_panels` packed; see the top of the file."""
    one, width = lanes(c), VECTORS * lanes(c)
    panel_rows = (rows + one - 1) // one * one
    relu = 1 if act == RELU else 0
    blocks = max(1, (k + PACKED_K_BLOCK // 2 - 1) // PACKED_K_BLOCK)
    depth, p = ((k + blocks - 1) // blocks + one - 1) // one * one, 0
    while True:
        size = min(depth, k - p)
        first = start if p == 0 else FROM_C
        last = relu if p + size == k else 0
        for i in range(0, m, M_BLOCK):
            count = min(M_BLOCK, m - i)
            for j in range(0, n, width):
                x, y, s = at(a, i * a_row + p * a_col), at(c, i * c_row + j), at(bias, j)
                z, columns = at(packed, j * panel_rows + p * width), min(width, n - j)
                ahead = at(z, width * panel_rows)
                panel_product(
                    x, a_row, a_col, ROWS * a_row, z, width, y, c_row, s, first, last, size, count, columns,
                    ahead, width,
                )  # fmt: skip
        p += size
        if p >= k:
            break
    activate(c, m, n, c_row, act)


@kernel(shared=True)
def product_fetching(a, packed, c, m, n, k, rows, a_row, c_row, start, ahead, size):
    """`product_packed` of few contiguous rows of A, which brings `size` elements at `ahead` to the second-level cache.

    What is fetched all at once stops the loop that fetches it; here it comes while products are computed.
    """
    one, width = lanes(c), VECTORS * lanes(c)
    panel_rows = (rows + one - 1) // one * one
    steps = max(m // EDGE_ROWS * (n // width) * k, 1)
    step = (size + steps - 1) // steps
    for p in range(0, max(k, 1), PACKED_K_BLOCK):
        depth, first = min(PACKED_K_BLOCK, k - p), FROM_C if p else start
        for j in range(0, n, width):
            panel, columns, i = at(packed, j * panel_rows + p * width), min(width, n - j), 0
            while columns == width and i + EDGE_ROWS <= m:
                x, y = at(a, i * a_row + p), at(c, i * c_row + j)
                _fetching(ahead, step, x, a_row, 1, panel, width, y, c_row, c, first, 0, depth)
                ahead = at(ahead, depth * step)
                i += EDGE_ROWS
            x, y, left = at(a, i * a_row + p), at(c, i * c_row + j), m - i
            panel_product(
                x, a_row, 1, ROWS * a_row, panel, width, y, c_row, c, first, 0, depth, left, columns, panel, 0
            )


@kernel(shared=True)
def pack_panel(b, b_row, b_col, panel, width, k, n):
    """Copy n <= width columns of B to rows of `width` elements, a whole number of vectors.

    Where the columns of B are contiguous, k is rounded up to whole vectors.
    """
    one = lanes(panel)
    if b_col == 1 and n == VECTORS * one:
        _copy(b, b_row, panel, k)
    elif b_col == 1:
        for j in range(0, n, one):
            _copy_band(at(b, j), b_row, at(panel, j), width, k, n - j)
    elif b_row == 1:
        for j in range(0, n, one):
            _copy_transposed(at(b, j * b_col), b_col, at(panel, j), width, n - j, k)
    else:
        for p in range(k):
            for j in range(n):
                panel[p * width + j] = b[p * b_row + j * b_col]


@kernel
def activate(c, m, n, c_row, act):
    """``C = act(C)`` for the activations that tiles do not apply themselves."""
    if act == TANH:
        for i in range(m):
            row = at(c, i * c_row)
            for j in range(n):
                row[j] = tanh(row[j])
    elif act == SIGMOID:
        for i in range(m):
            row = at(c, i * c_row)
            for j in range(n):
                row[j] = sigmoid(row[j])
