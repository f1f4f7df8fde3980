"""Lion: steps of one size, by the sign of a momentum."""

from __future__ import annotations

from typing import Any, Unpack

from fnet.ops.arithmetic import multiply, negative
from fnet.ops.maths import sign
from fnet.optimizers.optimizer import (
    Init,
    LearningRate,
    Options,
    Update,
    by_leaf,
    check_fraction,
    check_learning_rate,
    constructor,
    decayed,
    in_dtype,
)
from fnet.optimizers.options import with_options


@constructor
def lion(
    learning_rate: LearningRate = 0.001, beta_1: float = 0.9, beta_2: float = 0.99, **common: Unpack[Options]
) -> tuple[Init, Update]:
    """``w <- w - lr sign(b1 m + (1-b1) g)``, then ``m <- b2 m + (1-b2) g``.

    State: ``step``, ``momentum`` (m). common: see `with_options`. Raises `ValueRangeError`.
    Source: Keras ``Lion``; Chen et al. 2023.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, lion
    >>> opt, params = lion(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([6.0, -0.01])}, opt.init(params), params)
    >>> apply_updates(params, updates)
    {'w': array([0.5, 2.5])}
    """
    check_learning_rate("lion", learning_rate)
    check_fraction("lion", beta_1=beta_1, beta_2=beta_2)

    def rule(rate: Any, t: Any) -> Any:
        minus_rate = in_dtype(negative(rate))

        def leaf(g: Any, dtype: Any, m: Any) -> tuple[Any, Any]:
            return multiply(sign(decayed(m, g, beta_1)), minus_rate(dtype)), decayed(m, g, beta_2)

        return leaf

    return with_options(by_leaf(learning_rate, {"momentum": 0.0}, rule), learning_rate, common)
