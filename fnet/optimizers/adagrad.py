"""Adagrad and Adadelta: steps divided by what gradients have added up to."""

from __future__ import annotations

from typing import Any

from fnet.arguments import number
from fnet.ops.arithmetic import add, divide, multiply, negative
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
)
from fnet.optimizers.options import rule_constructor


@OPTIMIZERS.named()
@rule_constructor()
def adagrad(
    learning_rate: LearningRate = 0.001,
    initial_accumulator_value: float = 0.1,
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
    """``a <- a + g^2``, ``w <- w - lr g / sqrt(a + epsilon)``.

    State: ``step``, ``accumulator`` (a, at first `initial_accumulator_value`). Keywords: see `with_options`.
    Raises `ValueRangeError`. Source: Keras ``Adagrad``; Duchi et al. 2011.

    >>> import numpy as np
    >>> from fnet.optimizers import adagrad, apply_updates
    >>> opt, params = adagrad(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, 6.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.5233, 1.5007])
    """
    check_learning_rate("adagrad", learning_rate)
    number("adagrad", "initial_accumulator_value", initial_accumulator_value, "[0, inf]")
    number("adagrad", "epsilon", epsilon, "(0, inf]")

    def rule(rate: Any, t: Any) -> Any:
        minus_rate = in_dtype(negative(rate))

        def leaf(g: Any, dtype: Any, a: Any) -> tuple[Any, Any]:
            a = add(a, square(g))
            return divide(multiply(g, minus_rate(dtype)), sqrt(add(a, epsilon))), a

        return leaf

    slots = {"accumulator": float(initial_accumulator_value)}
    return by_leaf(learning_rate, slots, rule)


@OPTIMIZERS.named()
@rule_constructor()
def adadelta(
    learning_rate: LearningRate = 0.001,
    rho: float = 0.95,
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
    """``a <- rho a + (1-rho) g^2``, ``d = -sqrt(s + epsilon) / sqrt(a + epsilon) g``, ``w <- w + lr d``.

    ``s <- rho s + (1-rho) d^2`` after that; the paper's rate is 1. State: ``step``, ``accumulated_gradient`` (a),
    ``accumulated_change`` (s). Keywords: see `with_options`. Raises `ValueRangeError`.
    Source: Keras ``Adadelta``; Zeiler 2012.

    >>> import numpy as np
    >>> from fnet.optimizers import adadelta, apply_updates
    >>> opt, params = adadelta(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, 6.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.9993, 1.9993])
    """
    check_learning_rate("adadelta", learning_rate)
    number("adadelta", "rho", rho, "[0, 1)")
    number("adadelta", "epsilon", epsilon, "(0, inf]")

    def rule(rate: Any, t: Any) -> Any:
        rate = in_dtype(rate)

        def leaf(g: Any, dtype: Any, a: Any, s: Any) -> tuple[Any, Any, Any]:
            a = decayed(a, square(g), rho)
            d = negative(multiply(divide(sqrt(add(s, epsilon)), sqrt(add(a, epsilon))), g))
            return multiply(d, rate(dtype)), a, decayed(s, square(d), rho)

        return leaf

    slots = {"accumulated_gradient": 0.0, "accumulated_change": 0.0}
    return by_leaf(learning_rate, slots, rule)
