"""A loss or a parameter that is not finite is traced to the layer that made it, forward or backward."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fnet import Layer, optimizers, random, serial
from fnet.errors import NonFiniteError
from fnet.layers import Dense, Embedding, Flatten
from fnet.ops.nn import logits_of
from fnet.train import Trainer


def plain(function, name):
    return Layer(lambda k, s, d: ({}, {}), lambda p, s, x, key=None, train=False: (function(x), s), name=name)


def told(net, x, y, loss="mse", optimizer="sgd", shape=(3,)) -> str:
    trainer = Trainer(net, loss, optimizer)
    with pytest.raises(NonFiniteError) as caught:
        trainer.fit(trainer.init(random.key(0), shape), x, y, batch_size=len(x), shuffle=False, verbose=False)
    assert len(str(caught.value)) < 600
    return str(caught.value)


def test_the_first_number_and_what_led_to_it():
    """A square root of one number below 0, in sample 4."""
    x = np.full((6, 3), 2.0, "float32")
    x[4, 1] = -1.0
    text = told(serial(plain(np.sqrt, "root"), Dense(1)), x, x[:, :1])
    assert (
        "The output of 'root' is the first that is not finite: nan at (4, 1), sample 4, for inputs from -1 to 2."
        in text
    )


@pytest.mark.parametrize("nested", [False, True])
def test_a_gradient_that_is_not_finite(nested):
    """The derivative of a square root at 0 is infinite, though its value is finite: 0 * inf is NaN further back."""
    x = np.ones((6, 3), "float32")
    x[2] = 0.0
    inner = (Dense(3, use_bias=False, kernel_initializer="identity"), plain(np.sqrt, "root"))
    text = told(serial(serial(*inner), Dense(1)) if nested else serial(*inner, Dense(1)), x, x[:, :1])
    path = "serial/dense" if nested else "dense"
    assert re.search(rf"the gradient of the output of '{path}' is the first .*finite: (-?inf|nan) at \(2, 0\)", text), (
        text
    )


def test_a_gradient_of_a_parameter_alone():
    """The output and the gradient for it are finite; their product overflows in the kernel."""
    x = np.full((2, 3), 2.0**83, "float32")
    inner = Dense(1, use_bias=False, kernel_initializer="ones")
    net = serial(inner, plain(lambda x: (x - np.float32(3 * 2.0**83)) * np.float32(1e20), "centred"))
    text = told(net, x, np.zeros((2, 1), "float32"), lambda y, p: np.mean(p))
    assert "Back from the loss, the gradient of 'dense/kernel' is the first that is not finite: inf at (0, 0)." in text


def test_finite_gradients_are_not_blamed():
    x = np.ones((4, 3), "float32")
    text = told(Dense(1), 1e10 * x, x[:, :1], optimizer=optimizers.sgd(1e30))
    assert "Back from" not in text and "Lower the learning rate" in text


def test_probabilities_keep_their_logits():
    """The loss has no finite gradient where the logits of its probabilities are not known, as behind a zero added."""

    def loss(y, p):
        return np.sum(p[:, 0]) if logits_of("softmax", p) is not None else np.sum(np.sqrt(0 * p))

    x = np.full((4, 3), 1e3, "float32")
    net = serial(Dense(2, kernel_initializer="zeros"), Dense(3, activation="softmax"))
    text = told(net, x, x[:, :1], loss, optimizers.sgd(1e38))
    assert "Back from" not in text and "Lower the" in text


def test_integers_pass_by():
    net = serial(Embedding(5, 3), Flatten(), plain(np.log, "log"), Dense(1))
    text = told(net, np.zeros((3, 2), "int32"), np.zeros((3, 1), "float32"), shape=(2,))
    assert "The output of 'log' is the first that is not finite: nan at (0," in text
