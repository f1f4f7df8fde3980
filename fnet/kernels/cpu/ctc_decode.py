"""Labels from the log-probabilities of frames: the best path, or a beam of the most probable labellings.

The beam search (Graves and Jaitly 2014, Hannun et al. 2014) keeps labellings, not paths. They are nodes of a tree: a
node adds one label to its parent. Of each labelling in the beam it knows the log-probability of all paths so far that
end in a blank and of those that end in its last label, for only the former may be followed by that label again.
Ties are broken towards the better labelling so far, then the smaller label.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.scalars import logaddexp_f64
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel, scalar

_NEVER = -np.inf
_NONE = -1
# Integers of a node: its parent, its label, its first child, its next sibling, its place in the beam.
_PARENT, _LABEL, _CHILD, _SIBLING, _PLACE, _FIELDS = range(6)


def scratch_sizes(frames: int, classes: int, width: int) -> tuple[int, int]:
    """How many integers and how many float64 numbers of scratch memory the beam search of one sample needs."""
    return _FIELDS * (1 + frames * width) + 3 * width + width * classes, 5 * width


# -------------------------------------------------------------------------------------------------- best path


@kernel
def greedy(logp, lengths, labels, scores, batch, frames, classes, blank, merge):
    """The most probable label of every frame, repeats merged, blanks removed; -1 behind the last label."""
    for i in range(batch):
        row, out = at(logp, i * frames * classes), at(labels, i * frames)
        count, last, total = 0, blank, 0.0
        usable = 0 <= lengths[i] <= frames
        for t in range(lengths[i] if usable else 0):
            best = 0
            for k in range(classes):
                x = row[t * classes + k]
                if x > row[t * classes + best] or x != x:  # a NaN wins, and shows in the score
                    best = k
            total += row[t * classes + best]
            if best != blank and not (merge and best == last):
                out[count] = best
                count += 1
            last = best
        for k in range(count, frames):
            out[k] = _NONE
        scores[i] = total if usable else np.nan


# -------------------------------------------------------------------------------------------------------- beam


@scalar
def _better(score, candidate, other_score, other):
    """Whether a candidate comes before another one."""
    return score > other_score or (score == other_score and candidate < other)


@kernel
def _sift_down(scores, candidates, count):
    """Restore a heap whose worst candidate is at its root, after the root has changed."""
    i = 0
    while 2 * i + 1 < count:
        child = 2 * i + 1
        if child + 1 < count and _better(scores[child], candidates[child], scores[child + 1], candidates[child + 1]):
            child += 1
        if not _better(scores[i], candidates[i], scores[child], candidates[child]):
            return
        scores[i], scores[child] = scores[child], scores[i]
        candidates[i], candidates[child] = candidates[child], candidates[i]
        i = child


@kernel
def _offer(scores, candidates, count, width, score, candidate):
    """Keep the candidate if it is one of the best `width`; returns how many are kept."""
    if not score > _NEVER:
        return count
    if count == width:
        if _better(score, candidate, scores[0], candidates[0]):
            scores[0], candidates[0] = score, candidate
            _sift_down(scores, candidates, count)
        return count
    i = count
    while i > 0 and _better(scores[(i - 1) // 2], candidates[(i - 1) // 2], score, candidate):
        scores[i], candidates[i] = scores[(i - 1) // 2], candidates[(i - 1) // 2]
        i = (i - 1) // 2
    scores[i], candidates[i] = score, candidate
    return count + 1


@kernel
def _sort(scores, candidates, count):
    """Heap sort, the best first."""
    for last in range(count - 1, 0, -1):
        scores[0], scores[last] = scores[last], scores[0]
        candidates[0], candidates[last] = candidates[last], candidates[0]
        _sift_down(scores, candidates, last)


@kernel
def _child(nodes, parent, label, used):
    """The node that adds `label` to `parent`, number `used` if there is none yet."""
    node = nodes[parent * _FIELDS + _CHILD]
    while node != _NONE:
        if nodes[node * _FIELDS + _LABEL] == label:
            return node
        node = nodes[node * _FIELDS + _SIBLING]
    _make_node(nodes, used, parent, label, nodes[parent * _FIELDS + _CHILD])
    nodes[parent * _FIELDS + _CHILD] = used
    return used


@kernel
def _make_node(nodes, node, parent, label, sibling):
    fields = at(nodes, node * _FIELDS)
    fields[_PARENT], fields[_LABEL], fields[_CHILD], fields[_SIBLING], fields[_PLACE] = (
        parent, label, _NONE, sibling, _NONE,
    )  # fmt: skip


@kernel
def _stay(logp, nodes, beam, blanks, repeats, stay_blank, stay_repeat, grown, count, classes, blank):
    """The log-probabilities of the beam's own labellings after a frame, in which the last label may also be new.

    Marks in `grown` the extensions that are in the beam themselves.
    """
    for b in range(count):
        fields = at(nodes, beam[b] * _FIELDS)
        label = fields[_LABEL]
        stay_blank[b] = logaddexp_f64(blanks[b], repeats[b]) + logp[blank]
        stay_repeat[b] = _NEVER
        if label != _NONE:
            total = repeats[b]
            parent = nodes[fields[_PARENT] * _FIELDS + _PLACE]
            if parent != _NONE:
                grown[parent * classes + label] = 1
                again = nodes[fields[_PARENT] * _FIELDS + _LABEL] == label
                total = logaddexp_f64(
                    total, blanks[parent] if again else logaddexp_f64(blanks[parent], repeats[parent])
                )
            stay_repeat[b] = total + logp[label]


@kernel
def _choose(
    logp, nodes, beam, blanks, repeats, stay_blank, stay_repeat, grown, scores, candidates, count, width, classes, blank
):
    """The best labellings after a frame; candidate b * (classes + 1) stays b, those that follow extend it."""
    chosen = 0
    for b in range(count):
        last, first = nodes[beam[b] * _FIELDS + _LABEL], b * (classes + 1)
        total = logaddexp_f64(blanks[b], repeats[b])
        stays = logaddexp_f64(stay_blank[b], stay_repeat[b])
        chosen = _offer(scores, candidates, chosen, width, stays, first)
        for label in range(classes):
            if label == blank or grown[b * classes + label]:
                grown[b * classes + label] = 0
            else:
                score = (blanks[b] if label == last else total) + logp[label]
                chosen = _offer(scores, candidates, chosen, width, score, first + 1 + label)
    _sort(scores, candidates, chosen)
    return chosen


@kernel
def _replace(
    nodes, beam, following, blanks, repeats, stay_blank, stay_repeat, scores, candidates, chosen, used, classes
):
    """Put the chosen labellings into the beam; returns how many nodes there are."""
    for k in range(chosen):
        b, label = candidates[k] // (classes + 1), candidates[k] % (classes + 1) - 1
        if label == _NONE:
            following[k], blanks[k], repeats[k] = beam[b], stay_blank[b], stay_repeat[b]
        else:
            node = _child(nodes, beam[b], label, used)
            used += node == used
            following[k], blanks[k], repeats[k] = node, _NEVER, scores[k]
    return used


@kernel
def _place(nodes, beam, count, inside):
    """Note in the nodes of the beam where they are, or that they are no longer there."""
    for b in range(count):
        nodes[beam[b] * _FIELDS + _PLACE] = b if inside else _NONE


@kernel
def _write_labels(nodes, node, labels, frames):
    """The labels from the root to a node, then -1."""
    count, walk = 0, node
    while nodes[walk * _FIELDS + _LABEL] != _NONE:
        count, walk = count + 1, nodes[walk * _FIELDS + _PARENT]
    for k in range(count, frames):
        labels[k] = _NONE
    for k in range(count - 1, -1, -1):
        labels[k], node = nodes[node * _FIELDS + _LABEL], nodes[node * _FIELDS + _PARENT]


@kernel
def _search(logp, nodes, numbers, length, frames, classes, width, blank):
    """The beam after the last frame, in order; returns the number of its labellings."""
    beam = at(nodes, _FIELDS * (1 + frames * width))
    following, candidates, grown = at(beam, width), at(beam, 2 * width), at(beam, 3 * width)
    blanks, repeats, stay_blank = numbers, at(numbers, width), at(numbers, 2 * width)
    stay_repeat, scores = at(numbers, 3 * width), at(numbers, 4 * width)
    for k in range(width * classes):
        grown[k] = 0
    _make_node(nodes, 0, _NONE, _NONE, _NONE)
    beam[0], blanks[0], repeats[0] = 0, 0.0, _NEVER
    count, used = 1, 1
    for t in range(length):
        row = at(logp, t * classes)
        _place(nodes, beam, count, True)
        _stay(row, nodes, beam, blanks, repeats, stay_blank, stay_repeat, grown, count, classes, blank)
        chosen = _choose(
            row, nodes, beam, blanks, repeats, stay_blank, stay_repeat, grown, scores, candidates,
            count, width, classes, blank,
        )  # fmt: skip
        used = _replace(
            nodes, beam, following, blanks, repeats, stay_blank, stay_repeat, scores, candidates, chosen, used, classes
        )
        _place(nodes, beam, count, False)
        beam, following, count = following, beam, chosen
    for b in range(count):
        scores[b], candidates[b] = logaddexp_f64(blanks[b], repeats[b]), beam[b]
    return count


@kernel
def _beam_task(
    i, logp, lengths, labels, scores, nodes, numbers, integers, values, batch, frames, classes, width, paths, blank
):
    row, own, value = at(logp, i * frames * classes), at(nodes, i * integers), at(numbers, i * values)
    usable = 0 <= lengths[i] <= frames
    length = lengths[i] if usable else 0
    for k in range(length * classes):
        usable = usable and row[k] == row[k]
    count = _search(row, own, value, length if usable else 0, frames, classes, width, blank)
    found, total = at(own, _FIELDS * (1 + frames * width) + 2 * width), at(value, 4 * width)
    for p in range(paths):
        known = usable and p < count
        scores[i * paths + p] = total[p] if known else (_NEVER if usable else np.nan)
        _write_labels(own, found[p] if known else 0, at(labels, (p * batch + i) * frames), frames)


@kernel
def beam_search(
    logp, lengths, labels, scores, nodes, numbers, integers, values, batch, frames, classes, width, paths, blank
):
    """The `paths` most probable labellings of each sample among `width` that are followed.

    labels: (paths, batch, frames), -1 behind the last label; scores: (batch, paths), -inf where there are no more, NaN
    where a log-probability is NaN. `nodes` and `numbers` are scratch memory, see `scratch_sizes`.
    """
    threads = threads_for(batch * frames * width * classes * 2)
    parallel_for(
        _beam_task, batch, threads,
        at(logp, 0), at(lengths, 0), at(labels, 0), at(scores, 0), at(nodes, 0), at(numbers, 0),
        integers, values, batch, frames, classes, width, paths, blank,
    )  # fmt: skip
