"""Integers in a range and permutations, from the words of a key's stream (see `philox`)."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.scalars import block
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.scalar.philox import STREAM_BITS

_0, _1, _32 = np.uint64(0), np.uint64(1), np.uint64(32)
_LOW_32 = np.uint64(0xFFFFFFFF)


@scalar
def bounded(high, low, span):
    """``floor(w * span / 2**64)`` for a 64-bit number w, given as two words, and a uint64 span."""
    a, b = np.uint64(high), np.uint64(low)
    s1, s0 = span >> _32, span & _LOW_32
    u = a * s0 + ((b * s0) >> _32)
    v = b * s1 + (u & _LOW_32)
    return a * s1 + (u >> _32) + (v >> _32)


@kernel
def randint(key, out, n, low, span):
    """``out: (n,) int64`` in [low, low + span), from words 2i and 2i + 1, for 0 < span < 2**63."""
    n, span = np.uint64(n), np.uint64(span)
    for b in range((n + _1) >> _1):
        w = block(b, STREAM_BITS, key)
        i = b << _1
        out[i] = low + np.int64(bounded(w[0], w[1], span))
        if i + _1 < n:
            out[i + _1] = low + np.int64(bounded(w[2], w[3], span))


@kernel
def permutation(key, out, n):
    """``out: (n,) int64``: 0 to n - 1 shuffled; words 2i and 2i + 1 choose what element i is exchanged with.

    Source: R. Durstenfeld, Algorithm 235: random permutation, CACM 1964, run upwards.
    """
    n = np.uint64(n)
    for b in range((n + _1) >> _1):
        w = block(b, STREAM_BITS, key)
        i = b << _1
        j = bounded(w[0], w[1], i + _1)
        out[i] = i
        out[i], out[j] = out[j], out[i]
        i += _1
        if i < n:
            j = bounded(w[2], w[3], i + _1)
            out[i] = i
            out[i], out[j] = out[j], out[i]
