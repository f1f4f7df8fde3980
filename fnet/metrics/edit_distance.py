"""How many labels of a sequence are wrong, missing or too many: the error rate of transcripts."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import ops
from fnet.errors import ShapeError
from fnet.losses.values import require_whole
from fnet.masking import split_mask
from fnet.metrics.define import METRICS, Metric, State, accumulate, full_weights, metric_constructor, ratio
from fnet.metrics.reduction import ZEROS
from fnet.ops.promotion import lift
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


@METRICS.named()
@metric_constructor
def edit_distance(
    normalize: bool = True, blank_index: int = 0, merge_repeated: bool = True, name: str = "edit_distance"
) -> Metric:
    """The insertions, deletions and replacements that turn predicted labels into the true ones, per true label.

    y_true: (B, L) labels; y_pred: labels (B, M), or scores (B, T, C) of frames, decoded greedily: the best class of
    each frame, repeats merged (`merge_repeated`), then those of `blank_index` removed. Negative labels are padding,
    with scores also the blank. ``sum(w distance) / sum(w labels)``, the label error rate (of words or characters: WER,
    CER); with ``normalize=False`` the mean distance of a sample. Raises `ShapeError` for other shapes.
    Source: Levenshtein 1966 (TensorFlow ``edit_distance``, whose rates are averaged over samples).

    >>> metric = edit_distance()
    >>> state = metric.update(metric.init(), [[1, 2, 3, -1], [1, 1, 2, 2]], [[1, 3, -1], [1, 1, 2]])
    >>> round(float(metric.result(state)), 4)
    0.2857
    """

    def sums(y_true: Any, y_pred: Any, sample_weight: Any) -> State:
        true, predicted = _sequences(name, y_true, y_pred, blank_index, merge_repeated)
        weights = full_weights(name, sample_weight, true.shape[:1], true)
        labels = ops.sum(ops.astype(ops.greater_equal(true, 0), np.float64), axis=1)
        distances = ops.astype(ops.edit_distance(predicted, true), np.float64)
        count = ops.sum(ops.multiply(weights, labels) if normalize else weights)
        return {"total": ops.sum(ops.multiply(weights, distances)), "count": count}

    metric = accumulate(name, ZEROS, sums, lambda state: ratio(state["total"], state["count"]), "down")

    def update(state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        return metric.update(state, y_true, _padded(y_pred, blank_index), sample_weight)

    return metric._replace(update=update)


def _padded(y_pred: Any, blank: int) -> Any:
    """Predictions without a mask: padding, or frames of blanks, where it is false."""
    values, mask = split_mask(y_pred)
    if mask is None:
        return values
    shape = spec_of(lift(values)).shape
    if len(shape) < 3:
        return ops.where(mask, values, -1)
    certain = np.where(np.arange(shape[-1]) == blank % shape[-1], 0, -np.inf)
    return ops.where(ops.expand_dims(mask, -1), values, beside(certain.astype(values.dtype), values))


def _sequences(name: str, y_true: Any, y_pred: Any, blank: int, merge: bool) -> tuple[Any, Any]:
    """True and predicted labels as int64, (B, L) and (B, M), padding below 0."""
    y_true, y_pred = lift(y_true), lift(y_pred)
    true, predicted = y_true.shape, y_pred.shape
    if len(true) != 2 or len(predicted) not in (2, 3) or true[0] != predicted[0]:
        raise ShapeError(
            f"{name}: expected y_true (batch, labels) and y_pred (batch, labels) or (batch, frames, classes), "
            f"received {true} and {predicted}."
        )
    require_whole(name, y_true)
    y_true = ops.astype(y_true, np.int64)
    if len(predicted) == 2:
        require_whole(name, y_pred)
        return y_true, ops.astype(y_pred, np.int64)
    decoded, _ = ops.ctc_greedy_decode(y_pred, blank_index=blank, merge_repeated=merge)
    return ops.where(ops.equal(y_true, blank % predicted[2]), -1, y_true), decoded
