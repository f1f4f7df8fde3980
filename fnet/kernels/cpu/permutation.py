"""Integers in a range and permutations, from the words of a key's stream (see `philox`)."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.runtime.views import view_u8
from fnet.kernels.cpu.vector.cipher import store_words
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_PIECE = 1024  # elements, an even number: two share a block of the cipher

_1, _32 = np.uint64(1), np.uint64(32)
_LOW_32 = np.uint64(0xFFFFFFFF)


@scalar
def bounded(high, low, span):
    """``floor(w * span / 2**64)`` for a 64-bit number w, given as two words below 2**32, and a span, all uint64."""
    s1, s0 = span >> _32, span & _LOW_32
    u = high * s0 + ((low * s0) >> _32)
    v = low * s1 + (u & _LOW_32)
    return high * s1 + (u >> _32) + (v >> _32)


@kernel
def randint(key, out, n, low, span):
    """``out: (n,) int64`` in [low, low + span), from words 2i and 2i + 1, for 0 < span < 2**63."""
    span = np.uint64(span)
    store_words(at(out, 0), 0, 2 * n, int(key[0]), int(key[1]))
    pairs = view_u8(out, 0, n)
    for i in range(np.uint64(n)):
        out[i] = low + np.int64(bounded(pairs[i] & _LOW_32, pairs[i] >> _32, span))


@kernel
def permutation(key, out, n):
    """``out: (n,) int64``: 0 to n - 1 shuffled; words 2i and 2i + 1 choose what element i is exchanged with.

    The words are written where the elements come later, a piece at a time, then the places that they choose.
    Source: R. Durstenfeld, Algorithm 235: random permutation, CACM 1964, run upwards.
    """
    for first in range(0, n, _PIECE):
        count = min(_PIECE, n - first)
        store_words(at(out, first), first // 2, 2 * count, int(key[0]), int(key[1]))
        places = view_u8(out, 8 * first, count)
        for i in range(np.uint64(count)):
            places[i] = bounded(places[i] & _LOW_32, places[i] >> _32, np.uint64(first) + i + _1)
        for i in range(np.uint64(first), np.uint64(first + count)):
            j = np.uint64(out[i])
            out[i] = i
            out[i], out[j] = out[j], out[i]
