"""Adam: steps scaled by running moments of the gradient."""

from __future__ import annotations

from typing import Any

from fnet.ops.arithmetic import add, divide, multiply, negative, power, subtract
from fnet.ops.maths import sqrt, square
from fnet.optimizers.optimizer import (
    Init,
    LearningRate,
    Update,
    check_fraction,
    check_learning_rate,
    check_positive,
    constructor,
    first_step,
    in_dtype,
    learning_rate_at,
    map_leaves,
    next_step,
    zeros_like,
)


@constructor
def adam(
    learning_rate: LearningRate = 0.001, beta_1: float = 0.9, beta_2: float = 0.999, epsilon: float = 1e-7
) -> tuple[Init, Update]:
    """``m <- m + (1-b1)(g - m)``, ``v <- v + (1-b2)(g^2 - v)``, ``w <- w - a m / (sqrt(v) + epsilon)``.

    ``a = lr sqrt(1 - b2^t) / (1 - b1^t)`` with t = 1 at the first step; epsilon is added to the uncorrected
    ``sqrt(v)`` ("epsilon hat" in the paper). State: ``step``, ``momentum`` (m), ``velocity`` (v).
    Raises `ValueRangeError`. Source: Keras ``Adam``; Kingma and Ba 2014.

    >>> import numpy as np
    >>> from fnet.optimizers import adam, apply_updates
    >>> opt, params = adam(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([6.0, -7.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.5, 2.5])
    """
    check_learning_rate("adam", learning_rate)
    check_fraction("adam", beta_1=beta_1, beta_2=beta_2)
    check_positive("adam", epsilon=epsilon)

    def init(params: Any) -> dict[str, Any]:
        return first_step(momentum=zeros_like(params), velocity=zeros_like(params))

    def update(grads: Any, state: dict[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        step = next_step(state)
        correction = divide(sqrt(subtract(1.0, power(beta_2, step))), subtract(1.0, power(beta_1, step)))
        rate = learning_rate_at(learning_rate, state["step"])
        minus_alpha = in_dtype(negative(multiply(rate, correction)))

        def rule(g: Any, dtype: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            m = add(m, multiply(subtract(g, m), 1 - beta_1))
            v = add(v, multiply(subtract(square(g), v), 1 - beta_2))
            return divide(multiply(m, minus_alpha(dtype)), add(sqrt(v), epsilon)), m, v

        updates, m, v = map_leaves(rule, grads, params, state["momentum"], state["velocity"])
        return updates, {"step": step, "momentum": m, "velocity": v}

    return init, update
