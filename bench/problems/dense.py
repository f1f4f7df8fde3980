"""Networks of Dense layers."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.problems.base import Network, Shapes, dense


@dataclass(frozen=True)
class MLP(Network):
    """Dense layers of `sizes` with ReLU between them; the loss is "mse" or "classes"."""

    sizes: tuple[int, ...]
    loss: str = "mse"
    epoch = 500

    @property
    def shapes(self) -> Shapes:
        pairs = itertools.pairwise(self.sizes)
        return {f"dense_{i}": dense(fan_in, units) for i, (fan_in, units) in enumerate(pairs)}

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        x = rng.standard_normal((n, self.sizes[0]), np.float32)
        if self.loss == "classes":
            return x, rng.integers(0, self.sizes[-1], n).astype(np.int32)
        return x, rng.standard_normal((n, self.sizes[-1]), np.float32)


@dataclass(frozen=True)
class FanOut(Network):
    """One input to Dense layers of 16 (relu), 8 (relu) and 16 (tanh), concatenated, then 16 (relu) and 1."""

    features: int = 16
    batch: int = 32
    loss = "mse"
    epoch = 500

    @property
    def shapes(self) -> Shapes:
        branches = {f"branch_{i}": dense(self.features, units) for i, units in enumerate((16, 8, 16))}
        return branches | {"hidden": dense(40, 16), "output": dense(16, 1)}

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        return rng.standard_normal((n, self.features), np.float32), rng.standard_normal((n, 1), np.float32)
