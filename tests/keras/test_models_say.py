"""What models say of themselves: configs, numbers, penalties, dtypes; stateful layers of a batch of known size."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.keras import Input, Model, Sequential, layers

X = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")


def test_a_model_is_made_again_from_its_config():
    chain = Sequential([Input((3,)), layers.Dense(4, activation="relu", name="first"), layers.Dense(1)])
    again = Sequential.from_config(chain.get_config())
    assert isinstance(again, Sequential) and [layer.name for layer in again.layers] == ["first", chain.layers[1].name]
    again.set_weights(chain.get_weights())
    np.testing.assert_array_equal(again.predict(X, verbose=0), chain.predict(X, verbose=0))
    x = Input((3,))
    branched = Model(x, [layers.Dense(2)(x), layers.Dense(1)(x)])
    assert Model.from_config(branched.get_config()).output_shape == [(None, 2), (None, 1)]


def test_a_class_with_a_call_is_made_again_from_its_arguments():
    class Own(Model):
        def __init__(self, units=3, **options):
            super().__init__(**options)
            self.units, self.dense = units, layers.Dense(units)

        def call(self, x):
            return self.dense(x)

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    own = Own(5, name="five")
    assert own(X).shape == (4, 5)
    again = Own.from_config(own.get_config())
    assert (again.units, again.name) == (5, "five")


def test_numbers_have_names_and_regularizers_say_a_penalty():
    model = Sequential([Input((3,)), layers.Dense(2, kernel_regularizer="l2", name="d")])
    model.compile("sgd", "mse", metrics=["mae"])
    with pytest.raises(StructureError, match="fit or evaluate it first"):
        model.metrics_names  # noqa: B018
    model.evaluate(X, X[:, :2], verbose=0)
    assert model.metrics_names == ["loss", "mae"]
    model.fit(X, X[:, :2], verbose=0, validation_data=(X, X[:, :2]))
    assert model.metrics_names == ["loss", "mae"]
    np.testing.assert_allclose(model.losses, [0.01 * (model.layers[0].kernel.numpy() ** 2).sum()], rtol=1e-6)
    assert Sequential([Input((3,)), layers.Dense(1)]).losses == []
    assert model.dtype == model.layers[0].compute_dtype == "float32"


@pytest.mark.parametrize("argument", ["batch_input_shape", "batch_shape"])
def test_a_stateful_layer_takes_the_size_of_a_batch_from_its_shape(argument):
    model = Sequential([layers.LSTM(2, stateful=True, **{argument: (4, 5, 3)})])
    x = np.ones((4, 5, 3), "float32")
    assert not np.array_equal(model.predict(x, batch_size=4, verbose=0), np.zeros((4, 2)))
    assert model.layers[0].batch_size == 4
