"""Lion: steps of one size, by the sign of a momentum."""

from __future__ import annotations

from typing import Any

from fnet.arguments import number
from fnet.ops.arithmetic import multiply, negative
from fnet.ops.maths import sign
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
def lion(
    learning_rate: LearningRate = 0.001,
    beta_1: float = 0.9,
    beta_2: float = 0.99,
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
    """``w <- w - lr sign(b1 m + (1-b1) g)``, then ``m <- b2 m + (1-b2) g``.

    State: ``step``, ``momentum`` (m). Keywords: see `with_options`. Raises `ValueRangeError`.
    Source: Keras ``Lion``; Chen et al. 2023.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, lion
    >>> opt, params = lion(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([6.0, -0.01])}, opt.init(params), params)
    >>> apply_updates(params, updates)
    {'w': array([0.5, 2.5])}
    """
    check_learning_rate("lion", learning_rate)
    number("lion", "beta_1", beta_1, "[0, 1)")
    number("lion", "beta_2", beta_2, "[0, 1)")

    def rule(rate: Any, t: Any) -> Any:
        minus_rate = in_dtype(negative(rate))

        def leaf(g: Any, dtype: Any, m: Any) -> tuple[Any, Any]:
            return multiply(sign(decayed(m, g, beta_1)), minus_rate(dtype)), decayed(m, g, beta_2)

        return leaf

    return by_leaf(learning_rate, {"momentum": 0.0}, rule)
