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
    monkeypatch.setattr(
        "fnet.train.measures.BoundMeasures.check_outputs", lambda *_: pytest.fail("outputs were computed")
    )
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


BINARY = ["accuracy", "binary_accuracy", "precision", "recall", "auc", "true_positives", "f1"]


@pytest.mark.parametrize("metric", BINARY)
@pytest.mark.parametrize("weighted", [False, True])
def test_labels_that_a_metric_cannot_take(metric: str, weighted: bool) -> None:
    given = {"weighted_metrics" if weighted else "metrics": [metric]}
    trainer = Trainer(Dense(1, "sigmoid"), "mse", **given)
    ts = trainer.init(random.key(1), (3,))
    y = np.where(np.arange(12) == 7, -1, YES)[:, None]
    with pytest.raises(ValueRangeError, match=rf"{metric}\w*: expected y_true of 0 and 1, received -1 in sample 7"):
        trainer.fit(ts, X, y, batch_size=5, verbose=False)
    left_out = (np.arange(12) != 7).astype("float32")
    if weighted:
        assert trainer.evaluate(ts, X, y, batch_size=12, sample_weight=left_out)
    else:
        with pytest.raises(ValueRangeError, match="in sample 7"):
            trainer.evaluate(ts, X, y, sample_weight=left_out)


@pytest.mark.parametrize("metric", [name for name in BINARY if name != "f1"])
def test_logits_that_a_metric_cannot_take(metric: str) -> None:
    trainer = Trainer(Dense(1), losses.BinaryCrossentropy(from_logits=True), metrics=[metric])
    ts = trainer.init(random.key(1), (3,))
    with pytest.raises(ValueRangeError, match=rf"{metric}: expected probabilities in \[0, 1\], received .* in sample"):
        trainer.fit(ts, X, YES, verbose=False)


def test_metrics_of_one_output_are_checked_on_it() -> None:
    net = fanout(Dense(1, "sigmoid"), Dense(3), merge=None)
    trainer = Trainer(net, "mse", metrics=[["accuracy"], ["sparse_categorical_accuracy"]])
    ts, other = trainer.init(random.key(1), (3,)), np.eye(3)[KIND]
    with pytest.raises(ValueRangeError, match="in 'output output_0': accuracy: expected y_true of 0 and 1, received 2"):
        trainer.fit(ts, X, (KIND, other), verbose=False)
    classes = Trainer(net, ["mse", lambda y, p: np.mean(p, axis=-1)], metrics=[None, ["sparse_categorical_accuracy"]])
    with pytest.raises(ValueRangeError, match="in 'output output_1': label 3 of sample 4 is out of range"):
        classes.fit(ts, X, (YES, np.where(np.arange(12) == 4, 3, KIND)), verbose=False)


def test_labels_of_ctc_are_told_by_sample() -> None:
    trainer = Trainer(Dense(4), losses.CTC())
    ts = trainer.init(random.key(1), (6, 3))
    x, y = np.ones((3, 6, 3), "float32"), np.array([[1, 2, 0], [3, 0, 0], [2, 0, 0]])
    assert np.isfinite(trainer.evaluate(ts, x, y)["loss"])
    wrong = {
        "labels of sample 1 have padding or the blank at position 0, before their end": [0, 3, 0],
        "label 4 of sample 1 is out of range for 4 classes": [4, 0, 0],
        "labels must be whole numbers, received 1.5 in sample 1": [1.5, 0, 0],
    }
    for message, labels in wrong.items():
        with pytest.raises(ValueRangeError, match=message):
            trainer.fit(ts, x, np.array([y[0], labels, y[2]]), verbose=False)
