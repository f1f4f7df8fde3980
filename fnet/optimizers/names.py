"""Optimizers by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.optimizers.optimizer import OPTIMIZERS, Optimizer


def get(optimizer: str | Optimizer | Callable[[], Any]) -> Optimizer:
    """An optimizer by name in any case, with its defaults; the `Optimizer` itself; or what a constructor makes.

    >>> from fnet.optimizers import adam
    >>> get("RMSprop").config["rho"], get(adam).name
    (0.9, 'adam')

    Raises `ValueRangeError` for an unknown name or anything else.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str):
        return OPTIMIZERS.find(optimizer)()
    made = optimizer() if callable(optimizer) else None
    if isinstance(made, Optimizer):
        return made
    raise OPTIMIZERS.unknown(optimizer)
