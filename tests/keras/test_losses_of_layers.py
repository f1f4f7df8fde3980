"""Losses that layers add, learning rates that are assigned, and models that a callback saves."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.keras import Input, Model, Sequential, backend, callbacks, layers, models, ops, optimizers

RNG = np.random.default_rng(0)
X = RNG.normal(size=(24, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


class Penalty(layers.Layer):
    """Its input, whose squares it adds to the loss: as an array of all, or as their mean."""

    def __init__(self, reduced):
        super().__init__()
        self.reduced = reduced

    def call(self, x):
        squares = ops.square(x)
        self.add_loss(ops.mean(squares) if self.reduced else squares)
        return x


@pytest.mark.parametrize("reduced, expected", [(True, (X**2).mean()), (False, (X**2).sum())])
def test_what_a_layer_adds_to_the_loss_is_added_as_it_is(reduced, expected):
    x = Input((4,))
    model = Model(x, Penalty(reduced)(x))
    model.compile("sgd", "mse")
    assert model.evaluate(X, X) == pytest.approx(expected, rel=1e-5)
    assert model.train_on_batch(X, X) == pytest.approx(expected, rel=1e-5)


def test_learning_rates_are_assigned():
    optimizer = optimizers.SGD(learning_rate=0.1)
    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile(optimizer, "mse")
    optimizer.learning_rate.assign(0.0)
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))
    backend.set_value(model.optimizer.lr, 0.25)
    assert optimizer.learning_rate.numpy() == np.float32(0.25) and optimizer.get_config()["learning_rate"] == 0.25


def test_what_a_callback_saves_is_what_the_model_saves(tmp_path):
    layers.Dense(1)  # takes the name dense
    model = Sequential([Input((4,)), layers.Dense(3), layers.Dense(1)])
    model.compile("adam", "mse")
    saved = [
        callbacks.ModelCheckpoint(tmp_path / "model.keras", save_best_only=True, monitor="loss"),
        callbacks.ModelCheckpoint(tmp_path / "model.weights.h5", save_weights_only=True),
    ]
    model.fit(X, Y, epochs=3, verbose=0, callbacks=saved)
    again = models.load_model(tmp_path / "model.keras")
    assert again.evaluate(X, Y) == model.evaluate(X, Y) and again.optimizer.iterations == 3
    other = Sequential([Input((4,)), layers.Dense(3), layers.Dense(1)])
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.predict(X), model.predict(X))


def test_hooks_of_evaluate_and_predict_are_called():
    seen = []

    class Own(callbacks.Callback):
        def on_test_end(self, logs=None):
            seen.append(logs["loss"])

        def on_predict_begin(self, logs=None):
            seen.append(self.model.name)

    model = Sequential([Input((4,)), layers.Dense(1)], name="small")
    model.compile("sgd", "mse")
    loss = model.evaluate(X, Y, callbacks=[Own()])
    model.predict(X, callbacks=[Own()])
    assert seen == [loss, "small"]
