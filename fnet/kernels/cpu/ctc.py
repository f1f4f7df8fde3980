"""Connectionist temporal classification: the probability of a labelling, summed over all its alignments, and gradients.

The states and their recursions are those of `fnet.kernels.cpu.ctc_recursion`. Frames behind a sample's input length
have no influence. An impossible labelling has loss +inf and gradient 0; lengths or labels out of range give NaN and
read nothing. Source: Graves et al., Connectionist temporal classification, 2006.
"""

from __future__ import annotations

import math

import numpy as np

from fnet.kernels.cpu.ctc_recursion import backward, forward
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.scalars import exp, exp_exponent, exp_mantissa, log, log_f64
from fnet.kernels.cpu.softmax import row_shift, row_sum
from fnet.kernels.cpu.vector.scaled import NEVER, POSSIBLE
from fnet.kernels.cpu.vector.simd import at, lanes
from fnet.kernels.policy import kernel

_0, _1, _INF, _NAN = np.float32(0), np.float32(1), np.float32(np.inf), np.float32(np.nan)
_PADDING = 16  # a row of states is padded to whole vectors, which have at most so many lanes
_BLOCK = 1024  # about so many logits are exponentiated at a time
_FRAME_COST = 20  # nanoseconds that a frame takes beside its logits
_LN2 = float(np.log(2))


def scratch_size(frames: int, classes: int, width: int) -> tuple[int, int]:
    """How many elements of scratch memory a sample needs, for `ctc_loss` and for `ctc_loss_and_gradient`."""
    section = width + _PADDING + 1
    return (2 * frames + 5) * section + max(classes, _BLOCK), (6 * frames + 10) * section


# ------------------------------------------------------------------------------------------------ one sample


@kernel
def _readable(labels, label_length, input_length, frames, classes, width):
    """Whether lengths and labels of a sample are in range."""
    readable = 0 <= label_length <= width and 0 <= input_length <= frames
    for j in range(label_length if readable else 0):
        readable = readable and 0 <= labels[j] < classes
    return readable


@kernel
def _clear(row, section):
    """Make all states of a row zero."""
    for part in range(0, 4, 2):
        for j in range(part * section, part * section + section):
            row[j], row[j + section] = _1, NEVER


@kernel
def _allow_skips(labels, skip, length, width):
    """skip[j] = 0 where label j follows another one, `NEVER` elsewhere."""
    for j in range(width + 1):
        skip[j] = _0 if 0 < j < length and labels[j] != labels[j - 1] else NEVER


@kernel
def _exponentials(logits, labels, y, softmax, length, frames, classes, width, blank, step):
    """Fill the table y with e^(x - shift) of labels and blank; returns the sum over frames of log(sum(e^(x - shift))).

    The softmax of frame t goes to t * step; with step 0 its memory is used again for each block of frames.
    """
    logarithms = 0.0
    rows = max(1, _BLOCK // classes)
    for first in range(0, frames, rows):
        last = min(first + rows, frames)
        block = at(softmax, first * step)
        for t in range(first, last):
            _shift_frame(at(logits, t * classes), at(block, (t - first) * classes), classes)
            _gather(at(block, (t - first) * classes), labels, at(y, t * width), length, width)
            y[frames * width + t] = block[(t - first) * classes + blank]
        for k in range((last - first) * classes):
            block[k] = exp(block[k])
        for start in range(0, (last - first) * classes, classes):
            total = row_sum(block, start, start + classes)
            logarithms += log(total)
            if step:
                scale = _1 / total
                for k in range(start, start + classes):
                    block[k] *= scale
    _scale(y, at(y, frames * (width + 1)), frames * (width + 1))
    return logarithms


@kernel
def _shift_frame(x, shifted, classes):
    """shifted = x - max(x)."""
    shift = row_shift(x, 0, classes)
    for k in range(classes):
        shifted[k] = x[k] - shift


@kernel
def _gather(x, labels, y, length, width):
    """y[j] = x[labels[j]], -inf behind the last label."""
    for j in range(length):
        y[j] = x[labels[j]]
    for j in range(length, width):
        y[j] = -_INF


@kernel
def _scale(mantissas, exponents, count):
    """Replace x by e^x as scaled numbers."""
    for i in range(count):
        exponent = exp_exponent(mantissas[i])
        exponents[i] = exponent
        mantissas[i] = exp_mantissa(mantissas[i], exponent)


@kernel
def _sweep(y, alpha, skip, frames, width, length, step):
    """The forward pass; keeps the states before frame t at t * step. Returns mantissa and exponent of the result."""
    section, blanks = width + 1, frames * width
    _clear(alpha, section)
    alpha[1 + section] = _0  # blank_0 is certain before the first frame
    for t in range(frames):
        before, after = at(alpha, t * step), at(alpha, (t + 1) * step)
        after[2 * section], after[3 * section] = _1, NEVER
        forward(before, after, at(y, blanks + t), at(y, t * width), frames * section, skip, width)
    end = at(alpha, frames * step)
    blank, label = 1 + length, 2 * section + length
    top = max(np.float64(end[blank + section]), np.float64(end[label + section]))
    return _aligned(end, blank, section, top) + _aligned(end, label, section, top), top


@kernel
def _loss(logarithms, mantissa, exponent):
    """-log P of a sample from the sum of its normalisers and what `_sweep` returns."""
    return max(0.0, logarithms - (log_f64(mantissa) + exponent * _LN2)) if exponent > POSSIBLE else np.inf


@kernel
def _aligned(states, place, section, top):
    """The mantissa of a state beside the exponent `top`."""
    return math.ldexp(np.float64(states[place]), int(max(states[place + section] - top, -2000.0)))


@kernel
def _spread(
    dlogits, labels, y, alpha, states, skip, occupancy, mantissa, exponent, length, frames, classes, width, blank
):
    """The backward pass: subtract the occupancies of all frames from the softmax in `dlogits`."""
    section, blanks = width + 1, frames * width
    _clear(states, section)
    states[length], states[length + section] = 1.0 / mantissa, -exponent
    if length:
        states[2 * section + length - 1], states[3 * section + length - 1] = 1.0 / mantissa, -exponent
    for t in range(frames - 1, -1, -1):
        before = at(alpha, (t + 1) * 4 * section)
        backward(states, before, at(y, blanks + t), at(y, t * width), frames * section, skip, occupancy, width)
        row = at(dlogits, t * classes)
        row[blank] -= occupancy[0]
        for j in range(length):
            row[labels[j]] -= occupancy[1 + j]


@kernel
def _fill(x, start, stop, value):
    for k in range(start, stop):
        x[k] = value


# -------------------------------------------------------------------------------------------------- the batch


@kernel
def _padded(length, x):
    """The number of lanes for so many labels, in whole vectors; one lane more than labels has the last blank."""
    return (length // lanes(x) + 1) * lanes(x)


@kernel
def _loss_task(
    slot, logits, labels, label_lengths, input_lengths, loss, scratch, slots, size, batch, frames, classes, width, blank
):
    y = at(scratch, slot * size)
    for i in range(slot, batch, slots):
        length, used, own = label_lengths[i], input_lengths[i], at(labels, i * width)
        if not _readable(own, length, used, frames, classes, width):
            loss[i] = _NAN
            continue
        padded = _padded(length, y)
        alpha = at(y, 2 * used * (padded + 1))
        skip = at(alpha, 4 * (padded + 1))
        softmax = at(skip, padded + 1)
        x = at(logits, i * frames * classes)
        logarithms = _exponentials(x, own, y, softmax, length, used, classes, padded, blank, 0)
        if not logarithms < np.inf:
            loss[i] = _NAN
            continue
        _allow_skips(own, skip, length, padded)
        mantissa, exponent = _sweep(y, alpha, skip, used, padded, length, 0)
        loss[i] = _loss(logarithms, mantissa, exponent)


@kernel
def ctc_loss(
    logits, labels, label_lengths, input_lengths, loss, scratch, slots, size, batch, frames, classes, width, blank
):
    """loss[i] = -log P(labels | logits) of each sample; `scratch` has `slots` parts of `size` elements."""
    threads = threads_for(batch * frames * (classes + _FRAME_COST))
    parallel_for(
        _loss_task, slots, threads,
        at(logits, 0), at(labels, 0), at(label_lengths, 0), at(input_lengths, 0), at(loss, 0), at(scratch, 0),
        slots, size, batch, frames, classes, width, blank,
    )  # fmt: skip


@kernel
def _gradient_task(
    slot,
    logits,
    labels,
    label_lengths,
    input_lengths,
    loss,
    dlogits,
    scratch,
    slots,
    size,
    batch,
    frames,
    classes,
    width,
    blank,
):
    y = at(scratch, slot * size)
    for i in range(slot, batch, slots):
        length, used, own = label_lengths[i], input_lengths[i], at(labels, i * width)
        out = at(dlogits, i * frames * classes)
        if not _readable(own, length, used, frames, classes, width):
            loss[i] = _NAN
            _fill(out, 0, frames * classes, _NAN)
            continue
        padded = _padded(length, y)
        states = at(y, 2 * used * (padded + 1))
        skip = at(states, 4 * (padded + 1))
        occupancy = at(skip, padded + 1)
        alpha = at(occupancy, padded + 1)
        x = at(logits, i * frames * classes)
        logarithms = _exponentials(x, own, y, out, length, used, classes, padded, blank, classes)
        _fill(out, used * classes, frames * classes, _0)
        if not logarithms < np.inf:
            loss[i] = _NAN
            _fill(out, 0, used * classes, _NAN)
            continue
        _allow_skips(own, skip, length, padded)
        mantissa, exponent = _sweep(y, alpha, skip, used, padded, length, 4 * (padded + 1))
        loss[i] = _loss(logarithms, mantissa, exponent)
        if exponent > POSSIBLE:
            _spread(
                out, own, y, alpha, states, skip, occupancy, mantissa, exponent, length, used, classes, padded, blank
            )
        else:
            _fill(out, 0, used * classes, _0)


@kernel
def ctc_loss_and_gradient(
    logits,
    labels,
    label_lengths,
    input_lengths,
    loss,
    dlogits,
    scratch,
    slots,
    size,
    batch,
    frames,
    classes,
    width,
    blank,
):
    """The losses of `ctc_loss` and dlogits = softmax - occupancy, the gradient of loss[i] for each sample i."""
    threads = threads_for(2 * batch * frames * (classes + _FRAME_COST))
    parallel_for(
        _gradient_task, slots, threads,
        at(logits, 0), at(labels, 0), at(label_lengths, 0), at(input_lengths, 0), at(loss, 0), at(dlogits, 0),
        at(scratch, 0), slots, size, batch, frames, classes, width, blank,
    )  # fmt: skip
