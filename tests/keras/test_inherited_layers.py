"""Classes of the user's own that inherit from a layer of fnet.keras.layers; other names of layers."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.keras import Input, Model, Sequential, layers, ops

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


class Doubled(layers.Dense):
    def call(self, x):
        return 2.0 * super().call(x)


class Scaled(layers.Dense):
    def build(self, input_shape):
        super().build(input_shape)
        self.scale = self.add_weight(shape=(), initializer="ones", name="scale")

    def call(self, x):
        return self.scale * super().call(x)


class Unmasked(layers.Embedding):
    def compute_mask(self, inputs, previous_mask=None):
        return None


def test_a_call_of_ones_own_is_what_is_computed_and_trained():
    layer = Doubled(3)
    model = Sequential([Input((4,)), layer])
    model.compile("sgd", "mse")
    before = layer.kernel.numpy()
    for _ in range(2):
        expected = 2.0 * (X @ layer.kernel.numpy() + layer.bias.numpy())
        np.testing.assert_allclose(model.predict(X), expected, rtol=1e-5, atol=1e-6)
        model.fit(X, np.ones((8, 3)), verbose=0)
    assert not np.array_equal(layer.kernel.numpy(), before)
    assert layer.units == 3 and Doubled.from_config(layer.get_config()).units == 3
    assert isinstance(layer, layers.Dense) and model.count_params() == 15


def test_weights_are_added_to_those_of_the_layer():
    layer = Scaled(2, kernel_regularizer="l2")
    y = np.asarray(layer(X))
    layer.scale.assign(3.0)
    np.testing.assert_allclose(np.asarray(layer(X)), 3.0 * y, rtol=1e-6)
    assert {weight.name: weight.shape for weight in layer.weights} == {"scale": (), "kernel": (4, 2), "bias": (2,)}
    model = Sequential([Input((4,)), layer])
    model.compile("sgd", "mse")
    penalty = 0.01 * (layer.kernel.numpy() ** 2).sum()
    assert model.evaluate(X, model.predict(X)) == pytest.approx(penalty, rel=1e-4)


def test_dropout_by_a_class_of_ones_own_drops_in_training_only():
    class Noise(layers.Dropout):
        def call(self, x, training=None):
            return super().call(x, training=training) + 0.0

    layer = Noise(0.5)
    assert (np.asarray(layer(np.ones((8, 8)), training=True)) == 0).any()
    assert (np.asarray(layer(np.ones((8, 8)))) == 1).all()


def test_a_mask_is_ended_by_a_class_of_ones_own():
    class Steps(layers.Layer):
        def call(self, x, mask=None):
            return ops.sum(x, axis=1) * (2.0 if mask is not None else 1.0)

    x = np.array([[1, 2, 0]])
    for kind, factor in ((layers.Embedding, 2.0), (Unmasked, 1.0)):
        words = kind(5, 3, mask_zero=True)
        model = Sequential([Input((3,), dtype="int32"), words, Steps()])
        expected = factor * words.embeddings.numpy()[x].sum(1)
        np.testing.assert_allclose(model.predict(x), expected, rtol=1e-5)


def test_a_call_that_connected_layers_would_pass_over_is_refused():
    class Chain(Sequential):
        def call(self, x):
            return x

    class Graph(Model):
        def call(self, x):
            return x

    x = Input((4,))
    with pytest.raises(StructureError, match=r"Chain defines call, but its connected layers say what it computes"):
        Chain([layers.Dense(1)])
    with pytest.raises(StructureError, match=r"Graph defines call.*use them in call\."):
        Graph(x, layers.Dense(1)(x))


def test_arguments_that_have_the_names_of_shapes_reach_the_layer():
    assert layers.Embedding(input_dim=10, output_dim=4)(np.array([[1, 2]])).shape == (1, 2, 4)


def test_another_name_of_a_layer_is_the_same_class():
    assert layers.MaxPool2D is layers.MaxPooling2D and layers.MaxPool2D(2).name.startswith("max_pooling2d")
