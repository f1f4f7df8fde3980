"""Adam and its kin: steps scaled by running moments of the gradient."""

from __future__ import annotations

from typing import Any

from fnet.arguments import number
from fnet.errors import ValueRangeError
from fnet.ops.arithmetic import add, divide, maximum, multiply, negative, subtract
from fnet.ops.maths import absolute, sqrt, square
from fnet.ops.powers import power
from fnet.optimizers.average import EMA_MOMENTUM
from fnet.optimizers.optimizer import (
    OPTIMIZERS,
    Init,
    LearningRate,
    Update,
    by_leaf,
    check_learning_rate,
    in_dtype,
    settled,
)
from fnet.optimizers.options import rule_constructor


@OPTIMIZERS.named()
@rule_constructor()
def adam(
    learning_rate: LearningRate = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
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
    """``m <- m + (1-b1)(g - m)``, ``v <- v + (1-b2)(g^2 - v)``, ``w <- w - a m / (sqrt(v) + epsilon)``.

    ``a = lr sqrt(1 - b2^t) / (1 - b1^t)`` with t = 1 at the first step; epsilon is added to the uncorrected
    ``sqrt(v)`` ("epsilon hat" in the paper). With `amsgrad` the largest v so far takes its place. State: ``step``,
    ``momentum`` (m), ``velocity`` (v), with amsgrad ``velocity_hat``. Keywords: see `with_options`.
    Raises `ValueRangeError`. Source: Keras ``Adam``; Kingma and Ba 2014, Reddi et al. 2018.

    >>> import numpy as np
    >>> from fnet.optimizers import adam, apply_updates
    >>> opt, params = adam(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([6.0, -7.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.5, 2.5])
    """
    return _adam("adam", learning_rate, beta_1, beta_2, epsilon, amsgrad)


@OPTIMIZERS.named()
@rule_constructor()
def adamw(
    learning_rate: LearningRate = 0.001,
    weight_decay: float = 0.004,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-7,
    amsgrad: bool = False,
    *,
    exclude_from_weight_decay: Any = (),
    clipnorm: float | None = None,
    clipvalue: float | None = None,
    global_clipnorm: float | None = None,
    use_ema: bool = False,
    ema_momentum: float = EMA_MOMENTUM,
    ema_overwrite_frequency: int | None = None,
    gradient_accumulation_steps: int | None = None,
) -> tuple[Init, Update]:
    """`adam` with decoupled weight decay: ``w <- w - lr weight_decay w`` before the step.

    Raises `ValueRangeError`. Source: Keras ``AdamW``; Loshchilov and Hutter 2017.

    >>> import numpy as np
    >>> from fnet.optimizers import adamw, apply_updates
    >>> opt, params = adamw(1.0, weight_decay=0.25), {"w": np.array([2.0])}
    >>> updates, state = opt.update({"w": np.array([0.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)
    {'w': array([1.5])}
    """
    if weight_decay is None:
        raise ValueRangeError("adamw: expected a weight_decay, received None. Use adam for none.")
    return _adam("adamw", learning_rate, beta_1, beta_2, epsilon, amsgrad)


def _adam(
    name: str, learning_rate: LearningRate, beta_1: float, beta_2: float, epsilon: float, amsgrad: bool
) -> tuple[Init, Update]:
    check_moments(name, learning_rate, beta_1, beta_2, epsilon)

    def rule(rate: Any, t: Any) -> Any:
        correction = divide(sqrt(subtract(1.0, power(beta_2, t))), subtract(1.0, power(beta_1, t)))
        minus_alpha = in_dtype(negative(multiply(rate, correction)))

        def leaf(g: Any, dtype: Any, m: Any, v: Any, *largest: Any) -> tuple[Any, ...]:
            m, v = settled(toward(m, g, beta_1), epsilon), settled(toward(v, square(g), beta_2), epsilon)
            largest = tuple(maximum(before, v) for before in largest)
            (spread,) = largest or (v,)
            return divide(multiply(m, minus_alpha(dtype)), add(sqrt(spread), epsilon)), m, v, *largest

        return leaf

    slots = {"momentum": 0.0, "velocity": 0.0} | ({"velocity_hat": 0.0} if amsgrad else {})
    return by_leaf(learning_rate, slots, rule)


@OPTIMIZERS.named()
@rule_constructor()
def adamax(
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
    """``m <- m + (1-b1)(g - m)``, ``u <- max(b2 u, |g|)``, ``w <- w - lr m / ((1 - b1^t)(u + epsilon))``.

    State: ``step``, ``momentum`` (m), ``norm`` (u). Keywords: see `with_options`. Raises `ValueRangeError`.
    Source: Keras ``Adamax``; Kingma and Ba 2014, section 7.

    >>> import numpy as np
    >>> from fnet.optimizers import adamax, apply_updates
    >>> opt, params = adamax(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([6.0, -7.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.5, 2.5])
    """
    check_moments("adamax", learning_rate, beta_1, beta_2, epsilon)

    def rule(rate: Any, t: Any) -> Any:
        minus_alpha = in_dtype(negative(divide(rate, subtract(1.0, power(beta_1, t)))))

        def leaf(g: Any, dtype: Any, m: Any, u: Any) -> tuple[Any, ...]:
            m, u = settled(toward(m, g, beta_1), epsilon), settled(maximum(multiply(u, beta_2), absolute(g)), epsilon)
            return divide(multiply(m, minus_alpha(dtype)), add(u, epsilon)), m, u

        return leaf

    return by_leaf(learning_rate, {"momentum": 0.0, "norm": 0.0}, rule)


def toward(average: Any, value: Any, beta: float) -> Any:
    """``average + (1-beta)(value - average)``."""
    return add(average, multiply(subtract(value, average), 1 - beta))


def check_moments(name: str, learning_rate: LearningRate, beta_1: float, beta_2: float, epsilon: float) -> None:
    """Refuse options that no rule with two running moments can use."""
    check_learning_rate(name, learning_rate)
    number(name, "beta_1", beta_1, "[0, 1)")
    number(name, "beta_2", beta_2, "[0, 1)")
    number(name, "epsilon", epsilon, "(0, inf]")
