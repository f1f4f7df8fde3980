"""Optimizers, as pure pairs.

``init(params) -> opt_state`` and ``update(grads, opt_state, params) -> (updates, opt_state)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.errors import ValueRangeError, did_you_mean
from fnet.optimizers.adam import adam as adam
from fnet.optimizers.compose import add_decayed_weights as add_decayed_weights
from fnet.optimizers.compose import chain as chain
from fnet.optimizers.compose import clip_by_global_norm as clip_by_global_norm
from fnet.optimizers.compose import clip_by_norm as clip_by_norm
from fnet.optimizers.compose import clip_by_value as clip_by_value
from fnet.optimizers.compose import scale as scale
from fnet.optimizers.compose import scale_by_learning_rate as scale_by_learning_rate
from fnet.optimizers.optimizer import Optimizer as Optimizer
from fnet.optimizers.optimizer import apply_updates as apply_updates
from fnet.optimizers.rmsprop import rmsprop as rmsprop
from fnet.optimizers.sgd import sgd as sgd

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {"adam": adam, "rmsprop": rmsprop, "sgd": sgd}


def get(optimizer: str | Optimizer | Callable[[], Any]) -> Optimizer:
    """An optimizer by name in any case, with its defaults; the `Optimizer` itself; or what a constructor makes.

    >>> get("RMSprop").config["rho"], get(adam).name
    (0.9, 'adam')

    Raises `ValueRangeError` for an unknown name or anything else.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]()
    made = optimizer() if callable(optimizer) else None
    if isinstance(made, Optimizer):
        return made
    raise ValueRangeError(
        f"unknown optimizer {optimizer!r}: expected a name, an Optimizer such as adam(1e-3), or a function that makes "
        f"one.{did_you_mean(optimizer, OPTIMIZERS)}"
    )
