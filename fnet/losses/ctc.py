"""The loss of unaligned label sequences: speech, handwriting, anything whose labels are fewer than its frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError, ValueRangeError, did_you_mean
from fnet.losses.align import as_floating
from fnet.losses.define import define_loss
from fnet.losses.values import EPSILON, known, probabilities, require_whole
from fnet.ops.arithmetic import add, greater_equal, less_equal, logical_and, not_equal, where
from fnet.ops.ctc import ctc as ctc_values
from fnet.ops.ctc import ctc_beam_search_decode, ctc_greedy_decode
from fnet.ops.maths import log
from fnet.ops.promotion import astype, lift
from fnet.ops.reduce import all
from fnet.ops.shape import expand_dims
from fnet.ops.summation import sum
from fnet.transforms.primitive import spec_of


def _sequences(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels (B, L) as int64, floating predictions (B, T, C)."""
    y_pred, y_true = as_floating(y_pred), lift(y_true)
    wanted, have = spec_of(y_pred).shape, spec_of(y_true).shape
    if len(wanted) != 3:
        raise ShapeError(f"{name}: expected y_pred of shape (batch, frames, classes), received {wanted}.")
    if len(have) != 2 or have[0] != wanted[0]:
        raise ShapeError(
            f"{name}: expected y_true of shape ({wanted[0]}, labels), received {have}. "
            f"Pad the labels of a batch to one length with 0 or -1."
        )
    require_whole(name, y_true)
    return astype(y_true, np.int64), y_pred


@define_loss("CTC", per="row", align=_sequences)
def ctc(
    y_true: Any,
    y_pred: Any,
    *,
    label_lengths: Any = None,
    input_lengths: Any = None,
    blank_index: int = 0,
    from_logits: bool = True,
    mask: Any = None,
) -> Any:
    """``-log P(y_true | y_pred)`` over all alignments; y_true: (B, L) padded labels, y_pred: (B, T, C) -> scalar.

    y_pred: logits, or with ``from_logits=False`` probabilities, taken as ``log(p + 1e-7)``; label_lengths,
    input_lengths: (B,) or (B, 1), by default the number of labels that are neither negative nor the blank, and all
    frames (of a `Masked` those under its mask, which come first); blank_index: the class between labels, e.g. -1 for
    the last one. An impossible sequence has loss +inf and gradient 0. Raises `ValueRangeError` naming the sample for
    labels and lengths out of range (under jit its loss is NaN).
    Source: Graves et al. 2006 (Keras ``CTC``; Keras 2 ``ctc_batch_cost`` with ``from_logits=False, blank_index=-1``).

    >>> round(float(ctc([[1, 0]], [[[0.0, 0.0, 0.0], [0.0, 0.0, 0.0]]])), 4)  # -log(3 / 9)
    1.0986
    """
    if not from_logits:
        y_pred = log(add(probabilities("ctc", y_pred, "softmax"), EPSILON))
    *_, frames, classes = spec_of(y_pred).shape
    if label_lengths is None:
        counted = logical_and(not_equal(y_true, blank_index % max(classes, 1)), greater_equal(y_true, 0))
        label_lengths = sum(astype(counted, np.int64), axis=1)
    if input_lengths is None:
        input_lengths = np.full(spec_of(y_true).shape[0], frames) if mask is None else _valid_frames(mask)
    return ctc_values(y_pred, y_true, label_lengths, input_lengths, blank_index)


def _valid_frames(mask: Any) -> Any:
    """The number of frames under the mask (B, T), -1 where they are not the first ones."""
    leading = all(less_equal(mask[:, 1:], mask[:, :-1]), axis=1) if spec_of(mask).shape[1] > 1 else True
    values = known(leading)
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
    if strategy == "beam_search":
        return ctc_beam_search_decode(
            y_pred, input_lengths, beam_width=beam_width, top_paths=top_paths, blank_index=blank_index
        )
    if strategy != "greedy":
        raise ValueRangeError(f"ctc_decode: unknown strategy {strategy!r}.{did_you_mean(strategy, _STRATEGIES)}")
    labels, scores = ctc_greedy_decode(y_pred, input_lengths, blank_index=blank_index, merge_repeated=merge_repeated)
    return expand_dims(labels, 0), expand_dims(scores, -1)
