"""Solution of a symmetric positive definite system through ``A = L L^T``, a panel of 32 columns at a time.

b is one more row of A, so that its row of L is the solution of ``L y = b``. Columns of L lie side by side in memory, of
n + 1 elements each. In a panel each block has 32 rows below the diagonal. It takes away what the columns before the
panel contribute to them and to the square on the diagonal, which every block computes for itself, factors the square
and solves for its rows at the same time. Then one block solves ``L^T x = y``, panel by panel from the last one.
Source: Golub and Van Loan, Matrix Computations, algorithms 4.2.2 and 3.1.2.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL

PANEL = 32  # columns, and rows of a block: a lane for each
WARPS = 8
THREADS = PANEL * WARPS
_TILE = PANEL * PANEL
_PITCH = PANEL + 1  # so that the elements of a column lie in different banks
_PADDED = PANEL * _PITCH
_ROWS = PANEL // WARPS  # of a thread
_NAN = np.float32(np.nan)


@device_function
def _element(a, b, n, row, column):
    """An element of A, or of b as the row n; outside of both that of the identity."""
    if column < n and row < n:
        return a[row * n + column]
    if column < n and row == n:
        return b[column]
    return a.dtype.type(1) if row == column else a.dtype.type(0)


@device_function
def _load(tile, factor, n, first_row, rows, column):
    """A tile of L, 32 columns from `column` on, as its transpose; 0 beyond the first `rows` of its rows."""
    i, k = cuda.threadIdx.x, cuda.threadIdx.y
    while k < PANEL:
        inside = i < rows
        tile[k * PANEL + i] = factor[(column + k) * (n + 1) + first_row + i] if inside else factor.dtype.type(0)
        k += WARPS


@kernel(threads=THREADS)
def factor_panel(a, b, factor, tiny, n, first):
    """The columns of L from `first` on: ``factor[j, i] = L[i, j]`` for i >= j, and for the row n, which is y.

    factor: (n, n + 1); tiny[0]: what a pivot must exceed, as a share of the diagonal element; it is NaN otherwise.
    """
    upper, lower = cuda.shared.array(_TILE, a.dtype), cuda.shared.array(_TILE, a.dtype)
    square, below = cuda.shared.array(_PADDED, a.dtype), cuda.shared.array(_PADDED, a.dtype)
    inverse, roots = cuda.shared.array(PANEL, a.dtype), cuda.shared.array(PANEL, a.dtype)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    size = min(PANEL, n - first)
    begin = first + size + cuda.blockIdx.x * PANEL
    rows = min(PANEL, n + 1 - begin)
    sums, sums_below = cuda.local.array(_ROWS, a.dtype), cuda.local.array(_ROWS, a.dtype)
    for q in range(_ROWS):
        row = ty + WARPS * q
        in_panel = row < size and tx < size
        sums[q] = _element(a, b, n, first + row, first + tx) if in_panel and row >= tx else a.dtype.type(0)
        if row == tx and row >= size:
            sums[q] = a.dtype.type(1)
        sums_below[q] = _element(a, b, n, begin + row, first + tx) if row < rows and tx < size else a.dtype.type(0)
    column = np.int64(0)
    while column < first:
        _load(upper, factor, n, first, size, column)
        _load(lower, factor, n, begin, rows, column)
        cuda.syncthreads()
        for k in range(PANEL):
            right = upper[k * PANEL + tx]
            for q in range(_ROWS):
                sums[q] -= upper[k * PANEL + ty + WARPS * q] * right
                sums_below[q] -= lower[k * PANEL + ty + WARPS * q] * right
        cuda.syncthreads()
        column += PANEL
    for q in range(_ROWS):
        square[(ty + WARPS * q) * _PITCH + tx] = sums[q]
        below[(ty + WARPS * q) * _PITCH + tx] = sums_below[q]
    cuda.syncthreads()
    for j in range(size):
        pivot = square[j * _PITCH + j]
        least = tiny[0] * abs(a[(first + j) * n + first + j])
        root = sqrt(pivot) if pivot > least else a.dtype.type(_NAN)
        scale = a.dtype.type(1) / root
        if tx == j and ty == 0:
            inverse[j], roots[j] = scale, root
        if tx > j:
            right = square[tx * _PITCH + j] * scale
            for q in range(_ROWS):
                row = ty + WARPS * q
                if row >= tx:
                    square[row * _PITCH + tx] -= square[row * _PITCH + j] * scale * right
                below[row * _PITCH + tx] -= below[row * _PITCH + j] * scale * right
        cuda.syncthreads()
    j = ty
    while j < size:
        to = (first + j) * (n + 1)
        if cuda.blockIdx.x == 0 and j <= tx < size:
            factor[to + first + tx] = roots[j] if tx == j else square[tx * _PITCH + j] * inverse[j]
        if tx < rows:
            factor[to + begin + tx] = below[tx * _PITCH + j] * inverse[j]
        j += WARPS


@kernel(threads=THREADS)
def solve_transposed(factor, x, n):
    """``L^T x = y``, x: (n,); factor: what `factor_panel` has made of all panels. One block."""
    square, missing = cuda.shared.array(_PADDED, x.dtype), cuda.shared.array(PANEL, x.dtype)
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    first = (n - 1) // PANEL * PANEL
    while first >= 0:
        size = min(PANEL, n - first)
        j = ty
        while j < size:  # a warp for a column: what the solved part contributes
            total, i = x.dtype.type(0), first + size + tx
            while i < n:
                total += factor[(first + j) * (n + 1) + i] * x[i]
                i += PANEL
            step = PANEL // 2
            while step > 0:
                total += cuda.shfl_xor_sync(ALL, total, step)
                step >>= 1
            if tx == 0:
                missing[j] = factor[(first + j) * (n + 1) + n] - total
            if j <= tx < size:
                square[tx * _PITCH + j] = factor[(first + j) * (n + 1) + first + tx]
            j += WARPS
        cuda.syncthreads()
        if ty == 0:  # a lane for a column of the square
            left = missing[tx] if tx < size else x.dtype.type(0)
            for j in range(size - 1, -1, -1):
                solved = cuda.shfl_sync(ALL, left, j) / square[j * _PITCH + j]
                if tx < j:
                    left -= square[j * _PITCH + tx] * solved
                if tx == j:
                    x[first + j] = solved
        cuda.syncthreads()
        first -= PANEL
