"""How far predictions and targets rise and fall together, within each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import ops
from fnet.errors import ShapeError
from fnet.losses.align import pair
from fnet.metrics.define import METRICS, Metric, metric_constructor
from fnet.metrics.reduction import mean_of
from fnet.ops.shape import normalize_axis

_EPSILON = 1e-7


def _centred(x: Any, axis: int) -> Any:
    return ops.subtract(x, ops.mean(x, axis=axis, keepdims=True))


def _rows_of_pairs(name: str, axis: int, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Both in float64, checked to have two values or more to correlate."""
    y_true, y_pred = pair(name, y_true, y_pred)
    shape = y_pred.shape
    if shape[normalize_axis(axis, len(shape), name)] == 1:
        raise ShapeError(
            f"{name}: one value has no correlation, but y_pred {shape} has one along axis {axis}. "
            f"Pass axis=0 to correlate over the samples of each batch."
        )
    return ops.astype(y_true, np.float64), ops.astype(y_pred, np.float64)


def _pearson(y: Any, p: Any, axis: int) -> Any:
    y, p = _centred(y, axis), _centred(p, axis)
    y, p = (ops.divide(x, ops.std(x, axis=axis, keepdims=True)) for x in (y, p))
    return ops.mean(ops.multiply(y, p), axis=axis)


def _concordance(y: Any, p: Any, axis: int) -> Any:
    covariance = ops.mean(ops.multiply(_centred(y, axis), _centred(p, axis)), axis=axis)
    apart = ops.squared_difference(ops.mean(y, axis=axis), ops.mean(p, axis=axis))
    spread = ops.add(ops.add(ops.var(y, axis=axis), ops.var(p, axis=axis)), apart)
    return ops.divide(ops.multiply(covariance, 2), ops.add(spread, _EPSILON))


def _mean_over_rows(name: str, axis: int, of_rows: Callable[..., Any]) -> Metric:
    return mean_of(lambda y, p: of_rows(*_rows_of_pairs(name, axis, y, p), axis=axis), name, "up")


@METRICS.named()
@metric_constructor
def pearson_correlation(name: str = "pearson_correlation", axis: int = -1) -> Metric:
    """The mean over rows of ``cov(y, p) / (std(y) std(p))``, NaN where one of them is constant.

    y_true, y_pred: (B, ..., D), correlated over D, or over another `axis`: 0 for the samples of each batch. Raises
    `ShapeError` for a single value along the axis. Source: Keras ``PearsonCorrelation``.

    >>> metric = pearson_correlation()
    >>> state = metric.update(metric.init(), [[0.0, 1.0, 0.5]], [[0.1, 0.9, 0.5]])
    >>> round(float(metric.result(state)), 4)
    1.0
    """
    return _mean_over_rows(name, axis, _pearson)


@METRICS.named()
@metric_constructor
def concordance_correlation(name: str = "concordance_correlation", axis: int = -1) -> Metric:
    """The mean over rows of ``2 cov(y, p) / (var(y) + var(p) + (mean(y) - mean(p))^2)``; shapes as for Pearson's.

    Source: Lin 1989 (Keras ``ConcordanceCorrelation``).

    >>> metric = concordance_correlation()
    >>> state = metric.update(metric.init(), [[0.0, 1.0, 0.5]], [[0.1, 0.9, 0.5]])
    >>> round(float(metric.result(state)), 4)
    0.9756
    """
    return _mean_over_rows(name, axis, _concordance)
