"""Metrics by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import losses
from fnet.metrics.define import METRICS, Metric
from fnet.metrics.reduction import mean_of

MetricLike = str | Metric | Callable[..., Any]
"""What `get` takes for a metric."""


def get(metric: MetricLike) -> Metric:
    """A metric by name (that of any loss too), which it keeps; a `Metric` itself; the mean of a function of samples.

    >>> get("acc").name, get("mse").name
    ('acc', 'mse')

    Raises `ValueRangeError` for an unknown name, `TypeError` for that of a metric whose constructor needs arguments.
    """
    if isinstance(metric, Metric):
        return metric
    if isinstance(metric, str):
        if metric in METRICS:
            return METRICS[metric]()._replace(name=metric)
        if metric in losses.LOSSES:
            return mean_of(metric)
    elif callable(metric):
        return metric() if METRICS.has(metric) else mean_of(metric)
    raise METRICS.unknown(metric, losses.LOSSES)
