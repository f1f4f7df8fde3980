"""What a trainer measures: the loss that it lowers, and metrics, of a network with one output or several."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

from fnet import losses, metrics, tree
from fnet.errors import StructureError, did_you_mean, scope
from fnet.losses.combine import CombinedLoss
from fnet.losses.define import Loss
from fnet.losses.names import as_loss
from fnet.metrics import Metric
from fnet.networks.graph import output_names
from fnet.networks.layer import Layer
from fnet.train.checks import check_targets, check_weights
from fnet.transforms.operand import is_known

Outputs = tuple[str, ...] | None
"""The names of several outputs; None for a network with a single one."""


class Watched(NamedTuple):
    """A metric.

    name: what its numbers are called. output: the name of the output that it measures, None for the only one.
    weighted: whether it takes the sample weights.
    """

    name: str
    metric: Metric
    output: str | None
    weighted: bool


class Measures:
    """The loss and the metrics that a trainer was given; `bind` says which outputs of the network each is of."""

    def __init__(self, net: Layer, loss: Any, loss_weights: Any, unweighted: Any, weighted: Any) -> None:
        self._known = output_names(net)
        self._given, self._weights = loss, loss_weights
        several = _is_several(loss) or loss_weights is not None
        self._loss = None if several else losses.get(loss)
        self._metrics = ((_resolved(unweighted), False), (_resolved(weighted), True))
        self._bound: dict[Outputs, BoundMeasures] = {}
        if self._known is not None:
            self.bind(self._known)  # mistakes are told at once

    def bind(self, outputs: Outputs) -> BoundMeasures:
        """Loss and metrics for these outputs."""
        if outputs not in self._bound:
            self._bound[outputs] = BoundMeasures(outputs, self._loss_of(outputs), tuple(self._watched(outputs)))
        return self._bound[outputs]

    def check_given(self, y: Any) -> None:
        """Refuse targets that are missing, where a loss of fnet's or a metric compares with them."""
        compared = next((m for given, _ in self._metrics for m in tree.leaves(given, is_leaf=_is_metric)), None)
        compared = self._loss if isinstance(self._loss, Loss) and self._loss.kind in losses.LOSSES else compared
        if y is None and (compared is not None or self._loss is None):
            raise StructureError(
                f"y is None, but {getattr(compared, 'name', 'the loss')} compares the outputs with targets. Pass them: "
                f"y=x for a network that learns to reproduce its input."
            )

    def outputs(self, y: Any) -> Outputs:
        """The names of the outputs of which `y` is the tree."""
        if isinstance(y, Mapping):
            return tuple(y)
        if not isinstance(y, tuple | list):
            return None
        if self._known is not None and len(self._known) == len(y):
            return self._known
        return tuple(f"output_{i}" for i in range(len(y)))

    def _loss_of(self, outputs: Outputs) -> Callable[..., Any]:
        if self._loss is None or (outputs is not None and isinstance(self._loss, Loss)):
            return CombinedLoss(self._given, self._weights, outputs)
        return self._loss

    def _watched(self, outputs: Outputs) -> Iterable[Watched]:
        found = [
            (output, metric, weighted)
            for given, weighted in self._metrics
            for output, several in _by_output(given, outputs).items()
            for metric in several
        ]
        taken = ["loss", *(f"{output}_loss" for output in outputs or ())]
        for output, metric, weighted in found:
            prefix = "" if output is None else f"{output}_"
            name = f"{prefix}{metric.name}"
            name = f"{prefix}weighted_{metric.name}" if weighted and name in taken else name
            taken.append(_distinct(name, taken))
            yield Watched(taken[-1], metric, output, weighted)


class BoundMeasures:
    """`Measures` of known outputs: pure functions of a batch ``{"x", "y", "sample_weight"}`` and of its outputs."""

    def __init__(self, outputs: Outputs, loss: Callable[..., Any], watched: tuple[Watched, ...]) -> None:
        self.outputs, self.loss, self.watched = outputs, loss, watched

    @property
    def directions(self) -> dict[str, str | None]:
        """Whether "up" or "down" is better, by the name of a loss or metric; None where it is not known."""
        losses_of = ("loss", *(f"{output}_loss" for output in self.outputs or ()))
        return dict.fromkeys(losses_of, "down") | {each.name: each.metric.direction for each in self.watched}

    def value(self, batch: Mapping[str, Any], y: Any) -> tuple[Any, dict[str, Any]]:
        """The loss to be minimised, and the losses of the outputs that have one, if there are several."""
        options = {} if batch["sample_weight"] is None else {"sample_weight": batch["sample_weight"]}
        if not isinstance(self.loss, CombinedLoss):
            return self.loss(batch["y"], y, **options), {}
        parts = self.loss.values(batch["y"], y, **options)
        return self.loss.total(parts), {str(name): part for name, part in parts.items()} if self.outputs else {}

    def check_weights(self, data: Mapping[str, Any], output: Any) -> None:
        """Refuse weights that cannot be used; `output`: specs of the outputs for the data."""
        if data["sample_weight"] is not None and not isinstance(self.loss, CombinedLoss):
            check_weights(self.loss, data["y"], output)

    def check_targets(self, data: Mapping[str, Any], output: Any) -> None:
        """Refuse targets out of range, output by output; `output`: specs of the outputs for the data."""
        weight = data["sample_weight"]
        if self.outputs is None and _is_several(weight):
            raise StructureError(
                f"sample_weight is a {type(weight).__name__}, but the network has one output. Pass its weights as one "
                f"array."
            )
        for name, loss, *parts in self._losses(data, output):
            with scope(f"output {name}") if name else nullcontext():
                check_targets(loss, *parts)
        if not all(map(is_known, tree.leaves(data))):
            return
        for watched in self.watched:
            if watched.metric.check_targets is not metrics.nothing:
                with scope(f"output {watched.output}") if watched.output else nullcontext():
                    pair = self._of(watched, data["y"], output)
                    watched.metric.check_targets(*pair, **self._options(watched, data))

    def check_outputs(self, batch: Mapping[str, Any], y: Any) -> None:
        """Refuse the outputs for a batch that are no probabilities, where a loss or a metric is of such."""
        for name, loss, _, output, weight in self._losses(batch, y):
            known = as_loss(loss)
            if known is not None:
                with scope(f"output {name}") if name else nullcontext():
                    known.check_outputs(output, weight)
        for watched in self.watched:
            with scope(f"output {watched.output}") if watched.output else nullcontext():
                watched.metric.check_outputs(self._part(y, watched.output), **self._options(watched, batch))

    def doubtful(self, data: Mapping[str, Any], proven: Any) -> bool:
        """Whether an output that should be a probability is not known to be one; `proven`: a tree of bools."""
        of_losses = [(as_loss(loss), known) for _, loss, _, known, _ in self._losses(data, proven)]
        of_metrics = [(w.metric.check_outputs, self._part(proven, w.output)) for w in self.watched]
        return any(loss is not None and loss.checks_outputs and not known for loss, known in of_losses) or any(
            check is not metrics.nothing and not all(tree.leaves(known)) for check, known in of_metrics
        )

    def _losses(self, data: Mapping[str, Any], outputs: Any) -> Iterator[tuple[str | None, Any, Any, Any, Any]]:
        """``(name, loss, targets, output, sample_weight)`` for each output, named if there are several."""
        y, weight = data["y"], data["sample_weight"]
        if not isinstance(self.loss, CombinedLoss):
            yield None, self.loss, y, outputs, weight
        elif self.outputs is None:
            yield None, self.loss.losses_of((0,))[0], y, outputs, weight
        elif _is_several(y) and (isinstance(y, Mapping) or len(y) == len(self.outputs)):  # else the loss says so
            for name in self.outputs:
                if not isinstance(y, Mapping) or name in y:
                    loss = self.loss.losses_of(self.outputs)[name]
                    yield name, loss, self._part(y, name), self._part(outputs, name), self._weight(weight, name)

    def states(self, data: Mapping[str, Any], output: Any) -> tuple[Any, ...]:
        """The states of the metrics before the first batch; `output`: specs of the outputs for the data."""
        return tuple(metrics.initial_state(w.metric, *self._of(w, data["y"], output)) for w in self.watched)

    def updated(self, states: tuple[Any, ...], batch: Mapping[str, Any], y: Any) -> tuple[Any, ...]:
        """The states of the metrics with one batch more."""
        updates = zip(self.watched, states, strict=True)
        return tuple(w.metric.update(s, *self._of(w, batch["y"], y), **self._options(w, batch)) for w, s in updates)

    def _options(self, watched: Watched, batch: Mapping[str, Any]) -> dict[str, Any]:
        weight = self._weight(batch["sample_weight"], watched.output)
        return {"sample_weight": weight} if watched.weighted and weight is not None else {}

    def _weight(self, weight: Any, output: str | None) -> Any:
        """The sample weights of one output, or None."""
        if isinstance(weight, Mapping):
            return weight.get(output)
        return self._part(weight, output) if _is_several(weight) else weight

    def _of(self, watched: Watched, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
        """Targets and predictions of one output."""
        return self._part(y_true, watched.output), self._part(y_pred, watched.output)

    def _part(self, tree: Any, output: str | None) -> Any:
        if output is None:
            return tree
        assert self.outputs is not None
        return tree[output] if isinstance(tree, Mapping) else tree[self.outputs.index(output)]


def _is_metric(x: Any) -> bool:
    return isinstance(x, Metric)


def _is_several(x: Any) -> bool:
    return isinstance(x, Mapping | list | tuple)


def _resolved(given: Any) -> Any:
    """The metrics meant by names and functions, in the lists and dicts that they were given in."""
    if isinstance(given, Mapping):
        return {name: _resolved(own) for name, own in given.items()}
    if isinstance(given, list | tuple) and not isinstance(given, Metric):
        return [_resolved(own) for own in given]
    return None if given is None else metrics.get(given)


def _by_output(given: Any, outputs: Outputs) -> dict[str | None, Sequence[Any]]:
    """The metrics of each output, from what the user wrote."""
    if outputs is None:
        if isinstance(given, Mapping):
            raise StructureError(f"metrics are given for outputs {', '.join(map(repr, given))}, but there is only one.")
        return {None: _listed(given)}
    if isinstance(given, Mapping):
        for name in given:
            if name not in outputs:
                raise StructureError(f"metrics: the network has no output {name!r}.{did_you_mean(name, outputs)}")
        return {name: _listed(given[name]) for name in outputs if name in given}
    several = _listed(given)
    if several and len(several) != len(outputs):
        raise StructureError(
            f"metrics: expected a dict by output ({', '.join(outputs)}) or a list with an entry for each, received "
            f"{len(several)} for {len(outputs)} outputs."
        )
    return {name: _listed(own) for name, own in zip(outputs, several, strict=False)}


def _listed(given: Any) -> Sequence[Any]:
    if given is None:
        return ()
    return given if isinstance(given, list | tuple) and not isinstance(given, Metric) else (given,)


def _distinct(name: str, taken: Sequence[str]) -> str:
    """The name, or the first of name_1, name_2, ... that is free, as in Keras."""
    distinct, number = name, 0
    while distinct in taken:
        number += 1
        distinct = f"{name}_{number}"
    return distinct
