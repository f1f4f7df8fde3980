"""The second stage of sums that several blocks have made in parts, in a fixed order."""

from __future__ import annotations

from fnet.kernels.cuda.activation import activated
from fnet.kernels.cuda.runtime.access import is_aligned
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.quads import load, store


@device_function
def _finished(value, added, i, columns, act):
    """The activation of a sum, with the bias of its column where there is one."""
    return activated(value + added[i % columns] if columns > 0 else value, act)


@kernel(threads=256)
def sum_parts(partial, added, total, parts, n, columns, act):
    """``total[i] = act(sum over parts of partial[part, i] + added[i mod columns])``.

    n: elements of each part; columns: 0 where there is no bias; act: see `fnet.activation_codes`.
    """
    even = n & 3 == 0 and is_aligned(partial) and is_aligned(total)
    width = 4 if even else 1
    i = cuda.grid(1) * width
    while i < n:
        a, b, c, d = load(partial, i, even)
        for part in range(1, parts):
            more = load(partial, part * n + i, even)
            a, b, c, d = a + more[0], b + more[1], c + more[2], d + more[3]
        last = i + width - 1
        four = (
            _finished(a, added, i, columns, act),
            _finished(b, added, min(i + 1, last), columns, act),
            _finished(c, added, min(i + 2, last), columns, act),
            _finished(d, added, last, columns, act),
        )
        store(total, i, four, even)
        i += cuda.gridsize(1) * width
