"""Metrics under Keras' names: objects with a state; those of `fnet.metrics` do the work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import metrics
from fnet.errors import StructureError
from fnet.metrics.define import Metric as Functional
from fnet.transfer import to_host


class Metric:
    """A metric with a state: `update_state` with a batch, `result`, `reset_state`. `functional` is the pure one.

    Source: Keras ``Metric``.

    >>> from fnet.keras import metrics
    >>> accuracy = metrics.BinaryAccuracy()
    >>> accuracy.update_state([[1.0], [0.0]], [[0.9], [0.8]])
    >>> float(accuracy.result())
    0.5
    """

    def __init__(self, functional: Any = None, name: str | None = None, **others: Any) -> None:
        if not isinstance(functional, Functional):
            raise StructureError(
                f"{type(self).__name__}: a metric of your own is a function (y_true, y_pred) in compile(metrics=[f]), "
                f"or an fnet.metrics.Metric(init, update, result). fnet.keras has no metrics with weights."
            )
        self.functional = functional if name is None else functional._replace(name=name)
        self.name = self.functional.name
        self._state: Any = self.functional.init()

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Count a batch in."""
        pair = (y_true, y_true) if y_pred is None else (y_true, y_pred)
        self._state = self.functional.update(self._state, *map(np.asarray, pair), sample_weight=sample_weight)

    def result(self) -> Any:
        """The metric over all batches since the last `reset_state`."""
        return np.asarray(to_host(self.functional.result(self._state)), np.float32)

    def reset_state(self) -> None:
        """Forget all batches."""
        self._state = self.functional.init()

    def __call__(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> Any:
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


def standard_metric(name: str, make: Callable[..., Functional]) -> type[Metric]:
    """The class of this name for a constructor of `fnet.metrics`."""

    def begin(self: Metric, *args: Any, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        Metric.__init__(self, make(*args, **options), name)

    return type(name, (Metric,), {"__init__": begin, "__doc__": make.__doc__, "__wrapped__": make})


def functional(given: Any) -> Any:
    """What `fnet.Trainer` takes for a metric, or a list or dict of metrics."""
    if isinstance(given, list | tuple) and not isinstance(given, Functional):
        return [functional(one) for one in given]
    if isinstance(given, dict):
        return {name: functional(one) for name, one in given.items()}
    if isinstance(given, type) and issubclass(given, Metric):
        return given().functional
    return given.functional if isinstance(given, Metric) else given


def __getattr__(name: str) -> Any:
    made = getattr(metrics, name)
    if not name[:1].isupper():
        return made
    value = standard_metric(name, made)
    globals()[name] = value
    return value
