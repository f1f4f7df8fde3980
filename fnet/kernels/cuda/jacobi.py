"""Eigenvalues and eigenvectors by Jacobi's rotations, a block of threads for a matrix; see `fnet.kernels.cpu.jacobi`.

Threads share the columns of the two rows that a rotation turns.
"""

from __future__ import annotations

from fnet.kernels.cuda.runtime.arithmetic import sqrt
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_max, row_sum

THREADS = 256
SWEEPS = 40


@device_function
def _rotate(x, of, rows, i, j, n):
    """Make element (i, j) of the symmetric matrix from `of` on zero; the rows from `rows` on take part."""
    pivot, low, high = x[of + i * n + j], x[of + i * n + i], x[of + j * n + j]
    cuda.syncthreads()
    one = x.dtype.type(1)
    ratio = (high - low) / (pivot + pivot)
    tangent = one / (abs(ratio) + sqrt(one + ratio * ratio))
    if ratio < x.dtype.type(0):
        tangent = -tangent
    cosine = one / sqrt(one + tangent * tangent)
    sine = tangent * cosine
    k = cuda.threadIdx.x
    while k < n:
        first, second = x[rows + i * n + k], x[rows + j * n + k]
        x[rows + i * n + k] = cosine * first - sine * second
        x[rows + j * n + k] = sine * first + cosine * second
        if k == i:
            x[of + i * n + i], x[of + j * n + j] = low - tangent * pivot, high + tangent * pivot
            x[of + i * n + j] = x.dtype.type(0)
            x[of + j * n + i] = x.dtype.type(0)
        elif k != j:
            first, second = x[of + i * n + k], x[of + j * n + k]
            turned = cosine * first - sine * second
            x[of + i * n + k] = turned
            x[of + k * n + i] = turned
            turned = sine * first + cosine * second
            x[of + j * n + k] = turned
            x[of + k * n + j] = turned
        k += cuda.blockDim.x
    cuda.syncthreads()


@kernel(threads=THREADS)
def eigh(a, values, vectors, work, tiny, n):
    """``a v = v diag(values)``, values ascending: a, vectors: (matrices, n, n), values: (matrices, n).

    work: (matrices, 2 n n) of scratch memory, tiny: the rounding unit. A block has a matrix.
    """
    shared = cuda.shared.array(WARPS, a.dtype)
    t, threads, at = cuda.threadIdx.x, cuda.blockDim.x, cuda.blockIdx.x * n * n
    of, rows = 2 * at, 2 * at + n * n
    zero, one = a.dtype.type(0), a.dtype.type(1)
    largest, strange = zero, zero
    p = t
    while p < n * n:
        value = a[at + p]
        work[of + p] = value
        work[rows + p] = one if p // n == p % n else zero
        largest = max(largest, abs(value))
        strange += value - value
        p += threads
    least = tiny[0] * row_max(largest, shared)
    strange = row_sum(strange, shared)
    cuda.syncthreads()
    turned = strange == zero
    sweep = 0
    while turned and sweep < SWEEPS:
        turned = False
        for i in range(n):
            for j in range(i + 1, n):
                if abs(work[of + i * n + j]) > least:
                    _rotate(work, of, rows, i, j, n)
                    turned = True
        sweep += 1
    for i in range(t, n, threads):
        value, place = work[of + i * n + i], 0
        for j in range(n):
            other = work[of + j * n + j]
            if other < value or (other == value and j < i):
                place += 1
        if strange != zero:
            place = i
        values[cuda.blockIdx.x * n + place] = value + strange
        for k in range(n):
            vectors[at + k * n + place] = work[rows + i * n + k] + strange
