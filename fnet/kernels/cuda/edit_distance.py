"""The edit distance of sequences of labels (Levenshtein 1966, by the algorithm of Wagner and Fischer 1974).

A warp takes a pair of sequences and goes through the table row by row, 32 elements of a row at a time. What an element
has from its left neighbour is a minimum over all to its left, each with as many insertions as it lies away.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, WARP, row_of_thread

THREADS = 256


def scratch_size(batch: int, width: int) -> int:
    """How many integers of scratch memory `edit_distance` needs for second sequences of `width` elements."""
    return batch * (2 * width + 1)


@device_function
def _gather_labels(b, start, width, scratch, row):
    """Write the labels of a sequence, without padding, behind its row, whose element j becomes j; returns how many."""
    labels, count, lane = row + width + 1, 0, cuda.threadIdx.x
    base = 0
    while base < width:
        j = base + lane
        label = np.int64(-1)
        if j < width:
            label = b[start + j]
        votes = np.uint32(cuda.ballot_sync(ALL, label >= 0))
        if label >= 0:
            before = np.uint32(votes & np.uint32((np.uint64(1) << np.uint64(lane)) - np.uint64(1)))
            scratch[labels + count + cuda.popc(before)] = label
        count += cuda.popc(votes)
        base += WARP
    j = lane
    while j <= count:
        scratch[row + j] = j
        j += WARP
    cuda.syncwarp()
    return count


@device_function
def _advance(scratch, row, labels, count, label):
    """Replace the row by the next one, for a label of the first sequence."""
    lane = cuda.threadIdx.x
    corner = scratch[row]
    best = corner + 2  # the least of element j - j, to the left of j
    cuda.syncwarp()
    if lane == 0:
        scratch[row] = corner + 1
    base = 0
    while base < count:
        j = base + lane
        above, value = corner, corner + WARP + 2 * count
        if j < count:
            above = scratch[row + j + 1]
        diagonal = cuda.shfl_up_sync(ALL, above, 1)
        if lane == 0:
            diagonal = corner
        if j < count:
            value = min(above + 1, diagonal + (1 if scratch[labels + j] != label else 0)) - j
        corner = cuda.shfl_sync(ALL, above, WARP - 1)
        step = 1
        while step < WARP:
            other = cuda.shfl_up_sync(ALL, value, step)
            if lane >= step:
                value = min(value, other)
            step <<= 1
        value = min(value, best)
        if j < count:
            scratch[row + j + 1] = value + j
        best = cuda.shfl_sync(ALL, value, WARP - 1)
        base += WARP
    cuda.syncwarp()


@kernel(threads=THREADS)
def edit_distance(a, b, distances, scratch, batch, a_width, b_width):
    """The fewest insertions, deletions and replacements that turn a row of `a` into that of `b`, padded below 0."""
    sample = row_of_thread()
    if sample < batch:
        row = sample * (2 * b_width + 1)
        count = _gather_labels(b, sample * b_width, b_width, scratch, row)
        for i in range(a_width):
            label = a[sample * a_width + i]
            if label >= 0:
                _advance(scratch, row, row + b_width + 1, count, label)
        if cuda.threadIdx.x == 0:
            distances[sample] = scratch[row + count]
