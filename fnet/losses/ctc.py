"""The loss of unaligned label sequences: speech, handwriting, anything whose labels are fewer than its frames."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.losses.align import as_floating, known, require_whole
from fnet.losses.crossentropy import EPSILON, probabilities
from fnet.losses.define import define_loss
from fnet.ops.arithmetic import add, greater_equal, logical_and, not_equal
from fnet.ops.ctc import ctc as ctc_values
from fnet.ops.maths import log
from fnet.ops.promotion import astype, lift
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
    values = known(y_true)
    if values is not None:
        require_whole(name, values)
    return astype(y_true, np.int64), y_pred


@define_loss(per="row", align=_sequences)
def ctc(
    y_true: Any,
    y_pred: Any,
    *,
    label_lengths: Any = None,
    input_lengths: Any = None,
    blank_index: int = 0,
    from_logits: bool = True,
) -> Any:
    """``-log P(y_true | y_pred)`` over all alignments; y_true: (B, L) padded labels, y_pred: (B, T, C) -> scalar.

    y_pred: logits, or with ``from_logits=False`` probabilities, taken as ``log(p + 1e-7)``; label_lengths,
    input_lengths: (B,) or (B, 1), by default the number of labels that are neither negative nor the blank, and all
    frames; blank_index: the class between labels, e.g. -1 for the last one. An impossible sequence has loss +inf and
    gradient 0. Raises `ValueRangeError` naming the sample for labels and lengths out of range (under jit its loss is
    NaN).
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
        input_lengths = np.full(spec_of(y_true).shape[0], frames)
    return ctc_values(y_pred, y_true, label_lengths, input_lengths, blank_index)
