"""What a model was compiled with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fnet.keras.optimizers import Optimizer


@dataclass(frozen=True)
class Compilation:
    """The arguments of `compile`."""

    loss: Any
    optimizer: Optimizer
    metrics: Any
    loss_weights: Any
    weighted_metrics: Any
