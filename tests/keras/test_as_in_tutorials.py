"""Lines of well-known tutorials, each of which once failed or meant another thing."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.keras import Input, Model, Sequential, initializers, layers, losses, ops, utils

X = np.random.default_rng(0).normal(size=(6, 5, 4)).astype("float32")


def test_a_layer_of_ones_own_has_the_name_of_a_standard_one():
    class Attention(layers.Layer):
        def build(self, input_shape):
            self.mix = self.add_weight(shape=(input_shape[-1], 3), initializer="ones", name="mix")

        def call(self, x):
            return ops.sum(ops.tensordot(x, self.mix, axes=1), axis=1)  # a weight as the second operand

    x = Input((5, 4))
    model = Model(x, Attention(name="own")(x))
    assert [weight.name for weight in model.get_layer("own").weights] == ["mix"]
    np.testing.assert_allclose(model.predict(X, verbose=0), (X @ np.ones((4, 3))).sum(1), rtol=1e-4, atol=1e-5)
    texts = []
    model.summary(print_fn=texts.append)
    assert "own (Attention)" in texts[0]


@pytest.mark.slow
def test_an_attention_in_a_layer_of_ones_own_is_built_by_a_call_with_a_mask():
    class Block(layers.Layer):
        def __init__(self):
            super().__init__()
            self.attention = layers.MultiHeadAttention(2, 3)

        def call(self, x):
            steps = ops.shape(x)[1]
            mask = ops.cast(ops.arange(steps)[:, None] >= ops.arange(steps), "bool")
            return self.attention(
                x, x, attention_mask=ops.tile(ops.reshape(mask, (1, steps, steps)), (x.shape[0], 1, 1))
            )

    x = Input((5, 4))
    model = Model(x, Block()(x))
    changed = X.copy()
    changed[:, 3:] += 1.0
    first, second = model.predict(X, verbose=0), model.predict(changed, verbose=0)
    np.testing.assert_allclose(first[:, :3], second[:, :3], rtol=1e-5, atol=1e-6)
    assert (first[:, 3:] != second[:, 3:]).any()


def test_one_of_two_outputs_has_a_loss():
    x = Input((4,))
    h = layers.Dense(3)(x)
    model = Model(x, [layers.Dense(2)(h), h])
    model.compile("sgd", [losses.SparseCategoricalCrossentropy(from_logits=True), None])
    history = model.fit(X[:, 0], np.arange(6) % 2, verbose=0).history
    assert history["loss"][0] > 0


def test_a_first_value_may_be_an_array_of_one():
    dense = layers.Dense(1, bias_initializer=initializers.Constant(np.log([0.25])))
    Sequential([Input((4,)), dense])
    np.testing.assert_allclose(dense.bias.numpy(), [np.log(0.25)], rtol=1e-6)


def test_a_bar_for_a_loop_of_ones_own(capsys):
    bar = utils.Progbar(3, stateful_metrics=["rate"])
    for step in range(3):
        bar.update(step + 1, [("loss", float(step)), ("rate", float(step))])
    text = capsys.readouterr().out
    assert text.startswith("3/3 ━━━━━━━━━━━━━━━━━━━━ ") and text.endswith(" - loss: 1.0000 - rate: 2.0000\n")
