"""Averages of parameters along the way: exponential means, and Lookahead."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fnet import tree
from fnet.arguments import integer, number
from fnet.errors import StructureError
from fnet.ops.arithmetic import add, equal, multiply, remainder, subtract, where
from fnet.optimizers.optimizer import (
    Optimizer,
    apply_updates,
    check_floating,
    combinator,
    decayed,
    first_step,
    in_dtype,
    needed,
    next_step,
)
from fnet.transforms.primitive import spec_of

EMA_MOMENTUM = 0.99


@combinator
def ema(optimizer: Optimizer, momentum: float = EMA_MOMENTUM, overwrite_frequency: int | None = None) -> Optimizer:
    """`optimizer`, and the mean ``avg <- momentum avg + (1-momentum) w`` of the parameters after every update.

    The first one copies. With `overwrite_frequency` k the parameters become the mean after every k-th update.
    `averaged_params` finds the mean in a state. State: ``step``, ``average``, ``optimizer``.
    Raises `ValueRangeError`. Source: Keras ``use_ema``; Polyak and Juditsky 1992.

    >>> import numpy as np
    >>> from fnet.optimizers import averaged_params, sgd
    >>> opt, w = ema(sgd(1.0), momentum=0.5), np.array([0.0])
    >>> updates, state = opt.update(np.array([-1.0]), opt.init(w), w)
    >>> updates, state = opt.update(np.array([-1.0]), state, w + updates)
    >>> averaged_params(state)
    array([1.5])
    """
    number("ema", "momentum", momentum, "[0, 1]")
    if overwrite_frequency is not None:
        integer("ema", "overwrite_frequency", overwrite_frequency)

    def init(params: Any) -> dict[str, Any]:
        check_floating(params)
        return first_step(average=params, optimizer=optimizer.init(params))

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        updates, inner = optimizer.update(grads, state["optimizer"], needed(params))
        step = next_step(state)
        keep = in_dtype(where(equal(state["step"], 0), 0.0, momentum))

        def mean(average: Any, w: Any) -> Any:
            factor = keep(spec_of(w).dtype)
            return add(multiply(average, factor), multiply(w, subtract(1.0, factor)))

        average = tree.map(mean, state["average"], apply_updates(params, updates))
        if overwrite_frequency is not None:
            now = equal(remainder(step, overwrite_frequency), 0)
            updates = tree.map(lambda u, a, w: where(now, subtract(a, w), u), updates, average, params)
        return updates, {"step": step, "average": average, "optimizer": inner}

    config = {"optimizer": optimizer, "momentum": momentum, "overwrite_frequency": overwrite_frequency}
    return Optimizer(init, update, "ema", config)


def averaged_params(opt_state: Any) -> Any:
    """The mean of the parameters that `ema` or ``use_ema=True`` keeps, wherever it is in a state.

    Raises `StructureError` where there is none.
    """
    waiting = [opt_state]
    while waiting:
        state = waiting.pop(0)
        if isinstance(state, Mapping) and "average" in state:
            return state["average"]
        if isinstance(state, Mapping | tuple):
            waiting += state.values() if isinstance(state, Mapping) else state
    raise StructureError(
        "averaged_params: this state keeps no mean of the parameters. Give the optimizer use_ema=True."
    )


@combinator
def lookahead(optimizer: Optimizer, period: int = 6, slow_step: float = 0.5) -> Optimizer:
    """`optimizer`, drawn back every `period` steps: ``s <- s + slow_step (w - s)``, then w becomes s.

    s begins as the parameters. State: ``step``, ``slow`` (s), ``optimizer``. Raises `ValueRangeError`.
    Source: Zhang et al. 2019.

    >>> import numpy as np
    >>> from fnet.optimizers import sgd
    >>> opt, w = lookahead(sgd(1.0), period=1), np.array([0.0])
    >>> opt.update(np.array([-1.0]), opt.init(w), w)[0]
    array([0.5])
    """
    integer("lookahead", "period", period)
    number("lookahead", "slow_step", slow_step, "[0, 1]")

    def init(params: Any) -> dict[str, Any]:
        check_floating(params)
        return first_step(slow=params, optimizer=optimizer.init(params))

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        updates, inner = optimizer.update(grads, state["optimizer"], needed(params))
        step = next_step(state)
        now = equal(remainder(step, period), 0)
        slow = tree.map(
            lambda s, w: where(now, decayed(s, w, 1 - slow_step), s), state["slow"], apply_updates(params, updates)
        )
        updates = tree.map(lambda u, s, w: where(now, subtract(s, w), u), updates, slow, params)
        return updates, {"step": step, "slow": slow, "optimizer": inner}

    return Optimizer(init, update, "lookahead", {"optimizer": optimizer, "period": period, "slow_step": slow_step})
