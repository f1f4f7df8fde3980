"""Recurrent layers over cells of the user's own, with the numbers of a loop in NumPy."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.keras import Input, Sequential, layers, ops

X = np.random.default_rng(0).normal(size=(6, 5, 3)).astype("float32")
Y = X.sum((1, 2))[:, None]


class Minimal(layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = self.state_size = units

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), name="kernel")
        self.recurrent = self.add_weight(shape=(self.units, self.units), initializer="identity", name="recurrent")

    def call(self, inputs, states):
        y = ops.tanh(ops.matmul(inputs, self.kernel) + ops.matmul(states[0], self.recurrent))
        return y, [y]

    def get_initial_state(self, batch_size=None):
        return [ops.zeros((batch_size, self.units))]


class TwoBack(layers.Layer):
    """Its second state is the one before the first; its weights are of a layer in it."""

    def __init__(self, units, **options):
        super().__init__(**options)
        self.state_size = [units, units]
        self.dense = layers.Dense(units)

    def call(self, inputs, states, training=None):
        before, earlier = states
        y = ops.tanh(self.dense(inputs) + 0.5 * before - 0.1 * earlier)
        return (y + 1.0 if training else y), [y, before]


def test_a_sequence_is_read_step_by_step():
    layer = layers.RNN(Minimal(4), return_sequences=True, return_state=True)
    whole, last = layer(X)
    h = np.zeros((6, 4))
    for t in range(5):
        h = np.tanh(X[:, t] @ layer.cell.kernel.numpy() + h @ layer.cell.recurrent.numpy())
        np.testing.assert_allclose(whole[:, t], h, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(last, h, rtol=1e-5, atol=1e-6)


def test_cells_with_several_states_and_layers_in_them_are_trained():
    inner = TwoBack(4)
    model = Sequential([Input((5, 3)), layers.RNN(inner, return_sequences=True), layers.LSTM(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    before = inner.dense.kernel.numpy()
    losses = model.fit(X, Y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0] and not np.array_equal(inner.dense.kernel.numpy(), before)
    a = b = np.zeros((6, 4))
    for t in range(5):
        a, b = np.tanh(X[:, t] @ inner.dense.kernel.numpy() + inner.dense.bias.numpy() + 0.5 * a - 0.1 * b), a
    np.testing.assert_allclose(model.layers[0](X)[:, -1], a, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.layers[0](X, training=True)[:, -1], a + 1, rtol=1e-5, atol=1e-6)


def test_weights_fit_into_another_model_of_the_session(tmp_path):
    def made():
        return Sequential([Input((5, 3)), layers.RNN(Minimal(4))])

    one, other = made(), made()
    one.save_weights(tmp_path / "cell.weights.h5")
    other.load_weights(tmp_path / "cell.weights.h5")
    np.testing.assert_array_equal(other.predict(X, verbose=0), one.predict(X, verbose=0))


def test_what_cannot_be_is_said():
    class Sizeless(layers.Layer):
        def call(self, inputs, states):
            return inputs, states

    class Other(Minimal):
        def get_initial_state(self, batch_size=None):
            return np.ones((batch_size, self.units))

    with pytest.raises(StructureError, match=r"sizeless.*: a cell says the sizes of its states: self.state_size = 32"):
        layers.RNN(Sizeless())(X)
    with pytest.raises(StructureError, match=r"get_initial_state: states begin with zeros. Pass others in the call"):
        layers.RNN(Other(2))(X)
    with pytest.raises(StructureError, match="one of several cells, Minimal, is a class of your own"):
        layers.RNN([Minimal(2), layers.LSTMCell(3)])
