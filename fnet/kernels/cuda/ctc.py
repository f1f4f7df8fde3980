"""Connectionist temporal classification: the probability of a labelling, summed over all its alignments, and gradients.

A block takes a sample, a thread every so many lanes j: blank_j and label_j of the alignment's states, whose recursions
are those of the CPU's kernels, in logarithms and float64. Frames behind a sample's input length have no influence. An
impossible labelling has loss +inf and gradient 0; lengths or labels out of range give NaN and read nothing.

A row of states has ``width + 1`` blanks, then as many labels. Source: Graves et al., Connectionist temporal
classification, 2006.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.runtime.rows import WARPS, row_max, row_of_thread, row_sum
from fnet.kernels.cuda.scalars import exp, log, logaddexp
from fnet.kernels.cuda.softmax import finite_or_zero
from fnet.kernels.sizes import Sizes

THREADS = 256
FRAMES, CLASSES, WIDTH, BLANK, ROWS = SIZES = Sizes("frames classes width blank rows")
_0, _INF, _NAN = np.float64(0), np.float64(np.inf), np.float64(np.nan)


def states_size(rows: int, width: int) -> int:
    """How many numbers so many rows of states have."""
    return rows * 2 * (width + 1)


@kernel(threads=THREADS)
def frame_norms(logits, norms, rows, classes):
    """norms[i] = log(sum(exp(row i))), 0 for a row of nothing but -inf; a warp or a block takes a row."""
    shifts, shared = cuda.shared.array(WARPS, logits.dtype), cuda.shared.array(WARPS, np.float64)
    row = row_of_thread()
    if row < rows:
        first = row * classes
        top, total = logits.dtype.type(-np.float32(_INF)), _0
        k = cuda.threadIdx.x
        while k < classes:
            top = logits[first + k] if logits[first + k] > top else top
            k += cuda.blockDim.x
        shift = np.float64(finite_or_zero(row_max(top, shifts)))
        k = cuda.threadIdx.x
        while k < classes:
            total += exp(np.float64(logits[first + k]) - shift)
            k += cuda.blockDim.x
        total = row_sum(total, shared)
        if cuda.threadIdx.x == 0:
            norms[row] = log(total) + shift if total != _0 else _0


# ------------------------------------------------------------------------------------------------ one sample


@device_function
def _is_usable(labels, norms, length, used, sample, sizes, shared):
    """Whether lengths, labels and logits of a sample are in range, for all threads of its block."""
    wrong = _0
    if length < 0 or length > sizes[WIDTH] or used < 0 or used > sizes[FRAMES]:
        return False
    j = cuda.threadIdx.x
    while j < length:
        label = labels[sample * sizes[WIDTH] + j]
        wrong += _0 if 0 <= label < sizes[CLASSES] else _NAN
        j += cuda.blockDim.x
    t = cuda.threadIdx.x
    while t < used:
        norm = norms[sample * sizes[FRAMES] + t]
        wrong += norm - norm
        t += cuda.blockDim.x
    return row_sum(wrong, shared) == _0


@device_function
def _skips(labels, first, j):
    """Whether label j may follow label j - 1 with no blank between them."""
    return j > 0 and labels[first + j] != labels[first + j - 1]


@device_function
def _sweep(logits, labels, norms, alpha, length, used, sample, sizes):
    """The states before each frame and after the last, in rows of `alpha` by turns; returns the log-probability."""
    section, classes, first = sizes[WIDTH] + 1, sizes[CLASSES], sample * sizes[WIDTH]
    rows = sizes[ROWS]
    start = sample * rows * 2 * section
    j = cuda.threadIdx.x
    while j <= length:
        alpha[start + j], alpha[start + section + j] = _0 if j == 0 else -_INF, -_INF
        j += cuda.blockDim.x
    cuda.syncthreads()
    for t in range(used):
        now, after = start + t % rows * 2 * section, start + (t + 1) % rows * 2 * section
        frame, norm = (sample * sizes[FRAMES] + t) * classes, norms[sample * sizes[FRAMES] + t]
        of_blank = np.float64(logits[frame + sizes[BLANK]]) - norm
        j = cuda.threadIdx.x
        while j <= length:
            blank = alpha[now + j]
            before = alpha[now + section + j - 1] if j > 0 else -_INF
            alpha[after + j] = of_blank + logaddexp(blank, before)
            if j < length:
                state = logaddexp(alpha[now + section + j], blank)
                if _skips(labels, first, j):
                    state = logaddexp(state, before)
                alpha[after + section + j] = np.float64(logits[frame + labels[first + j]]) - norm + state
            j += cuda.blockDim.x
        cuda.syncthreads()
    end = start + used % rows * 2 * section
    total = alpha[end + length]
    return logaddexp(total, alpha[end + section + length - 1]) if length > 0 else total


@device_function
def _loss(total):
    return _INF if total == -_INF else max(_0, -total)


# -------------------------------------------------------------------------------------------------- the batch


@kernel(threads=THREADS)
def ctc_loss(logits, labels, label_lengths, input_lengths, norms, alpha, loss, sizes):
    """loss[i] = -log P(labels | logits) of each sample; norms: of `frame_norms`, alpha: ROWS rows a sample, 2."""
    shared = cuda.shared.array(WARPS, np.float64)
    sample = np.int64(cuda.blockIdx.x)
    length, used, value = label_lengths[sample], input_lengths[sample], _NAN
    if _is_usable(labels, norms, length, used, sample, sizes, shared):
        value = _loss(_sweep(logits, labels, norms, alpha, length, used, sample, sizes))
    if cuda.threadIdx.x == 0:
        loss[sample] = value


@device_function
def _link_equals(labels, links, first, length):
    """links[j] = the next label that equals label j, -1 for none; behind them whether it is the first of its kind."""
    j = cuda.threadIdx.x
    while j < length:
        following = j + 1
        while following < length and labels[first + following] != labels[first + j]:
            following += 1
        links[2 * first + j] = following if following < length else -1
        before = j - 1
        while before >= 0 and labels[first + before] != labels[first + j]:
            before -= 1
        links[2 * first + length + j] = 1 if before < 0 else 0
        j += cuda.blockDim.x
    cuda.syncthreads()


@device_function
def _occupancies(alpha, beta, occupied, after, now, first, length, section, total):
    """Write those of all labels in a frame; returns the sum over the blanks of a thread."""
    blanks = _0
    j = cuda.threadIdx.x
    while j <= length:
        blanks += exp(alpha[after + j] + beta[now + j] - total)
        if j < length:
            occupied[first + j] = exp(alpha[after + section + j] + beta[now + section + j] - total)
        j += cuda.blockDim.x
    return blanks


@device_function
def _retreat(logits, labels, beta, frame, norm, now, before, first, length, section, sizes):
    """The states of the backward pass before a frame from those behind it."""
    of_blank = np.float64(logits[frame + sizes[BLANK]]) - norm
    j = cuda.threadIdx.x
    while j <= length:
        blank, label = of_blank + beta[now + j], -_INF
        if j < length:
            label = np.float64(logits[frame + labels[first + j]]) - norm + beta[now + section + j]
            state = logaddexp(label, of_blank + beta[now + j + 1])
            if j + 1 < length and _skips(labels, first, j + 1):
                following = np.float64(logits[frame + labels[first + j + 1]]) - norm + beta[now + section + j + 1]
                state = logaddexp(state, following)
            beta[before + section + j] = state
        beta[before + j] = logaddexp(blank, label)
        j += cuda.blockDim.x


@device_function
def _fill(x, start, stop, value):
    i = start + cuda.threadIdx.x
    while i < stop:
        x[i] = value
        i += cuda.blockDim.x


@device_function
def _spread(logits, labels, norms, alpha, beta, occupied, links, dlogits, length, used, sample, sizes, total, shared):
    """The backward pass: write the softmax of all frames less their occupancies."""
    section, classes, first = sizes[WIDTH] + 1, sizes[CLASSES], sample * sizes[WIDTH]
    rows, start = sizes[ROWS], sample * 4 * section
    _link_equals(labels, links, first, length)
    j = cuda.threadIdx.x
    while j <= length:
        now = start + used % 2 * 2 * section
        beta[now + j], beta[now + section + j] = _0 if j == length else -_INF, _0 if j == length - 1 else -_INF
        j += cuda.blockDim.x
    cuda.syncthreads()
    for t in range(used - 1, -1, -1):
        now, before = start + (t + 1) % 2 * 2 * section, start + t % 2 * 2 * section
        after = (sample * rows + (t + 1) % rows) * 2 * section
        frame, norm = (sample * sizes[FRAMES] + t) * classes, norms[sample * sizes[FRAMES] + t]
        k = cuda.threadIdx.x
        while k < classes:
            dlogits[frame + k] = exp(np.float64(logits[frame + k]) - norm)
            k += cuda.blockDim.x
        blanks = _occupancies(alpha, beta, occupied, after, now, first, length, section, total)
        blanks = row_sum(blanks, shared)
        cuda.syncthreads()
        j = cuda.threadIdx.x
        while j < length:
            if links[2 * first + length + j] == 1:
                share, place = _0, np.int64(j)
                while place >= 0:
                    share += occupied[first + place]
                    place = links[2 * first + place]
                dlogits[frame + labels[first + j]] -= share
            j += cuda.blockDim.x
        _retreat(logits, labels, beta, frame, norm, now, before, first, length, section, sizes)
        cuda.syncthreads()
        if cuda.threadIdx.x == 0:
            dlogits[frame + sizes[BLANK]] -= blanks


@kernel(threads=THREADS)
def ctc_loss_and_gradient(
    logits, labels, label_lengths, input_lengths, norms, alpha, beta, occupied, links, loss, dlogits, sizes
):
    """The losses of `ctc_loss` and dlogits = softmax - occupancy, the gradient of loss[i] for each sample i.

    alpha has a row of states for each frame and one more, beta two; occupied: (samples, width), links twice that.
    """
    shared = cuda.shared.array(WARPS, np.float64)
    sample = np.int64(cuda.blockIdx.x)
    length, used, value = label_lengths[sample], input_lengths[sample], _NAN
    frame, end = sample * sizes[FRAMES] * sizes[CLASSES], (sample + 1) * sizes[FRAMES] * sizes[CLASSES]
    missing = _NAN
    if length >= 0 and length <= sizes[WIDTH] and used >= 0 and used <= sizes[FRAMES]:
        _fill(dlogits, frame + used * sizes[CLASSES], end, _0)
        end = frame + used * sizes[CLASSES]
    if _is_usable(labels, norms, length, used, sample, sizes, shared):
        total = _sweep(logits, labels, norms, alpha, length, used, sample, sizes)
        value, missing = _loss(total), _0
        if value < _INF:
            _spread(
                logits, labels, norms, alpha, beta, occupied, links, dlogits, length, used, sample, sizes, total, shared
            )
    if not value < _INF:
        _fill(dlogits, frame, end, missing)
    if cuda.threadIdx.x == 0:
        loss[sample] = value
