"""Convolutional networks on images (N, H, W, C)."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.problems.base import Network, Shapes, dense

CLASSES = 10


@dataclass(frozen=True)
class CNN(Network):
    """28x28x1: 3x3 convolutions to 32 and 16 channels, relu, 2x2 max pooling after each; Dense 50 (relu) and 10."""

    batch: int = 32
    loss = "classes"
    epoch = 40

    @property
    def shapes(self) -> Shapes:
        return {
            "conv_0": {"kernel": (3, 3, 1, 32), "bias": (32,)},
            "conv_1": {"kernel": (3, 3, 32, 16), "bias": (16,)},
            "hidden": dense(5 * 5 * 16, 50),
            "output": dense(50, CLASSES),
        }

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        return rng.standard_normal((n, 28, 28, 1), np.float32), rng.integers(0, CLASSES, n).astype(np.int32)


@dataclass(frozen=True)
class VGG(Network):
    """32x32x3: two 3x3 convolutions to 64 channels, 2x2 max pooling, two to 128, pooling; then Dense 10.

    Each convolution keeps the size, has no bias, and is followed by batch normalisation (0.99, 1e-3) and relu.
    """

    batch: int = 32
    loss = "classes"
    epoch = 4

    @property
    def shapes(self) -> Shapes:
        shapes: Shapes = {}
        channels = (3, 64, 64, 128, 128)
        for i, (c, f) in enumerate(itertools.pairwise(channels)):
            shapes[f"conv_{i}"] = {"kernel": (3, 3, c, f)}
            shapes[f"norm_{i}"] = {"gamma": (f,), "beta": (f,)}
        return shapes | {"output": dense(8 * 8 * 128, CLASSES)}

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        return rng.standard_normal((n, 32, 32, 3), np.float32), rng.integers(0, CLASSES, n).astype(np.int32)
