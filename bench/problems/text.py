"""A language model of characters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.problems.base import Network, Shapes, dense


@dataclass(frozen=True)
class Transformer(Network):
    """A causal transformer: pre-norm blocks of attention and a gelu MLP four times as wide, learnt positions.

    Layer normalisations have epsilon 1e-5; the gelu is the exact one; every projection has a bias.
    """

    batch: int = 16
    width: int = 128
    heads: int = 4
    blocks: int = 2
    tokens: int = 64
    vocabulary: int = 65
    loss = "classes"
    epoch = 10

    @property
    def shapes(self) -> Shapes:
        d = self.width
        norm: dict[str, tuple[int, ...]] = {"gamma": (d,), "beta": (d,)}
        shapes: Shapes = {"words": {"embeddings": (self.vocabulary, d)}, "positions": {"embeddings": (self.tokens, d)}}
        for b in range(self.blocks):
            shapes[f"norm_{b}a"] = norm
            shapes |= {f"{part}_{b}": dense(d, d) for part in ("query", "key", "value", "attended")}
            shapes[f"norm_{b}b"] = norm
            shapes |= {f"wide_{b}": dense(d, 4 * d), f"narrow_{b}": dense(4 * d, d)}
        shapes |= {"norm": norm, "output": dense(d, self.vocabulary)}
        return shapes

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        text = rng.integers(0, self.vocabulary, (n, self.tokens + 1)).astype(np.int32)
        return np.ascontiguousarray(text[:, :-1]), np.ascontiguousarray(text[:, 1:])
