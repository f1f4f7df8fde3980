"""Recurrent networks on sequences (N, T, D)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.problems.base import Network, Shapes, dense, recurrent

GATES = {"rnn": 1, "lstm": 4}


@dataclass(frozen=True)
class Recurrent(Network):
    """One recurrent layer, "rnn" (tanh) or "lstm", whose last output goes to Dense(1)."""

    cell: str
    units: int
    steps: int
    features: int
    loss = "mse"
    epoch = 40

    @property
    def shapes(self) -> Shapes:
        return {"cell": recurrent(self.features, self.units, GATES[self.cell]), "output": dense(self.units, 1)}

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        x = rng.standard_normal((n, self.steps, self.features), np.float32)
        return x, rng.standard_normal((n, 1), np.float32)


@dataclass(frozen=True)
class DenseLSTM(Network):
    """Two inputs: (16,) through Dense 32 and 16 (relu), and (8, 4) through LSTM(32); concatenated, Dense 8 and 1."""

    batch: int = 32
    loss = "mse"
    epoch = 200

    @property
    def shapes(self) -> Shapes:
        return {
            "hidden_0": dense(16, 32),
            "hidden_1": dense(32, 16),
            "lstm": recurrent(4, 32, 4),
            "joined": dense(48, 8),
            "output": dense(8, 1),
        }

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        x = rng.standard_normal((n, 16), np.float32), rng.standard_normal((n, 8, 4), np.float32)
        return x, rng.standard_normal((n, 1), np.float32)


@dataclass(frozen=True)
class Ticket(Network):
    """Three inputs (title, body, tags), two heads (priority, department).

    Title and body are word numbers below 10000, 20 and 100 of them, each embedded in 64 numbers; the title goes through
    LSTM(128), the body through LSTM(32); both are concatenated with 12 tags of 0 and 1. The loss is binary
    cross-entropy of the priority plus 0.2 times cross-entropy of 4 departments, both from logits.
    """

    batch: int = 32
    loss = "ticket"
    epoch = 20

    @property
    def shapes(self) -> Shapes:
        return {
            "title_words": {"embeddings": (10000, 64)},
            "title": recurrent(64, 128, 4),
            "body_words": {"embeddings": (10000, 64)},
            "body": recurrent(64, 32, 4),
            "priority": dense(172, 1),
            "department": dense(172, 4),
        }

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        title, body = (rng.integers(0, 10000, (n, steps)).astype(np.int32) for steps in (20, 100))
        tags = rng.integers(0, 2, (n, 12)).astype(np.float32)
        return (title, body, tags), (rng.random((n, 1), np.float32), rng.integers(0, 4, n).astype(np.int32))


@dataclass(frozen=True)
class Speech(Network):
    """A bidirectional LSTM of 64 units each way over 100 steps of 26, Dense 29 at every step, CTC with blank 0."""

    batch: int = 16
    loss = "ctc"
    epoch = 20

    @property
    def shapes(self) -> Shapes:
        return {"forward": recurrent(26, 64, 4), "backward": recurrent(26, 64, 4), "output": dense(128, 29)}

    def samples(self, rng: np.random.Generator, n: int) -> tuple[Any, Any]:
        return rng.standard_normal((n, 100, 26), np.float32), rng.integers(1, 29, (n, 20)).astype(np.int32)
