"""What users read of models, layers and optimizers; words of Keras that are missing name what does their work."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import activations
from fnet.errors import StructureError
from fnet.keras import Input, Model, Sequential, layers, optimizers


def connected():
    x = Input((4,))
    return Model(x, layers.Dense(3, activation="relu", kernel_regularizer="l2", name="head")(x))


def test_arguments_of_layers():
    model = connected()
    head = model.get_layer("head")
    assert head.activation is activations.relu and head.units == 3 and head.get_config()["activation"] == "relu"
    assert head.kernel_regularizer is not None and head.kernel_constraint is None and head.bias_regularizer is None
    assert float(head.losses[0]) == float(model.losses[0]) > 0
    assert model.output_names == ["head"] and model.operations == model.layers


def test_the_two_layers_of_a_bidirectional():
    both = layers.Bidirectional(layers.LSTM(3))
    both.build((None, 5, 2))
    assert (both.forward_layer.name, both.backward_layer.units) == ("forward_lstm", 3)
    first, *others = both.forward_layer.get_weights()
    both.forward_layer.set_weights([first * 0, *others])
    assert not both.get_weights()[0].any() and both.get_weights()[3].any()
    np.testing.assert_array_equal(both.backward_layer.get_weights()[0], both.get_weights()[3])


@pytest.mark.slow
def test_states_begin_again():
    model = Sequential([Input(batch_shape=(2, 5, 2)), layers.LSTM(3, stateful=True)])
    x = np.ones((2, 5, 2), np.float32)
    first, second = model(x), model(x)
    model.reset_states()
    assert (first != second).any()
    np.testing.assert_array_equal(model(x), first)


def test_arguments_of_optimizers():
    optimizer = optimizers.Adam(0.01, beta_1=0.8)
    assert (optimizer.beta_1, optimizer.clipnorm, optimizer.use_ema, optimizer.iterations.numpy()) == (
        0.8,
        None,
        False,
        0,
    )
    assert optimizers.Adam.from_config(optimizer.get_config()).beta_1 == 0.8


@pytest.mark.parametrize(
    ("of", "text"),
    [
        (
            lambda: connected().predict_classes,
            r"has no attribute 'predict_classes'. fnet has another way: model.predict\(",
        ),
        (lambda: connected().stateless_call, "y, state = net.apply"),
        (lambda: connected().zero_grad, r"self.value_and_grad\(loss_of_batch\)"),
        (lambda: connected().get_layer("head").enable_lora, "layer.trainable = False"),
        (lambda: optimizers.SGD().minimize, r"fnet.keras.value_and_grad\(loss_of_batch, variables\)"),
        (lambda: optimizers.SGD().momentun, "Did you mean 'momentum'"),
    ],
)
def test_words_that_are_missing_name_what_does_their_work(of, text):
    with pytest.raises(AttributeError, match=text):
        of()


def test_a_stateful_layer_asks_for_the_size_of_the_batch():
    with pytest.raises(StructureError, match=r"say how many there are: Input\(batch_shape=\(32, ...\)\) in front"):
        layers.GRU(3, stateful=True)(Input((5, 2)))
