"""The table of optimizers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.errors import ValueRangeError, did_you_mean
from fnet.optimizers.adafactor import adafactor
from fnet.optimizers.adagrad import adadelta, adagrad
from fnet.optimizers.adam import adam, adamax, adamw
from fnet.optimizers.ftrl import ftrl
from fnet.optimizers.lamb import lamb
from fnet.optimizers.lion import lion
from fnet.optimizers.muon import muon
from fnet.optimizers.nadam import nadam
from fnet.optimizers.optimizer import Optimizer
from fnet.optimizers.rmsprop import rmsprop
from fnet.optimizers.sgd import sgd

_RULES: tuple[Any, ...] = (
    adadelta,
    adafactor,
    adagrad,
    adam,
    adamax,
    adamw,
    ftrl,
    lamb,
    lion,
    muon,
    nadam,
    rmsprop,
    sgd,
)
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {rule.__name__: rule for rule in _RULES}


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
