"""Random numbers as a pure function of (key, position): Philox4x32-10, and the numbers made from its words.

Word i of a key's stream is word i % 4 of the cipher at counter (i // 4, stream): any part of a stream can be computed
alone, in any order, on any number of threads, on either device. `uniform`, `normal` and dropout read the stream
that `random_bits` shows; `split` and `fold_in` read streams of their own, counters that no drawn number uses.

Source: J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.scalar.constants import HALF, floats
from fnet.kernels.scalar.quantile import normal_quantile

ROUNDS = 10
STREAM_BITS, STREAM_SPLIT, STREAM_FOLD = np.uint64(0), np.uint64(1), np.uint64(2)

# Unsigned 64-bit throughout: mixing in a signed integer would make Numba compute in float64.
_0, _1, _2, _3, _11, _21, _31, _32 = (np.uint64(v) for v in (0, 1, 2, 3, 11, 21, 31, 32))
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW_32, _LOW_31, _LOW_52 = np.uint64(0xFFFFFFFF), np.uint64(0x7FFFFFFF), np.uint64((1 << 52) - 1)

_8 = np.uint32(8)
_PER_24, _PER_32, _PER_52, _PER_53 = (floats(2.0**-bits) for bits in (24, 32, 52, 53))


# --------------------------------------------------------------------------------------------------- the cipher


def philox4x32(c0, c1, c2, c3, k0, k1):
    """Four uint32 words from counter (c0, c1, c2, c3) and key (k0, k1), given as uint64 below 2**32; ten rounds."""
    for _ in range(ROUNDS):
        p, q = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (q >> _32) ^ c1 ^ k0, q & _LOW_32, (p >> _32) ^ c3 ^ k1, p & _LOW_32
        k0, k1 = (k0 + WEYL_0) & _LOW_32, (k1 + WEYL_1) & _LOW_32
    return np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


def block(b, stream, key):
    """The four words of block b (uint64) of a stream."""
    return philox4x32(b & _LOW_32, b >> _32, _0, stream, np.uint64(key[0]), np.uint64(key[1]))


# ---------------------------------------------------------------------------------------------- words to numbers
# Those of one word are loaded for float32, those of two for float64, and so are the functions that both call.


def uniform_of_word(w):
    """float32 in [0, 1), a multiple of 2**-24."""
    return np.float32(np.int32(w >> _8)) * _PER_24


def uniform_of_words(high, low):
    """float64 in [0, 1), a multiple of 2**-53."""
    return float64_of(bits_53(high, low)) * _PER_53


def bits_53(high, low):
    """The 53 leading bits of two words, as uint64."""
    return (np.uint64(high) << _21) | (np.uint64(low) >> _11)


def float64_of(bits):
    """float64 of a uint64 below 2**63; the signed conversion is the one that vectorises."""
    return np.float64(np.int64(bits))


def centre_of_word(w):
    """float64 in (0, 1): (w + 1/2) / 2**32."""
    return (float64_of(np.uint64(w)) + HALF) * _PER_32


def centre_of_words(high, low):
    """float64 in (0, 1): (52 bits + 1/2) / 2**52, one bit fewer than the type has so that nothing rounds to 1."""
    return (float64_of(bits_53(high, low) >> _1) + HALF) * _PER_52


def normal_of_word(w):
    """The normal quantile of (w + 1/2) / 2**32, taken in the nearer tail: no rounding to 1, both tails equally fine."""
    bits = np.uint64(w)
    upper = bits > _LOW_31
    near = bits ^ _LOW_32 if upper else bits
    x = normal_quantile((np.float32(np.int32(near)) + HALF) * _PER_32)
    return -x if upper else x


def normal_of_words(high, low):
    """The normal quantile of (53 bits + 1/2) / 2**53, taken in the nearer tail."""
    bits = bits_53(high, low)
    upper = bits > _LOW_52
    near = (bits ^ _LOW_52) & _LOW_52 if upper else bits
    x = normal_quantile((float64_of(near) + HALF) * _PER_53)
    return -x if upper else x


def truncated_quantile(u, lower, upper, low, high):
    """The normal quantile of lower + (upper - lower) u, clipped to [low, high] against rounding."""
    x = normal_quantile(lower + (upper - lower) * u)
    return low if x < low else (high if x > high else x)
