"""RMSprop: steps divided by a running root mean square of the gradient."""

from __future__ import annotations

from typing import Any

from fnet.arguments import number
from fnet.ops.arithmetic import add, divide, maximum, multiply, negative, subtract
from fnet.ops.maths import sqrt, square
from fnet.optimizers.average import EMA_MOMENTUM
from fnet.optimizers.optimizer import (
    OPTIMIZERS,
    Init,
    LearningRate,
    Update,
    by_leaf,
    check_learning_rate,
    decayed,
    in_dtype,
    settled,
)
from fnet.optimizers.options import rule_constructor


@OPTIMIZERS.named()
@rule_constructor()
def rmsprop(
    learning_rate: LearningRate = 0.001,
    rho: float = 0.9,
    momentum: float = 0.0,
    epsilon: float = 1e-7,
    centered: bool = False,
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
    """``v <- rho v + (1-rho) g^2``, ``d = lr g / sqrt(v + epsilon)``, ``w <- w - d``.

    With momentum ``p <- momentum p + d`` and ``w <- w - p``; with `centered` the running mean a of g is taken off:
    ``v - a^2`` (at least 0) in place of v in d. State: ``step``, ``velocity`` (v), ``momentum`` (p) if it is not 0,
    ``average_gradient`` (a) if centered. Keywords: see `with_options`. Raises `ValueRangeError`.
    Source: Keras ``RMSprop``; Hinton's lecture 6e.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, rmsprop
    >>> opt, params = rmsprop(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, 6.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([-0.5811,  0.4189])
    """
    check_learning_rate("rmsprop", learning_rate)
    number("rmsprop", "rho", rho, "[0, 1)")
    number("rmsprop", "momentum", momentum, "[0, 1]")
    number("rmsprop", "epsilon", epsilon, "(0, inf]")
    names = ["velocity", *["momentum"] * bool(momentum), *["average_gradient"] * centered]

    def rule(rate: Any, t: Any) -> Any:
        rate = in_dtype(rate)

        def leaf(g: Any, dtype: Any, *values: Any) -> tuple[Any, ...]:
            slots = dict(zip(names, values, strict=True))
            spread = slots["velocity"] = settled(decayed(slots["velocity"], square(g), rho), epsilon)
            if centered:
                average = settled(decayed(slots["average_gradient"], g, rho), epsilon)
                slots["average_gradient"] = average
                spread = maximum(subtract(spread, square(average)), 0)
            d = divide(multiply(g, rate(dtype)), sqrt(add(spread, epsilon)))
            if momentum:
                d = slots["momentum"] = settled(add(multiply(slots["momentum"], momentum), d))
            return negative(d), *slots.values()

        return leaf

    return by_leaf(learning_rate, dict.fromkeys(names, 0.0), rule)
