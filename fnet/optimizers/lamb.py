"""LAMB: Adam with steps as long as the weights of each leaf allow, for large batches."""

from __future__ import annotations

from typing import Any

from fnet.ops.arithmetic import add, divide, greater, logical_and, multiply, negative, subtract, where
from fnet.ops.maths import sqrt, square
from fnet.ops.powers import power
from fnet.ops.summation import sum
from fnet.optimizers.adam import check_moments, toward
from fnet.optimizers.average import EMA_MOMENTUM
from fnet.optimizers.optimizer import OPTIMIZERS, Init, LearningRate, Update, by_leaf, in_dtype
from fnet.optimizers.options import rule_constructor


@OPTIMIZERS.named()
@rule_constructor()
def lamb(
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
    """``w <- w - lr |w| / |r| r`` with ``r = m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + epsilon)``, m, v as in `adam`.

    The norms are those of a leaf; where one is 0 their ratio counts as 1. State: ``step``, ``momentum`` (m),
    ``velocity`` (v). Keywords: see `with_options`. Raises `ValueRangeError`. Source: Keras ``Lamb``; You et al. 2019.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, lamb
    >>> opt, params = lamb(0.5), {"w": np.array([3.0, 4.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, -1.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([1.2322, 5.7678])
    """
    check_moments("lamb", learning_rate, beta_1, beta_2, epsilon)

    def rule(rate: Any, t: Any) -> Any:
        of_m = in_dtype(divide(1.0, subtract(1.0, power(beta_1, t))))
        of_v = in_dtype(divide(1.0, subtract(1.0, power(beta_2, t))))
        minus_rate = in_dtype(negative(rate))

        def leaf(g: Any, dtype: Any, w: Any, m: Any, v: Any) -> tuple[Any, Any, Any]:
            m, v = toward(m, g, beta_1), toward(v, square(g), beta_2)
            r = divide(multiply(m, of_m(dtype)), add(sqrt(multiply(v, of_v(dtype))), epsilon))
            long, wide = sqrt(sum(square(w))), sqrt(sum(square(r)))
            usable = logical_and(greater(long, 0), greater(wide, 0))
            ratio = where(usable, divide(long, where(usable, wide, 1.0)), 1.0)
            return multiply(r, multiply(ratio, minus_rate(dtype))), m, v

        return leaf

    slots = {"momentum": 0.0, "velocity": 0.0}
    return by_leaf(learning_rate, slots, rule, reads_params=True)
