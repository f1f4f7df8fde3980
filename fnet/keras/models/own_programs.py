"""What is compiled of the steps of a model of the user's own: a training step and an evaluation step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from fnet import ops, random, tree
from fnet.errors import StructureError
from fnet.keras.models.own_steps import flat
from fnet.keras.variable import Variable
from fnet.ops.promotion import astype
from fnet.train.data import STEP
from fnet.train.state import TrainState
from fnet.train.steps import Training
from fnet.transforms.primitive import spec_of

if TYPE_CHECKING:
    from fnet.keras.models.trained import Trained


class OwnTotals(NamedTuple):
    """What an epoch carries: `loss` over `count` is what a bar shows; logs: what the last step returned."""

    loss: Any
    count: Any
    metrics: dict[str, Any]
    logs: dict[str, Any]


class OwnEvaluation(NamedTuple):
    """The tree that a step of an evaluation takes and returns."""

    params: Any
    state: Any
    start: Any
    totals: OwnTotals


Step = Callable[..., tuple[Any, Any, Any, Any, Any]]


def training_step(step_of: Step, model: Trained, size: int | None, structure: Any) -> Callable[..., tuple[Training]]:
    """``step(carry, order, *leaves)``, or without a size ``step(carry, *leaves)``, as `fnet.train.steps` has it."""

    def step(carry: Any, *inputs: Any) -> tuple[Training]:
        ts, totals = carry.ts, carry.totals
        if size is None:
            data, n = tree.unflatten(structure, list(inputs)), spec_of(inputs[0]).shape[0]
        else:
            order, *leaves = inputs
            taken = ops.take(order, ops.add(carry.start, np.arange(size)))
            data, n = tree.unflatten(structure, [ops.take(leaf, taken) for leaf in leaves]), size
        key = random.fold_in(random.fold_in(ts.key, STEP), ts.step)
        made, params, state, memories, counted = step_of(
            "train", ts.params, ts.state, ts.opt_state, totals.metrics, key, packed(data)
        )
        logs = logs_of("train", model, made)
        shown = next((value for name, value in logs.items() if value.ndim == 0), np.zeros(()))
        shown = logs.get("loss", shown)
        is_first = ops.logical_and(ops.less(carry.bad, 0), ops.logical_not(ops.isfinite(shown)))
        new = TrainState(
            _like(ts.params, params), _like(ts.state, state), _like(ts.opt_state, memories), ts.key, ops.add(ts.step, 1)
        )
        return (
            Training(
                new,
                ops.add(carry.start, n),
                OwnTotals(shown, np.ones(()), _like(totals.metrics, counted), logs),  # type: ignore[arg-type]
                ops.where(is_first, ts.step, carry.bad),
            ),
        )

    return step


def evaluation_step(
    step_of: Step, model: Trained, size: int | None, structure: Any
) -> Callable[..., tuple[OwnEvaluation]]:
    """The same for evaluation: samples in their order."""

    def step(carry: OwnEvaluation, *leaves: Any) -> tuple[OwnEvaluation]:
        if size is None:
            data, n = tree.unflatten(structure, list(leaves)), spec_of(leaves[0]).shape[0]
        else:
            taken = ops.add(carry.start, np.arange(size))
            data, n = tree.unflatten(structure, [ops.take(leaf, taken) for leaf in leaves]), size
        made, _, state, _, counted = step_of(
            "test", carry.params, carry.state, {}, carry.totals.metrics, None, packed(data)
        )
        logs = logs_of("test", model, made)
        totals = OwnTotals(np.zeros(()), np.ones(()), _like(carry.totals.metrics, counted), logs)
        return (OwnEvaluation(carry.params, _like(carry.state, state), ops.add(carry.start, n), totals),)

    return step


def packed(data: Any) -> Any:
    """What a step is given for a batch: x, ``(x, y)`` or ``(x, y, sample_weight)``."""
    x, y, sample_weight = data["x"], data["y"], data["sample_weight"]
    if sample_weight is not None:
        return x, y, sample_weight
    return (x, y) if y is not None else (x,) if isinstance(x, tuple | list) else x


def logs_of(kind: str, model: Trained, made: Any) -> dict[str, Any]:
    """The numbers that a step returned, as float64."""
    if not isinstance(made, dict):
        raise StructureError(
            f"{type(model).__name__}.{kind}_step returns a dict of numbers by their names, as {{'loss': loss}}, "
            f"received {type(made).__name__}."
        )
    return {name: astype(ops.add(_array(value), 0), np.float64) for name, value in flat(made).items()}


def _array(value: Any) -> Any:
    value = value.value if isinstance(value, Variable) else value
    return value if hasattr(value, "spec") else np.asarray(value, np.float64)


def numbers(totals: Any) -> dict[str, Any]:
    """The numbers that the last step returned, by their names."""
    return {name: float(value) if np.ndim(value) == 0 else np.asarray(value) for name, value in totals.logs.items()}


def _like(before: Any, after: Any) -> Any:
    """The tree `after` in the order and with the dtypes of `before`."""
    own = tree.structure(before)
    leaves = zip(tree.leaves(before), tree.flatten_like(own, after), strict=True)
    return tree.unflatten(own, [astype(new, spec_of(old).dtype) for old, new in leaves])
