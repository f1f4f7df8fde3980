"""Running means and sums: of any loss, of a function of samples, of plain values."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import losses, ops
from fnet.losses.align import mask_for, weights_for
from fnet.losses.values import OutputsCheck, TargetsCheck
from fnet.masking import split_mask
from fnet.metrics.define import (
    METRICS,
    Direction,
    Metric,
    State,
    accumulate,
    full_weights,
    metric_constructor,
    nothing,
    ratio,
)
from fnet.ops.promotion import lift
from fnet.transforms.primitive import spec_of

Values = Callable[[Any, Any], Any]
ZEROS: dict[str, tuple[int, ...]] = {"total": (), "count": ()}


def unchanged(x: Any) -> Any:
    """``x``."""
    return x


@metric_constructor
def mean_of(
    loss: str | Values,
    name: str | None = None,
    direction: Direction | None = None,
    finish: Callable[[Any], Any] = unchanged,
    targets: TargetsCheck | None = None,
    outputs: OutputsCheck | None = None,
) -> Metric:
    """The running mean of a function of each sample: any loss, by name too, or ``f(y_true, y_pred) -> (B, ...)``.

    ``total += sum(w v)``, ``count += sum(w)``, ``result = finish(total / count)`` (0 before the first sample); values
    of a sample with several are averaged first, weights too; a value with weight 0 is left out, even if it is NaN.
    direction: "up" or "down", which is better; by default "down" for a loss; targets, outputs: checks of a function's
    arrays, those of a loss are its own. Source: Keras ``MeanMetricWrapper``.

    >>> metric = mean_of("mae")
    >>> state = metric.update(metric.init(), [[1.0], [2.0]], [[1.5], [2.0]])
    >>> metric.result(state)
    array(0.25)
    """
    function = losses.get(loss) if isinstance(loss, str) else loss
    label = name or str(loss if isinstance(loss, str) else getattr(function, "__name__", "metric"))
    of_loss = isinstance(function, losses.Loss) or "reduction" in inspect.signature(function).parameters
    options = {"reduction": "none"} if of_loss else {}

    def sums(y_true: Any, y_pred: Any, sample_weight: Any) -> State:
        values = lift(function(y_true, y_pred, **options))
        if values.dtype.kind != "f":
            values = ops.astype(values, np.float64)
        return _totals(label, values, sample_weight, y_pred)

    def result(state: State) -> Any:
        return ops.where(ops.equal(state["count"], 0), 0, finish(ratio(state["total"], state["count"])))

    direction = direction or ("down" if options else None)
    metric = accumulate(label, ZEROS, sums, result, direction, targets, outputs)
    return _leaving_out(metric, function) if isinstance(function, losses.Loss) else metric


def _leaving_out(metric: Metric, loss: losses.Loss) -> Metric:
    """The metric of a loss, which leaves out by itself what does not count, and finds the logits of probabilities."""

    def update(state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        values = loss(y_true, y_pred, sample_weight=sample_weight, reduction="none")
        added = _totals_of_weighted(metric.name, values, sample_weight, y_pred)
        return {key: ops.add(total, added[key]) for key, total in state.items()}

    return metric._replace(
        update=update,
        check_targets=loss.check_targets,
        check_outputs=loss.check_outputs if loss.checks_outputs else nothing,
    )


def _totals(name: str, values: Any, sample_weight: Any, y_pred: Any) -> State:
    """Weighted sum over the samples and sum of their weights, in float64; a value for a whole batch counts B times."""
    shape = values.shape
    each = max(math.prod(shape[1:]), 1)
    count: Any = float((shape or spec_of(lift(y_pred)).shape or (1,))[0])
    if sample_weight is not None:
        weights = weights_for(name, sample_weight, values)
        values = ops.where(ops.equal(weights, 0), 0, ops.multiply(values, weights))
        count = ops.divide(ops.astype(ops.sum(ops.broadcast_to(weights, shape)), np.float64), each)
    total = ops.astype(ops.sum(values), np.float64)
    return {"total": ops.divide(total, each) if shape else ops.multiply(total, count), "count": count}


def _totals_of_weighted(name: str, values: Any, sample_weight: Any, y_pred: Any) -> State:
    """As `_totals`, of values that are weighted already, and 0 where a mask of `y_pred` is false."""
    y_pred, mask = split_mask(y_pred)
    shape, weights = values.shape, None
    if sample_weight is not None:
        weights = ops.broadcast_to(ops.astype(weights_for(name, sample_weight, values), np.float64), shape)
    if mask is not None and shape:
        weights = ops.where(mask_for(name, mask, values), 1.0 if weights is None else weights, 0.0)
    each = max(math.prod(shape[1:]), 1)
    count: Any = float((shape or spec_of(lift(y_pred)).shape or (1,))[0])
    if weights is not None:
        count = ops.divide(ops.sum(weights), each)
    total = ops.astype(ops.sum(values), np.float64)
    return {"total": ops.divide(total, each) if shape else ops.multiply(total, count), "count": count}


@METRICS.named()
@metric_constructor
def mean(name: str = "mean") -> Metric:
    """The running mean of values: ``update(state, values, sample_weight=None)``, values: (B, ...).

    Values of a sample with several are averaged first. Source: Keras ``Mean``.

    >>> metric = mean()
    >>> metric.result(metric.update(metric.init(), [1.0, 3.0, 5.0, 7.0]))
    array(4.)
    """
    metric = mean_of(lambda _, values: values, name)

    def update(state: State, values: Any, *, sample_weight: Any = None) -> State:
        return metric.update(state, _floats(name, values), _floats(name, values), sample_weight)

    return metric._replace(update=update)


@METRICS.named()
@metric_constructor
def sum(name: str = "sum") -> Metric:
    """The sum of values: ``update(state, values, sample_weight=None)``, values: (B, ...). Source: Keras ``Sum``.

    >>> metric = sum()
    >>> metric.result(metric.update(metric.init(), [1.0, 3.0, 5.0, 7.0]))
    array(16.)
    """

    def sums(_: Any, values: Any, sample_weight: Any) -> State:
        weights = full_weights(name, sample_weight, values.shape, values)
        return {"total": ops.sum(ops.where(ops.equal(weights, 0), 0, ops.multiply(values, weights)))}

    metric = accumulate(name, {"total": ()}, sums, lambda state: ops.add(state["total"], 0))

    def update(state: State, values: Any, *, sample_weight: Any = None) -> State:
        return metric.update(state, _floats(name, values), _floats(name, values), sample_weight)

    return metric._replace(update=update)


def _floats(name: str, values: Any) -> Any:
    """Values as float64, with a batch axis."""
    values = ops.astype(lift(values), np.float64)
    if len(values.shape) == 0:
        values = ops.reshape(values, (1,))
    return values


def of_loss(loss: losses.Loss, name: str) -> Metric:
    """The running mean of a loss."""
    return mean_of(loss, name, "down")
