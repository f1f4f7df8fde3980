"""Operands of products that are matrices at any strides: four elements at a time."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, load4
from fnet.kernels.cuda.runtime.kernel import device_function


@device_function
def matrix_operand(x, first, side, sides, deep, k, side_step, k_step, batch_step, along_k):
    """What `matrix_four` knows of an operand.

    first: the place of its first element; side: the row or column that the thread begins with, of so many; deep: the k
    that it begins with, of so many; the steps from one side, k and matrix to the next, the first two below 2**31;
    along_k: whether four elements are fetched along k.
    """
    other = side_step if along_k else k_step
    step = k_step if along_k else side_step
    wide = step == 1 and (other | batch_step) & 3 == 0 and is_aligned(x)
    inside, left = np.int32(sides - side), np.int32(k - deep)
    most = (left if inside > 0 else np.int32(0)) if along_k else inside
    return x, first + side * side_step + deep * k_step, np.int32(k_step), np.int32(step), most, left, along_k, wide


@device_function
def matrix_four(operand, k, place):
    """The elements of k to k + 3 further than the operand begins, or those at k in four rows or columns; 0 outside.

    place: where the first one lies.
    """
    x, _, _, step, most, left, along_k, wide = operand
    count = np.int32(most - k) if along_k else (most if k < left else np.int32(0))
    zero = x.dtype.type(0)
    if wide and count >= 4:
        return load4(x, place)
    return (
        x[np.uint64(place)] if count > 0 else zero,
        x[np.uint64(place + step)] if count > 1 else zero,
        x[np.uint64(place + 2 * step)] if count > 2 else zero,
        x[np.uint64(place + 3 * step)] if count > 3 else zero,
    )
