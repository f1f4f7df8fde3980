"""Blocks of memory on whole cache lines."""

from __future__ import annotations

import numpy as np

ALIGNMENT = 64


def allocate(nbytes: int) -> np.ndarray:
    """`nbytes` of zeroed memory that starts on a cache line, as bytes."""
    raw = np.zeros(nbytes + ALIGNMENT, np.uint8)
    start = -raw.__array_interface__["data"][0] % ALIGNMENT
    return raw[start : start + nbytes]
