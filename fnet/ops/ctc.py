"""Connectionist temporal classification: the likelihood of labels without an alignment, and decoding."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.ops.arithmetic import equal, multiply, where
from fnet.ops.nn import log_softmax
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.shape import reshape
from fnet.ops.summation import sum
from fnet.spec import ArraySpec
from fnet.transforms.operand import is_known
from fnet.transforms.primitive import Primitive, missing_rule, spec_of

_INT = np.dtype(np.int64)


def _pulled(g: Any, y: Any, x: Any, *labels: Any, blank: int) -> tuple[Any, ...]:
    """The gradient of each sample times its cotangent; zero, whatever that is, where the loss is infinite."""
    (dloss, dgradient), (loss, gradient) = g, y
    if dgradient is not None:
        raise missing_rule(_ctc_gradient, "vjp")
    factor = where(equal(loss, np.inf), 0.0, dloss)
    return multiply(gradient, reshape(factor, (-1, 1, 1))), None, None, None


def _pushed(tangents: Any, y: Any, *operands: Any, blank: int) -> Any:
    _, gradient = _ctc_gradient(*operands, blank=blank)
    return sum(multiply(gradient, tangents[0]), axis=(1, 2))


_ctc_gradient = Primitive(
    "ctc_gradient",
    lambda x, *others, blank: (ArraySpec(x.shape[:1], x.dtype), x),
    lowered="ctc",
    vjp=_pulled,
    multiple=True,
)
_ctc = Primitive(
    "ctc",
    lambda x, *others, blank: ArraySpec(x.shape[:1], x.dtype),
    lowered="ctc",
    jvp=_pushed,
    taped=_ctc_gradient,
)


def ctc(logits: Any, labels: Any, label_lengths: Any, input_lengths: Any, blank_index: int = 0) -> Any:
    """``-log P(labels | logits)`` of each sample, summed over all alignments of its labels with its frames.

    logits: (B, T, C); labels: (B, L) integers in [0, C), of which the first `label_lengths` count; label_lengths,
    input_lengths: (B,) or (B, 1) integers -> (B,). An alignment gives every frame a label or the blank; merging
    repeats, then dropping blanks, leaves the labels. +inf, with gradient 0, where no alignment exists: labels and the
    blanks between equal neighbours need a frame each. Raises `ValueRangeError` naming the sample for labels and lengths
    out of range; under jit, where they are not known in advance, that sample is NaN. There is no second derivative.
    Source: Graves et al. 2006 (Keras ``ctc_loss``).

    >>> import numpy as np
    >>> ctc(np.zeros((1, 2, 3)), np.array([[1]]), np.array([1]), np.array([2])).round(4)  # -log(3 / 9)
    array([1.0986])
    """
    logits, blank = _logits(logits, blank_index)
    labels = lift(labels)
    (batch, frames, classes), have = logits.shape, labels.shape
    if len(have) != 2 or have[0] != batch:
        raise ShapeError(f"ctc: expected labels of shape ({batch}, labels) for {batch} samples, received {have}.")
    labels = _integers("labels", labels)
    label_lengths = _lengths("label_lengths", label_lengths, batch, have[1])
    input_lengths = _lengths("input_lengths", input_lengths, batch, frames)
    _check_labels(labels, label_lengths, classes)
    return _ctc(logits, labels, label_lengths, input_lengths, blank=blank)


def _logits(logits: Any, blank_index: int) -> tuple[Any, int]:
    """Floating logits (B, T, C), and the index of the blank counted from 0."""
    (logits,) = promote(logits, floating=True)
    shape = logits.shape
    if len(shape) != 3 or not shape[2]:
        raise ShapeError(f"ctc: expected logits of shape (batch, frames, classes), received {shape}.")
    if not -shape[2] <= blank_index < shape[2]:
        raise ValueRangeError(f"ctc: blank_index {blank_index} is none of the {shape[2]} classes.")
    return logits, int(blank_index) % shape[2]


def _integers(name: str, x: Any) -> Any:
    if x.dtype.kind not in "iu":
        raise DtypeError(f"ctc: {name} must be integers, received {spec_of(x)}. Use .astype('int64').")
    return astype(x, _INT)


def _lengths(name: str, lengths: Any, batch: int, most: int) -> Any:
    """Lengths as (B,) int64, checked against the longest one where they are known."""
    lengths = lift(lengths)
    shape = lengths.shape
    if shape not in ((batch,), (batch, 1)):
        raise ShapeError(f"ctc: expected {name} of shape ({batch},), one for each sample, received {shape}.")
    lengths = _integers(name, reshape(lengths, (batch,)))
    if is_known(lengths):
        wrong = np.flatnonzero((lengths < 0) | (lengths > most))
        if wrong.size:
            meant = "columns of labels" if name == "label_lengths" else "frames that the network gives"
            raise ValueRangeError(
                f"ctc: {name} of sample {wrong[0]} is {lengths[wrong[0]]}, expected 0 to {most}, the number of {meant}."
            )
    return lengths


def _check_labels(labels: Any, lengths: Any, classes: int) -> None:
    """Raise an error that names the sample of a label out of range, where labels and lengths are known."""
    if not is_known(labels) or not is_known(lengths):
        return
    counted = np.arange(labels.shape[1]) < lengths[:, None]
    wrong = np.argwhere(counted & ((labels < 0) | (labels >= classes)))
    if wrong.size:
        sample, place = wrong[0]
        raise ValueRangeError(
            f"ctc: label {labels[sample, place]} of sample {sample} is out of range: expected 0 to {classes - 1} for "
            f"{classes} classes, the blank among them. Check the labels, or give the last layer more units."
        )


# ---------------------------------------------------------------------------------------------------- decoding


_greedy = Primitive(
    "ctc_greedy_decode",
    lambda x, lengths, *, blank, merge: (ArraySpec(x.shape[:2], _INT), ArraySpec(x.shape[:1], x.dtype)),
    lowered="ctc",
    multiple=True,
)
_beam = Primitive(
    "ctc_beam_search_decode",
    lambda x, lengths, *, width, paths, blank: (
        ArraySpec((paths, *x.shape[:2]), _INT),
        ArraySpec((x.shape[0], paths), x.dtype),
    ),
    lowered="ctc",
    multiple=True,
)


def ctc_greedy_decode(
    logits: Any, input_lengths: Any = None, *, blank_index: int = 0, merge_repeated: bool = True
) -> tuple[Any, Any]:
    """The most probable path: the best class of each frame, repeats merged, then blanks removed.

    logits: (B, T, C); input_lengths: (B,) or (B, 1), by default all frames. Returns labels (B, T), -1 behind the last
    one, and the log-probability of the path (B,). Source: Graves et al. 2006, best path decoding (Keras ``ctc_decode``
    with "greedy", whose score is the negated sum of the raw maxima).

    >>> import numpy as np
    >>> labels, _ = ctc_greedy_decode(np.eye(3)[[[1, 1, 0, 1, 2]]])
    >>> labels
    array([[ 1,  1,  2, -1, -1]])
    """
    logits, blank = _logits(logits, blank_index)
    return _greedy(log_softmax(logits), _all_frames(logits, input_lengths), blank=blank, merge=bool(merge_repeated))


def ctc_beam_search_decode(
    logits: Any, input_lengths: Any = None, *, beam_width: int = 100, top_paths: int = 1, blank_index: int = 0
) -> tuple[Any, Any]:
    """The most probable labellings, each summed over its alignments, among the `beam_width` best after every frame.

    logits: (B, T, C); input_lengths: (B,) or (B, 1), by default all frames. Returns labels (top_paths, B, T), the best
    first, -1 behind the last one, and their log-probabilities (B, top_paths), -inf where there are no more labellings.
    Source: prefix beam search, Hannun et al. 2014 (Keras ``ctc_decode`` with "beam_search").

    >>> import numpy as np
    >>> labels, logp = ctc_beam_search_decode(np.zeros((1, 2, 2)), top_paths=2)
    >>> labels[:, 0].tolist(), np.exp(logp).round(2).tolist()
    ([[1, -1], [-1, -1]], [[0.75, 0.25]])
    """
    logits, blank = _logits(logits, blank_index)
    if not 1 <= top_paths <= beam_width:
        raise ValueRangeError(
            f"ctc_beam_search_decode: expected 1 <= top_paths <= beam_width, received top_paths {top_paths} and "
            f"beam_width {beam_width}."
        )
    lengths = _all_frames(logits, input_lengths)
    return _beam(log_softmax(logits), lengths, width=int(beam_width), paths=int(top_paths), blank=blank)


def _all_frames(logits: Any, lengths: Any) -> Any:
    batch, frames, _ = logits.shape
    return _lengths("input_lengths", np.full(batch, frames) if lengths is None else lengths, batch, frames)
