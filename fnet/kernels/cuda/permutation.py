"""Integers in a range and permutations, from the words of a key's stream: the CPU's, number by number.

All exchanges of a permutation are looked through at once: `fnet.kernels.cuda.sort` brings those together that share a
partner.
"""

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


@kernel(threads=256)
def link_exchanges(partners, order, before, last, n):
    """What is known of an exchange once all are sorted by their partners.

    partners, order: sorted, with the exchanges in their order where partners are the same. before[i]: the exchange
    before i with its partner, -1 if none; last[p]: the last one with partner p, which keeps what it holds if none.
    """
    k = cuda.grid(1)
    while k < n:
        partner, i = partners[k], order[k]
        before[i] = order[k - 1] if k > 0 and partners[k - 1] == partner else -1
        if k == n - 1 or partners[k + 1] != partner:
            last[partner] = i
        k += cuda.gridsize(1)


@kernel(threads=256)
def permutation(partner, before, last, out, n):
    """``out: (n,) int64``: 0 to n - 1 after all exchanges, in order: ``out[i] = out[partner[i]]; out[partner[i]] = i``.

    A place holds the last i whose partner it was. Where there is none, it holds what was at partner[i] before its own
    exchange i: the exchange before with that partner, else what that place held since its own exchange, and so on.
    Source: R. Durstenfeld, Algorithm 235: random permutation, CACM 1964, run upwards.
    """
    p = cuda.grid(1)
    while p < n:
        value, i = np.int64(last[p]), np.int64(p)
        while value < 0:
            value, i = np.int64(before[i]), np.int64(partner[i])
        out[p] = value
        p += cuda.gridsize(1)
