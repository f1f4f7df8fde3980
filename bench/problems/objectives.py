"""What training minimises: losses with their gradients, and whole functions for methods that need no step size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bench.problems.base import Problem


@dataclass(frozen=True)
class Objective(Problem):
    """Something whose value and gradient are asked for."""


@dataclass(frozen=True)
class LossGradient(Objective):
    """The mean loss of outputs (rows, columns) and its gradient.

    loss: "mse", "binary" (cross-entropy from logits) or "classes" (of integer labels, from logits).
    """

    loss: str
    rows: int
    columns: int

    def arrays(self) -> tuple[np.ndarray, np.ndarray]:
        """Outputs of a network and targets."""
        rng = np.random.default_rng(0)
        outputs = rng.standard_normal((self.rows, self.columns), np.float32)
        if self.loss == "classes":
            return outputs, rng.integers(0, self.columns, self.rows).astype(np.int32)
        targets = rng.standard_normal((self.rows, self.columns), np.float32)
        return outputs, (targets > 0).astype(np.float32) if self.loss == "binary" else targets


@dataclass(frozen=True)
class Minimisation(Objective):
    """So many iterations of L-BFGS with ten pairs from the same start, in float64; a step is one iteration."""

    iterations: ClassVar[int] = 30
    history: ClassVar[int] = 10


@dataclass(frozen=True)
class Rosenbrock(Minimisation):
    """The chained valley of Rosenbrock in so many dimensions."""

    dimensions: int

    def start(self) -> np.ndarray:
        """The usual start."""
        return np.resize([-1.2, 1.0], self.dimensions)


@dataclass(frozen=True)
class Regression(Minimisation):
    """The mean squared error of an MLP with tanh over a batch; `sizes` are those of its layers, inputs first."""

    batch: int
    sizes: tuple[int, ...]

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Inputs, and a smooth function of them."""
        x = np.random.default_rng(0).standard_normal((self.batch, self.sizes[0]))
        return x, np.sin(x.sum(axis=1, keepdims=True))

    def start(self) -> tuple[np.ndarray, ...]:
        """The weights and the bias of each layer in turn."""
        rng, leaves = np.random.default_rng(1), []
        for fan_in, units in zip(self.sizes, self.sizes[1:], strict=False):
            leaves += [rng.standard_normal((fan_in, units)) / np.sqrt(fan_in), np.zeros(units)]
        return tuple(leaves)
