"""The second stage of attention whose keys were the work of several blocks: outputs of parts of the keys as one.

``O = sum over parts of exp(L[part] - L) O[part]`` with ``L = log sum over parts of exp(L[part])``, in their order.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.attention_operands import BATCH, HEADS, QUERIES, VALUE_DEPTH, row_of, shift_of
from fnet.kernels.cuda.runtime.kernel import cuda, kernel
from fnet.kernels.cuda.scalars import exp, log

_0, _INF = np.float32(0), np.float32(np.inf)


@kernel(threads=256)
def merge_parts(partial, logsums, o, logsum, layout, parts):
    """A warp a query of a head; partial: (parts, B, T, H, E), logsums: (parts, B, H, T) -> o, logsum without parts."""
    row = cuda.blockIdx.x * cuda.blockDim.y + cuda.threadIdx.y
    queries, columns = layout[QUERIES], layout[VALUE_DEPTH]
    rows = layout[BATCH] * layout[HEADS] * queries
    if row < rows:
        top = np.float32(-_INF)
        for part in range(parts):
            size = logsums[part * rows + row]
            top = size if size > top or size != size else top
        shift, total = shift_of(top), _0
        for part in range(parts):
            total += exp(logsums[part * rows + row] - shift)
        size = shift + log(total)
        first = row_of(row // queries, row % queries, queries, layout) * columns
        column = cuda.threadIdx.x
        while column < columns:
            value = _0
            for part in range(parts):
                weight = exp(logsums[part * rows + row] - shift_of(size))
                value += weight * partial[part * rows * columns + first + column]
            o[first + column] = value
            column += cuda.blockDim.x
        if cuda.threadIdx.x == 0:
            logsum[row] = size
