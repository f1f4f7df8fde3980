"""Random numbers as a pure function of (key, position): Philox4x32-10 and the distributions made from its words.

Word i of a key's stream is word i % 4 of the cipher at counter (i // 4, stream): any part of a stream can be computed
alone, in any order, on any number of threads, on either device. `uniform`, `normal` and dropout read the stream
that `random_bits` shows; `split` and `fold_in` read streams of their own, counters that no drawn number uses.

Every kernel takes ``key: (2,) uint32``.
Source: J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.policy import kernel, scalar
from fnet.kernels.quantile import normal_quantile_f32, normal_quantile_f64

ROUNDS = 10
STREAM_BITS, STREAM_SPLIT, STREAM_FOLD = np.uint64(0), np.uint64(1), np.uint64(2)

# Unsigned 64-bit throughout: mixing in a signed integer would make Numba compute in float64.
_0, _1, _2, _3, _11, _21, _31, _32 = (np.uint64(v) for v in (0, 1, 2, 3, 11, 21, 31, 32))
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
_LOW_32, _LOW_31, _LOW_52 = np.uint64(0xFFFFFFFF), np.uint64(0x7FFFFFFF), np.uint64((1 << 52) - 1)

_8 = np.uint32(8)
_HALF = np.float32(0.5)
_PER_24, _PER_32 = np.float32(2.0**-24), np.float32(2.0**-32)
_PER_32_F64, _PER_52, _PER_53 = 2.0**-32, 2.0**-52, 2.0**-53


# --------------------------------------------------------------------------------------------------- the cipher


@scalar
def philox4x32(c0, c1, c2, c3, k0, k1):
    """Four uint32 words from counter (c0, c1, c2, c3) and key (k0, k1), given as uint64 below 2**32; ten rounds."""
    for _ in range(ROUNDS):
        p, q = MULTIPLIER_0 * c0, MULTIPLIER_1 * c2
        c0, c1, c2, c3 = (q >> _32) ^ c1 ^ k0, q & _LOW_32, (p >> _32) ^ c3 ^ k1, p & _LOW_32
        k0, k1 = (k0 + WEYL_0) & _LOW_32, (k1 + WEYL_1) & _LOW_32
    return np.uint32(c0), np.uint32(c1), np.uint32(c2), np.uint32(c3)


@scalar
def block(b, stream, key):
    """The four words of block b (uint64) of a stream."""
    return philox4x32(b & _LOW_32, b >> _32, _0, stream, np.uint64(key[0]), np.uint64(key[1]))


# ---------------------------------------------------------------------------------------------- words to numbers


@scalar
def uniform_of_word(w):
    """float32 in [0, 1), a multiple of 2**-24."""
    return np.float32(np.int32(w >> _8)) * _PER_24


@scalar
def bits_53(high, low):
    """The 53 leading bits of two words, as uint64."""
    return (np.uint64(high) << _21) | (np.uint64(low) >> _11)


@scalar
def float64_of(bits):
    """float64 of a uint64 below 2**63; the signed conversion is the one that vectorises."""
    return np.float64(np.int64(bits))


@scalar
def centre_of_word(w):
    """float64 in (0, 1): (w + 1/2) / 2**32."""
    return (float64_of(np.uint64(w)) + 0.5) * _PER_32_F64


@scalar
def centre_of_words(high, low):
    """float64 in (0, 1): (52 bits + 1/2) / 2**52, one bit fewer than the type has so that nothing rounds to 1."""
    return (float64_of(bits_53(high, low) >> _1) + 0.5) * _PER_52


@scalar
def normal_of_word(w):
    """The normal quantile of (w + 1/2) / 2**32, taken in the nearer tail: no rounding to 1, both tails equally fine."""
    bits = np.uint64(w)
    upper = bits > _LOW_31
    near = bits ^ _LOW_32 if upper else bits
    x = normal_quantile_f32((np.float32(np.int32(near)) + _HALF) * _PER_32)
    return -x if upper else x


@scalar
def normal_of_words(high, low):
    """The normal quantile of (53 bits + 1/2) / 2**53, taken in the nearer tail."""
    bits = bits_53(high, low)
    upper = bits > _LOW_52
    near = (bits ^ _LOW_52) & _LOW_52 if upper else bits
    x = normal_quantile_f64((float64_of(near) + 0.5) * _PER_53)
    return -x if upper else x


@scalar
def truncated_quantile(u, lower, upper, low, high):
    """The normal quantile of lower + (upper - lower) u, clipped to [low, high] against rounding."""
    x = normal_quantile_f64(lower + (upper - lower) * u)
    return low if x < low else (high if x > high else x)


# ------------------------------------------------------------------------------------------------------- kernels
# Each runs over whole blocks, which vectorises, then over the words of the last one.


@kernel
def random_bits(key, out, n):
    """``out: (n,) uint32``: the words of the key's stream."""
    n = np.uint64(n)
    blocks = n >> _2
    for b in range(blocks):
        w = block(b, STREAM_BITS, key)
        i = b << _2
        out[i] = w[0]
        out[i + _1] = w[1]
        out[i + _2] = w[2]
        out[i + _3] = w[3]
    for i in range(blocks << _2, n):
        out[i] = block(blocks, STREAM_BITS, key)[i & _3]


@kernel
def split(key, out, n):
    """``out: (2n,) uint32``: n child keys, child j from words 0 and 1 of block j."""
    for j in range(np.uint64(n)):
        w = block(j, STREAM_SPLIT, key)
        out[j << _1] = w[0]
        out[(j << _1) + _1] = w[1]


@kernel
def fold_in(key, data, out):
    """``out: (2,) uint32``: the child key of an integer, ``data: (1,)`` of any integer type, taken modulo 2**64."""
    w = block(np.uint64(data[0]), STREAM_FOLD, key)
    out[0] = w[0]
    out[1] = w[1]


@kernel
def uniform_f32(key, out, n):
    """``out: (n,) float32`` in [0, 1): 24 bits of word i."""
    n = np.uint64(n)
    blocks = n >> _2
    for b in range(blocks):
        w = block(b, STREAM_BITS, key)
        i = b << _2
        out[i] = uniform_of_word(w[0])
        out[i + _1] = uniform_of_word(w[1])
        out[i + _2] = uniform_of_word(w[2])
        out[i + _3] = uniform_of_word(w[3])
    for i in range(blocks << _2, n):
        out[i] = uniform_of_word(block(blocks, STREAM_BITS, key)[i & _3])


@kernel
def uniform_f64(key, out, n):
    """``out: (n,) float64`` in [0, 1): 53 bits of words 2i and 2i + 1."""
    n = np.uint64(n)
    blocks = n >> _1
    for b in range(blocks):
        w = block(b, STREAM_BITS, key)
        i = b << _1
        out[i] = float64_of(bits_53(w[0], w[1])) * _PER_53
        out[i + _1] = float64_of(bits_53(w[2], w[3])) * _PER_53
    for i in range(blocks << _1, n):
        w = block(blocks, STREAM_BITS, key)
        out[i] = float64_of(bits_53(w[0], w[1])) * _PER_53


@kernel
def normal_f32(key, out, n):
    """``out: (n,) float32``: standard normal, the quantile of word i."""
    n = np.uint64(n)
    blocks = n >> _2
    for b in range(blocks):
        w = block(b, STREAM_BITS, key)
        i = b << _2
        out[i] = normal_of_word(w[0])
        out[i + _1] = normal_of_word(w[1])
        out[i + _2] = normal_of_word(w[2])
        out[i + _3] = normal_of_word(w[3])
    for i in range(blocks << _2, n):
        out[i] = normal_of_word(block(blocks, STREAM_BITS, key)[i & _3])


@kernel
def normal_f64(key, out, n):
    """``out: (n,) float64``: standard normal, the quantile of words 2i and 2i + 1."""
    n = np.uint64(n)
    blocks = n >> _1
    for b in range(blocks):
        w = block(b, STREAM_BITS, key)
        i = b << _1
        out[i] = normal_of_words(w[0], w[1])
        out[i + _1] = normal_of_words(w[2], w[3])
    for i in range(blocks << _1, n):
        w = block(blocks, STREAM_BITS, key)
        out[i] = normal_of_words(w[0], w[1])


@kernel
def truncated_normal_f32(key, out, n, lower, upper):
    """``out: (n,) float32``: standard normal between two quantiles, ``lower, upper: (1,) float64`` probabilities.

    Computed in float64 from word i.
    """
    p, q = lower[0], upper[0]
    low, high = normal_quantile_f64(p), normal_quantile_f64(q)
    n = np.uint64(n)
    blocks = n >> _2
    for b in range(blocks):
        w = block(b, STREAM_BITS, key)
        i = b << _2
        out[i] = np.float32(truncated_quantile(centre_of_word(w[0]), p, q, low, high))
        out[i + _1] = np.float32(truncated_quantile(centre_of_word(w[1]), p, q, low, high))
        out[i + _2] = np.float32(truncated_quantile(centre_of_word(w[2]), p, q, low, high))
        out[i + _3] = np.float32(truncated_quantile(centre_of_word(w[3]), p, q, low, high))
    for i in range(blocks << _2, n):
        w = block(blocks, STREAM_BITS, key)[i & _3]
        out[i] = np.float32(truncated_quantile(centre_of_word(w), p, q, low, high))


@kernel
def truncated_normal_f64(key, out, n, lower, upper):
    """``out: (n,) float64``: standard normal between two quantiles, ``lower, upper: (1,) float64`` probabilities."""
    p, q = lower[0], upper[0]
    low, high = normal_quantile_f64(p), normal_quantile_f64(q)
    n = np.uint64(n)
    blocks = n >> _1
    for b in range(blocks):
        w = block(b, STREAM_BITS, key)
        i = b << _1
        out[i] = truncated_quantile(centre_of_words(w[0], w[1]), p, q, low, high)
        out[i + _1] = truncated_quantile(centre_of_words(w[2], w[3]), p, q, low, high)
    for i in range(blocks << _1, n):
        w = block(blocks, STREAM_BITS, key)
        out[i] = truncated_quantile(centre_of_words(w[0], w[1]), p, q, low, high)
