"""Floating-point numbers as integers in the same order."""

from __future__ import annotations

from fnet.kernels.scalar.constants import FLOAT, INTEGER, ZERO, either

_LARGEST = either(2**31 - 1, 2**63 - 1)


def order_bits(x):
    """An integer that grows with x, of the same width: -0.0 is 0.0, and NaN is the largest."""
    size = FLOAT(abs(x)).view(INTEGER)
    return INTEGER(_LARGEST if x != x else (-size if x < ZERO else size))
