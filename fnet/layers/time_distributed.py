"""A layer applied to every step of a sequence."""

from __future__ import annotations

from typing import Any

from fnet import ops, tree
from fnet.combinators import serial
from fnet.errors import ShapeError
from fnet.layer import Layer
from fnet.layers.checks import one_shape
from fnet.layers.constructor import constructor
from fnet.ops.promotion import lift
from fnet.transforms.primitive import spec_of


@constructor(masks="used")
def TimeDistributed(layer: Layer) -> Layer:
    """``y[:, t] = layer(x[:, t])``, with the same weights for all t.

    x: (N, T, ...) -> (N, T, ...). The layer sees the N T steps as one batch, so one that mixes the samples of a batch
    (BatchNormalization in training) mixes the steps, too. Raises `ShapeError` for an input without an axis of time.
    Source: Keras ``TimeDistributed``.

    >>> from fnet.layers import Dense
    >>> TimeDistributed(Dense(3)).out_shape((5, 4))
    (5, 3)
    """
    body = serial(layer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if len(one_shape("TimeDistributed", shape)) < 2:
            raise ShapeError(f"TimeDistributed expects the shape (time, ..., features), received {shape}.")
        return body.init(key, shape[1:], dtype)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        shape = spec_of(x).shape
        if len(shape) < 3:
            raise ShapeError(f"TimeDistributed: expected an input (batch, time, ..., features), received {shape}.")
        n, steps, *sample = shape
        y, state = body.apply(params, state, ops.reshape(x, (n * steps, *sample)), key=key, train=train)
        return tree.map(lambda part: ops.reshape(part, (n, steps, *spec_of(part).shape[1:])), y), state

    return Layer(init, apply, children=(layer,), entries=body.entries, masks="used")
