"""The problems that every peer solves: sizes, and the same data for all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class MLP:
    """Dense layers of `sizes` with ReLU between them, trained with Adam at 1e-3.

    classes: the targets are integer labels, the loss is cross-entropy from logits; else mean squared error.
    """

    sizes: tuple[int, ...]
    batch: int
    classes: bool = False

    def data(self, batches: int = 1) -> tuple[np.ndarray, np.ndarray]:
        """Inputs (N, sizes[0]) and targets, (N,) labels or (N, sizes[-1]) values, for N = batches * batch."""
        rng = np.random.default_rng(0)
        n = batches * self.batch
        x = rng.standard_normal((n, self.sizes[0]), np.float32)
        if self.classes:
            return x, rng.integers(0, self.sizes[-1], n).astype(np.int32)
        return x, rng.standard_normal((n, self.sizes[-1]), np.float32)


SMALL = MLP((16, 16, 1), batch=32)
DIGITS = MLP((784, 300, 100, 10), batch=128, classes=True)
FIT_BATCHES = 500
