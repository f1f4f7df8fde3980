"""Operations on 64-bit integers as NumPy defines them: modulo 2^64, 0 for a division by 0, never a trap."""

from __future__ import annotations

import numpy as np

_0, _1, _64 = np.uint64(0), np.uint64(1), np.uint64(64)


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


def shift_left_i64(x, n):
    """x times 2^n; 0 where n is no position of a bit."""
    return x << n if 0 <= n < 64 else 0


def shift_left_u64(x, n):
    """x times 2^n; 0 where n is no position of a bit."""
    return x << n if n < _64 else _0


def shift_right_i64(x, n):
    """The largest integer not above x / 2^n; that for an endless n where n is no position of a bit."""
    return x >> (n if 0 <= n < 64 else 63)


def shift_right_u64(x, n):
    """The largest integer not above x / 2^n; 0 where n is no position of a bit."""
    return x >> n if n < _64 else _0


def gcd_i64(x, y):
    """The largest integer that divides both, 0 of two zeros."""
    while y != 0:
        x, y = y, remainder_i64(x, y)
    return abs(x)


def gcd_u64(x, y):
    """The largest integer that divides both, 0 of two zeros."""
    while y != _0:
        x, y = y, x % y
    return x
