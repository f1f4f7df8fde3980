"""Penalties, constraints and frozen layers in `Trainer.fit` and `evaluate`."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import Trainer, freeze, losses, random, serial, tree
from fnet.layers import BatchNormalization, Dense

X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = X @ np.array([[1.0], [-2.0], [0.5]], "float32")


def test_penalties_are_in_the_loss_and_in_the_validation_loss() -> None:
    net = serial(Dense(4, "tanh", kernel_regularizer="l2", activity_regularizer="l1"), Dense(1))
    trainer = Trainer(net, "mse", "sgd")
    ts = trainer.init(random.key(0), (3,))
    y, _, extra = fnet.apply_with_penalty(net, ts.params, ts.state, X)
    plain = float(losses.mean_squared_error(Y, y))
    assert float(extra) > 0.01
    whole = trainer.evaluate(ts, X, Y, batch_size=40)["loss"]
    assert whole == pytest.approx(plain + float(extra), rel=1e-5)
    assert trainer.evaluate(ts, X, Y, batch_size=7)["loss"] == pytest.approx(whole, rel=1e-4)
    _, history = trainer.fit(ts, X, Y, batch_size=40, verbose=False, validation_data=(X, Y))
    assert history.history["loss"][0] == pytest.approx(whole, rel=1e-5)
    assert history.history["val_loss"][0] < whole


def test_a_penalty_shrinks_weights() -> None:
    sizes = []
    for factor in (0.0, 1.0):
        trainer = Trainer(Dense(1, kernel_regularizer=fnet.regularizers.l2(factor)), "mse", fnet.optimizers.sgd(0.1))
        ts, _ = trainer.fit(trainer.init(random.key(0), (3,)), X, Y, epochs=20, verbose=False)
        sizes.append(float(np.abs(ts.params["kernel"]).sum()))
    assert sizes[1] < 0.7 * sizes[0]


def test_constraints_hold_after_every_update() -> None:
    trainer = Trainer(Dense(1, kernel_constraint="non_neg"), "mse", fnet.optimizers.sgd(0.1))
    seen = []
    ts, _ = trainer.fit(
        trainer.init(random.key(0), (3,)), X, Y, epochs=5, verbose=False,
        callbacks=[lambda epoch, results, ts: seen.append(float(ts.params["kernel"].min()))],
    )  # fmt: skip
    assert min(seen) >= 0 and len(seen) == 5 and ts.params["kernel"].max() > 0.5


def test_frozen_layers_keep_their_bits_and_have_no_optimizer_state() -> None:
    net = serial(freeze(serial(Dense(4, "tanh"), BatchNormalization())), Dense(1))
    trainer = Trainer(net, "mse", "adam")
    ts = trainer.init(random.key(0), (3,))
    after, _ = trainer.fit(ts, X, Y, epochs=3, verbose=False)
    assert tree.all_equal(after.params["serial"], ts.params["serial"]) and tree.all_equal(after.state, ts.state)
    assert not tree.all_equal(after.params["dense"], ts.params["dense"])
    assert len(tree.leaves(ts.opt_state["momentum"])) == 2


def test_training_a_frozen_body_is_training_the_head() -> None:
    body, head = Dense(4, "tanh"), Dense(1)
    whole = Trainer(serial(freeze(body), head), "mse", "sgd")
    ts = whole.init(random.key(0), (3,))
    features = body.apply(ts.params["dense"], {}, X)[0]
    part = Trainer(serial(head), "mse", "sgd")
    own = ts._replace(params={"dense": ts.params["dense_1"]}, opt_state=part.init(random.key(0), (4,)).opt_state)
    trained, _ = whole.fit(ts, X, Y, epochs=2, verbose=False)
    expected, _ = part.fit(own, features, Y, epochs=2, verbose=False)
    np.testing.assert_allclose(trained.params["dense_1"]["kernel"], expected.params["dense"]["kernel"], rtol=1e-5)
