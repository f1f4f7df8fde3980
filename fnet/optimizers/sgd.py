"""Gradient descent, with momentum."""

from __future__ import annotations

from typing import Any

from fnet.arguments import number, warn_without_effect
from fnet.ops.arithmetic import multiply, negative, subtract
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
def sgd(
    learning_rate: LearningRate = 0.01,
    momentum: float = 0.0,
    nesterov: bool = False,
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
    """``w <- w - lr g``; with momentum ``m <- momentum m - lr g`` and ``w <- w + m``.

    With `nesterov` and momentum, ``w <- w + momentum m - lr g`` with the new m. The rate is inside the velocity: a
    schedule does not rescale old velocity. State: ``step``, and ``momentum`` if it is not 0. common: see
    `with_options`. Warns of nesterov without momentum. Raises `ValueRangeError`.
    Source: Keras ``SGD``; Sutskever et al. 2013.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, sgd
    >>> opt, params = sgd(0.1), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, -1.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)
    {'w': array([0.9, 2.1])}
    """
    check_learning_rate("sgd", learning_rate)
    number("sgd", "momentum", momentum, "[0, 1]")

    if nesterov and not momentum:
        warn_without_effect("sgd", "nesterov", "momentum")

    def rule(rate: Any, t: Any) -> Any:
        rate = in_dtype(rate)

        def plain(g: Any, dtype: Any) -> tuple[Any]:
            return (negative(multiply(g, rate(dtype))),)

        def heavy_ball(g: Any, dtype: Any, m: Any) -> tuple[Any, Any]:
            step = multiply(g, rate(dtype))
            m = settled(subtract(multiply(m, momentum), step))
            return (subtract(multiply(m, momentum), step) if nesterov else m), m

        return heavy_ball if momentum else plain

    slots = {"momentum": 0.0} if momentum else {}
    return by_leaf(learning_rate, slots, rule)
