"""Adafactor: a second moment that is kept as row and column means."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet import tree
from fnet.arguments import number
from fnet.ops.arithmetic import add, divide, maximum, minimum, multiply, negative, subtract
from fnet.ops.maths import sqrt, square
from fnet.ops.powers import power
from fnet.ops.reduce import mean
from fnet.ops.shape import expand_dims
from fnet.optimizers.average import EMA_MOMENTUM
from fnet.optimizers.optimizer import (
    OPTIMIZERS,
    Init,
    LearningRate,
    Update,
    check_floating,
    check_learning_rate,
    first_step,
    in_dtype,
    kept_rate,
    learning_rate_at,
    map_leaves,
    needed,
    next_step,
    rate_in_state,
)
from fnet.optimizers.options import rule_constructor
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of


@OPTIMIZERS.named()
@rule_constructor()
def adafactor(
    learning_rate: LearningRate = 0.001,
    beta_2_decay: float = -0.8,
    epsilon_1: float = 1e-30,
    epsilon_2: float = 1e-3,
    clip_threshold: float = 1.0,
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
    """``w <- w - a u / max(1, rms(u) / clip_threshold)`` with ``u = g / sqrt(v)``.

    ``a = max(epsilon_2, rms(w)) min(lr, 1 / sqrt(t))``. The mean v of ``s = g^2 + epsilon_1``, with decay
    ``b = 1 - t^beta_2_decay``, is ``r c / mean(r)`` for leaves with two axes or more: only the means r and c of s over
    the last axis and the one before are kept. State: ``step``, ``row_mean`` (r), ``column_mean`` (c), ``velocity`` (v,
    for other leaves); a scalar 0 stands where a leaf has none. Keywords: see `with_options`. Raises `ValueRangeError`.
    Source: Keras ``Adafactor``; Shazeer and Stern 2018.

    >>> import numpy as np
    >>> from fnet.optimizers import adafactor, apply_updates
    >>> opt, params = adafactor(0.5), {"w": np.array([1.0, 2.0])}
    >>> updates, state = opt.update({"w": np.array([1.0, 6.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(4)
    array([0.2094, 1.2094])
    """
    check_learning_rate("adafactor", learning_rate)
    number("adafactor", "epsilon_1", epsilon_1, "(0, inf]")
    number("adafactor", "epsilon_2", epsilon_2, "(0, inf]")
    number("adafactor", "clip_threshold", clip_threshold, "(0, inf]")

    def init(params: Any) -> dict[str, Any]:
        check_floating(params)
        return first_step(
            **rate_in_state(learning_rate),
            row_mean=tree.map(lambda w: _zeros(w, lambda shape: shape[:-1], factored=True), params),
            column_mean=tree.map(lambda w: _zeros(w, lambda shape: (*shape[:-2], shape[-1]), factored=True), params),
            velocity=tree.map(lambda w: _zeros(w, lambda shape: shape, factored=False), params),
        )

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        t = next_step(state)
        rate = in_dtype(minimum(learning_rate_at(learning_rate, state), divide(1.0, sqrt(t))))
        new = power(t, beta_2_decay)
        of_new, of_old = in_dtype(new), in_dtype(subtract(1.0, new))

        def leaf(g: Any, dtype: Any, w: Any, r: Any, c: Any, v: Any) -> tuple[Any, ...]:
            s = add(square(g), epsilon_1)

            def followed(average: Any, value: Any) -> Any:
                return add(multiply(average, of_old(dtype)), multiply(value, of_new(dtype)))

            if _factored(g):
                r, c = followed(r, mean(s, axis=-1)), followed(c, mean(s, axis=-2))
                spread = multiply(expand_dims(divide(r, mean(r, axis=-1, keepdims=True)), -1), expand_dims(c, -2))
            else:
                spread = v = followed(v, s)
            u = divide(g, sqrt(spread))
            u = divide(u, maximum(divide(_rms(u), clip_threshold), 1.0))
            return multiply(u, negative(multiply(maximum(_rms(w), epsilon_2), rate(dtype)))), r, c, v

        slots = ("row_mean", "column_mean", "velocity")
        trees = [state[name] for name in slots]
        updates, *trees = map_leaves(leaf, grads, params, *trees, read=(needed(params),))
        return updates, {"step": t, **kept_rate(state), **dict(zip(slots, trees, strict=True))}

    return (init, update)


def _factored(leaf: Any) -> bool:
    return len(spec_of(leaf).shape) >= 2


def _zeros(leaf: Any, shape_of: Any, factored: bool) -> Any:
    """Zeros of the shape made of the leaf's, or a scalar where the leaf is of the other kind."""
    spec = spec_of(leaf)
    return beside(np.zeros(shape_of(spec.shape) if _factored(leaf) is factored else (), spec.dtype), leaf)


def _rms(x: Any) -> Any:
    return sqrt(mean(square(x)))
