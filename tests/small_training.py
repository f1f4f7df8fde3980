"""Fixtures of a small problem that the tests of training and of callbacks share, so that they share programs, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet import random, tree
from fnet.layers import Dense, Dropout
from fnet.networks.combinators import serial
from fnet.train import Trainer, TrainState

__all__ = ["problem", "same", "trainer", "ts"]


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray]:
    """A smooth regression: x: (23, 3), y: (23, 1), so that batches of 5 leave one of 3."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(23, 3)).astype("float32")
    return x, (x[:, :1] * x[:, 1:2] + x[:, 2:]).astype("float32")


@pytest.fixture(scope="session")
def trainer() -> Trainer:
    return Trainer(serial(Dense(4, activation="tanh"), Dropout(0.25), Dense(1)), "mse", "adam", metrics=["mae"])


@pytest.fixture
def ts(trainer: Trainer) -> TrainState:
    return trainer.init(random.key(1), (3,))


@pytest.fixture
def same() -> Any:
    """Whether two trees have the same bits."""
    return tree.all_equal
