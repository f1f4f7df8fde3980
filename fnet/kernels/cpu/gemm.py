"""Matrix products ``C = act(A B + bias)`` of arrays, and batches of them, on all threads.

They are made of the single-threaded kernels of `fnet.kernels.cpu.product` in one of two ways:

- Products with few rows are split by columns or by rows; every task is a `product` of its own.
- Others are split into as many parts of C as there are threads. Each goes block by block of k, packing the rows
  p .. p + `K_BLOCK` of its columns of B, and the rows of A that it works on, for itself alone: to read what another
  core has just written takes longer than to pack it once more.

An element of C is the same chain of multiply-adds in all of these (see `product`), so its bits depend neither on the
number of threads nor on the split.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.activation_codes import LINEAR, RELU
from fnet.kernels.compiler.host import LEVEL_1, LEVEL_2
from fnet.kernels.cpu.product import (
    EDGE_ROWS,
    ROWS,
    VECTORS,
    activate,
    pack_panel,
    pack_panel_in_product,
    panel_product,
    product,
    product_workspace,
)
from fnet.kernels.cpu.product import K_BLOCK as PRODUCT_K_BLOCK
from fnet.kernels.cpu.runtime.threads import parallel_for, thread_count, threads_for
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.vector.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.sizes import Sizes

K_BLOCK = LEVEL_1 // 64 // 16 * 16  # about: tiles read panels of B from the second-level cache, rather than C often
M_TILES = max(
    4, LEVEL_2 // (16 * K_BLOCK * ROWS)
)  # in a block of rows, whose part of A takes a quarter of the next one
FEW_ROWS = 4 * ROWS  # rows of A up to which packing all of B ahead does not pay
MOVED = 16  # multiplications that take as long as to move an element
PACK_COLUMNS = 512  # columns of B from which on packing A pays, if its rows are more than one block
CONFLICT = 4096 // VECTOR_BYTES  # vectors between rows of A that compete for the same lines of the first-level cache
SMALL = 1 << 19  # multiplications, an element moved counting as 8
TASKS = 4  # for each thread: a slow core does not hold up the others for long

# The sizes of C and of the sum, and the strides of A and B; of one product, and of many.
MATRICES = "m n k a_row a_col b_row b_col"
M, N, K, A_ROW, A_COL, B_ROW, B_COL, START, ACT = SIZES = Sizes(f"{MATRICES} start act")
*_, BATCH, A_BATCH, B_BATCH = BATCHED_SIZES = Sizes(f"{MATRICES} batch a_batch b_batch")


def gemm_workspace(m: int, n: int, k: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `gemm` and `large_product` need for these sizes, whatever the strides.

    >>> gemm_workspace(32, 0, 16, "float32")
    0
    """
    return product_workspace(m, n, k, dtype) if m <= FEW_ROWS or n == 1 else large_workspace(m, n, k, dtype)


def large_workspace(m: int, n: int, k: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `large_product` needs.

    >>> large_workspace(32, 0, 16, "float32")
    0
    """
    lanes = VECTOR_BYTES // np.dtype(dtype).itemsize
    return max(_room(tasks, lanes, m, n, k) for tasks in (1, thread_count()))


def batched_workspace(batch: int, m: int, n: int, k: int, dtype: npt.DTypeLike) -> int:
    """The elements of `work` that `batched_gemm` needs for these sizes, whatever the strides.

    >>> batched_workspace(0, 32, 16, 16, "float32")
    0
    """
    if batch == 0:
        return 0
    together = 1 if thread_count() == 1 else min(TASKS * thread_count(), batch)
    return together * product_workspace(m, n, k, dtype)


def is_small(m: int, n: int, k: int) -> bool:
    """Whether one thread computes a product so fast that `small_gemm` is as good as `gemm`."""
    return m * n * k + 8 * (m * k + k * n + m * n) < SMALL


@kernel
def small_gemm(a, b, c, bias, work, sizes):
    """`gemm` on one thread, which compiles faster and starts sooner."""
    m, n, k, a_row, a_col, b_row = sizes[M], sizes[N], sizes[K], sizes[A_ROW], sizes[A_COL], sizes[B_ROW]
    b_col, start, act = sizes[B_COL], sizes[START], sizes[ACT]
    x, y, z, s, w = at(a, 0), at(b, 0), at(c, 0), at(bias, 0), at(work, 0)
    product(x, y, z, s, w, m, n, k, a_row, a_col, b_row, b_col, n, start, act)


@kernel
def gemm(a, b, c, bias, work, sizes):
    """``C = act(S + A B)``.

    sizes: `SIZES`. c: (m, n), contiguous; ``A[i, p] = a[i*a_row + p*a_col]``; ``B[p, j] = b[p*b_row + j*b_col]``; S:
    zero (start = `FROM_ZERO`), ``bias[j]`` (`FROM_BIAS`, else bias is not read) or C (`FROM_C`: accumulate); work:
    `gemm_workspace` elements; act: `LINEAR`, `RELU`, `TANH` or `SIGMOID`. c overlaps no input.
    """
    m, n, k, a_row, a_col, b_row = sizes[M], sizes[N], sizes[K], sizes[A_ROW], sizes[A_COL], sizes[B_ROW]
    b_col, start, act = sizes[B_COL], sizes[START], sizes[ACT]
    x, y, z, s, w = at(a, 0), at(b, 0), at(c, 0), at(bias, 0), at(work, 0)
    few = 1 if m <= FEW_ROWS else 0
    # Less goes from core to core than in other work of this length; of few rows only results: B stays where it is.
    threads = threads_for((2 + few) * _nanoseconds(lanes(z), m, n, k))
    if not few and n > 1 and k > 0:
        large_product(x, y, z, s, w, work.size, threads, m, n, k, a_row, a_col, b_row, b_col, start, act)
    elif threads == 1:
        product(x, y, z, s, w, m, n, k, a_row, a_col, b_row, b_col, n, start, act)
    else:
        width = VECTORS * lanes(z)
        narrow = n <= width and b_col == 1  # has no columns to split, and is read in place
        by_rows = 1 if n == 1 or narrow else 0
        unit = EDGE_ROWS if narrow and n > 1 else width
        units = ((m if by_rows else n) + unit - 1) // unit
        count = min(threads, units)
        parallel_for(
            _band, count, threads, count, units, unit, by_rows, x, y, z, s, w, m, n, k, a_row, a_col, b_row, b_col,
            start, act,
        )  # fmt: skip


@kernel
def batched_gemm(a, b, c, work, sizes):
    """``C[s] = A[s] B[s]`` for s < batch, each by one thread: for many products that are not large.

    sizes: `BATCHED_SIZES`. c: (batch, m, n), contiguous; A[s] starts at ``a[s*a_batch]`` and B[s] at ``b[s*b_batch]``
    (0: shared by all); work: `batched_workspace` elements; the rest as in `gemm`.
    """
    m, n, k, a_row, a_col, b_row = sizes[M], sizes[N], sizes[K], sizes[A_ROW], sizes[A_COL], sizes[B_ROW]
    b_col, batch, a_batch, b_batch = sizes[B_COL], sizes[BATCH], sizes[A_BATCH], sizes[B_BATCH]
    x, y, z, w = at(a, 0), at(b, 0), at(c, 0), at(work, 0)
    threads = threads_for(batch * _nanoseconds(lanes(z), m, n, k))
    one, width = lanes(z), VECTORS * lanes(z)
    columns = m if n == 1 else n
    room = (columns + width - 1) // width * width * min(PRODUCT_K_BLOCK, (k + one - 1) // one * one)
    count = 1 if threads == 1 else min(batch, TASKS * threads, work.size // max(room, 1))
    parallel_for(
        _samples, count, threads, count, room, x, y, z, w, batch, a_batch, b_batch, m, n, k, a_row, a_col, b_row, b_col
    )


@kernel
def _samples(task, count, room, a, b, c, work, batch, a_batch, b_batch, m, n, k, a_row, a_col, b_row, b_col):
    """Some of the products of a batch, each by one thread."""
    own = at(work, task * room)
    for s in range(task * batch // count, (task + 1) * batch // count):
        x, y, z = at(a, s * a_batch), at(b, s * b_batch), at(c, s * m * n)
        product(x, y, z, z, own, m, n, k, a_row, a_col, b_row, b_col, n, FROM_ZERO, LINEAR)


@scalar
def _nanoseconds(lanes, m, n, k):
    """What a product takes one thread: 5 multiply-adds for each lane, or 16 elements moved, in a nanosecond."""
    return m * n * k // (5 * lanes) + (m * k + k * n + m * n) // 16


@kernel
def _band(
    task, count, units, unit, by_rows, a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, start, act
):  # fmt: skip
    """A band of rows, or of columns, of C."""
    first = task * units // count * unit
    size = min((task + 1) * units // count * unit, m if by_rows else n) - first
    one = lanes(c)
    work = at(work, first * min(PRODUCT_K_BLOCK, (k + one - 1) // one * one))
    if by_rows:
        a, c, m = at(a, first * a_row), at(c, first * n), size
        product(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, n, start, act)
    else:
        b, c, bias = at(b, first * b_col), at(c, first), at(bias, first)
        product(a, b, c, bias, work, m, size, k, a_row, a_col, b_row, b_col, n, start, act)


@kernel
def large_product(a, b, c, bias, work, room, threads, m, n, k, a_row, a_col, b_row, b_col, start, act):
    """``C = act(S + A B)`` of addresses for k > 0 by blocks of k; room: the size of `work`, the rest as in `gemm`."""
    one, tasks = lanes(c), threads
    while tasks > 1 and _room(tasks, one, m, n, k) > room:
        tasks -= 1
    bands = _bands(tasks, one, m, n)
    parts = tasks // bands
    parallel_for(
        _part, bands * parts, tasks, bands, parts, a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, start, act
    )


@scalar
def _bands(tasks, lanes, m, n):
    """Into how many bands of rows to split C for so many tasks; columns are split into ``tasks // bands`` parts.

    What the largest part takes: its multiplications, and to move its rows of A and columns of B.
    """
    best, least = 1, 0
    for bands in range(1, tasks + 1):
        rows, columns = _rows(bands, m), min(_columns(tasks // bands, lanes, n), (n + lanes - 1) // lanes * lanes)
        cost = rows * columns + MOVED * (rows + columns)
        if bands == 1 or cost < least:
            best, least = bands, cost
    return best


@scalar
def _rows(bands, m):
    """The rows of the largest of so many bands."""
    unit = ROWS if m > bands * M_TILES * ROWS else 2
    return min(m, ((m + unit - 1) // unit + bands - 1) // bands * unit)


@scalar
def _columns(parts, lanes, n):
    """The columns of the largest of so many parts, in whole panels."""
    width = VECTORS * lanes
    return ((n + width - 1) // width + parts - 1) // parts * width


@scalar
def _room(tasks, lanes, m, n, k):
    """The elements that so many tasks need for B and A."""
    bands = _bands(tasks, lanes, m, n)
    parts = tasks // bands
    rows, columns, depth = _rows(bands, m), _columns(parts, lanes, n), _depth(k, lanes)
    return bands * parts * (columns * depth + _slot(rows, columns, depth, lanes))


@scalar
def _slot(rows, columns, depth, lanes):
    """The elements of a packed block of A, 0 where A is read in place."""
    if columns < PACK_COLUMNS or rows <= M_TILES * ROWS:
        return 0
    return M_TILES * ((ROWS + lanes - 1) // lanes) * lanes * depth


@scalar
def _depth(k, lanes):
    """The rows of a block of k, a whole number of vectors: blocks of about `K_BLOCK`, none much shorter than others."""
    blocks = max(1, (k + K_BLOCK // 2 - 1) // K_BLOCK)
    return ((k + blocks - 1) // blocks + lanes - 1) // lanes * lanes


@kernel
def _part(
    task, bands, parts, a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, start, act
):  # fmt: skip
    """A band of rows of C, or a part of the columns of one, by blocks of k and of rows, panels and tiles.

    The first tile of a panel packs it.
    """
    one, width, depth = lanes(c), VECTORS * lanes(c), _depth(k, lanes(c))
    rows, columns = _rows(bands, m), _columns(parts, one, n)
    slot = _slot(rows, columns, depth, one)
    packs = slot and (a_col != 1 or a_row % (CONFLICT * one) == 0)
    packed = at(work, task * (columns * depth + slot))
    block, a_width = at(packed, columns * depth), (ROWS + one - 1) // one * one
    top, left = task // parts * rows, task % parts * columns
    rows, columns = min(rows, m - top), min(columns, n - left)
    a, b, bias, c = at(a, top * a_row), at(b, left * b_col), at(bias, left), at(c, top * n + left)
    tiles = (rows + ROWS - 1) // ROWS
    count = (tiles + M_TILES - 1) // M_TILES
    for p in range(0, k, depth):
        size = min(depth, k - p)
        first, last = start if p == 0 else FROM_C, act if p + size == k else LINEAR
        relu = 1 if last == RELU else 0
        for number in range(count):
            i = number * tiles // count * ROWS
            high = min(rows, (number + 1) * tiles // count * ROWS) - i
            x, x_row, x_col, x_tile = at(a, i * a_row + p * a_col), a_row, a_col, ROWS * a_row
            if packs:
                for r in range(0, high, ROWS):
                    tile = at(block, r // ROWS * a_width * depth)
                    pack_panel(at(x, r * a_row), a_col, a_row, tile, a_width, size, min(ROWS, high - r))
                x, x_row, x_col, x_tile = block, 1, a_width, a_width * depth
            for j in range(0, columns, width):
                y, z, s = at(packed, j * depth if count > 1 else 0), at(c, i * n + j), at(bias, j)
                most, done = min(width, columns - j), 0
                ahead, ahead_row = at(y, width * depth), width
                if number == 0:
                    panel = at(b, p * b_row + j * b_col)
                    ahead, ahead_row = at(panel, width * b_col), b_row if b_col == 1 else 0
                    done = pack_panel_in_product(
                        panel, b_row, b_col, y, x, x_row, x_col, z, n, s, first, relu, size, high, most
                    )
                step = ROWS if packs and most < width else high
                for r in range(done, high, step):
                    tile, t, down = at(x, r // ROWS * x_tile), at(z, r * n), min(step, high - r)
                    panel_product(
                        tile, x_row, x_col, x_tile, y, width, t, n, s, first, relu, size, down, most, ahead, ahead_row
                    )
            activate(at(c, i * n), high, columns, n, last)
