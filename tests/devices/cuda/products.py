"""What a library computes for a `Product`, by NumPy."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.product import Operand, Product


def multiply(product: Product, a: np.ndarray, b: np.ndarray, c: np.ndarray, bias: np.ndarray, scratch: np.ndarray):
    """Write the products of flat arrays into C; the scratch memory is filled with nonsense, as a library may do."""
    assert (scratch.dtype, scratch.size) == (np.uint8, product.workspace)
    scratch.fill(0xFF)
    m, k, n, count = product.m, product.k, product.n, product.count
    left, right = matrices(a, product.left, count, m, k), matrices(b, product.right, count, k, n)
    if product.level == "medium":
        left, right = rounded(left), rounded(right)
    assert c.size == count * m * n and bias.size == (n if product.has_bias else c.size)
    with np.errstate(over="ignore", invalid="ignore"):
        found = left @ right + bias if product.has_bias else left @ right
    c.reshape(count, m, n)[...] = found


def matrices(flat: np.ndarray, operand: Operand, count: int, rows: int, columns: int) -> np.ndarray:
    """The stack that an operand describes; raises where it goes on behind the end."""
    along = (1, operand.leading) if operand.by_columns else (operand.leading, 1)
    strides = (operand.step, *along)
    last = sum((n - 1) * s for n, s in zip((count, rows, columns), strides, strict=True))
    assert last + 1 == flat.size and operand.leading >= (rows if operand.by_columns else columns)
    return np.lib.stride_tricks.as_strided(
        flat, (count, rows, columns), [s * flat.itemsize for s in strides], writeable=False
    )


def rounded(x: np.ndarray) -> np.ndarray:
    """To bfloat16, to even; infinite numbers and NaN stay."""
    bits = x.view(np.uint32) if x.flags.c_contiguous else np.ascontiguousarray(x).view(np.uint32)
    near = ((bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    return np.where(np.isfinite(x), near, x)
