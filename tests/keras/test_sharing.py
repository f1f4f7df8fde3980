"""Weights in the words of Keras are one where layers are one, and trained where they may be."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import ShapeError, StructureError
from fnet.keras import Input, Model, Sequential, layers, models, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(32, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
STEPS = RNG.normal(size=(8, 6, 4)).astype("float32")


class Block(layers.Layer):
    def __init__(self, dense):
        super().__init__()
        self.dense, self.norm = dense, layers.LayerNormalization()

    def call(self, x):
        return self.norm(x + self.dense(x))


class Twice(Model):
    """One layer in two blocks, and a chain whose shapes nobody said."""

    def __init__(self):
        super().__init__()
        dense = layers.Dense(4, kernel_regularizer="l2")
        self.first, self.second = Block(dense), Block(dense)
        self.head = Sequential([layers.Dense(3, activation="relu"), layers.Dense(1)])

    def call(self, x):
        return self.head(self.second(self.first(x)))


def test_a_layer_in_two_layers_of_ones_own_is_one():
    model = Twice()
    assert model(X).shape == (32, 1) and len(model.weights) == 2 + 2 + 2 + 4
    model.compile("sgd", "mse")
    before = model.first.dense.kernel.numpy()
    model.fit(X, Y, verbose=0)
    assert (model.first.dense.kernel.numpy() != before).any()
    np.testing.assert_allclose(model.predict(X), model.head(model.second(model.first(X))), rtol=1e-4, atol=1e-5)


def test_what_is_applied_to_every_step_has_the_weights_that_it_has_elsewhere():
    x = Input((4,))
    encoder = Model(x, layers.Dense(3, activation="tanh", name="code")(x), name="encoder")
    steps = Input((6, 4))
    model = Model(steps, layers.GlobalAveragePooling1D()(layers.TimeDistributed(encoder)(steps)))
    by_hand = np.stack([encoder(STEPS[:, t]) for t in range(6)], 1).mean(1)
    np.testing.assert_allclose(model.predict(STEPS), by_hand, rtol=1e-5, atol=1e-6)
    assert [weight.path for weight in model.weights] == ["code/kernel", "code/bias"]
    before = encoder.get_weights()
    model.compile("sgd", "mse")
    model.fit(STEPS, np.ones((8, 3), np.float32), verbose=0)
    assert all((a != b).any() for a, b in zip(before, encoder.get_weights(), strict=True))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_what_is_applied_to_every_step_is_in_files(tmp_path, suffix):
    model = Sequential([Input((6, 4)), layers.TimeDistributed(layers.Dense(3)), layers.LSTM(2)])
    model.save(tmp_path / f"model{suffix}")
    again = models.load_model(tmp_path / f"model{suffix}")
    assert isinstance(again.layers[0].layer, layers.Dense)
    np.testing.assert_array_equal(again.predict(STEPS), model.predict(STEPS))


def test_weights_of_wrapped_layers_fit_into_another_model(tmp_path):
    def make():
        x = Input((6, 4))
        both = layers.Bidirectional(layers.GRU(3, return_sequences=True))(layers.TimeDistributed(layers.Dense(3))(x))
        return Model(x, layers.RNN([layers.GRUCell(2), layers.GRUCell(2)])(both))

    first, second = make(), make()
    first.save_weights(tmp_path / "first.weights.h5")
    second.load_weights(tmp_path / "first.weights.h5")
    np.testing.assert_array_equal(second.predict(STEPS), first.predict(STEPS))


def test_what_cannot_be_applied_to_steps_is_explained():
    with pytest.raises(StructureError, match="expected a layer of fnet.keras, received int"):
        layers.TimeDistributed(3)
    with pytest.raises(ShapeError, match=r"expected one input \(batch, time, ..., features\), received \(None, 4\)"):
        layers.TimeDistributed(layers.Dense(3))(X)


def test_a_model_called_in_inference_stays_there_while_the_rest_is_trained():
    base = Sequential([Input((4,)), layers.BatchNormalization(), layers.Dropout(0.9)])
    x = Input((4,))
    model = Model(x, layers.Dense(1)(base(x, training=False)))
    model.compile("sgd", "mse")
    model.fit(X, Y, epochs=2, verbose=0)
    gamma, _, mean, variance = base.get_weights()
    assert (mean == 0).all() and (variance == 1).all() and (gamma != 1).any()
    want = model.evaluate(X, Y)
    assert model.train_on_batch(X, Y) == pytest.approx(want, rel=1e-5)


def test_trainable_holds_for_the_layers_within():
    base = Sequential([Input((4,)), layers.Dense(3), layers.Dense(2)])
    model = Sequential([Input((4,)), base, layers.Dense(1)])
    base.trainable = False
    assert not base.layers[1].trainable and len(model.trainable_weights) == 2
    base.trainable = True
    base.layers[0].trainable = False
    assert [weight.trainable for weight in model.weights] == [False, False, True, True, True, True]


def test_attention_takes_keras_arguments_of_the_call():
    attention = layers.MultiHeadAttention(2, 3)
    x = Input((6, 4))
    causal = Model(x, attention(query=x, value=x, key=x, use_causal_mask=True))
    later = STEPS.copy()
    later[:, 3:] += 1
    np.testing.assert_array_equal(causal.predict(later)[:, :3], causal.predict(STEPS)[:, :3])
    assert (attention(later, later)[:, :3] != attention(STEPS, STEPS)[:, :3]).any()
    lower = np.tril(np.ones((6, 6), bool))
    y, scores = attention(STEPS, STEPS, attention_mask=np.stack([lower] * 8), return_attention_scores=True)
    np.testing.assert_allclose(y, causal(STEPS), rtol=1e-5, atol=1e-6)
    assert scores.shape == (8, 2, 6, 6)
    with pytest.raises(TypeError, match="unexpected arguments of the call: use_causal_mask"):
        layers.Dense(1)(x, use_causal_mask=True)


def test_a_mask_given_to_a_symbolic_call_is_refused():
    x = Input((6, 4))
    with pytest.raises(StructureError, match="a symbolic call takes no mask="):
        layers.LSTM(3)(x, mask=x[:, :, 0] > 0)


def test_operations_take_symbolic_values():
    x = Input((4,))
    model = Model(x, ops.concatenate([ops.relu(x), ops.mean(x * 2, axis=-1, keepdims=True)], axis=-1))
    np.testing.assert_allclose(model.predict(X), np.c_[np.maximum(X, 0), 2 * X.mean(1)], rtol=1e-5, atol=1e-6)
    assert ops.shape(x) == (None, 4) and ops.shape(X) == (32, 4)
    assert [layer.name for layer in model.layers] == [x.name]
    text = []
    model.summary(print_fn=text.append)
    assert "(Relu)" in text[0] and "(None, 5)" in text[0] and "?" not in text[0]
