"""Random words and numbers (`fnet.kernels.scalar.philox`) in arrays, and the children of keys.

Every kernel takes ``key: (2,) uint32``. Numbers are computed in two passes: the words of the stream are written into
the memory of the numbers, then each number takes the place of its own. Both loops vectorise.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.runtime.views import view_u4, view_u8
from fnet.kernels.cpu.scalars import (
    block,
    centre_of_word_f64,
    centre_of_words_f64,
    normal_of_word_f32,
    normal_of_words_f64,
    normal_quantile_f64,
    truncated_quantile_f64,
    uniform_of_word_f32,
    uniform_of_words_f64,
)
from fnet.kernels.cpu.vector.cipher import store_words
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.scalar.philox import STREAM_FOLD, STREAM_SPLIT

_1, _32 = np.uint64(1), np.uint64(32)
_LOW_32 = np.uint64(0xFFFFFFFF)


@kernel
def random_bits(key, out, n):
    """``out: (n,) uint32``: the words of the key's stream."""
    store_words(at(out, 0), 0, n, int(key[0]), int(key[1]))


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
    words = view_u4(out, 0, n)
    store_words(at(out, 0), 0, n, int(key[0]), int(key[1]))
    for i in range(n):
        out[i] = uniform_of_word_f32(words[i])


@kernel
def uniform_f64(key, out, n):
    """``out: (n,) float64`` in [0, 1): 53 bits of words 2i and 2i + 1."""
    pairs = view_u8(out, 0, n)
    store_words(at(out, 0), 0, 2 * n, int(key[0]), int(key[1]))
    for i in range(n):
        out[i] = uniform_of_words_f64(_first(pairs[i]), _second(pairs[i]))


@kernel
def normal_f32(key, out, n):
    """``out: (n,) float32``: standard normal, the quantile of word i."""
    words = view_u4(out, 0, n)
    store_words(at(out, 0), 0, n, int(key[0]), int(key[1]))
    for i in range(n):
        out[i] = normal_of_word_f32(words[i])


@kernel
def normal_f64(key, out, n):
    """``out: (n,) float64``: standard normal, the quantile of words 2i and 2i + 1."""
    pairs = view_u8(out, 0, n)
    store_words(at(out, 0), 0, 2 * n, int(key[0]), int(key[1]))
    for i in range(n):
        out[i] = normal_of_words_f64(_first(pairs[i]), _second(pairs[i]))


@kernel
def truncated_normal_f32(key, out, n, lower, upper):
    """``out: (n,) float32``: standard normal between two quantiles, ``lower, upper: (1,) float64`` probabilities.

    Computed in float64 from word i.
    """
    p, q = lower[0], upper[0]
    low, high = normal_quantile_f64(p), normal_quantile_f64(q)
    words = view_u4(out, 0, n)
    store_words(at(out, 0), 0, n, int(key[0]), int(key[1]))
    for i in range(n):
        out[i] = np.float32(truncated_quantile_f64(centre_of_word_f64(words[i]), p, q, low, high))


@kernel
def truncated_normal_f64(key, out, n, lower, upper):
    """``out: (n,) float64``: standard normal between two quantiles, ``lower, upper: (1,) float64`` probabilities."""
    p, q = lower[0], upper[0]
    low, high = normal_quantile_f64(p), normal_quantile_f64(q)
    pairs = view_u8(out, 0, n)
    store_words(at(out, 0), 0, 2 * n, int(key[0]), int(key[1]))
    for i in range(n):
        centre = centre_of_words_f64(_first(pairs[i]), _second(pairs[i]))
        out[i] = truncated_quantile_f64(centre, p, q, low, high)


@scalar
def _first(pair):
    """The word that lies first in memory, of two that are read as one integer by a little-endian processor."""
    return np.uint32(pair & _LOW_32)


@scalar
def _second(pair):
    return np.uint32(pair >> _32)
