"""Powers and quotients of 64-bit integers, as NumPy defines them: modulo 2^64, 0 for a division by 0, never a trap."""

from __future__ import annotations

import numpy as np

_0, _1 = np.uint64(0), np.uint64(1)


def power_i64(x, n):
    """x to the power n; 0 where n < 0."""
    result = 0 if n < 0 else 1
    while n > 0:
        if n & 1:
            result *= x
        x *= x
        n >>= 1
    return result


def power_u64(x, n):
    """x to the power n."""
    result = _1
    while n > _0:
        if n & _1:
            result *= x
        x *= x
        n >>= _1
    return result


def floor_divide_i64(x, y):
    """The largest integer not above x / y; 0 where y = 0."""
    if y == 0:
        return 0
    return -x if y == -1 else x // y


def remainder_i64(x, y):
    """What ``y * floor_divide(x, y)`` lacks of x, with the sign of y; 0 where y = 0."""
    if y == 0 or y == -1:
        return 0
    return x % y
