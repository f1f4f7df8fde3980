"""Labels from the log-probabilities of frames: the best path."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, WARP, row_of_thread, warp_sum

THREADS = 256
_NONE, _NAN = -1, np.float64(np.nan)


@device_function
def _best(logp, first, classes):
    """The class with the largest number; the last NaN wins, and shows in the score."""
    best = np.int64(0)
    for k in range(classes):
        x = logp[first + k]
        if x > logp[first + best] or x != x:
            best = np.int64(k)
    return best


@kernel(threads=THREADS)
def greedy(logp, lengths, labels, scores, batch, frames, classes, blank, merge):
    """The most probable label of every frame, repeats merged, blanks removed; -1 behind the last label.

    A warp takes a sample, 32 frames at a time.
    """
    sample, lane = row_of_thread(), cuda.threadIdx.x
    if sample < batch:
        length = lengths[sample]
        usable = length >= 0 and length <= frames
        count, total, before = np.int64(0), np.float64(0), np.int64(blank)
        base = 0
        while usable and base < length:
            t = base + lane
            best = np.int64(blank)
            if t < length:
                first = (sample * frames + t) * classes
                best = _best(logp, first, classes)
                total += np.float64(logp[first + best])
            last = cuda.shfl_up_sync(ALL, best, 1)
            last = before if lane == 0 else last
            kept = best != blank and not (merge and best == last)
            votes = np.uint32(cuda.ballot_sync(ALL, kept))
            if kept:
                left = np.uint32(votes & np.uint32((np.uint64(1) << np.uint64(lane)) - np.uint64(1)))
                labels[sample * frames + count + cuda.popc(left)] = best
            count += cuda.popc(votes)
            before = cuda.shfl_sync(ALL, best, WARP - 1)
            base += WARP
        k = count + lane
        while k < frames:
            labels[sample * frames + k] = _NONE
            k += WARP
        total = warp_sum(total)
        if lane == 0:
            scores[sample] = total if usable else _NAN
