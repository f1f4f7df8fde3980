"""The edit distance of sequences of labels (Levenshtein 1966, by the algorithm of Wagner and Fischer 1974)."""

from __future__ import annotations

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel


def scratch_size(batch: int, width: int) -> int:
    """How many integers of scratch memory `edit_distance` needs for second sequences of `width` elements."""
    return batch * (2 * width + 1)


@kernel
def _of_sample(sample, a, b, distances, scratch, a_width, b_width):
    a, b = at(a, sample * a_width), at(b, sample * b_width)
    row = at(scratch, sample * (2 * b_width + 1))  # row[j]: from what was read of a to the first j labels of b
    labels, count = at(row, b_width + 1), 0
    row[0] = 0
    for j in range(b_width):
        if b[j] >= 0:
            labels[count] = b[j]
            count += 1
            row[count] = count
    for i in range(a_width):
        if a[i] < 0:
            continue
        diagonal = row[0]
        row[0] += 1
        for j in range(count):
            above = row[j + 1]
            row[j + 1] = min(min(above, row[j]) + 1, diagonal + (1 if a[i] != labels[j] else 0))
            diagonal = above
    distances[sample] = row[count]


@kernel
def edit_distance(a, b, distances, scratch, batch, a_width, b_width):
    """The fewest insertions, deletions and replacements that turn a row of `a` into that of `b`, padded below 0."""
    threads = threads_for(batch * (10 + 2 * a_width * b_width))
    parallel_for(_of_sample, batch, threads, a, b, distances, scratch, a_width, b_width)
