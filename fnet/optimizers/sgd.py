"""Gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from fnet.ops.arithmetic import multiply, negative, subtract
from fnet.optimizers.optimizer import (
    Init,
    LearningRate,
    Update,
    check_fraction,
    check_learning_rate,
    constructor,
    first_step,
    in_dtype,
    learning_rate_at,
    map_leaves,
    next_step,
    zeros_like,
)


@constructor
def sgd(learning_rate: LearningRate = 0.01, momentum: float = 0.0, nesterov: bool = False) -> tuple[Init, Update]:
    """``w <- w - lr g``; with momentum ``m <- momentum m - lr g`` and ``w <- w + m``.

    With `nesterov` and momentum, ``w <- w + momentum m - lr g`` with the new m. The rate is inside the velocity: a
    schedule does not rescale old velocity. State: ``step``, and ``momentum`` if it is not 0.
    Raises `ValueRangeError`. Source: Keras ``SGD``; Sutskever et al. 2013.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, sgd
    >>> opt, params = sgd(0.1), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, -1.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)
    {'w': array([0.9, 2.1])}
    """
    check_learning_rate("sgd", learning_rate)
    check_fraction("sgd", below_one=False, momentum=momentum)

    def init(params: Any) -> dict[str, Any]:
        zeros = zeros_like(params)
        return first_step(momentum=zeros) if momentum else first_step()

    def update(grads: Any, state: dict[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        rate = in_dtype(learning_rate_at(learning_rate, state["step"]))

        def plain(g: Any, dtype: Any) -> tuple[Any]:
            return (negative(multiply(g, rate(dtype))),)

        def heavy_ball(g: Any, dtype: Any, m: Any) -> tuple[Any, Any]:
            step = multiply(g, rate(dtype))
            m = subtract(multiply(m, momentum), step)
            return (subtract(multiply(m, momentum), step) if nesterov else m), m

        if not momentum:
            (updates,) = map_leaves(plain, grads, params)
            return updates, {"step": next_step(state)}
        updates, velocity = map_leaves(heavy_ball, grads, params, state["momentum"])
        return updates, {"step": next_step(state), "momentum": velocity}

    return init, update
