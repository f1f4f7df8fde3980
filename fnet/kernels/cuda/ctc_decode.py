"""Labels from the log-probabilities of frames: the best path, or a beam of the most probable labellings.

The beam search (Graves and Jaitly 2014, Hannun et al. 2014) is that of the CPU, with its results. A block takes a
sample. Labellings are nodes of a tree: a node adds one label to its parent. Of each labelling in the beam the
log-probabilities are known of all paths so far that end in a blank, and of those that end in its last label. A frame
has phases with barriers between: the beam's own labellings, the score of every candidate, the best of them one by one,
the nodes of those that are new.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import ALL, WARP, WARPS, row_of_thread, warp_sum
from fnet.kernels.cuda.scalars import logaddexp
from fnet.kernels.sizes import Sizes

THREADS = 256
_NONE, _NAN = -1, np.float64(np.nan)
_NEVER = np.float64(-np.inf)

# Integers of a node: its parent, its label, its first child, its next sibling, its place in the beam.
_PARENT, _LABEL, _CHILD, _SIBLING, _PLACE, _FIELDS = range(6)
BATCH, FRAMES, CLASSES, WIDTH, PATHS, BLANK = BEAM_SIZES = Sizes("batch frames classes width paths blank")


def beam_scratch(frames: int, classes: int, width: int) -> tuple[int, int]:
    """How many integers and how many float64 numbers of scratch memory the beam search of one sample needs."""
    return _FIELDS * (1 + frames * width) + 3 * width, 5 * width + width * (classes + 1)


# -------------------------------------------------------------------------------------------------- best path


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


# -------------------------------------------------------------------------------------------------------- beam


@device_function
def _comes_first(score, candidate, other_score, other):
    """Whether a candidate comes before another one: the larger score, then the smaller number; -1 is none."""
    if candidate < 0 or other < 0:
        return other < 0
    return score > other_score or (score == other_score and candidate < other)


@device_function
def _best_of_thread(numbers, scores, candidates):
    """The best of every so many candidates, or -1, and its score; scores: where they begin."""
    best, score = np.int64(_NONE), _NEVER
    i = cuda.threadIdx.x
    while i < candidates:
        if numbers[scores + i] > score:
            best, score = np.int64(i), numbers[scores + i]
        i += cuda.blockDim.x
    return best, score


@device_function
def _best_of_block(best, score, shared, shared_scores):
    """The best of what the threads of a block have; all of them must come."""
    step = WARP // 2
    while step > 0:
        other, other_score = cuda.shfl_xor_sync(ALL, best, step), cuda.shfl_xor_sync(ALL, score, step)
        if _comes_first(other_score, other, score, best):
            best, score = other, other_score
        step >>= 1
    if cuda.blockDim.x > WARP:
        if cuda.threadIdx.x % WARP == 0:
            shared[cuda.threadIdx.x // WARP], shared_scores[cuda.threadIdx.x // WARP] = best, score
        cuda.syncthreads()
        for warp in range(cuda.blockDim.x // WARP):
            if _comes_first(shared_scores[warp], shared[warp], score, best):
                best, score = shared[warp], shared_scores[warp]
        cuda.syncthreads()
    return best, score


@device_function
def _is_number(logp, first, length, classes):
    """Whether no log-probability of a sample is NaN, for all threads of its block."""
    wrong = 0
    i = cuda.threadIdx.x
    while i < length * classes:
        if logp[first + i] != logp[first + i]:
            wrong = 1
        i += cuda.blockDim.x
    return not cuda.syncthreads_or(wrong)


@device_function
def _make_node(nodes, node, parent, label):
    """Write the fields of a node; node, parent: where they begin."""
    nodes[node + _PARENT], nodes[node + _LABEL], nodes[node + _CHILD] = parent, label, _NONE
    nodes[node + _SIBLING], nodes[node + _PLACE] = _NONE, _NONE


@device_function
def _extend(logp, frame, nodes, beam, numbers, blanks, repeats, scores, count, classes, blank):
    """The scores of labellings with one label more than those of the beam, which get their places."""
    i = cuda.threadIdx.x
    while i < count * (classes + 1):
        b = i // (classes + 1)
        label = i - b * (classes + 1) - 1
        if label == _NONE:
            nodes[nodes[beam + b] + _PLACE] = b
        elif label == blank:
            numbers[scores + i] = _NEVER
        elif label == nodes[nodes[beam + b] + _LABEL]:
            numbers[scores + i] = numbers[blanks + b] + logp[frame + label]
        else:
            numbers[scores + i] = logaddexp(numbers[blanks + b], numbers[repeats + b]) + logp[frame + label]
        i += cuda.blockDim.x


@device_function
def _stay(logp, frame, nodes, beam, numbers, blanks, repeats, stay, scores, count, classes, width, blank):
    """The log-probabilities of the beam's own labellings after a frame, in which the last label may also be new.

    Extensions that are in the beam themselves are no candidates: their scores become -inf. stay: of those that end in
    a blank, and `width` behind it of those that end in their last label.
    """
    b = cuda.threadIdx.x
    while b < count:
        node = nodes[beam + b]
        label = nodes[node + _LABEL]
        ends, again = logaddexp(numbers[blanks + b], numbers[repeats + b]) + logp[frame + blank], _NEVER
        if label != _NONE:
            again, parent = numbers[repeats + b], nodes[node + _PARENT]
            place = nodes[parent + _PLACE]
            if place != _NONE:
                numbers[scores + place * (classes + 1) + 1 + label] = _NEVER
                before = numbers[blanks + place]
                if nodes[parent + _LABEL] != label:
                    before = logaddexp(before, numbers[repeats + place])
                again = logaddexp(again, before)
            again += logp[frame + label]
        numbers[stay + b], numbers[stay + width + b] = ends, again
        numbers[scores + b * (classes + 1)] = logaddexp(ends, again)
        b += cuda.blockDim.x


@device_function
def _choose(nodes, chosen, numbers, totals, scores, candidates, width, shared, shared_scores):
    """Write the best candidates and their scores, in order; returns how many there are, to all threads.

    A thread has a share of the candidates, and looks for its next one when its best has been taken.
    """
    best, score = _best_of_thread(numbers, scores, candidates)
    count = np.int64(0)
    while count < width:
        first, total = _best_of_block(best, score, shared, shared_scores)
        if first < 0:
            break
        if first == best:
            nodes[chosen + count], numbers[totals + count] = first, total
            numbers[scores + first] = _NEVER
            best, score = _best_of_thread(numbers, scores, candidates)
        count += 1
    return count


@device_function
def _replace(nodes, beam, following, chosen, numbers, blanks, repeats, stay, totals, count, classes, width, fresh):
    """The nodes and log-probabilities of the chosen labellings; a new node has its place in memory from `fresh` on."""
    k = cuda.threadIdx.x
    while k < count:
        b = nodes[chosen + k] // (classes + 1)
        label, node = nodes[chosen + k] - b * (classes + 1) - 1, nodes[beam + b]
        if label == _NONE:
            numbers[blanks + k], numbers[repeats + k] = numbers[stay + b], numbers[stay + width + b]
        else:
            numbers[blanks + k], numbers[repeats + k] = _NEVER, numbers[totals + k]
            parent, node = node, nodes[node + _CHILD]
            while node != _NONE and nodes[node + _LABEL] != label:
                node = nodes[node + _SIBLING]
            if node == _NONE:
                node = fresh + k * _FIELDS
                _make_node(nodes, node, parent, label)
        nodes[following + k] = node
        k += cuda.blockDim.x


@device_function
def _adopt(nodes, beam, following, chosen, count, before, classes, fresh):
    """Every labelling that was in the beam takes its new nodes among its children, and gives up its place."""
    b = cuda.threadIdx.x
    while b < before:
        parent = nodes[beam + b]
        nodes[parent + _PLACE] = _NONE
        for k in range(count):
            node = nodes[following + k]
            if node == fresh + k * _FIELDS and nodes[chosen + k] // (classes + 1) == b:
                nodes[node + _SIBLING] = nodes[parent + _CHILD]
                nodes[parent + _CHILD] = node
        b += cuda.blockDim.x


@device_function
def _write_labels(nodes, node, labels, first, frames):
    """The labels from the root to a node, then -1."""
    count, walk = np.int64(0), node
    while nodes[walk + _LABEL] != _NONE:
        count, walk = count + 1, nodes[walk + _PARENT]
    for k in range(count, frames):
        labels[first + k] = _NONE
    while count > 0:
        count -= 1
        labels[first + count], node = nodes[node + _LABEL], nodes[node + _PARENT]


@kernel(threads=THREADS)
def beam_search(logp, lengths, labels, scores, nodes, numbers, sizes):
    """The `paths` most probable labellings of each sample among `width` that are followed.

    sizes: `BEAM_SIZES`. labels: (paths, batch, frames), -1 behind the last label; scores: (batch, paths), -inf where
    there are no more, NaN where a log-probability is NaN. nodes, numbers: (batch, `beam_scratch`).
    """
    shared, shared_scores = cuda.shared.array(WARPS, np.int64), cuda.shared.array(WARPS, np.float64)
    frames, classes, width, blank = sizes[FRAMES], sizes[CLASSES], sizes[WIDTH], sizes[BLANK]
    sample, length, candidates = cuda.blockIdx.x, lengths[cuda.blockIdx.x], width * (classes + 1)
    root = sample * (_FIELDS * (1 + frames * width) + 3 * width)
    beam = root + _FIELDS * (1 + frames * width)
    following, chosen = beam + width, beam + 2 * width
    blanks = sample * (5 * width + candidates)
    repeats, stay, totals, offers = blanks + width, blanks + 2 * width, blanks + 4 * width, blanks + 5 * width
    usable = length >= 0 and length <= frames
    length = length if usable else np.int64(0)
    usable = _is_number(logp, sample * frames * classes, length, classes) and usable
    length = length if usable else np.int64(0)
    if cuda.threadIdx.x == 0:
        _make_node(nodes, root, _NONE, _NONE)
        nodes[beam], numbers[blanks], numbers[repeats] = root, np.float64(0), _NEVER
    count = np.int64(1)
    cuda.syncthreads()
    for t in range(length):
        frame, fresh, before = (sample * frames + t) * classes, root + _FIELDS * (1 + t * width), count
        _extend(logp, frame, nodes, beam, numbers, blanks, repeats, offers, count, classes, blank)
        cuda.syncthreads()
        _stay(logp, frame, nodes, beam, numbers, blanks, repeats, stay, offers, count, classes, width, blank)
        cuda.syncthreads()
        count = _choose(nodes, chosen, numbers, totals, offers, count * (classes + 1), width, shared, shared_scores)
        cuda.syncthreads()
        _replace(nodes, beam, following, chosen, numbers, blanks, repeats, stay, totals, count, classes, width, fresh)
        cuda.syncthreads()
        _adopt(nodes, beam, following, chosen, count, before, classes, fresh)
        cuda.syncthreads()
        beam, following = following, beam
    p = cuda.threadIdx.x
    while p < sizes[PATHS]:
        known, at = usable and p < count, sample * sizes[PATHS] + p
        scores[at] = _NEVER if usable else _NAN
        if known:
            scores[at] = logaddexp(numbers[blanks + p], numbers[repeats + p])
        _write_labels(nodes, nodes[beam + p] if known else root, labels, (p * sizes[BATCH] + sample) * frames, frames)
        p += cuda.blockDim.x
