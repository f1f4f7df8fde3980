"""How many launches a training step of a network takes on a card, and which: a launch is the speed of a small one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, layers, losses, optimizers
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.emulated import Emulated


@pytest.fixture(autouse=True)
def _card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", Emulated()))


def labels(net: fnet.Layer, loss: Any, x: np.ndarray, y: np.ndarray, rule: Any = None) -> list[str]:
    """Of the launches of a step, which is planned and not run."""
    rule = optimizers.adam(1e-3) if rule is None else rule
    params, state = net.init(fnet.random.key(0), x.shape[1:])

    def step(params: Any, state: Any, opt_state: Any, x: Any, y: Any) -> Any:
        def of_params(params: Any) -> Any:
            outputs, new = net.apply(params, state, x, train=True)
            return loss(y, outputs), new

        (value, state), grads = fnet.value_and_grad(of_params, has_aux=True)(params)
        updates, opt_state = rule.update(grads, opt_state, params)
        return optimizers.apply_updates(params, updates), state, opt_state, value

    operands = fnet.to_device((params, state, rule.init(params), x, y), "cuda")
    plan = fnet.jit(step, donate=("params", "state", "opt_state")).plan(*operands)
    return [call.label for call in plan.calls]


CLASSES = losses.sparse_categorical_crossentropy
IMAGES, DIGITS = np.ones((32, 28, 28, 1), np.float32), np.zeros(32, np.int32)


def classes(y: Any, outputs: Any) -> Any:
    return CLASSES(y, outputs, from_logits=True)


def test_a_step_of_three_dense_layers():
    net = fnet.serial(layers.Dense(300, activation="relu"), layers.Dense(100, activation="relu"), layers.Dense(10))
    assert labels(net, classes, np.ones((128, 784), np.float32), np.zeros(128, np.int32)) == [
        *["matmul"] * 3,
        "sparse_crossentropy+sparse_crossentropy_vjp",
        *("sum", "sum", "matmul", "matmul"),  # of the losses, and of their gradients over the batch
        *("greater+where+sum", "matmul", "matmul"),
        *("greater+where+sum", "matmul"),
        *("multiply+add+cast+9 more", "6 x subtract+multiply+add+15 more"),
    ]


def test_a_gradient_that_needs_the_loss_comes_after_it():
    def squared(y: Any, outputs: Any) -> Any:
        return np.square(classes(y, outputs))

    found = labels(layers.Dense(3), squared, np.ones((4, 2), np.float32), np.zeros(4, np.int32))
    assert {"sparse_crossentropy", "sparse_crossentropy_vjp"} <= set(found)


def test_labels_that_are_no_integers_are_made_integers():
    found = labels(layers.Dense(3), classes, np.ones((4, 2), np.float32), np.zeros(4, np.float32))
    assert any("cast" in label for label in found[:2])


def test_a_step_of_a_small_network_for_numbers():
    net = fnet.serial(layers.Dense(16, activation="relu"), layers.Dense(1))
    x = np.ones((32, 16), np.float32)
    assert len(labels(net, losses.mean_squared_error, x, x[:, :1])) == 9


def test_a_step_of_a_network_of_convolutions():
    net = fnet.serial(
        layers.Conv2D(8, 3, use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        layers.Dense(10),
    )
    found = labels(net, classes, IMAGES, DIGITS)
    assert found.count("batch_normalization") == 2  # moments, and what is made of them
    assert found.count("batch_normalization_vjp") == 2
