"""Operands of products that are matrices at any strides: four elements at a time."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, load4
from fnet.kernels.cuda.runtime.kernel import device_function


@device_function
def matrix_operand(x, first, side, sides, deep, k, sizes, side_at, k_at, batch_step, along_k):
    """What `matrix_four` knows of an operand.

    first: the place of its first element; side: the row or column that the thread begins with, of so many; deep: the k
    that it begins with, of so many; side_at, k_at: where the sizes have the steps from one side and one k to the next,
    both below 2**31; side_at may be -1 for a step of 1; along_k: whether four elements are fetched along k. The steps
    are read when they are used, from the cache: registers are dear.
    """
    side_step, k_step = _step(sizes, side_at), sizes[k_at]
    other = side_step if along_k else k_step
    step = k_step if along_k else side_step
    wide = step == 1 and (other | batch_step) & 3 == 0 and is_aligned(x)
    inside, left = np.int32(sides - side), np.int32(k - deep)
    most = (left if inside > 0 else np.int32(0)) if along_k else inside
    return x, first + side * side_step + deep * k_step, sizes, side_at, k_at, most, left, along_k, wide


@device_function
def _step(sizes, at):
    return sizes[at] if at >= 0 else np.int64(1)


@device_function
def matrix_four(operand, k):
    """The elements of k to k + 3 further than the operand begins, or those at k in four rows or columns; 0 outside."""
    x, first, sizes, side_at, k_at, most, left, along_k, wide = operand
    count = np.int32(most - k) if along_k else (most if k < left else np.int32(0))
    place = first + np.int64(k) * np.int64(np.int32(sizes[k_at]))
    zero = x.dtype.type(0)
    if wide and count >= 4:
        return load4(x, place)
    step = sizes[k_at] if along_k else _step(sizes, side_at)
    return (
        x[np.uint64(place)] if count > 0 else zero,
        x[np.uint64(place + step)] if count > 1 else zero,
        x[np.uint64(place + 2 * step)] if count > 2 else zero,
        x[np.uint64(place + 3 * step)] if count > 3 else zero,
    )
