"""Nadam: Adam that looks ahead as Nesterov's momentum does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet.ops.arithmetic import add, divide, multiply, negative, subtract
from fnet.ops.maths import sqrt, square
from fnet.ops.powers import power
from fnet.optimizers.adam import check_moments, toward
from fnet.optimizers.average import EMA_MOMENTUM
from fnet.optimizers.optimizer import (
    OPTIMIZERS,
    Init,
    LearningRate,
    Update,
    check_floating,
    first_step,
    full_like,
    in_dtype,
    kept_rate,
    learning_rate_at,
    map_leaves,
    next_step,
    rate_in_state,
    settled,
)
from fnet.optimizers.options import rule_constructor


@OPTIMIZERS.named()
@rule_constructor()
def nadam(
    learning_rate: LearningRate = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    *,
    weight_decay: float | None = None,
    exclude_from_weight_decay: Any = (),
    clipnorm: float | None = None,
    clipvalue: float | None = None,
    global_clipnorm: float | None = None,
    use_ema: bool = False,
    ema_momentum: float = EMA_MOMENTUM,
    ema_overwrite_frequency: int | None = None,
    gradient_accumulation_steps: int | None = None,
) -> tuple[Init, Update]:
    """``w <- w - lr m' / (sqrt(v / (1 - b2^t)) + epsilon)``, m and v as in `adam`.

    ``m' = u_(t+1) m / (1 - P u_(t+1)) + (1 - u_t) g / (1 - P)`` with ``u_t = b1 (1 - 0.96^t / 2)`` and their product so
    far P. State: ``step``, ``momentum`` (m), ``velocity`` (v), ``momentum_product`` (P). Keywords: see `with_options`.
    Raises `ValueRangeError`. Source: Keras ``Nadam``; Dozat 2016.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, nadam
    >>> opt, params = nadam(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, 6.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.4686, 1.4686])
    """
    check_moments("nadam", learning_rate, beta_1, beta_2, epsilon)

    def momentum_at(t: Any) -> Any:
        return multiply(subtract(1.0, multiply(power(0.96, t), 0.5)), beta_1)

    def init(params: Any) -> dict[str, Any]:
        check_floating(params)
        zeros = {"momentum": full_like(params), "velocity": full_like(params)}
        return first_step(**rate_in_state(learning_rate), **zeros, momentum_product=np.ones(()))

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        t = next_step(state)
        now, later = momentum_at(t), momentum_at(add(t, 1))
        product = multiply(state["momentum_product"], now)
        of_m = in_dtype(divide(later, subtract(1.0, multiply(product, later))))
        of_g = in_dtype(divide(subtract(1.0, now), subtract(1.0, product)))
        unbiased = in_dtype(divide(1.0, subtract(1.0, power(beta_2, t))))
        minus_rate = in_dtype(negative(learning_rate_at(learning_rate, state)))

        def leaf(g: Any, dtype: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            m, v = settled(toward(m, g, beta_1), epsilon), settled(toward(v, square(g), beta_2), epsilon)
            ahead = add(multiply(m, of_m(dtype)), multiply(g, of_g(dtype)))
            spread = add(sqrt(multiply(v, unbiased(dtype))), epsilon)
            return divide(multiply(ahead, minus_rate(dtype)), spread), m, v

        updates, m, v = map_leaves(leaf, grads, params, state["momentum"], state["velocity"])
        return updates, {"step": t, **kept_rate(state), "momentum": m, "velocity": v, "momentum_product": product}

    return (init, update)
