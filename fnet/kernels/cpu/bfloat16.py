"""Whole matrices rounded to pairs of bfloat16, by several threads (see `fnet.kernels.cpu.vector.bfloat16`)."""

from __future__ import annotations

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.bfloat16 import pair_neighbours, pair_vectors
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel

PARTS = 16  # tasks


@kernel
def pair_columns(x, y, rows, columns, x_row):
    """``y[i, q] = (x[i, 2q], x[i, 2q+1])``; x: (rows, columns), its rows contiguous -> y: (rows, ceil(columns / 2))."""
    parallel_for(_some_rows, PARTS, threads_for(rows * columns // 8), at(x, 0), at(y, 0), rows, columns, x_row)


@kernel
def pair_rows(x, y, rows, columns, x_row):
    """``y[q, j] = (x[2q, j], x[2q+1, j])``; x: (rows, columns), its rows contiguous -> y: (ceil(rows / 2), columns)."""
    parallel_for(_some_pairs, PARTS, threads_for(rows * columns // 12), at(x, 0), at(y, 0), rows, columns, x_row)


@kernel
def _some_rows(part, x, y, rows, columns, x_row):
    width = (columns + 1) // 2
    for i in range(part * rows // PARTS, (part + 1) * rows // PARTS):
        pair_neighbours(at(x, i * x_row), at(y, i * width), columns)


@kernel
def _some_pairs(part, x, y, rows, columns, x_row):
    pairs = (rows + 1) // 2
    for q in range(part * pairs // PARTS, (part + 1) * pairs // PARTS):
        pair_vectors(at(x, 2 * q * x_row), x_row, at(y, q * columns), columns, rows - 2 * q)
