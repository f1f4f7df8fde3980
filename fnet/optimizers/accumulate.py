"""Gradients of several calls, averaged, for one update: large batches in parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fnet import tree
from fnet.arguments import integer
from fnet.ops.arithmetic import add, equal, multiply, remainder, where
from fnet.optimizers.optimizer import (
    NO_CHANGE,
    Optimizer,
    check_shapes,
    combinator,
    first_step,
    full_like,
    map_leaves,
    next_step,
)


@combinator
def accumulate(optimizer: Optimizer, steps: int) -> Optimizer:
    """Gradients averaged over `steps` calls, then one update; the calls before leave the parameters as they are.

    `optimizer`, its schedules included, sees the averages only: k parts of a batch give what the batch gives. Every
    call computes the update and selects. State: ``step`` (calls), ``gradients`` (their sum so far), ``optimizer``.
    Raises `ValueRangeError`. Source: Keras ``gradient_accumulation_steps``; optax ``MultiSteps``.

    >>> import numpy as np
    >>> from fnet.optimizers import sgd
    >>> opt, w = accumulate(sgd(1.0), 2), np.zeros(1)
    >>> first, state = opt.update(np.array([1.0]), opt.init(w), w)
    >>> second, state = opt.update(np.array([3.0]), state, w)
    >>> first, second
    (array([-0.]), array([-2.]))
    """
    integer("accumulate", "steps", steps)

    def init(params: Any) -> dict[str, Any]:
        return first_step(gradients=full_like(params), optimizer=optimizer.init(params))

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        check_shapes(grads, state["gradients"])
        step = next_step(state)
        full = equal(remainder(step, steps), 0)
        (total,) = map_leaves(lambda g, dtype, before: (add(before, g),), grads, params, read=(state["gradients"],))
        updates, after = optimizer.update(tree.map(lambda g: multiply(g, 1 / steps), total), state["optimizer"], params)
        new = {
            "step": step,
            "gradients": tree.map(lambda g: where(full, 0.0, g), total),
            "optimizer": tree.map(lambda a, b: where(full, a, b), after, state["optimizer"]),
        }
        return tree.map(lambda u: where(full, u, NO_CHANGE), updates), new

    return Optimizer(init, update, "accumulate", {"optimizer": optimizer, "steps": steps})
