"""Networks that are trained on a card: small ones for a card without a card, larger ones for a card."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

import fnet
from fnet import layers, losses, optimizers, residual, serial

loss_of = partial(losses.sparse_categorical_crossentropy, from_logits=True)


@dataclass(frozen=True)
class Case:
    """A network of one size with random data: sequences of words below `words`, or floating samples of a shape.

    rate: of learning, so small that what rounding changes stays small.
    """

    net: fnet.Layer
    shape: tuple[int, ...]
    count: int
    batch: int
    classes: int
    words: int = 0
    rate: float = 0.01

    def data(self) -> tuple[np.ndarray, np.ndarray]:
        """Samples, and labels that follow from them, so that there is something to learn."""
        rng = np.random.default_rng(0)
        if self.words:
            x = rng.integers(0, self.words, (self.count, *self.shape))
            return x, (x + 1) % self.classes
        x = rng.normal(size=(self.count, *self.shape)).astype(np.float32)
        return x, np.argmax(x.reshape(self.count, -1)[:, : self.classes], axis=1)

    def optimizer(self) -> optimizers.Optimizer:
        return optimizers.adam(self.rate)


def mlp(is_real: bool) -> Case:
    units = 256 if is_real else 6
    net = serial(layers.Dense(units, activation="relu"), layers.Dropout(0.2), layers.Dense(10 if is_real else 3))
    return Case(net, (64,), 1024, 64, 10) if is_real else Case(net, (5,), 8, 4, 3)


def cnn(is_real: bool) -> Case:
    filters, classes = (32, 10) if is_real else (2, 3)
    net = serial(
        layers.Conv2D(filters, 3, padding="same", use_bias=False),  # whose gradient would be nothing but rounding
        layers.BatchNormalization(), layers.Activation("relu"), layers.MaxPooling2D(2), layers.DepthwiseConv2D(2),
        layers.Conv2D(filters, 1, activation="relu"), layers.Flatten(), layers.LayerNormalization(),
        layers.Dense(classes),
    )  # fmt: skip
    return Case(net, (16, 16, 3), 256, 32, classes, rate=1e-3) if is_real else Case(net, (4, 4, 1), 4, 2, classes)


def lstm(is_real: bool) -> Case:
    units, classes = (64, 8) if is_real else (3, 2)
    cells = layers.Bidirectional(layers.LSTM(units, return_sequences=True)), layers.GRU(units)
    net = serial(layers.Masking(), *cells, layers.Dense(classes))
    return Case(net, (20, 16), 256, 32, classes) if is_real else Case(net, (2, 2), 4, 2, classes)


def shared_out(is_real: bool) -> Case:
    """Recurrent layers whose units several blocks share out on a card."""
    units, classes = (384, 8) if is_real else (3, 2)
    net = serial(layers.LSTM(units, return_sequences=True), layers.GRU(units), layers.Dense(classes))
    return Case(net, (20, 16), 256, 32, classes, rate=1e-3) if is_real else Case(net, (2, 2), 4, 2, classes)


def transformer(is_real: bool) -> Case:
    words, width, heads, tokens = (65, 64, 4, 32) if is_real else (5, 4, 2, 3)

    def block() -> fnet.Layer:
        # Without biases: that of the keys would have a gradient of rounding alone.
        attention = layers.MultiHeadAttention(heads, width // heads, use_bias=False, causal=True)
        widen = serial(layers.LayerNormalization(), layers.Dense(2 * width, activation="gelu"), layers.Dense(width))
        return serial(residual(serial(layers.LayerNormalization(), attention)), residual(widen))

    positions = residual(layers.PositionEmbedding(tokens))
    net = serial(
        layers.Embedding(words, width),
        positions,
        *(block() for _ in range(2 if is_real else 1)),
        layers.LayerNormalization(),
        layers.Dense(words),
    )
    return Case(net, (tokens,), 128 if is_real else 4, 16 if is_real else 2, words, words, rate=3e-3)


NETWORKS: dict[str, Callable[[bool], Case]] = {
    "mlp": mlp,
    "cnn": cnn,
    "lstm": lstm,
    "shared_out": shared_out,
    "transformer": transformer,
}


def step_of(case: Case) -> Callable[..., Any]:
    """One step of training: ``step(params, state, opt_state, key, x, y)``, of which the first four go on."""
    rule = case.optimizer()

    def step(params: Any, state: Any, opt_state: Any, key: Any, x: Any, y: Any) -> Any:
        def value(params: Any) -> Any:
            outputs, after = case.net.apply(params, state, x, key=key, train=True)
            return loss_of(y, outputs), after

        (loss, after), gradient = fnet.value_and_grad(value, has_aux=True)(params)
        updates, opt_state = rule.update(gradient, opt_state, params)
        return optimizers.apply_updates(params, updates), after, opt_state, fnet.random.fold_in(key, 1), loss

    return step


def begun(case: Case) -> tuple[Any, ...]:
    """What the first step takes: parameters, state, state of the optimizer, key, and the first batch."""
    params, state = case.net.init(fnet.random.key(0), case.shape, np.float32)
    x, y = case.data()
    return params, state, case.optimizer().init(params), fnet.random.key(3), x[: case.batch], y[: case.batch]
