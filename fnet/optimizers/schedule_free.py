"""Schedule-free AdamW: the mean of all steps takes the place of a learning rate that falls."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fnet import tree
from fnet.arguments import integer, number
from fnet.errors import StructureError
from fnet.ops.arithmetic import add, divide, minimum, multiply, subtract
from fnet.ops.maths import sqrt, square
from fnet.ops.powers import power
from fnet.optimizers.adam import toward
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

_SLOTS = {"momentum": 0.0, "velocity": 0.0}


@OPTIMIZERS.named("schedulefreeadamw")
@rule_constructor()
def schedule_free_adamw(
    learning_rate: LearningRate = 0.0025,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    warmup_steps: int = 0,
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
    """``z <- z - lr g / (sqrt(v / (1-b2^t)) + epsilon)``, ``x <- x + (z - x) / t``, ``w <- (1-b1) z + b1 x``.

    ``v <- v + (1-b2)(g^2 - v)``, and z and x begin as w. Gradients are those at the parameters w; x, the mean of all z,
    is better than w in the end: `schedule_free_params` gives it, for evaluation and use. During `warmup_steps` steps lr
    rises from 0. State: ``step``, ``momentum`` (z), ``velocity`` (v). Keywords: see `with_options`.
    Raises `ValueRangeError`. Source: Keras ``ScheduleFreeAdamW``; Defazio et al. 2024.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates
    >>> opt, w = schedule_free_adamw(0.5), np.array([1.0, 2.0])
    >>> updates, state = opt.update(np.array([6.0, -7.0]), opt.init(w), w)
    >>> apply_updates(w, updates).round(4)
    array([0.5, 2.5])
    """
    check_learning_rate("schedule_free_adamw", learning_rate)
    number("schedule_free_adamw", "beta_1", beta_1, "(0, 1)")
    number("schedule_free_adamw", "beta_2", beta_2, "[0, 1)")
    number("schedule_free_adamw", "epsilon", epsilon, "(0, inf]")
    integer("schedule_free_adamw", "warmup_steps", warmup_steps, 0)

    def rule(rate: Any, t: Any) -> Any:
        rate = multiply(rate, minimum(divide(t, warmup_steps), 1.0)) if warmup_steps else rate
        rate_of, correction = in_dtype(rate), in_dtype(subtract(1.0, power(beta_2, t)))
        share = in_dtype(divide(1.0, t))

        def leaf(g: Any, dtype: Any, w: Any, z: Any, v: Any) -> tuple[Any, ...]:
            v = settled(toward(v, square(g), beta_2), epsilon)
            step = divide(multiply(g, rate_of(dtype)), add(sqrt(divide(v, correction(dtype))), epsilon))
            new = subtract(z, step)
            x = _mean(w, z, beta_1)
            x = add(x, multiply(subtract(new, x), share(dtype)))
            return subtract(add(multiply(new, 1 - beta_1), multiply(x, beta_1)), w), new, v

        return leaf

    start, update = by_leaf(learning_rate, _SLOTS, rule, reads_params=True)

    def init(params: Any) -> dict[str, Any]:
        return {**start(params), "momentum": params}

    return init, update


def schedule_free_params(params: Any, opt_state: Any, beta_1: float = 0.9) -> Any:
    """The mean x of all steps that `schedule_free_adamw` took, ``(w - (1-beta_1) z) / beta_1``.

    params: w, as they are trained. opt_state: the state that belongs to them. beta_1: that of the optimizer.
    Raises `StructureError` for the state of another optimizer.

    >>> import numpy as np
    >>> opt, w = schedule_free_adamw(), np.array([1.0])
    >>> schedule_free_params(w, opt.init(w))
    array([1.])
    """
    number("schedule_free_params", "beta_1", beta_1, "(0, 1)")
    waiting = [opt_state]
    while waiting:
        state = waiting.pop(0)
        if isinstance(state, Mapping) and {"step", *_SLOTS} <= set(state):
            return tree.map(lambda w, z: _mean(w, z, beta_1), params, state["momentum"])
        if isinstance(state, Mapping | tuple):
            waiting += state.values() if isinstance(state, Mapping) else state
    raise StructureError("schedule_free_params: this is no state of schedule_free_adamw. Train with this optimizer.")


def _mean(w: Any, z: Any, beta_1: float) -> Any:
    """x, of which ``w = (1-beta_1) z + beta_1 x``."""
    return divide(subtract(w, multiply(z, 1 - beta_1)), beta_1)
