"""Matrix products: a block computes a tile of the product from tiles of the operands in shared memory.

A thread has one element, summed in the order of k by products and sums that are rounded once, from the bias where there
is one. Operands lie at any strides. Tiles are x of the grid (`fnet.kernels.cuda.block_tile`), the products of a stack
z. Where `whole` is less than batch * k, the last product of a stack has a shorter k: the stack is one product in parts.
"""

from __future__ import annotations

from fnet.kernels.cuda.block_tile import tile_of_block
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import relu, sigmoid, tanh
from fnet.kernels.sizes import Sizes

TILE = 16
_ELEMENTS = TILE * TILE
_PITCH = TILE + 1  # a column more, so that the elements of a column lie in different banks
_SHARED = TILE * (TILE + 1)

(
    M, N, K, A_ROW, A_COLUMN, B_ROW, B_COLUMN, BATCH, A_BATCH, B_BATCH, WHOLE, BIAS,
) = SIZES = Sizes("m n k a_row a_column b_row b_column batch a_batch b_batch whole bias")  # fmt: skip


@device_function
def depth_of(sizes, sample):
    """The length k of a product of the stack."""
    return min(sizes[K], sizes[WHOLE] - sample * sizes[K])


@device_function
def _row_and_column(sizes):
    """The row and the column of the element of a thread."""
    down, across = tile_of_block((sizes[M] + TILE - 1) // TILE, (sizes[N] + TILE - 1) // TILE)
    return down * TILE + cuda.threadIdx.y, across * TILE + cuda.threadIdx.x


@device_function
def _element(a, b, c, added, sizes, sample, left, right):
    """The element of a thread in the product number `sample`, 0 outside of it; left, right: shared tiles."""
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    row, column = _row_and_column(sizes)
    m, n, k = sizes[M], sizes[N], depth_of(sizes, sample)
    first_a, first_b = sample * sizes[A_BATCH] + row * sizes[A_ROW], sample * sizes[B_BATCH] + column * sizes[B_COLUMN]
    value = added[column] if sizes[BIAS] != 0 and column < n else c.dtype.type(0)
    p = 0
    while p < k:
        inside = row < m and p + tx < k
        left[ty * TILE + tx] = a[first_a + (p + tx) * sizes[A_COLUMN]] if inside else a.dtype.type(0)
        inside = column < n and p + ty < k
        right[ty * _PITCH + tx] = b[first_b + (p + ty) * sizes[B_ROW]] if inside else b.dtype.type(0)
        cuda.syncthreads()
        for j in range(min(TILE, k - p)):
            value += left[ty * TILE + j] * right[j * _PITCH + tx]
        cuda.syncthreads()
        p += TILE
    return value


@device_function
def _place(sizes, sample):
    """Where the element of a thread belongs, -1 outside of the product."""
    row, column = _row_and_column(sizes)
    inside = row < sizes[M] and column < sizes[N]
    return (sample * sizes[M] + row) * sizes[N] + column if inside else -1


@kernel(threads=_ELEMENTS)
def gemm(a, b, c, added, sizes):
    """``c = a b + added`` for each sample of a stack; a: (m, k), b: (k, n), c: (m, n) row-major, added: (n,)."""
    left, right = cuda.shared.array(_ELEMENTS, a.dtype), cuda.shared.array(_SHARED, b.dtype)
    sample = cuda.blockIdx.z
    while sample < sizes[BATCH]:
        value, place = _element(a, b, c, added, sizes, sample, left, right), _place(sizes, sample)
        if place >= 0:
            c[place] = value
        sample += cuda.gridDim.z


@kernel(threads=_ELEMENTS)
def gemm_relu(a, b, c, added, sizes):
    """``c = relu(a b + added)``, of one product."""
    left, right = cuda.shared.array(_ELEMENTS, a.dtype), cuda.shared.array(_SHARED, b.dtype)
    value, place = _element(a, b, c, added, sizes, 0, left, right), _place(sizes, 0)
    if place >= 0:
        c[place] = relu(value)


@kernel(threads=_ELEMENTS)
def gemm_tanh(a, b, c, added, sizes):
    """``c = tanh(a b + added)``, of one product."""
    left, right = cuda.shared.array(_ELEMENTS, a.dtype), cuda.shared.array(_SHARED, b.dtype)
    value, place = _element(a, b, c, added, sizes, 0, left, right), _place(sizes, 0)
    if place >= 0:
        c[place] = tanh(value)


@kernel(threads=_ELEMENTS)
def gemm_sigmoid(a, b, c, added, sizes):
    """``c = sigmoid(a b + added)``, of one product."""
    left, right = cuda.shared.array(_ELEMENTS, a.dtype), cuda.shared.array(_SHARED, b.dtype)
    value, place = _element(a, b, c, added, sizes, 0, left, right), _place(sizes, 0)
    if place >= 0:
        c[place] = sigmoid(value)
