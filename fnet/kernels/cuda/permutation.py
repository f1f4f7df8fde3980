"""Integers in a range and permutations, from the words of a key's stream: the CPU's, number by number."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.philox import put2
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import block
from fnet.kernels.scalar.philox import STREAM_BITS

_32, _LOW_32 = np.uint64(32), np.uint64(0xFFFFFFFF)


@device_function
def bounded(high, low, span):
    """``floor(w * span / 2**64)`` for a 64-bit number w, given as two words, and a uint64 span."""
    a, b = np.uint64(high), np.uint64(low)
    s1, s0 = span >> _32, span & _LOW_32
    u = a * s0 + ((b * s0) >> _32)
    v = b * s1 + (u & _LOW_32)
    return a * s1 + (u >> _32) + (v >> _32)


@kernel(threads=256)
def randint(key, out, n, low, span):
    """``out: (n,) int64`` in [low, low + span), from words 2i and 2i + 1, for 0 < span < 2**63."""
    b = cuda.grid(1)
    while 2 * b < n:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        even, odd = bounded(w0, w1, np.uint64(span)), bounded(w2, w3, np.uint64(span))
        put2(out, 2 * b, n, low + np.int64(even), low + np.int64(odd))
        b += cuda.gridsize(1)


@kernel(threads=256)
def exchanges(key, partner, n):
    """``partner: (n,) int64``: with which element up to i the element i of a permutation is exchanged."""
    b = cuda.grid(1)
    while 2 * b < n:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        even, odd = bounded(w0, w1, np.uint64(2 * b + 1)), bounded(w2, w3, np.uint64(2 * b + 2))
        put2(partner, 2 * b, n, np.int64(even), np.int64(odd))
        b += cuda.gridsize(1)


@kernel(threads=32)
def permutation(partner, out, n):
    """``out: (n,) int64``: 0 to n - 1 shuffled by one thread, each exchange after the one before.

    Source: R. Durstenfeld, Algorithm 235: random permutation, CACM 1964, run upwards.
    """
    if cuda.grid(1) == 0:
        for i in range(n):
            j = partner[i]
            out[i] = i
            out[i] = out[j]
            out[j] = i
