"""What the instructions of AMX tiles compute, in NumPy, and how tests let levels take tiles on every processor."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core import config

from fnet.kernels.cpu.runtime import ways
from fnet.kernels.cpu.vector import amx
from fnet.kernels.cpu.vector.bfloat16 import split_in_python

COMPILED = pytest.mark.skipif(config.DISABLE_JIT, reason="the emulation is compiled code")


def emulate(monkeypatch):
    """Let "high" and "medium" take tiles that are emulated, even where the processor has them."""
    monkeypatch.setattr(ways, "available", lambda: ("float32", "tiles"))
    monkeypatch.setattr(ways, "rates", lambda: {"float32": 1.0, "tiles": 100.0})
    monkeypatch.setattr(amx, "permitted", lambda: False)


def flushed(x: np.ndarray) -> np.ndarray:
    """Zeros in place of numbers below the smallest normal one."""
    return np.where(np.abs(x) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), x), x)


def instruction(c: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """What tdpbf16ps computes for rows of 32 numbers in a and columns of them in b, whose values are bfloat16."""
    sums = np.zeros((2, *c.shape), np.float32)
    for p in range(32):
        sums[p % 2] = flushed(sums[p % 2] + flushed(a[:, p : p + 1]) * flushed(b[p : p + 1]))
    return flushed(flushed(c) + flushed(sums[0] + sums[1]))


def rounded(x: np.ndarray) -> np.ndarray:
    bits = x.view(np.uint32)
    upper = (bits + (0x7FFF + (bits >> 16 & 1)).astype(np.uint32)) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(x), x, upper.view(np.float32))


def reference(a: np.ndarray, b: np.ndarray, c: np.ndarray, products: int) -> np.ndarray:
    extra = -a.shape[1] % 32
    a, b = np.pad(a, ((0, 0), (0, extra))), np.pad(b, ((0, extra), (0, 0)))
    if products == 1:
        terms = [(rounded(a), rounded(b))]
    else:
        (a_high, a_low), (b_high, b_low) = split_in_python(a), split_in_python(b)
        terms = [(a_high, b_high), (a_high, rounded(b_low)), (rounded(a_low), b_high)]
    for p in range(0, a.shape[1], 32):
        for left, right in terms:
            c = instruction(c, left[:, p : p + 32], right[p : p + 32])
    return c
