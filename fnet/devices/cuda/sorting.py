"""A stable sort of positions by small integers, as calls of `fnet.kernels.cuda.sort`."""

from __future__ import annotations

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import spread
from fnet.kernels import cuda

ROUNDS = 8  # keys of a thread
_INTEGER = np.dtype(np.int32)


def emit_sort(index: Ref, size: int, emit: Emitter) -> tuple[Ref, Ref]:
    """The rows of a table of `size` rows that an index means, sorted, and at which positions they are.

    Both int32, in scratch memory; `size` stands for an index outside of the table.
    """
    count, threads = index.size, cuda.sort.THREADS
    tiles = -(-count // (threads * ROUNDS))
    keys, order, other_keys, other_order = (emit.scratch(count, _INTEGER) for _ in range(4))
    counts = emit.scratch(cuda.sort.DIGITS * tiles, _INTEGER)
    emit.call(cuda.sort.keys_of_index[spread(count)], index, keys, count, size)
    for shift in range(0, max(1, size.bit_length()), cuda.sort.BITS):
        emit.call(cuda.sort.count_digits[tiles, threads], keys, counts, count, shift, ROUNDS)
        emit.call(cuda.sort.add_up_counts[1, threads], counts, counts.size)
        placing, arrays = cuda.sort.place_digits[tiles, threads], (keys, order, counts, other_keys, other_order)
        emit.call(placing, *arrays, count, shift, ROUNDS)
        keys, order, other_keys, other_order = other_keys, other_order, keys, order
    return keys, order
