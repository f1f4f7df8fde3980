"""The functions that a trainer compiles: a training step, an evaluation step, a prediction.

A step takes a tree and returns the next one. The tree holds the position in the data, from which the step finds its
batch in arrays of many. So one native call can run many steps. Where batches come one by one, a step takes one whole.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet import ops, random, tree
from fnet.errors import DtypeError
from fnet.masking import unmasked
from fnet.networks.layer import Layer
from fnet.networks.parameters import apply_with_penalty, constrain, trainable
from fnet.ops.promotion import astype
from fnet.optimizers import Optimizer, apply_updates
from fnet.train.data import STEP
from fnet.train.measures import BoundMeasures
from fnet.train.state import TrainState
from fnet.transfer import to_host
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import eval_shape
from fnet.transforms.vjp import value_and_grad
from fnet.tree import TreeDef


class Setup(NamedTuple):
    """What a step works with: the network, its loss and metrics, and the optimizer."""

    net: Layer
    measures: BoundMeasures
    optimizer: Optimizer


class Totals(NamedTuple):
    """What an epoch has summed up so far.

    loss: the sum of the losses of the batches, each times the size of its batch, () float64. count: the sum of the
    sizes, () float64. parts: as `loss`, for each of several outputs. metrics: the states of the metrics.
    """

    loss: Any
    count: Any
    parts: dict[str, Any]
    metrics: tuple[Any, ...]


class Training(NamedTuple):
    """The tree that a training step takes and returns.

    start: the position of the batch in the epoch. bad: the number of the first step with a loss that is not finite,
    or -1.
    """

    ts: TrainState
    start: Any
    totals: Totals
    bad: Any


class Evaluation(NamedTuple):
    """The tree that an evaluation step takes and returns; it returns the parameters unchanged."""

    params: Any
    state: Any
    start: Any
    totals: Totals


def no_totals(measures: BoundMeasures, data: dict[str, Any], output: Any) -> Totals:
    """The totals before the first batch; `output`: specs of the outputs for the data."""
    parts = eval_shape(lambda data, y: measures.value(data, y)[1], data, output)
    return Totals(np.zeros(()), np.zeros(()), dict.fromkeys(parts, np.zeros(())), measures.states(data, output))


def numbers(measures: BoundMeasures, totals: Totals) -> dict[str, Any]:
    """Losses and metrics by name, from the sums over an epoch; a metric of several numbers gives an array."""
    results: dict[str, Any] = {"loss": float(totals.loss / totals.count)}
    for output, total in totals.parts.items():
        results[f"{output}_loss"] = float(total / totals.count)
    for watched, state in zip(measures.watched, totals.metrics, strict=True):
        value = np.asarray(watched.metric.result(to_host(state)))
        results[watched.name] = float(value) if value.ndim == 0 else value
    return results


def training_step(setup: Setup, size: int | None, structure: TreeDef) -> Callable[..., tuple[Training]]:
    """The step for batches of `size` samples from data whose tree has the given structure.

    ``step(carry, order, *leaves)``: the batch is the samples ``order[start : start + size]``. Without a size,
    ``step(carry, *leaves)``: the batch is all samples.
    """
    net, measures, optimizer = setup

    def step(carry: Training, *inputs: Any) -> tuple[Training]:
        ts = carry.ts
        if size is None:
            batch, count = _whole(structure, inputs)
        else:
            order, *leaves = inputs
            batch, count = _picked(structure, ops.take(order, ops.add(carry.start, np.arange(size))), leaves), size
        trained, frozen = split_trained(net, ts.params)
        (value, (y, state, parts)), gradient = _value_and_gradient(setup, ts, trained, frozen, batch)
        updates, opt_state = optimizer.update(gradient, ts.opt_state, trained)
        bad = ops.where(
            ops.logical_and(ops.less(carry.bad, 0), ops.logical_not(ops.isfinite(value))), ts.step, carry.bad
        )
        new = TrainState(
            constrain(net, tree.combine(apply_updates(trained, updates), frozen)),
            _like(ts.state, state, "state of the network"),
            _like(ts.opt_state, opt_state, "state of the optimizer"),
            ts.key,
            ops.add(ts.step, 1),
        )
        totals = _added(carry.totals, measures, value, parts, count, batch, y)
        return (Training(new, ops.add(carry.start, count), totals, bad),)

    return step


def gradient_of_batch(setup: Setup, structure: TreeDef) -> Callable[..., Any]:
    """``f(ts, *leaves)``: the gradient of the loss at `ts` for one batch, as a training step on it computes it."""

    def gradient(ts: TrainState, *leaves: Any) -> Any:
        trained, frozen = split_trained(setup.net, ts.params)
        return _value_and_gradient(setup, ts, trained, frozen, tree.unflatten(structure, list(leaves)))[1]

    return gradient


def _value_and_gradient(setup: Setup, ts: TrainState, trained: Any, frozen: Any, batch: dict[str, Any]) -> Any:
    """``(loss, (output, state, losses by output)), gradient`` of the step number ``ts.step`` on this batch."""
    net, measures, _ = setup
    key = random.fold_in(random.fold_in(ts.key, STEP), ts.step)

    def value_of(trained: Any) -> Any:
        params = tree.combine(trained, frozen)
        y, state, penalty = apply_with_penalty(net, params, ts.state, batch["x"], key=key, train=True)
        value, parts = measures.value(batch, y)
        return _plus(value, penalty), (y, state, parts)

    return value_and_grad(value_of, has_aux=True)(trained)


def evaluation_step(setup: Setup, size: int | None, structure: TreeDef) -> Callable[..., tuple[Evaluation]]:
    """The step ``step(carry, *leaves)`` for the samples from `start` on, in their order, in inference mode.

    Without a size, for all samples.
    """
    net, measures, _ = setup

    def step(carry: Evaluation, *leaves: Any) -> tuple[Evaluation]:
        if size is None:
            batch, count = _whole(structure, leaves)
        else:
            batch, count = _picked(structure, ops.add(carry.start, np.arange(size)), leaves), size
        y, state, penalty = apply_with_penalty(net, carry.params, carry.state, batch["x"])
        value, parts = measures.value(batch, y)
        totals = _added(carry.totals, measures, _plus(value, penalty), parts, count, batch, y)
        state = _like(carry.state, state, "state of the network")
        return (carry._replace(state=state, start=ops.add(carry.start, count), totals=totals),)

    return step


def prediction(net: Layer, structure: TreeDef) -> Callable[..., tuple[Any, ...]]:
    """``f((params, state), *leaves of x)`` that returns the same with the new state and the leaves of the output."""

    def predict(network: tuple[Any, Any], *leaves: Any) -> tuple[Any, ...]:
        params, state = network
        y, new = net.apply(params, state, tree.unflatten(structure, list(leaves)))
        return ((params, _like(state, new, "state of the network")), *tree.leaves(unmasked(y)))

    return predict


def split_trained(net: Layer, params: Any) -> tuple[Any, Any]:
    """The parameters that are trained and those that are frozen, each with None in the places of the others."""
    return tree.partition(params, trainable(net, params))


def _whole(structure: TreeDef, leaves: Sequence[Any]) -> tuple[Any, int]:
    """The batch of these leaves, and how many samples it has."""
    return tree.unflatten(structure, list(leaves)), spec_of(leaves[0]).shape[0]


def _picked(structure: TreeDef, samples: Any, leaves: Sequence[Any]) -> Any:
    """The batch of these samples."""
    return tree.unflatten(structure, [ops.take(leaf, samples) for leaf in leaves])


def _plus(value: Any, penalty: Any) -> Any:
    """Loss and penalty; a network without regularizers has the float 0.0, which costs nothing."""
    return value if isinstance(penalty, float) else ops.add(value, penalty)


def _added(
    totals: Totals, measures: BoundMeasures, value: Any, parts: dict[str, Any], size: int, batch: dict[str, Any], y: Any
) -> Totals:
    """The totals with one batch more; the loss is a mean, so it counts as many times as the batch has samples."""

    def plus(total: Any, value: Any) -> Any:
        return ops.add(total, ops.multiply(astype(value, np.float64), float(size)))

    return Totals(
        plus(totals.loss, value),
        ops.add(totals.count, float(size)),
        {name: plus(total, parts[name]) for name, total in totals.parts.items()},
        measures.updated(totals.metrics, batch, y),
    )


def _like(before: Any, after: Any, name: str) -> Any:
    """The tree `after` in the order of `before`; a state that changes its shape or dtype cannot be carried on."""
    own = tree.structure(before)
    leaves = tree.flatten_like(own, after)
    for path, old, new in zip(own.paths(), tree.leaves(before), leaves, strict=True):
        was, now = spec_of(old), spec_of(new)
        if (was.shape, was.dtype) != (now.shape, now.dtype):
            raise DtypeError(f"the {name} at '{path}' was {was} and became {now}. Keep its shape and dtype in a step.")
    return tree.unflatten(own, leaves)
