"""The loss of unaligned label sequences: speech, handwriting, anything whose labels are fewer than its frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.arguments import known_word
from fnet.errors import ShapeError, ValueRangeError
from fnet.losses.align import as_floating
from fnet.losses.define import LOSSES, Loss, define_loss, loss_constructor
from fnet.losses.rule import Reduction
from fnet.losses.values import EPSILON, Options, outputs_of, probabilities, require_whole
from fnet.ops.arithmetic import (
    add,
    greater_equal,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    not_equal,
    where,
)
from fnet.ops.ctc import ctc as ctc_values
from fnet.ops.ctc import ctc_beam_search_decode, ctc_greedy_decode
from fnet.ops.maths import log
from fnet.ops.promotion import astype, lift
from fnet.ops.reduce import all, any
from fnet.ops.shape import broadcast_to, expand_dims, reshape
from fnet.ops.summation import sum
from fnet.transforms.operand import known_value
from fnet.transforms.primitive import spec_of


def _sequences(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels (B, L), floating predictions (B, T, C)."""
    y_pred, y_true = as_floating(y_pred), lift(y_true)
    wanted, have = spec_of(y_pred).shape, spec_of(y_true).shape
    if len(wanted) != 3:
        raise ShapeError(f"{name}: expected y_pred of shape (batch, frames, classes), received {wanted}.")
    if len(have) != 2 or have[0] != wanted[0]:
        raise ShapeError(
            f"{name}: expected y_true of shape ({wanted[0]}, labels), received {have}. "
            f"Pad the labels of a batch to one length with 0 or -1."
        )
    return y_true, y_pred


def sequence_targets(name: str, y_true: np.ndarray, shape: tuple[int, ...], options: Options) -> None:
    """Refuse labels that no output has, and sequences that need more frames than there are."""
    _, frames, classes = shape
    labels, lengths = _checked_labels(name, y_true, options["label_lengths"], options["blank_index"], classes)
    counted = np.arange(labels.shape[1]) < np.reshape(lengths, (-1, 1))
    wrong = np.argwhere(counted & (labels >= classes))
    if wrong.size:
        sample, place = wrong[0]
        raise ValueRangeError(
            f"{name}: label {labels[sample, place]} of sample {sample} is out of range for {classes} classes, the "
            f"blank among them. Check the labels, or give the last layer more units."
        )
    repeats = np.sum(counted[:, 1:] & (labels[:, 1:] == labels[:, :-1]), axis=1)
    needed = np.sum(counted, axis=1) + repeats
    if np.any(needed > frames):
        sample = int(np.argmax(needed > frames))
        raise ValueRangeError(
            f"{name}: the labels of sample {sample} need {needed[sample]} frames, one each and one between equal "
            f"neighbours, but the network gives {frames}. Leave the sample out, or let the network keep more frames."
        )


def _ctc(
    y_true: Any,
    y_pred: Any,
    *,
    label_lengths: Any,
    input_lengths: Any,
    blank_index: int,
    from_logits: bool,
    mask: Any,
    counted: Any,
) -> Any:
    batch, frames, classes = spec_of(y_pred).shape
    samples = None if counted is None else broadcast_to(reshape(counted, (-1,)), (batch,))
    every_frame = mask is None and input_lengths is None and samples is None
    if input_lengths is None:
        input_lengths = np.full(batch, frames) if mask is None else _valid_frames(mask, samples)
    if samples is not None:
        y_true = where(expand_dims(samples, 1), y_true, -1)
        label_lengths = None if label_lengths is None else _none_elsewhere(samples, label_lengths)
        input_lengths = _none_elsewhere(samples, input_lengths)
    if not from_logits:
        if not every_frame:
            within = less(np.arange(frames), reshape(input_lengths, (-1, 1)))
            y_pred = where(expand_dims(within, -1), y_pred, 1)
        y_pred = log(add(probabilities("ctc", y_pred, "softmax"), EPSILON))
    labels, label_lengths = _checked_labels("ctc", y_true, label_lengths, blank_index, classes)
    return ctc_values(y_pred, labels, label_lengths, input_lengths, blank_index)


@LOSSES.named()
@define_loss(
    "CTC",
    per="row",
    align=_sequences,
    activation="softmax",
    targets=sequence_targets,
    outputs=outputs_of("softmax"),
    axes=lambda ndim, options: (0,),
    formula=_ctc,
)
def ctc(
    y_true: Any,
    y_pred: Any,
    *,
    sample_weight: Any = None,
    reduction: Reduction = "mean",
    label_lengths: Any = None,
    input_lengths: Any = None,
    blank_index: int = 0,
    from_logits: bool = True,
) -> Any:
    """``-log P(y_true | y_pred)`` over all alignments; y_true: (B, L) padded labels, y_pred: (B, T, C) -> scalar.

    y_pred: logits, or with ``from_logits=False`` probabilities, taken as ``log(p + 1e-7)`` unless a softmax has just
    made them; label_lengths, input_lengths: (B,) or (B, 1), by default the number of labels that are neither negative
    nor the blank, which come first, and all frames (of a `Masked` those under its mask, which come first); blank_index:
    the class between labels, e.g. -1 for the last one. What is behind the lengths has no influence. An impossible
    sequence has loss +inf and gradient 0. Raises `ValueRangeError` naming the sample for labels and lengths out of
    range, fractions, and blanks or padding before a label (under jit its loss is NaN).
    Source: Graves et al. 2006 (Keras ``CTC``; Keras 2 ``ctc_batch_cost`` with ``from_logits=False, blank_index=-1``).

    >>> round(float(ctc([[1, 0]], [[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])), 4)  # -log(3 / 9)
    1.0986
    """


@loss_constructor
def CTC(
    label_lengths: Any = None,
    input_lengths: Any = None,
    blank_index: int = 0,
    from_logits: bool = True,
    reduction: Reduction = "mean",
    *,
    name: str | None = None,
) -> Loss:
    """`ctc` with these options and this name."""
    return ctc


def _none_elsewhere(samples: Any, lengths: Any) -> Any:
    """Lengths, 0 for samples that do not count."""
    lengths = lift(lengths)
    return where(reshape(samples, (-1,) + (1,) * (spec_of(lengths).ndim - 1)), lengths, 0)


def _checked_labels(name: str, y_true: Any, lengths: Any, blank_index: int, classes: int) -> tuple[Any, Any]:
    """Labels as int64 and their lengths, -1 where a label comes after padding or is the blank.

    Raises `ValueRangeError` for these, and for labels with a fraction, wherever they are known.
    """
    require_whole(name, y_true)
    labels = astype(y_true, np.int64)
    proper = logical_and(not_equal(labels, blank_index % max(classes, 1)), greater_equal(labels, 0))
    width = spec_of(labels).shape[1]
    if lengths is None:
        lengths = sum(astype(proper, np.int64), axis=1)
    shape = spec_of(lengths := lift(lengths)).shape
    if not width or shape not in (spec_of(labels).shape[:1], (*spec_of(labels).shape[:1], 1)):
        return labels, lengths
    within = less(np.arange(width), reshape(lengths, (-1, 1)))
    misplaced = logical_and(within, logical_not(proper))
    found = known_value(misplaced)
    if found is not None and found.any():
        sample, place = np.argwhere(found)[0]
        raise ValueRangeError(
            f"{name}: the labels of sample {sample} have padding or the blank at position {place}, before their end. "
            f"Put padding behind the labels, and number them without the blank (blank_index={blank_index})."
        )
    return labels, where(reshape(any(misplaced, axis=1), shape), -1, lengths)


def _valid_frames(mask: Any, samples: Any = None) -> Any:
    """The number of frames under the mask (B, T), -1 where they are not the first ones."""
    leading = all(less_equal(mask[:, 1:], mask[:, :-1]), axis=1) if spec_of(mask).shape[1] > 1 else True
    if samples is not None:
        leading = logical_or(leading, logical_not(samples))
    values = known_value(leading)
    if values is not None and not np.all(values):
        raise ValueRangeError(
            f"ctc: the mask of sample {int(np.argmin(values))} has frames that count after frames that do not. "
            f"Pad sequences at the end, or pass input_lengths."
        )
    return where(leading, sum(mask, axis=1), -1)


def ctc_batch_cost(y_true: Any, y_pred: Any, input_length: Any, label_length: Any) -> Any:
    """The CTC loss in the older convention: probabilities, and the blank as the last class.

    y_true: (B, L) labels, y_pred: (B, T, C) after softmax, input_length, label_length: (B, 1) -> (B, 1). The same as
    ``ctc(..., from_logits=False, blank_index=-1, reduction="none")``. Raises `ValueRangeError` for probabilities
    outside [0, 1] and lengths out of range. Source: Keras 2 ``backend.ctc_batch_cost``.

    >>> ctc_batch_cost([[0]], [[[0.5, 0.25, 0.25]]], [[1]], [[1]]).round(4)  # log(2)
    array([[0.6931]])
    """
    values = ctc(
        y_true,
        y_pred,
        label_lengths=label_length,
        input_lengths=input_length,
        blank_index=-1,
        from_logits=False,
        reduction="none",
    )
    return expand_dims(values, -1)


_STRATEGIES = ("greedy", "beam_search")


def ctc_decode(
    y_pred: Any,
    input_lengths: Any = None,
    *,
    strategy: str = "greedy",
    beam_width: int = 100,
    top_paths: int = 1,
    merge_repeated: bool = True,
    blank_index: int = 0,
    from_logits: bool = True,
) -> tuple[Any, Any]:
    """The most probable labels of what a network trained with `ctc` gives, and their log-probabilities.

    y_pred: (B, T, C) logits, or probabilities with ``from_logits=False``; input_lengths: (B,) or (B, 1). strategy:
    "greedy", the best class of each frame, or "beam_search", the `top_paths` best of `beam_width` label sequences.
    merge_repeated: whether greedy merges repeats. Returns labels (top_paths, B, T), -1 behind the last one, and scores
    (B, top_paths). Raises `ValueRangeError` for an unknown strategy. Source: Keras ``ctc_decode``, whose greedy scores
    are negated sums of raw maxima.

    >>> labels, scores = ctc_decode(np.eye(3)[[[1, 1, 0, 1, 2]]] * 9)
    >>> labels[0], scores.round(3)
    (array([[ 1,  1,  2, -1, -1]]), array([[-0.001]]))
    """
    if not from_logits:
        y_pred = log(add(probabilities("ctc_decode", as_floating(y_pred), "softmax"), EPSILON))
    if known_word("ctc_decode", "strategy", strategy, _STRATEGIES) == "beam_search":
        return ctc_beam_search_decode(
            y_pred, input_lengths, beam_width=beam_width, top_paths=top_paths, blank_index=blank_index
        )
    labels, scores = ctc_greedy_decode(y_pred, input_lengths, blank_index=blank_index, merge_repeated=merge_repeated)
    return expand_dims(labels, 0), expand_dims(scores, -1)
