"""`Trainer.evaluate` and `Trainer.predict` against the network applied directly."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import random, tree
from fnet.layers import LSTM, Dense, Dropout
from fnet.networks.combinators import fanout, serial
from fnet.train import Trainer, TrainState

TRAINER = Trainer(serial(Dense(4, activation="relu"), Dropout(0.5), Dense(2)), "mse", metrics=["mae"])


@functools.cache
def state() -> TrainState:
    return TRAINER.init(random.key(3), (3,))


@given(n=st.integers(1, 11), batch_size=st.sampled_from([1, 4, 11, 32]))
def test_predictions_are_those_of_the_network_in_order(n, batch_size):
    x = np.random.default_rng(n).normal(size=(n, 3)).astype("float32")
    expected, _ = TRAINER._net.apply(state().params, state().state, x)
    np.testing.assert_allclose(TRAINER.predict(state(), x, batch_size=batch_size), expected, rtol=1e-6, atol=1e-7)


@given(n=st.integers(1, 11), batch_size=st.sampled_from([1, 4, 11, 32]))
def test_evaluation_is_the_mean_over_the_samples(n, batch_size):
    rng = np.random.default_rng(n)
    x, y = rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    found = TRAINER.evaluate(state(), x, y, batch_size=batch_size)
    difference = TRAINER._net.apply(state().params, state().state, x)[0] - y
    assert found == {
        "loss": pytest.approx(np.mean(difference**2), rel=1e-5),
        "mae": pytest.approx(np.mean(np.abs(difference)), rel=1e-5),
    }


def test_predictions_of_several_outputs_come_as_the_tree_the_network_returns():
    trainer = Trainer(fanout(Dense(2), Dense(3), merge=None), lambda y, p: np.mean(p[0]))
    ts = trainer.init(random.key(0), (3,))
    first, second = trainer.predict(ts, np.ones((5, 3)), batch_size=2)
    assert first.shape == (5, 2) and second.shape == (5, 3)


def test_nested_lists_are_data():
    assert TRAINER.predict(state(), [[0.0, 1.0, 2.0], [1, 2, 3]]).shape == (2, 2)


def test_batches_hand_on_what_layers_keep() -> None:
    layer = LSTM(3, stateful=True, batch_size=2)
    trainer = Trainer(layer, "mse")
    ts = trainer.init(random.key(0), (4, 2))
    x = np.random.default_rng(0).normal(size=(6, 4, 2)).astype("float32")
    expected, state = [], ts.state
    for start in (0, 2, 4):
        y, state = layer.apply(ts.params, state, x[start : start + 2])
        expected.append(y)
    before = tree.map(np.array, ts.state)
    np.testing.assert_allclose(trainer.predict(ts, x, batch_size=2), np.concatenate(expected), rtol=1e-5)
    loss = trainer.evaluate(ts, x, np.zeros((6, 3)), batch_size=2)["loss"]
    assert loss == pytest.approx(float((np.concatenate(expected) ** 2).mean()), rel=1e-5)
    assert tree.all_equal(ts.state, before)


def test_threads_share_a_trainer() -> None:
    """Trainings, evaluations and predictions of one trainer at the same time, each as it is alone."""
    x, y = np.random.default_rng(0).normal(size=(2, 40, 3)).astype("float32")

    def work(seed: int) -> tuple:
        ts = TRAINER.init(random.key(seed), (3,))
        after, history = TRAINER.fit(ts, x, y[:, :2], batch_size=8, epochs=15, verbose=False)
        return after, history.history, dict(TRAINER.evaluate(after, x, y[:, :2])), TRAINER.predict(after, x)

    alone = [work(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert all(tree.all_equal(a, b) for a, b in zip(pool.map(work, range(4)), alone, strict=True))
