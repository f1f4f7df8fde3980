"""What all metrics share: the accumulator, sums over samples, weights and masks, options that are checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple, ParamSpec

import numpy as np

from fnet import configured, ops, tree
from fnet.configured import Recipe, make_again
from fnet.errors import StructureError
from fnet.losses.align import weights_for
from fnet.losses.leave_out import counted, fitted
from fnet.losses.values import OutputsCheck, TargetsCheck
from fnet.masking import join_mask, split_mask
from fnet.names import Names
from fnet.ops.promotion import lift
from fnet.spec import ArraySpec
from fnet.transforms.operand import beside, known_value
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import eval_shape

State = dict[str, Any]
Shape = tuple[int, ...]
Direction = Literal["up", "down"]
P = ParamSpec("P")


def nothing(*arrays: Any, **options: Any) -> None:
    """No check."""


class Metric(NamedTuple):
    """``init() -> state``, ``update(state, y_true, y_pred, sample_weight=None) -> state``, ``result(state)``.

    `name` is its key in a history; `direction` says which way is better, "up" or "down" (None: not known).
    ``check_targets(y_true, y_pred, sample_weight=None)`` and ``check_outputs(y_pred, sample_weight=None)`` raise what
    an eager `update` would raise, for code that is compiled; y_pred of the first may be the `ArraySpec` of predictions.
    `nothing` is the check that a metric does not have.
    """

    init: Callable[[], Any]
    update: Callable[..., Any]
    result: Callable[[Any], Any]
    name: str = "metric"
    direction: Direction | None = None
    check_targets: Callable[..., None] = nothing
    check_outputs: Callable[..., None] = nothing


METRICS: Names[Callable[..., Metric]] = Names("metric", "a name or a function", "fnet.metrics")


class ConfiguredMetric(Metric):
    """A metric that a constructor made. It is pickled by its arguments, and its name and direction if replaced."""

    recipe: Recipe | None

    def _replace(self, **fields: Any) -> ConfiguredMetric:
        made = ConfiguredMetric(*super()._replace(**fields))
        made.recipe = self.recipe if fields.keys() <= {"name", "direction", "check_outputs"} else None
        return made

    def __copy__(self) -> ConfiguredMetric:
        return self

    def __deepcopy__(self, memo: Any) -> ConfiguredMetric:
        """The metric itself, which never changes."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            (Metric, tuple(self))
            if self.recipe is None
            else (_made_again, (tuple(self.recipe), self.name, self.direction))
        )


def _made_again(recipe: tuple[Any, ...], name: str, direction: Direction | None) -> Metric:
    return make_again(*recipe)._replace(name=name, direction=direction)


def accumulate(
    name: str,
    shapes: Mapping[str, Shape],
    sums: Callable[[Any, Any, Any], State],
    result: Callable[[State], Any],
    direction: Direction | None = None,
    targets: TargetsCheck | None = None,
    outputs: OutputsCheck | None = None,
) -> Metric:
    """The metric whose state is a sum over samples, so that any split of them into batches gives the same.

    shapes: those of the sums, by name; an axis of size 1 may grow in the first update. sums(y_true, y_pred,
    sample_weight) -> the sums over one batch, float64; a mask of y_pred has become a part of the weights. targets,
    outputs: refuse arrays of a batch, as far as they are known.
    """

    def init() -> State:
        return {key: np.zeros(shape) for key, shape in shapes.items()}

    def update(state: State, y_true: Any, y_pred: Any, sample_weight: Any = None) -> State:
        batch = mask_as_weights(name, y_true, y_pred, sample_weight)
        _check(*batch[:2])
        added = sums(*batch)
        return {key: ops.add(total, added[key]) for key, total in state.items()}

    def _check(y_true: Any, y_pred: Any) -> None:
        true, predicted = (known_value(lift(x)) for x in (y_true, y_pred))
        if targets is not None and true is not None:
            spec = spec_of(y_pred)
            targets(name, true, spec.shape, {"labels": not spec.differentiable})
        if outputs is not None and predicted is not None:
            outputs(name, predicted, {})

    def check_targets(y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        values, mask = split_mask(y_pred)
        if targets is not None and not isinstance(mask, ArraySpec):
            batch = join_mask(np.broadcast_to(np.float32(0), values.shape), mask)
            y_true, batch, _ = mask_as_weights(name, y_true, batch, sample_weight)
            targets(name, lift(y_true), batch.shape, {})

    def check_outputs(y_pred: Any, sample_weight: Any = None) -> None:
        if outputs is not None:
            _, values, _ = mask_as_weights(name, split_mask(y_pred)[0], y_pred, sample_weight)
            outputs(name, lift(values), {})

    checks = check_targets if targets is not None else nothing, check_outputs if outputs is not None else nothing
    return Metric(init, update, result, name, direction, *checks)


def initial_state(metric: Metric, y_true: Any, y_pred: Any) -> Any:
    """``metric.init()`` in the shapes that updates keep, for code that is compiled for one shape of the state.

    y_true, y_pred: a batch, or the `fnet.ArraySpec` of one. The state of a metric with a number for each class or
    output has one for all of them until the first update. Raises `StructureError` for an update that changes more.

    >>> from fnet.metrics import f1_score
    >>> initial_state(f1_score(), np.zeros((4, 3)), np.zeros((4, 3)))["true_positives"]
    array([0., 0., 0.])
    """
    state = metric.init()
    after = eval_shape(lambda state, y, p: metric.update(state, y, p), state, y_true, y_pred)
    before = tree.structure(state)
    if tree.structure(after) != before:
        raise StructureError(f"metric {metric.name}: update must return a state like that of init, {before}.")
    grown = zip(tree.leaves(state), tree.leaves(after), strict=True)
    return tree.unflatten(before, [np.array(np.broadcast_to(leaf, spec.shape), spec.dtype) for leaf, spec in grown])


def mask_as_weights(name: str, y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any, Any]:
    """``(y_true, y_pred, sample_weight)`` without masks: a step that does not count has weight 0.

    y_pred: (N, T, ...) under a mask (N, T); a prediction (N, T) becomes (N, T, 1), so that each step is a row. Where
    the weight is 0 targets and predictions are zeros.
    """
    y_true, (values, mask) = split_mask(y_true)[0], split_mask(y_pred)
    if mask is None:
        return *_weighted_parts(y_true, values, sample_weight), sample_weight
    y_true, values, rank = lift(y_true), lift(values), spec_of(mask).ndim
    if spec_of(values).ndim == rank:
        y_true, values = (ops.expand_dims(x, -1) if spec_of(x).ndim == rank else x for x in (y_true, values))
    weights = ops.astype(mask, np.float64)
    if sample_weight is not None:
        weights = ops.multiply(weights, weights_for(name, sample_weight, weights))
    return *_weighted_parts(y_true, values, weights), weights


def _weighted_parts(y_true: Any, y_pred: Any, sample_weight: Any) -> tuple[Any, Any]:
    """Both with zeros where the weight is 0, so that padding, whatever it holds, is neither checked nor counted."""
    if sample_weight is None:
        return y_true, y_pred
    y_true, y_pred = lift(y_true), lift(y_pred)
    shape = spec_of(y_pred).shape
    counts = counted(shape, range(len(shape)), None, sample_weight)
    return (y_true, y_pred) if counts is None else (_kept(counts, y_true), _kept(counts, y_pred))


def _kept(counts: Any, x: Any) -> Any:
    own = fitted(counts, spec_of(x).ndim)
    lead = () if own is None else spec_of(own).shape
    fits = own is not None and all(n in (1, size) for n, size in zip(lead, spec_of(x).shape, strict=True))
    return ops.where(own, x, 0) if fits else x


def full_weights(name: str, sample_weight: Any, shape: Shape, like: Any) -> Any:
    """Float64 weights for values of this shape; ones without `sample_weight`, on the device of `like`."""
    ones = np.broadcast_to(np.float64(1), shape)
    if sample_weight is None:
        return beside(np.ones(shape), like)
    return ops.broadcast_to(weights_for(name, sample_weight, ones), shape)


def ratio(a: Any, b: Any) -> Any:
    """``a / b``, and 0 where `b` is 0."""
    empty = ops.equal(b, 0)
    return ops.where(empty, 0, ops.divide(a, ops.where(empty, 1, b)))


def metric_constructor(make: Callable[P, Metric]) -> Callable[P, Metric]:
    """Make a function the constructor of its metric, which is pickled by the arguments."""

    def finish(made: Metric, recipe: Recipe) -> Metric:
        metric = ConfiguredMetric(*made)
        metric.recipe = recipe
        return metric

    return configured.constructor(finish)(make)
