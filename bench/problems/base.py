"""What a problem is: sizes, initial weights and data, the same for every peer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np

Shapes = dict[str, dict[str, tuple[int, ...]]]
Weights = dict[str, dict[str, np.ndarray]]


@dataclass(frozen=True)
class Problem:
    """Something that every peer does."""

    def to_json(self) -> dict[str, Any]:
        """The problem by name, for a worker."""
        return {"name": type(self).__name__, "sizes": asdict(self)}


@dataclass(frozen=True)
class Network(Problem):
    """A network, a loss and data; every peer trains it with Adam at 1e-3.

    loss: "mse", "classes" (mean cross-entropy of integer labels from logits), "ticket" or "ctc".
    epoch: the batches of an epoch for a peer that can only `fit`, a tenth of a second of work or more.
    """

    batch: int
    epoch: ClassVar[int]

    @property
    def loss(self) -> str:
        """The name of the loss."""
        raise NotImplementedError

    @property
    def shapes(self) -> Shapes:
        """The weights of each layer: Keras' names, layouts and order of gates."""
        raise NotImplementedError

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        """Inputs and targets: arrays, or tuples of them, with n samples on the first axis."""
        raise NotImplementedError

    def data(self, batches: int = 1) -> tuple[Any, Any]:
        """Inputs and targets of so many batches."""
        return self.samples(np.random.default_rng(0), batches * self.batch)

    def weights(self) -> Weights:
        """The weights that training starts from."""
        rng = np.random.default_rng(1)
        return {
            layer: {leaf: _initial(rng, leaf, shape) for leaf, shape in leaves.items()}
            for layer, leaves in self.shapes.items()
        }


def dense(fan_in: int, units: int) -> dict[str, tuple[int, ...]]:
    """The weights of a Dense layer."""
    return {"kernel": (fan_in, units), "bias": (units,)}


def recurrent(features: int, units: int, gates: int) -> dict[str, tuple[int, ...]]:
    """The weights of a recurrent layer."""
    wide = gates * units
    return {"kernel": (features, wide), "recurrent_kernel": (units, wide), "bias": (wide,)}


def _initial(rng: np.random.Generator, leaf: str, shape: tuple[int, ...]) -> np.ndarray:
    if leaf in ("bias", "beta"):
        return np.zeros(shape, np.float32)
    if leaf == "gamma":
        return np.ones(shape, np.float32)
    scale = 0.05 if leaf == "embeddings" else math.prod(shape[:-1]) ** -0.5
    return rng.standard_normal(shape, np.float32) * np.float32(scale)
