"""Random words and numbers (`fnet.kernels.scalar.philox`) in arrays, and the children of keys: the CPU's bits.

Every kernel takes ``key: (2,) uint32``. A thread takes a block of the cipher: four words, so four numbers of one word
or two of two.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import (
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
from fnet.kernels.scalar.philox import STREAM_BITS, STREAM_FOLD, STREAM_SPLIT

THREADS = 256


@device_function
def put4(out, i, n, fast, a, b, c, d):
    """Write four neighbours, as many of them as there are; fast: whether out is aligned."""
    if fast and i + 4 <= n:
        store4(out, i, (a, b, c, d))
    else:
        out[i] = a
        if i + 1 < n:
            out[i + 1] = b
        if i + 2 < n:
            out[i + 2] = c
        if i + 3 < n:
            out[i + 3] = d


@device_function
def put2(out, i, n, a, b):
    """Write two neighbours, as many of them as there are."""
    out[i] = a
    if i + 1 < n:
        out[i + 1] = b


@kernel(threads=THREADS)
def random_bits(key, out, n):
    """``out: (n,) uint32``: the words of the key's stream."""
    b, fast = cuda.grid(1), is_aligned(out)
    while 4 * b < n:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        put4(out, 4 * b, n, fast, w0, w1, w2, w3)
        b += cuda.gridsize(1)


@kernel(threads=THREADS)
def split(key, out, n):
    """``out: (2n,) uint32``: n child keys, child j from words 0 and 1 of block j."""
    j = cuda.grid(1)
    while j < n:
        w0, w1, _, _ = block(np.uint64(j), STREAM_SPLIT, key)
        put2(out, 2 * j, 2 * n, w0, w1)
        j += cuda.gridsize(1)


@kernel(threads=THREADS)
def fold_in(key, data, out):
    """``out: (2,) uint32``: the child key of an integer, ``data: (1,)`` of any integer type, taken modulo 2**64."""
    if cuda.grid(1) == 0:
        w0, w1, _, _ = block(np.uint64(data[0]), STREAM_FOLD, key)
        put2(out, 0, 2, w0, w1)


@kernel(threads=THREADS)
def uniform_f32(key, out, n):
    """``out: (n,) float32`` in [0, 1): 24 bits of word i."""
    b, fast = cuda.grid(1), is_aligned(out)
    while 4 * b < n:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        u0, u1 = uniform_of_word_f32(w0), uniform_of_word_f32(w1)
        u2, u3 = uniform_of_word_f32(w2), uniform_of_word_f32(w3)
        put4(out, 4 * b, n, fast, u0, u1, u2, u3)
        b += cuda.gridsize(1)


@kernel(threads=THREADS)
def uniform_f64(key, out, n):
    """``out: (n,) float64`` in [0, 1): 53 bits of words 2i and 2i + 1."""
    b = cuda.grid(1)
    while 2 * b < n:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        put2(out, 2 * b, n, uniform_of_words_f64(w0, w1), uniform_of_words_f64(w2, w3))
        b += cuda.gridsize(1)


@kernel(threads=THREADS)
def normal_f32(key, out, n):
    """``out: (n,) float32``: standard normal, the quantile of word i."""
    b, fast = cuda.grid(1), is_aligned(out)
    while 4 * b < n:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        x0, x1 = normal_of_word_f32(w0), normal_of_word_f32(w1)
        x2, x3 = normal_of_word_f32(w2), normal_of_word_f32(w3)
        put4(out, 4 * b, n, fast, x0, x1, x2, x3)
        b += cuda.gridsize(1)


@kernel(threads=THREADS)
def normal_f64(key, out, n):
    """``out: (n,) float64``: standard normal, the quantile of words 2i and 2i + 1."""
    b = cuda.grid(1)
    while 2 * b < n:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        put2(out, 2 * b, n, normal_of_words_f64(w0, w1), normal_of_words_f64(w2, w3))
        b += cuda.gridsize(1)


@kernel(threads=THREADS)
def truncated_normal_f32(key, out, n, lower, upper):
    """``out: (n,) float32``: standard normal between two quantiles, ``lower, upper: (1,) float64`` probabilities.

    Computed in float64 from word i.
    """
    p, q = lower[0], upper[0]
    low, high = normal_quantile_f64(p), normal_quantile_f64(q)
    i = cuda.grid(1)
    while i < n:
        w0, w1, w2, w3 = block(np.uint64(i // 4), STREAM_BITS, key)
        even, odd = (w0 if i % 4 == 0 else w2), (w1 if i % 4 == 1 else w3)
        word = even if i % 2 == 0 else odd
        out[i] = np.float32(truncated_quantile_f64(centre_of_word_f64(word), p, q, low, high))
        i += cuda.gridsize(1)


@kernel(threads=THREADS)
def truncated_normal_f64(key, out, n, lower, upper):
    """``out: (n,) float64``: standard normal between two quantiles, ``lower, upper: (1,) float64`` probabilities."""
    p, q = lower[0], upper[0]
    low, high = normal_quantile_f64(p), normal_quantile_f64(q)
    i = cuda.grid(1)
    while i < n:
        w0, w1, w2, w3 = block(np.uint64(i // 2), STREAM_BITS, key)
        centre = centre_of_words_f64(w0, w1) if i % 2 == 0 else centre_of_words_f64(w2, w3)
        out[i] = truncated_quantile_f64(centre, p, q, low, high)
        i += cuda.gridsize(1)
