"""How sure a metric is: its interval over samples drawn again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fnet import metrics, ops, random, tree
from fnet.arguments import integer, number
from fnet.errors import ValueRangeError
from fnet.metrics import Metric
from fnet.metrics.curves import CURVE_METRICS
from fnet.metrics.define import ConfiguredMetric
from fnet.random import check_key
from fnet.train.data import as_arrays, count
from fnet.train.judge import key_of
from fnet.transforms.jit import jit


class Interval(NamedTuple):
    """A metric over all samples, and the bounds between which it lies with the probability ``level``.

    values: the metric of each draw, (draws,) or (draws, ...) for a metric of several numbers.
    """

    value: Any
    low: Any
    high: Any
    level: float
    values: np.ndarray

    def __str__(self) -> str:
        if np.ndim(self.value):
            return f"{self.value} [{self.low}, {self.high}] ({self.level:.0%})"
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}] ({self.level:.0%})"


def bootstrap(
    metric: str | Metric | Callable[[Any, Any], Any],
    y_true: Any,
    y_pred: Any,
    key: np.ndarray,
    draws: int = 1000,
    level: float = 0.95,
) -> Interval:
    """The confidence interval of a metric: its quantiles over samples that are drawn with replacement.

    metric: a name, an `fnet.metrics.Metric`, or a function ``f(y_true, y_pred)`` of all samples that gives a number or
    several. y_true, y_pred: arrays with the samples first. Each of the draws has as many samples as there are. A draw
    for which the metric is NaN does not count; that of an area under a curve is NaN for targets of one class alone.
    Raises `ValueRangeError` where it is NaN for all of them.
    Source: B. Efron, Bootstrap methods: another look at the jackknife, Ann. Statist. 1979 (percentile method).

    >>> right = np.arange(100) % 4 > 0
    >>> print(bootstrap("binary_accuracy", np.ones(100), right * 1.0, random.key(0)))
    0.75 [0.66, 0.83] (95%)
    """
    check_key(key)
    integer("bootstrap", "draws", draws, 2)
    number("bootstrap", "level", level, "(0, 1)", "{argument} is a probability, expected {range}")
    data = {name: as_arrays(name, leaf, _dtype(leaf)) for name, leaf in (("y_true", y_true), ("y_pred", y_pred))}
    n = count(data)
    of = _function(metric)
    rows = (np.asarray(random.randint(key_of(key, draw), (n,), 0, n)) for draw in range(draws))
    values = np.stack([np.array(of(data["y_true"], data["y_pred"], row)) for row in rows])
    if np.isnan(values).all(axis=0).any():
        raise ValueRangeError(
            "bootstrap: the metric is NaN for every draw of samples. Choose a metric of these samples."
        )
    low, high = np.nanquantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Interval(np.array(of(data["y_true"], data["y_pred"], np.arange(n)))[()], low, high, float(level), values)


def _function(metric: Any) -> Callable[[Any, Any, np.ndarray], Any]:
    """``f(y_true, y_pred, rows)``: the metric of the samples in these rows."""
    if callable(metric) and not isinstance(metric, Metric) and not metrics.METRICS.has(metric):
        return lambda y_true, y_pred, rows: metric(_rows(y_true, rows), _rows(y_pred, rows))
    known = metrics.get(metric)

    def of(y_true: Any, y_pred: Any, rows: Any) -> Any:
        t, p = (tree.map(lambda leaf: ops.take(leaf, rows, axis=0), part) for part in (y_true, y_pred))
        return known.result(known.update(metrics.initial_state(known, t, p), t, p))

    whole = jit(of)
    if not isinstance(known, ConfiguredMetric) or known.recipe is None or known.recipe.name not in CURVE_METRICS:
        return whole
    return lambda y_true, y_pred, rows: np.nan if _is_one_class(y_true, rows) else whole(y_true, y_pred, rows)


def _is_one_class(y_true: Any, rows: np.ndarray) -> bool:
    return all(np.unique(leaf[rows]).size < 2 for leaf in tree.leaves(y_true))


def _rows(part: Any, rows: np.ndarray) -> Any:
    return tree.map(lambda leaf: leaf[rows], part)


def _dtype(values: Any) -> np.dtype:
    """The dtype in which floats are kept."""
    leaves = tree.leaves(values)
    return np.dtype(np.float32) if all(getattr(x, "dtype", None) == np.float32 for x in leaves) else np.dtype(float)
