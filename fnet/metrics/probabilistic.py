"""How well predicted probabilities fit, and margins: running means of the losses of classes, and perplexity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import losses, ops
from fnet.losses.align import is_class, weights_for
from fnet.masking import split_mask
from fnet.metrics.define import METRICS, Metric, State, metric_constructor
from fnet.metrics.reduction import mean_of, of_loss, unchanged
from fnet.ops.promotion import lift


@METRICS.named()
@metric_constructor
def kl_divergence(name: str = "kl_divergence", from_logits: bool = False) -> Metric:
    """The running mean of the loss `fnet.losses.kl_divergence` with these options; name: that of the metric."""
    return of_loss(losses.kl_divergence.configured(from_logits=from_logits), name)


@METRICS.named()
@metric_constructor
def poisson(name: str = "poisson") -> Metric:
    """The running mean of the loss `fnet.losses.poisson`; name: that of the metric."""
    return of_loss(losses.poisson, name)


@METRICS.named()
@metric_constructor
def hinge(name: str = "hinge") -> Metric:
    """The running mean of the loss `fnet.losses.hinge`; name: that of the metric."""
    return of_loss(losses.hinge, name)


@METRICS.named()
@metric_constructor
def squared_hinge(name: str = "squared_hinge") -> Metric:
    """The running mean of the loss `fnet.losses.squared_hinge`; name: that of the metric."""
    return of_loss(losses.squared_hinge, name)


@METRICS.named()
@metric_constructor
def categorical_hinge(name: str = "categorical_hinge") -> Metric:
    """The running mean of the loss `fnet.losses.categorical_hinge`; name: that of the metric."""
    return of_loss(losses.categorical_hinge, name)


@METRICS.named()
@metric_constructor
def binary_crossentropy(
    name: str = "binary_crossentropy", from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Metric:
    """The running mean of the loss `fnet.losses.binary_crossentropy` with these options; name: that of the metric."""
    return of_loss(
        losses.binary_crossentropy.configured(from_logits=from_logits, label_smoothing=label_smoothing, axis=axis), name
    )


@METRICS.named()
@metric_constructor
def categorical_crossentropy(
    name: str = "categorical_crossentropy", from_logits: bool = False, label_smoothing: float = 0.0, axis: int = -1
) -> Metric:
    """The running mean of the loss `fnet.losses.categorical_crossentropy` with these options.

    name: that of the metric.
    """
    return of_loss(
        losses.categorical_crossentropy.configured(from_logits=from_logits, label_smoothing=label_smoothing, axis=axis),
        name,
    )


@METRICS.named()
@metric_constructor
def binary_focal_crossentropy(
    name: str = "binary_focal_crossentropy",
    apply_class_balancing: bool = False,
    alpha: float = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Metric:
    """The running mean of the loss `fnet.losses.binary_focal_crossentropy` with these options.

    name: that of the metric.
    """
    options: dict[str, Any] = {"apply_class_balancing": apply_class_balancing, "alpha": alpha, "gamma": gamma}
    options |= {"from_logits": from_logits, "label_smoothing": label_smoothing, "axis": axis}
    return of_loss(losses.binary_focal_crossentropy.configured(**options), name)


@METRICS.named()
@metric_constructor
def categorical_focal_crossentropy(
    name: str = "categorical_focal_crossentropy",
    alpha: Any = 0.25,
    gamma: float = 2.0,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Metric:
    """The running mean of the loss `fnet.losses.categorical_focal_crossentropy` with these options.

    name: that of the metric.
    """
    options: dict[str, Any] = {"alpha": alpha, "gamma": gamma, "from_logits": from_logits}
    options |= {"label_smoothing": label_smoothing, "axis": axis}
    return of_loss(losses.categorical_focal_crossentropy.configured(**options), name)


@METRICS.named()
@metric_constructor
def crossentropy(name: str = "crossentropy", from_logits: bool = False) -> Metric:
    """The running mean of the loss `fnet.losses.crossentropy` with these options; name: that of the metric."""
    return of_loss(losses.crossentropy.configured(from_logits=from_logits), name)


@METRICS.named()
@metric_constructor
def sparse_categorical_crossentropy(
    name: str = "sparse_categorical_crossentropy",
    from_logits: bool = False,
    ignore_class: int | None = None,
    axis: int = -1,
) -> Metric:
    """The running mean of ``-log p[y]``; y_true: (B, ...) labels, y_pred: (B, ..., C).

    Labels `ignore_class` are left out. Source: Keras ``SparseCategoricalCrossentropy``.

    >>> metric = sparse_categorical_crossentropy()
    >>> state = metric.update(metric.init(), [1, 2], [[0.05, 0.95, 0.0], [0.1, 0.8, 0.1]])
    >>> round(float(metric.result(state)), 4)
    1.1769
    """
    return _of_labels(name, from_logits, ignore_class, axis, unchanged)


@METRICS.named()
@metric_constructor
def perplexity(
    from_logits: bool = False, ignore_class: int | None = None, axis: int = -1, name: str = "perplexity"
) -> Metric:
    """``exp(mean(-log p[y]))``, as among how many equally probable labels the choice is; 0 before the first one.

    y_true: (B, ...) labels, y_pred: (B, ..., C) probabilities, or logits with `from_logits`. Labels `ignore_class`,
    e.g. that of padding, are left out. Source: KerasHub ``Perplexity``.

    >>> metric = perplexity()
    >>> state = metric.update(metric.init(), [[1, 0]], [[[0.5, 0.5], [0.125, 0.875]]])
    >>> round(float(metric.result(state)), 4)
    4.0
    """
    return _of_labels(name, from_logits, ignore_class, axis, ops.exp)


def _of_labels(
    name: str, from_logits: bool, ignore_class: int | None, axis: int, finish: Callable[[Any], Any]
) -> Metric:
    """The mean cross-entropy of labels, finished, where those to ignore have weight 0."""
    loss = losses.sparse_categorical_crossentropy
    metric = mean_of(
        loss.configured(from_logits=from_logits, ignore_class=ignore_class, axis=axis), name, "down", finish
    )
    if ignore_class is None:
        return metric

    def update(state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        y_true, _ = split_mask(y_true)
        weights = ops.astype(ops.logical_not(is_class(lift(y_true), ignore_class)), np.float64)
        if sample_weight is not None:
            weights = ops.multiply(weights, weights_for(name, sample_weight, weights))
        return metric.update(state, y_true, y_pred, weights)

    return metric._replace(update=update)
