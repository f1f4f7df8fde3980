"""The steps of `fit`, `evaluate` and `predict` that a model of the user's own may override."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import tree
from fnet.context import in_force
from fnet.errors import StructureError
from fnet.keras import metrics as words
from fnet.keras.gradients import value_and_grad
from fnet.keras.layer import Layer
from fnet.keras.metrics import Metric
from fnet.keras.variable import Variable
from fnet.networks.parameters import penalty
from fnet.train.measures import Measures
from fnet.train.sources.batches import unpacked

OVERRIDABLE = ("train_step", "test_step", "predict_step", "compute_loss", "compute_metrics")


class CompiledMetrics(Metric):
    """The metrics that `compile` was given, as one whose result is a dict. Source: Keras ``CompileMetrics``."""

    def __init__(self, measures: Measures) -> None:
        super().__init__(name="compile_metrics")
        self._measures = measures
        self._counted = self._begin = ()
        self._bound: Any = None

    def update_state(self, y_true: Any, y_pred: Any = None, sample_weight: Any = None) -> None:
        """Count a batch in."""
        bound, batch = (
            self._measures.bind(self._measures.outputs(y_pred)),
            {"y": y_true, "sample_weight": sample_weight},
        )
        if not self._counted:
            self._counted = self._begin = self._begin or bound.states(batch, y_pred)
        self._counted = bound.updated(self._counted, batch, y_pred)
        self._bound = bound

    def result(self) -> Any:
        """The numbers by their names."""
        pairs = zip(self._bound.watched, self._counted, strict=True) if self._counted else ()
        return {watched.name: watched.metric.result(state) for watched, state in pairs}

    def first_kept(self) -> Any:
        return self._begin, {}


class OwnSteps(Layer):
    """The part of a model that says what a step does. A step is compiled: it computes with `fnet.keras.ops`."""

    optimizer: Any
    _measures: Measures
    _has_loss = False
    _given_loss: Any = None
    _loss_tracker: Metric | None = None
    _compiled_metrics: CompiledMetrics | None = None

    @property
    def has_own_steps(self) -> bool:
        """Whether the class overrides a step or a part of one."""
        return any(getattr(type(self), name) is not getattr(OwnSteps, name) for name in OVERRIDABLE)

    @property
    def has_one_loss(self) -> bool:
        given = self._given_loss
        several = given.values() if isinstance(given, dict) else given if isinstance(given, list | tuple) else ()
        return sum(one is not None for one in several) == 1

    @property
    def metrics(self) -> list[Metric]:
        """The mean loss, the metrics that the model and its layers hold, and those of `compile` as one.

        Those of a model that overrides `metrics` are counted anew in each epoch.
        """
        own = [one for _, part in self.placed() for one in held_metrics(part)]
        around = (self._loss_tracker, self._compiled_metrics)
        first, last = ([one] if one is not None else [] for one in around)
        return [*first, *(one for one in dict.fromkeys(own) if one not in around), *last]

    def value_and_grad(
        self, function: Callable[[], Any], variables: Sequence[Variable] | None = None, has_aux: bool = False
    ) -> Any:
        """``(loss, gradients)`` of ``loss = function()``, see `fnet.keras.value_and_grad`.

        variables: the weights, all that are trained where they are left out. has_aux: `function` returns
        ``(loss, more)``, and so does this: ``(loss, more), gradients``.
        """
        return value_and_grad(function, self.trainable_variables if variables is None else variables, has_aux)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step of `fit` on a batch ``x``, ``(x, y)`` or ``(x, y, sample_weight)``: the numbers by their names.

        One of your own computes gradients by `value_and_grad`, changes weights by ``self.optimizer.apply(gradients,
        variables)``, and may call ``super().train_step(data)``.
        """
        x, y, sample_weight = _parts(data)

        def of_batch() -> tuple[Any, Any]:
            y_pred = self(x, training=True)
            return _accepting(self.compute_loss, x, y, y_pred, sample_weight, training=True), y_pred

        (loss, y_pred), gradients = self.value_and_grad(of_batch, has_aux=True)
        self.optimizer.apply(gradients, self.trainable_variables)
        self._count_loss(loss, x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def test_step(self, data: Any) -> dict[str, Any]:
        """One step of `evaluate`, in inference mode: the numbers by their names."""
        x, y, sample_weight = _parts(data)
        y_pred = self(x, training=False)
        self._count_loss(_accepting(self.compute_loss, x, y, y_pred, sample_weight, training=False), x)
        return self.compute_metrics(x, y, y_pred, sample_weight)

    def predict_step(self, data: Any) -> Any:
        """One step of `predict`: the outputs for a batch."""
        return self(_parts(data)[0], training=False)

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """The loss of `compile` for a batch, and what layers add to it. Raises `StructureError` where there is none."""
        told = in_force().penalties
        extra = list(told or ())
        if told:
            told.clear()
        if self._core is not None:
            weights = penalty(self._core, self.params)
            extra += [] if isinstance(weights, float) else [weights]
        if not self._has_loss and not extra:
            raise StructureError(
                f"{self.name} has no loss: compile(loss='mse'), add_loss in call, or a compute_loss of its own."
            )
        if self._has_loss and y is not None:
            bound = self._measures.bind(self._measures.outputs(y_pred))
            extra.insert(0, bound.value({"x": x, "y": y, "sample_weight": sample_weight}, y_pred)[0])
        total = extra[0]
        for part in extra[1:]:
            total = total + part
        return total

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> dict[str, Any]:
        """Count a batch into the metrics of `compile`, and return all numbers by their names."""
        if self._compiled_metrics is not None and y is not None:
            self._compiled_metrics.update_state(y, y_pred, sample_weight)
        return self.get_metrics_result()

    def get_metrics_result(self) -> dict[str, Any]:
        """The numbers of all metrics by their names."""
        return flat({metric.name: metric.result() for metric in self.metrics})

    def measured_by(self, measures: Measures, has_loss: bool, has_metrics: bool) -> None:
        """Take the loss and the metrics of `compile`."""
        self._measures, self._has_loss = measures, has_loss
        counts_loss = has_loss or type(self).train_step is OwnSteps.train_step
        self._loss_tracker = words.Mean(name="loss") if counts_loss else None
        self._compiled_metrics = CompiledMetrics(measures) if has_metrics else None

    def metrics_of_steps(self) -> dict[str, Metric]:
        """All metrics that its steps may change."""
        held = [one for _, part in self.placed() for one in held_metrics(part)]
        return {f"metric_{number}": one for number, one in enumerate(dict.fromkeys([*self.metrics, *held]))}

    def _count_loss(self, loss: Any, x: Any) -> None:
        if self._loss_tracker is not None:
            size = float(np.shape(tree.leaves(x)[0])[0])
            self._loss_tracker.update_state(loss, sample_weight=size)


def held_metrics(holder: Any) -> list[Metric]:
    """The metrics that the attributes of an object hold, within lists and dicts too."""
    found: list[Metric] = []
    for value in vars(holder).values():
        several = value if isinstance(value, list | tuple) else value.values() if isinstance(value, dict) else (value,)
        found += [one for one in several if isinstance(one, Metric)]
    return found


def flat(numbers: dict[str, Any]) -> dict[str, Any]:
    """Numbers by their names; those in a dict are by the names there."""
    found: dict[str, Any] = {}
    for name, value in numbers.items():
        found |= flat(value) if isinstance(value, dict) else {name: value}
    return found


def _parts(data: Any) -> tuple[Any, Any, Any]:
    return unpacked(tuple(data) if isinstance(data, list) else data, "data: ")


def _accepting(function: Callable[..., Any], x: Any, y: Any, y_pred: Any, sample_weight: Any, training: bool) -> Any:
    """The loss by a function of the user's own, which may take no `training`, or fewer by keyword."""
    given = {"x": x, "y": y, "y_pred": y_pred, "sample_weight": sample_weight, "training": training}
    takes = inspect.signature(function).parameters
    if any(p.kind == p.VAR_KEYWORD for p in takes.values()):
        return function(**given)
    return function(**{name: value for name, value in given.items() if name in takes})
