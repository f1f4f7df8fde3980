"""Metrics under Keras' names: objects with a state; those of `fnet.metrics` do the work."""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fnet import initializers, metrics
from fnet.configured import Recipe
from fnet.errors import StructureError, ValueRangeError
from fnet.io.keras.metrics import read_metric, write_metric
from fnet.keras import losses
from fnet.keras.losses import Loss, LossFunction
from fnet.keras.own_parts import PartMaker
from fnet.keras.plain_data import words
from fnet.keras.running import Values
from fnet.keras.seeds import next_key
from fnet.keras.variable import Variable
from fnet.layers.constructor import entry_name
from fnet.losses.define import LOSSES
from fnet.metrics.define import ConfiguredMetric
from fnet.metrics.define import Metric as Functional
from fnet.metrics.reduction import mean_of
from fnet.transfer import to_host
from fnet.transforms.operand import is_operand, known_value


class Metric:
    """A metric with a state: `update_state` with a batch, `result`, `reset_state`. `functional` is the pure one.

    One of your own asks for its variables by `add_variable`, and defines `update_state` and `result` with
    `fnet.keras.ops` or NumPy; in `fit` they are compiled with the step. Source: Keras ``Metric``.

    >>> from fnet.keras import metrics
    >>> accuracy = metrics.BinaryAccuracy()
    >>> accuracy.update_state([[1.0], [0.0]], [[0.9], [0.8]])
    >>> float(accuracy.result())
    0.5

    >>> class Largest(metrics.Metric):
    ...     def __init__(self, name="largest"):
    ...         super().__init__(name=name)
    ...         self.largest = self.add_variable(shape=(), initializer="zeros", name="largest")
    ...     def update_state(self, y_true, y_pred, sample_weight=None):
    ...         self.largest.assign(np.maximum(self.largest, abs(y_pred - y_true).max()))
    ...     def result(self):
    ...         return self.largest
    >>> float(Largest()([1.0, 5.0], [2.0, 3.0]))
    2.0
    """

    trainable = False

    def __init__(self, functional: Any = None, name: str | None = None, dtype: Any = None) -> None:
        own = type(self)
        known = functional if isinstance(functional, Functional) else None
        if known is None and (own.update_state is Metric.update_state or own.result is Metric.result):
            raise StructureError(
                f"{own.__name__}: a metric of your own defines update_state and result, or is a function "
                f"(y_true, y_pred) in compile(metrics=[f]), or an fnet.metrics.Metric(init, update, result)."
            )
        self._known = known
        self.name = name or (entry_name(own.__name__) if known is None else known.name)
        self._counted: Any = None if known is None else known.init()
        self._initial: dict[str, np.ndarray] = {}
        self.values = Values({}, {})
        self.variables: list[Variable] = []
        self._turns = threading.RLock()

    @property
    def functional(self) -> Functional:
        """The metric as `fnet.Trainer` takes it."""
        own = type(self)
        if self._known is not None and own.update_state in _STANDARD and own.result is Metric.result:
            return self._known._replace(name=self.name)
        made = ConfiguredMetric(self._first, self._updated, self._result_of, self.name)
        made.recipe = Recipe(PartMaker(own), (), self.get_config())
        return made

    def get_config(self) -> dict[str, Any]:
        """The arguments that it was made with; a class of your own adds its own."""
        recipe = getattr(self._known, "recipe", None)
        return {**({} if recipe is None else recipe.kwargs), "name": self.name, "dtype": "float32"}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A metric made with these arguments."""
        return cls(**config)

    def add_variable(
        self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None, name: str | None = None
    ) -> Variable:
        """Make a number, or an array, that `update_state` may assign to, and return it."""
        entry = name or f"variable_{len(self.variables)}"
        sizes = (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape)
        value = initializers.get(initializer)(next_key(), sizes, np.dtype(dtype or "float32"))
        self._initial[entry] = np.asarray(value)
        self.values.state[entry] = np.array(value)
        self.variables.append(Variable(self, f"state/{entry}", entry, False))
        return self.variables[-1]

    def add_weight(
        self, shape: Any = (), initializer: Any = "zeros", dtype: Any = None, name: str | None = None
    ) -> Variable:
        """As `add_variable`."""
        return self.add_variable(shape, initializer, dtype, name)

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Count a batch in."""
        assert self._known is not None
        pair = (y_true,) if y_pred is None else (y_true, y_pred)
        self._counted = self._known.update(self._counted, *map(_as_array, pair), sample_weight=sample_weight)

    def result(self) -> Any:
        """The metric over all batches since the last `reset_state`."""
        assert self._known is not None
        found = self._known.result(self._counted)
        return np.asarray(to_host(found), np.float32) if known_value(found) is not None else found

    def reset_state(self) -> None:
        """Forget all batches."""
        self._counted, self.values.state = self._first()

    def __call__(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> Any:
        given = (y_true,) if y_pred is None else (_as_array(y_true), _as_array(y_pred))
        self.update_state(*given, **({} if sample_weight is None else {"sample_weight": sample_weight}))
        found = self.result()
        return np.asarray(found.value if isinstance(found, Variable) else found, np.float32)

    # As pure functions: the state is given to the object, and taken from it.

    @property
    def kept_in_steps(self) -> Any:
        """What it has counted: a tree."""
        return self._counted, self.values.state

    @kept_in_steps.setter
    def kept_in_steps(self, counted: Any) -> None:
        self._counted, self.values.state = counted[0], dict(counted[1])

    def first_kept(self) -> Any:
        """What it has counted before any batch."""
        return self._first()

    def _first(self) -> tuple[Any, dict[str, Any]]:
        counted = None if self._known is None else self._known.init()
        return counted, {name: np.array(value) for name, value in self._initial.items()}

    def _updated(self, state: Any, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        with self._holding(state):
            self.update_state(y_true, y_pred, **({} if sample_weight is None else {"sample_weight": sample_weight}))
            return self._counted, self.values.state

    def _result_of(self, state: Any) -> Any:
        with self._holding(state):
            found = self.result()
            return found.value if isinstance(found, Variable) else found

    @contextmanager
    def _holding(self, state: Any) -> Iterator[None]:
        """Hold the values of a function's arguments inside."""
        with self._turns:
            own = self._counted, self.values.state
            self._counted, self.values.state = state[0], dict(state[1])
            try:
                yield
            finally:
                self._counted, self.values.state = own

    def __repr__(self) -> str:
        return f"<{type(self).__name__} name={self.name}>"


_STANDARD: list[Any] = [Metric.update_state]
"""The methods that do what the functional metric does."""


class MeanMetricWrapper(Metric):
    """The running mean of ``fn(y_true, y_pred, **options)``, a number for each sample. Source: Keras.

    >>> far = MeanMetricWrapper(lambda y_true, y_pred, limit: abs(y_pred - y_true) > limit, name="far", limit=1.0)
    >>> far.update_state([[0.0], [0.0]], [[0.5], [2.0]])
    >>> float(far.result())
    0.5
    """

    def __init__(self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **options: Any) -> None:
        label = name or getattr(fn, "__name__", "mean_metric_wrapper")
        super().__init__(mean_of(functools.partial(fn, **options) if options else fn, label), label, dtype)


class OfValues(Metric):
    """A metric of plain values, as `Mean` and `Sum`."""

    def update_state(self, values: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        """Count values in."""
        super().update_state(values, None, sample_weight)

    def __call__(self, values: Any, sample_weight: Any = None) -> Any:  # type: ignore[override]
        return super().__call__(values, None, sample_weight)


_STANDARD.append(OfValues.update_state)


def _as_array(x: Any) -> Any:
    if isinstance(x, Variable):
        return x.value
    return x if is_operand(x) else np.asarray(x)


def standard_metric(name: str, make: Callable[..., Functional]) -> type[Metric]:
    """The class of this name for a constructor of `fnet.metrics`."""
    base = OfValues if name in ("Mean", "Sum") else Metric

    def begin(self: Metric, *args: Any, name: str | None = None, dtype: Any = None, **options: Any) -> None:
        Metric.__init__(self, make(*args, **options), name, dtype)

    return type(name, (base,), {"__init__": begin, "__doc__": make.__doc__, "__wrapped__": make})


def functional(given: Any) -> Any:
    """What `fnet.Trainer` takes for a metric, or a list or dict of metrics."""
    if isinstance(given, list | tuple) and not isinstance(given, Functional):
        return [functional(one) for one in given]
    if isinstance(given, dict):
        return {name: functional(one) for name, one in given.items()}
    if isinstance(given, type) and issubclass(given, Metric | Loss):
        given = given()
    made = given.functional if isinstance(given, Metric | Loss | LossFunction) else given
    if isinstance(made, str) and made in metrics.METRICS:
        made = metrics.get(made)
    return _warning(made) if isinstance(made, Functional) and made.name in _OF_THRESHOLDS else made


_OF_THRESHOLDS = ("acc", "accuracy", "binary_accuracy")


def _warning(accuracy: Functional) -> Functional:
    """The metric, which compares logits with 0.5, too, and says so: Keras does it without a word."""

    def check(*args: Any, **options: Any) -> None:
        try:
            accuracy.check_outputs(*args, **options)
        except ValueRangeError as error:
            warnings.warn(f"{error} fnet.keras compares them with 0.5, as Keras does.", stacklevel=2)

    return accuracy._replace(check_outputs=check)


def _known(given: Any) -> Any:
    return given if isinstance(given, Metric) else Metric(metrics.get(given))


serialize, deserialize, get = words("metrics", lambda metric: write_metric(functional(metric)), read_metric, _known)


def __getattr__(name: str) -> Any:
    made = getattr(metrics, name)
    function = getattr(losses, name, None) if name in LOSSES else None
    if isinstance(function, LossFunction):
        return function
    if not name[:1].isupper():
        return made
    value = standard_metric(name, made)
    globals()[name] = value
    return value
