"""Which products of matrices are for NVIDIA's library, and what it is told of them: by sizes and strides only.

| product | where it is computed |
|---|---|
| integers; float32 at "high", which the library does not have | fnet's kernels |
| fewer than 2**18 multiplications: beginning a product takes as long as computing it | fnet's kernels |
| a size, or a step between rows, of 2**31 or more | fnet's kernels |
| others, at "highest" and "medium" | the library, where it is in use and has an algorithm |

The library takes matrices whose rows, or columns, lie without gaps, one behind the other; rules copy others. The choice
comes from counting, not from times. It is the same with an activation and without, so that a product has the same bits
in `fnet.jit` as outside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from fnet.kernels.cuda.runtime.product import Operand, Product

LEAST = 1 << 18  # multiplications
WORKSPACE, FIXED_WORKSPACE, MOST_PARTS = 1 << 25, 1 << 20, 16  # bytes at most, bytes at least, parts of k that are kept


def product_of(
    shape: Sequence[int],
    batch: Sequence[int],
    strides: tuple[Sequence[int], Sequence[int]],
    dtype: np.dtype,
    precision: str,
) -> Product | None:
    """The product, without a bias, for the library; None where it is for fnet's kernels.

    shape: m, k and n; batch: how many, and the steps from one to the next; strides: those of rows and columns, of both
    operands.
    """
    (m, k, n), (count, *steps) = shape, batch
    level = precision if dtype == np.float32 else "highest"
    if dtype.kind != "f" or dtype.itemsize < 4 or level == "high" or math.prod((count, m, k, n)) < LEAST:
        return None
    a_step, b_step = steps if count > 1 else (0, 0)
    left, right = operand_of((m, k), strides[0], a_step), operand_of((k, n), strides[1], b_step)
    if left is None or right is None or max(m, k, n, count, left.leading, right.leading) >= 1 << 31:
        return None
    results = count * m * n * dtype.itemsize
    workspace = min(WORKSPACE, FIXED_WORKSPACE + MOST_PARTS * results)
    return Product(m, k, n, count, left, right, dtype, level, False, workspace)


def operand_of(sizes: Sequence[int], strides: Sequence[int], step: int = 0) -> Operand | None:
    """A matrix whose rows, or columns, lie without gaps, one behind the other; None for others."""
    (rows, columns), (row, column) = sizes, strides
    if (column == 1 or columns == 1) and (row >= columns or rows == 1):
        return Operand(False, columns if rows == 1 else row, step)
    if (row == 1 or rows == 1) and (column >= rows or columns == 1):
        return Operand(True, rows if columns == 1 else column, step)
    return None
