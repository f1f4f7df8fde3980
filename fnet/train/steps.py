"""The functions that are compiled: one training step, one evaluation step, one prediction, on trees that are carried.

A step finds its batch itself, in the whole data set, from the position it carries; so many steps run in one call.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from fnet import ops, random, tree
from fnet.errors import DtypeError
from fnet.layer import Layer
from fnet.masking import unmasked
from fnet.metrics import Metric
from fnet.network import apply_with_penalty, constrain, trainable
from fnet.ops.promotion import astype
from fnet.optimizers import Optimizer, apply_updates
from fnet.train.data import STEP
from fnet.train.state import TrainState
from fnet.transforms.primitive import spec_of
from fnet.transforms.vjp import value_and_grad
from fnet.tree import TreeDef


class Recipe(NamedTuple):
    """What is trained, towards what, how, and what is watched."""

    net: Layer
    loss: Callable[..., Any]
    optimizer: Optimizer
    metrics: tuple[Metric, ...]


class Totals(NamedTuple):
    """Over the batches of an epoch: sums of loss times batch size and of batch sizes, () float64; states of metrics."""

    loss: Any
    count: Any
    metrics: tuple[Any, ...]


class Training(NamedTuple):
    """What a training step carries.

    start: the position of the batch in the epoch; bad: the first step with a loss that is not finite, or -1.
    """

    ts: TrainState
    start: Any
    totals: Totals
    bad: Any


class Evaluation(NamedTuple):
    """What an evaluation step carries; the network comes back as it is."""

    params: Any
    state: Any
    start: Any
    totals: Totals


def no_totals(metrics: tuple[Metric, ...]) -> Totals:
    """The totals before the first batch."""
    return Totals(np.zeros(()), np.zeros(()), tuple(metric.init() for metric in metrics))


def training_step(recipe: Recipe, size: int, structure: TreeDef) -> Callable[..., tuple[Training]]:
    """The step for batches of `size` samples from data whose tree has the given structure.

    ``step(carry, order, *leaves)``: the batch is the samples ``order[start : start + size]``.
    """
    net, loss, optimizer, metrics = recipe

    def step(carry: Training, order: Any, *leaves: Any) -> tuple[Training]:
        ts = carry.ts
        index = ops.take(order, ops.add(carry.start, np.arange(size)))
        batch = tree.unflatten(structure, [ops.take(leaf, index) for leaf in leaves])
        key = random.fold_in(random.fold_in(ts.key, STEP), ts.step)

        trained, frozen = split_trained(net, ts.params)

        def value_of(trained: Any) -> Any:
            params = tree.combine(trained, frozen)
            y, state, penalty = apply_with_penalty(net, params, ts.state, batch["x"], key=key, train=True)
            return _plus(_loss(loss, batch, y), penalty), (y, state)

        (value, (y, state)), gradient = value_and_grad(value_of, has_aux=True)(trained)
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
        return (Training(new, ops.add(carry.start, size), _added(carry.totals, metrics, value, size, batch, y), bad),)

    return step


def evaluation_step(recipe: Recipe, size: int, structure: TreeDef) -> Callable[..., tuple[Evaluation]]:
    """The step ``step(carry, *leaves)`` for the samples from `start` on, in their order, in inference mode."""
    net, loss, _, metrics = recipe

    def step(carry: Evaluation, *leaves: Any) -> tuple[Evaluation]:
        index = ops.add(carry.start, np.arange(size))
        batch = tree.unflatten(structure, [ops.take(leaf, index) for leaf in leaves])
        y, _, penalty = apply_with_penalty(net, carry.params, carry.state, batch["x"])
        totals = _added(carry.totals, metrics, _plus(_loss(loss, batch, y), penalty), size, batch, y)
        return (carry._replace(start=ops.add(carry.start, size), totals=totals),)

    return step


def prediction(net: Layer, structure: TreeDef) -> Callable[..., tuple[Any, ...]]:
    """``f((params, state), *leaves of x)`` that returns its first argument and the leaves of the output."""

    def predict(network: tuple[Any, Any], *leaves: Any) -> tuple[Any, ...]:
        y, _ = net.apply(*network, tree.unflatten(structure, list(leaves)))
        return (network, *tree.leaves(unmasked(y)))

    return predict


def split_trained(net: Layer, params: Any) -> tuple[Any, Any]:
    """The parameters that are trained and those that are frozen, each with None in the places of the others."""
    return tree.partition(params, trainable(net, params))


def _loss(loss: Callable[..., Any], batch: dict[str, Any], y: Any) -> Any:
    weights = {} if batch["sample_weight"] is None else {"sample_weight": batch["sample_weight"]}
    return loss(batch["y"], y, **weights)


def _plus(value: Any, penalty: Any) -> Any:
    """Loss and penalty; a network without regularizers has the float 0.0, which costs nothing."""
    return value if isinstance(penalty, float) else ops.add(value, penalty)


def _added(totals: Totals, metrics: tuple[Metric, ...], value: Any, size: int, batch: dict[str, Any], y: Any) -> Totals:
    """The totals with one batch more; the loss is a mean, so it counts as many times as the batch has samples."""
    return Totals(
        ops.add(totals.loss, ops.multiply(astype(value, np.float64), float(size))),
        ops.add(totals.count, float(size)),
        tuple(m.update(s, batch["y"], y) for m, s in zip(metrics, totals.metrics, strict=True)),
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
