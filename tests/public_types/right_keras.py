"""Calls of `fnet.keras` that a user gets right: mypy takes every line, and knows what comes back."""

from typing import Any, assert_type

import numpy as np

from fnet.keras import Input, Model, Sequential, layers

x = np.zeros((2, 4), np.float32)

model = Sequential(
    [
        layers.Dense(16, activation="relu", input_shape=(4,), kernel_initializer="he_normal"),
        layers.Dense(8, "tanh", input_dim=16, dtype="float32", name="second", trainable=False),
        layers.Dropout(0.3),
        layers.Dense(1),
    ]
)
ids = Input((5,), dtype="int32")
h = layers.LSTM(8, return_sequences=True)(layers.Embedding(input_dim=10, output_dim=4, mask_zero=True)(ids))
merged = layers.add([layers.Dense(3)(h), layers.Dense(3)(h)])
functional = Model(ids, merged)
assert_type(layers.Dense(3), layers.Dense)
of_every_kind: list[layers.Layer] = [layers.Conv2D(8, (3, 3), padding="same"), layers.MaxPool2D(2), layers.Flatten()]


class Twice(layers.Layer):
    def call(self, x: Any) -> Any:
        return 2 * x


class Wide(layers.Dense):
    def __init__(self) -> None:
        super().__init__(64, activation="relu")
