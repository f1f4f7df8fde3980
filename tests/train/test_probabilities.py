"""Outputs that a loss cannot take are told before the first epoch; networks that give probabilities cost no look."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet import Layer, Masked, Trainer, fanout, losses, ops, random, serial
from fnet.errors import ShapeError, ValueRangeError
from fnet.layers import Activation, Dense, Reshape

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32") * 3
YES, KIND = np.arange(12) % 2, np.arange(12) % 3

WRONG: dict[str, tuple[Any, Layer, Any]] = {
    "a forgotten sigmoid": ("binary_crossentropy", Dense(1), YES),
    "of several": ("binary_crossentropy", Dense(2), np.stack([YES, YES], 1)),
    "a forgotten softmax": ("sparse_categorical_crossentropy", Dense(3), KIND),
    "one-hot": ("categorical_crossentropy", Dense(3), np.eye(3)[KIND]),
    "by shapes": ("crossentropy", Dense(3), KIND),
    "focal": ("binary_focal_crossentropy", Dense(1), YES),
    "relu": ("binary_crossentropy", Dense(1, "relu"), YES),
    "tanh": ("kl_divergence", Dense(3, "tanh"), np.eye(3)[KIND]),
    "rates": ("poisson", Dense(1), YES),
}


@pytest.mark.parametrize("name", WRONG)
@pytest.mark.parametrize("method", ["fit", "evaluate"])
def test_outputs_that_a_loss_cannot_take(name: str, method: str) -> None:
    loss, net, y = WRONG[name]
    trainer = Trainer(net, loss)
    ts = trainer.init(random.key(1), (3,))
    with pytest.raises(ValueRangeError) as eager:
        losses.get(loss)(y, net.apply(ts.params, ts.state, X)[0])
    with pytest.raises(ValueRangeError) as told:
        getattr(trainer, method)(ts, X, y, batch_size=12)
    detail = str(eager.value).partition(": ")[2].partition(". ")[0]
    assert detail in str(told.value)


RIGHT: dict[str, tuple[Any, Layer, Any]] = {
    "sigmoid": ("binary_crossentropy", Dense(1, "sigmoid"), YES),
    "softmax, reshaped": (
        "sparse_categorical_crossentropy",
        serial(Dense(3), Activation("softmax"), Reshape((3,))),
        KIND,
    ),
    "logits": (losses.BinaryCrossentropy(from_logits=True), Dense(1), YES),
    "no probabilities": ("mse", Dense(1), YES),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_known_from_the_network_needs_no_look(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loss, net, y = RIGHT[name]
    monkeypatch.setattr("fnet.train.objective.Bound.check_outputs", lambda *_: pytest.fail("outputs were computed"))
    trainer = Trainer(net, loss)
    assert np.isfinite(trainer.evaluate(trainer.init(random.key(1), (3,)), X, y)["loss"])


def test_probabilities_of_the_users_own_are_taken() -> None:
    squash = Layer(lambda k, s, d: ({}, {}), lambda p, s, x, key=None, train=False: (ops.absolute(ops.sin(x)), s))
    trainer = Trainer(serial(Dense(1), squash), "binary_crossentropy")
    assert np.isfinite(trainer.evaluate(trainer.init(random.key(1), (3,)), X, YES)["loss"])


def test_what_a_mask_or_a_weight_leaves_out_is_not_looked_at() -> None:
    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return Masked(ops.expand_dims(x, -1), ops.less(ops.absolute(x), 1)), state

    trainer = Trainer(Layer(lambda k, s, d: ({}, {}), apply), "binary_crossentropy")
    ts, x = trainer.init(random.key(1), (2,)), np.array([[0.5, 7.0], [0.5, 0.5]])
    assert np.isfinite(trainer.evaluate(ts, x, np.zeros((2, 2)))["loss"])
    with pytest.raises(ValueRangeError, match="expected probabilities .* received -0.5 in sample 1"):
        trainer.evaluate(ts, x * [[1], [-1]], np.zeros((2, 2)))
    plain = Trainer(Layer(lambda k, s, d: ({}, {}), lambda p, s, x, key=None, train=False: (x, s)), "bce")
    assert np.isfinite(plain.evaluate(ts, x, np.zeros((2, 2)), sample_weight=np.array([0.0, 1.0]))["loss"])
    with pytest.raises(ValueRangeError, match="received 7.0 in sample 0"):
        plain.evaluate(ts, x, np.zeros((2, 2)), sample_weight=np.array([1.0, 0.0]))


def test_the_output_is_named() -> None:
    trainer = Trainer(fanout(Dense(1, "sigmoid"), Dense(1), merge=None), "binary_crossentropy")
    with pytest.raises(ValueRangeError, match="in 'output output_1': binary_crossentropy: expected probabilities"):
        trainer.fit(trainer.init(random.key(1), (3,)), X, (YES, YES), verbose=False)


@pytest.mark.parametrize("activation", [None, "sigmoid", "softmax"])
def test_a_single_class_is_refused(activation: str | None) -> None:
    one_hot = Trainer(Dense(1, activation), "categorical_crossentropy")
    ts = one_hot.init(random.key(1), (3,))
    with pytest.raises(ShapeError, match=r"two classes or more, .*Dense\(1, activation='sigmoid'\) and use the binary"):
        one_hot.fit(ts, X, np.ones((12, 1)), verbose=False)
    with pytest.raises(ValueRangeError, match="label 1 of sample 1 is out of range: expected 0 to 0 for 1 classes"):
        Trainer(Dense(1, activation), "sparse_categorical_crossentropy").fit(ts, X, YES, verbose=False)
