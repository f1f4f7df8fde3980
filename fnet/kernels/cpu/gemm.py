"""Matrix products ``C = act(A B + bias)`` of arrays, and batches of them, on all threads.

They are made of the single-threaded kernels of `fnet.kernels.cpu.product` in one of two ways:

- Products with few rows, or with a B so small that it is read in place, are split by columns or by rows; every task is
  a `product` of its own.
- Larger ones go block by block of k: tasks pack the rows p .. p + `K_BLOCK` of B into panels, then tasks compute tiles
  of C, each packing the rows of A that it works on. Where every panel is for one task alone, its first tile packs it.

An element of C is the same chain of multiply-adds in all of these (see `product`), so its bits depend neither on the
number of threads nor on the split.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.kernels.cpu.caches import LEVEL_1, LEVEL_2
from fnet.kernels.cpu.product import (
    EDGE_ROWS,
    LINEAR,
    PACK_SIZE,
    RELU,
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
from fnet.kernels.cpu.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.threads import parallel_for, thread_count, threads_for
from fnet.kernels.cpu.tiles import FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel, scalar

K_BLOCK = LEVEL_1 // 128 // 16 * 16  # about: a panel of B fills the first-level cache
M_TILES = max(
    4, LEVEL_2 // (16 * K_BLOCK * ROWS)
)  # in a block of rows, whose part of A takes a quarter of the next one
FEW_ROWS = 4 * ROWS  # rows of A up to which packing all of B ahead does not pay
PACK_COLUMNS = 512  # columns of B from which on packing A pays, if its rows are more than one block
SMALL = 1 << 19  # multiplications, an element moved counting as 8
TASKS = 4  # for each thread: a slow core does not hold up the others for long


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
    width, depth = VECTORS * lanes, _depth(k, lanes)
    panels, tiles = -(-n // width) * width * depth, -(-m // ROWS)
    if n < PACK_COLUMNS or m <= M_TILES * ROWS:
        return panels
    slots = 1 if thread_count() == 1 else min(TASKS * thread_count(), tiles)
    return panels + slots * min(M_TILES, tiles) * -(-ROWS // lanes) * lanes * depth


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
def small_gemm(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, start, act):
    """`gemm` on one thread, which compiles faster and starts sooner."""
    x, y, z, s, w = at(a, 0), at(b, 0), at(c, 0), at(bias, 0), at(work, 0)
    product(x, y, z, s, w, m, n, k, a_row, a_col, b_row, b_col, n, start, act)


@kernel
def gemm(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, start, act):
    """``C = act(S + A B)``.

    c: (m, n), contiguous; ``A[i, p] = a[i*a_row + p*a_col]``; ``B[p, j] = b[p*b_row + j*b_col]``; S: zero
    (start = `FROM_ZERO`), ``bias[j]`` (`FROM_BIAS`, else bias is not read) or C (`FROM_C`: accumulate); work:
    `gemm_workspace` elements; act: `LINEAR`, `RELU`, `TANH` or `SIGMOID`. c overlaps no input.
    """
    x, y, z, s, w = at(a, 0), at(b, 0), at(c, 0), at(bias, 0), at(work, 0)
    threads = threads_for(_nanoseconds(lanes(z), m, n, k))
    if m > FEW_ROWS and n > 1 and k > 0 and (b_col != 1 or k * n > PACK_SIZE):
        large_product(x, y, z, s, w, work.size, threads, m, n, k, a_row, a_col, b_row, b_col, start, act)
    elif threads == 1:
        product(x, y, z, s, w, m, n, k, a_row, a_col, b_row, b_col, n, start, act)
    else:
        width = VECTORS * lanes(z)
        narrow = n <= width and b_col == 1  # has no columns to split, and is read in place
        by_rows = 1 if n == 1 or m > FEW_ROWS or narrow else 0
        unit = width if n == 1 or not by_rows else EDGE_ROWS if narrow else ROWS
        units = ((m if by_rows else n) + unit - 1) // unit
        count = min(TASKS * threads, units)
        parallel_for(
            _band, count, threads, count, units, unit, by_rows, x, y, z, s, w, m, n, k, a_row, a_col, b_row, b_col,
            start, act,
        )  # fmt: skip


@kernel
def batched_gemm(a, b, c, work, batch, a_batch, b_batch, m, n, k, a_row, a_col, b_row, b_col):
    """``C[s] = A[s] B[s]`` for s < batch, each by one thread: for many products that are not large.

    c: (batch, m, n), contiguous; A[s] starts at ``a[s*a_batch]`` and B[s] at ``b[s*b_batch]`` (0: shared by all);
    work: `batched_workspace` elements; the rest as in `gemm`.
    """
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
    """What a product takes one thread: 8 multiply-adds for each lane, or 16 elements moved, in a nanosecond."""
    return m * n * k // (8 * lanes) + (m * k + k * n + m * n) // 16


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
    """``C = act(S + A B)`` of addresses for k > 0 by blocks of k; room: the size of `work`, the rest as in `gemm`.

    Tasks are bands of rows, split by columns, too, where there are too few of them.
    """
    one, width = lanes(c), VECTORS * lanes(c)
    depth = _depth(k, one)
    tiles, panels, tasks = (m + ROWS - 1) // ROWS, (n + width - 1) // width, 1 if threads == 1 else TASKS * threads
    slot = min(M_TILES, tiles) * ((ROWS + one - 1) // one) * one * depth
    slots = (room - panels * width * depth) // slot
    bands = max(1, min(tasks, tiles // (M_TILES // 2)))
    columns = 1 if bands >= 2 * threads else min(panels, (tasks + bands - 1) // bands)
    if threads == 1:
        columns = 1
    if n < PACK_COLUMNS * columns or m <= M_TILES * ROWS or bands * columns > slots:
        slot = 0  # A is read in place
    blocks = at(work, panels * width * depth)
    packers = min(tasks, panels)
    for p in range(0, k, depth):
        size = min(depth, k - p)
        x, y = at(a, p * a_col), at(b, p * b_row)
        first, last = start if p == 0 else FROM_C, act if p + size == k else LINEAR
        if bands > 1:
            parallel_for(_pack, packers, threads, packers, panels, y, work, n, size, depth, b_row, b_col)
        parallel_for(
            _tiles, bands * columns, threads, bands, columns, x, y, work, c, bias, blocks, slot, m, n, size, depth,
            a_row, a_col, b_row, b_col, first, last,
        )  # fmt: skip


@scalar
def _depth(k, lanes):
    """The rows of a block of k, a whole number of vectors: blocks of about `K_BLOCK`, none much shorter than others."""
    blocks = max(1, (k + K_BLOCK // 2 - 1) // K_BLOCK)
    return ((k + blocks - 1) // blocks + lanes - 1) // lanes * lanes


@kernel
def _pack(task, count, panels, b, work, n, k, depth, b_row, b_col):
    """Some of the panels of B."""
    width = VECTORS * lanes(b)
    for panel in range(task * panels // count, (task + 1) * panels // count):
        j = panel * width
        pack_panel(at(b, j * b_col), b_row, b_col, at(work, j * depth), width, k, min(width, n - j))


@kernel
def _tiles(
    task, bands, columns, a, b, packed, c, bias, blocks, slot, m, n, k, depth, a_row, a_col, b_row, b_col, start, act
):  # fmt: skip
    """A band of rows of C, by blocks of rows, or a part of the columns of one; a single band packs B as it goes."""
    one, width = lanes(c), VECTORS * lanes(c)
    band, part = task // columns, task % columns
    tiles, panels = (m + ROWS - 1) // ROWS, (n + width - 1) // width
    first, end = band * tiles // bands, (band + 1) * tiles // bands
    left, right = part * panels // columns * width, min(n, (part + 1) * panels // columns * width)
    count = (end - first + M_TILES - 1) // M_TILES
    block, a_width = at(blocks, task * slot), (ROWS + one - 1) // one * one
    relu = 1 if act == RELU else 0
    for number in range(count):
        i = (first + number * (end - first) // count) * ROWS
        rows = min(m, (first + (number + 1) * (end - first) // count) * ROWS) - i
        x, x_row, x_col, x_tile = at(a, i * a_row), a_row, a_col, ROWS * a_row
        if slot:
            for r in range(0, rows, ROWS):
                tile = at(block, r // ROWS * a_width * depth)
                pack_panel(at(x, r * a_row), a_col, a_row, tile, a_width, k, min(ROWS, rows - r))
            x, x_row, x_col, x_tile = block, 1, a_width, a_width * depth
        for j in range(left, right, width):
            y = at(packed, (left if bands == 1 and count == 1 else j) * depth)
            z, s, most, done = at(c, i * n + j), at(bias, j), min(width, right - j), 0
            if bands == 1 and number == 0:
                panel = at(b, j * b_col)
                done = pack_panel_in_product(
                    panel, b_row, b_col, y, x, x_row, x_col, z, n, s, start, relu, k, rows, most
                )
            step = ROWS if slot and most < width else rows
            for r in range(done, rows, step):
                tile, t = at(x, r // ROWS * x_tile), at(z, r * n)
                panel_product(tile, x_row, x_col, x_tile, y, width, t, n, s, start, relu, k, min(step, rows - r), most)
        activate(at(c, i * n + left), rows, right - left, n, act)
