"""Dropout by the words of a key's Philox stream: the CPU's mask, bit for bit."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.access import is_aligned, load4, store4
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import block, ceil_f32
from fnet.kernels.scalar.philox import STREAM_BITS

_ZERO, _ONE, _LEVELS, _8 = np.float32(0), np.float32(1), np.float32(2.0**24), np.uint32(8)


@kernel(threads=256)
def dropout(x, key, rate, y, n):
    """``y[i] = x[i] / (1 - rate)`` where the key's float32 uniform i is at least rate, else exactly 0.

    ``x, y: (n,)`` and ``rate: (1,)`` have one dtype, ``key: (2,) uint32``. A thread takes the four elements of a block
    of the cipher.
    """
    limit = np.int64(ceil_f32(np.float32(rate[0]) * _LEVELS))
    scale = _ONE / (_ONE - rate[0])
    fast = is_aligned(x) and is_aligned(y)
    b = cuda.grid(1)
    while b < (n + 3) // 4:
        w0, w1, w2, w3 = block(np.uint64(b), STREAM_BITS, key)
        i = 4 * b
        if fast and i + 4 <= n:
            x0, x1, x2, x3 = load4(x, i)
            y0, y1 = _kept(x0, w0, limit, scale), _kept(x1, w1, limit, scale)
            y2, y3 = _kept(x2, w2, limit, scale), _kept(x3, w3, limit, scale)
            store4(y, i, (y0, y1, y2, y3))
        else:
            y[i] = _kept(x[i], w0, limit, scale)
            if i + 1 < n:
                y[i + 1] = _kept(x[i + 1], w1, limit, scale)
            if i + 2 < n:
                y[i + 2] = _kept(x[i + 2], w2, limit, scale)
            if i + 3 < n:
                y[i + 3] = _kept(x[i + 3], w3, limit, scale)
        b += cuda.gridsize(1)


@device_function
def _kept(x, word, limit, scale):
    return x * scale if np.int64(np.uint32(word) >> _8) >= limit else type(x)(_ZERO)
