"""FTRL: follow the regularised leader, for sparse weights."""

from __future__ import annotations

from typing import Any

from fnet.arguments import number
from fnet.ops.arithmetic import add, clip, divide, less, multiply, subtract, where
from fnet.ops.maths import square
from fnet.ops.powers import power
from fnet.optimizers.average import EMA_MOMENTUM
from fnet.optimizers.optimizer import (
    NO_CHANGE,
    OPTIMIZERS,
    Init,
    LearningRate,
    Update,
    by_leaf,
    check_learning_rate,
    in_dtype,
)
from fnet.optimizers.options import rule_constructor
from fnet.transforms.operand import is_known

# The rule divides by the rate, which is 0 for it below this, so that its state stays within float32.
_LEAST_RATE = 1e-30


@OPTIMIZERS.named()
@rule_constructor()
def ftrl(
    learning_rate: LearningRate = 0.001,
    learning_rate_power: float = -0.5,
    initial_accumulator_value: float = 0.1,
    l1_regularization_strength: float = 0.0,
    l2_regularization_strength: float = 0.0,
    l2_shrinkage_regularization_strength: float = 0.0,
    beta: float = 0.0,
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
    """``z <- z + g + 2 shrinkage w - (n'^-p - n^-p) / lr w`` and ``w <- (clip(z, -l1, l1) - z) / q``.

    ``n' = n + g^2``, ``q = n'^-p / lr + 2 l2 + beta / lr``, p is `learning_rate_power`. The new w depends on the
    gradients so far, not on where w began; where a schedule gives a rate of 0, w, n and z stay as they are.
    State: ``step``, ``accumulator`` (n), ``linear`` (z). Keywords: see `with_options`. Raises `ValueRangeError`.
    Source: Keras ``Ftrl``; McMahan et al. 2013.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, ftrl
    >>> opt, params = ftrl(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, 6.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.2218, 1.3954])
    """
    check_learning_rate("ftrl", learning_rate)
    number("ftrl", "initial_accumulator_value", initial_accumulator_value, "[0, inf]")
    number("ftrl", "l1_regularization_strength", l1_regularization_strength, "[0, inf]")
    number("ftrl", "l2_regularization_strength", l2_regularization_strength, "[0, inf]")
    number("ftrl", "l2_shrinkage_regularization_strength", l2_shrinkage_regularization_strength, "[0, inf]")
    number("ftrl", "beta", beta, "[0, inf]")
    if not callable(learning_rate) and is_known(learning_rate):
        number("ftrl", "learning_rate", learning_rate, "(0, inf]")  # the rule divides by it
    number("ftrl", "learning_rate_power", learning_rate_power, "[-inf, 0]")
    l1, shrinkage = l1_regularization_strength, l2_shrinkage_regularization_strength

    def rule(rate: Any, t: Any) -> Any:
        if not callable(learning_rate):
            return moved(rate)
        still = less(rate, _LEAST_RATE)
        leaf = moved(where(still, 1.0, rate))

        def held(g: Any, dtype: Any, w: Any, n: Any, z: Any) -> tuple[Any, ...]:
            new = leaf(g, dtype, w, n, z)
            return tuple(where(still, old, value) for old, value in zip((NO_CHANGE, n, z), new, strict=True))

        return held

    def moved(rate: Any) -> Any:
        """The rule at a rate above 0."""
        inverse, linear_part = in_dtype(divide(1.0, rate)), in_dtype(divide(beta, rate))

        def leaf(g: Any, dtype: Any, w: Any, n: Any, z: Any) -> tuple[Any, Any, Any]:
            more = add(n, square(g))
            root, new_root = power(n, -learning_rate_power), power(more, -learning_rate_power)
            pull = multiply(multiply(subtract(new_root, root), inverse(dtype)), w)
            z = add(z, subtract(add(g, multiply(w, 2 * shrinkage)), pull))
            q = add(add(multiply(new_root, inverse(dtype)), 2 * l2_regularization_strength), linear_part(dtype))
            return subtract(divide(subtract(clip(z, -l1, l1), z), q), w), more, z

        return leaf

    slots = {"accumulator": float(initial_accumulator_value), "linear": 0.0}
    return by_leaf(learning_rate, slots, rule, reads_params=True)
