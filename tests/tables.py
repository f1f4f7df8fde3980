"""The table of layers: one row each, which generic tests run through; add a row and the layer is tested."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.combinators import fanout, named, parallel, repeat, residual, serial
from fnet.layer import Layer
from fnet.layers import Activation, Dense, Dropout, Flatten, Identity, Reshape


@dataclass(frozen=True)
class Row:
    """How to make a layer, what it takes, and what is true of it."""

    id: str
    make: Callable[[], Layer]
    shape: Any  # of one sample; a tuple of shapes for several inputs
    random: bool = False  # draws numbers in training
    stateful: bool = False  # has state
    mixes: bool = False  # samples of a batch influence each other in training
    classes: int = 0  # inputs are integers below this, instead of floating
    slope: bool = True  # has a derivative in its input other than 0

    @property
    def train_differs(self) -> bool:
        return self.random or self.mixes


def counter() -> Layer:
    """A custom layer whose state counts the training steps and keeps a sum, without parameters."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {}, {"steps": np.zeros((), "int64"), "total": np.zeros(shape, dtype)}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        if train:
            state = {"steps": state["steps"] + 1, "total": state["total"] + np.sum(x, axis=0)}
        return x - 0.5 * x * x, state

    return Layer(init, apply, name="counter")


def scale() -> Layer:
    """A custom layer with one parameter, written with NumPy functions."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {"factor": np.full(shape, 1.5, dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return np.sin(x) * params["factor"], state

    return Layer(init, apply, name="scale")


def shared() -> Layer:
    """One Dense object used twice."""
    twin = Dense(4, "tanh")
    return serial(twin, twin, Dense(2))


LAYERS = [
    Row("dense", lambda: Dense(3), (4,)),
    Row("dense-tanh", lambda: Dense(3, "tanh"), (4,)),
    Row("dense-no-bias", lambda: Dense(2, "relu", use_bias=False), (4,)),
    Row("dense-3d", lambda: Dense(2, "sigmoid", bias_initializer="ones"), (3, 4)),
    Row("activation", lambda: Activation("gelu"), (4,)),
    Row("activation-softmax", lambda: Activation("softmax"), (2, 4)),
    Row("activation-step", lambda: Activation("binary_step"), (4,), slope=False),
    Row("activation-glu", lambda: Activation("glu"), (4,)),
    Row("identity", lambda: Identity(), (2, 3)),
    Row("flatten", lambda: Flatten(), (2, 3)),
    Row("flatten-scalar", lambda: Flatten(), ()),
    Row("reshape", lambda: Reshape((3, -1)), (2, 3)),
    Row("dropout", lambda: Dropout(0.4), (6,), random=True),
    Row("dropout-0", lambda: Dropout(0), (6,)),
    Row("custom", scale, (4,)),
    Row("custom-state", counter, (4,), stateful=True),
    Row("serial", lambda: serial(Dense(4, "tanh"), counter(), Dense(2)), (3,), stateful=True),
    Row("serial-none", lambda: serial(), (3,)),
    Row("serial-random", lambda: serial(Dense(6), Dropout(0.5), Dropout(0.5)), (3,), random=True),
    Row("serial-shared", shared, (4,)),
    Row("parallel", lambda: parallel(Dense(2), Activation("tanh")), ((3,), (2, 2))),
    Row(
        "parallel-nested",
        lambda: parallel(parallel(Dense(2), counter()), Flatten()),
        (((3,), (4,)), (2, 2)),
        stateful=True,
    ),
    Row("fanout", lambda: fanout(Identity(), Dense(2, "tanh"), Dense(3)), (4,)),
    Row("fanout-axis", lambda: fanout(Dense(3), Dense(3), axis=1), (2, 4)),
    Row("fanout-add", lambda: fanout(Dense(3), Dense(3), merge="add"), (4,)),
    Row("fanout-multiply", lambda: fanout(Dense(3), Dense(3), merge="multiply"), (4,)),
    Row("fanout-average", lambda: fanout(Dense(3), Dense(3), Dense(3), merge="average"), (4,)),
    Row("fanout-maximum", lambda: fanout(Dense(3), Dense(3), merge="maximum"), (4,)),
    Row("fanout-function", lambda: fanout(Dense(3), Dense(3), merge=np.subtract), (4,)),
    Row("fanout-none", lambda: fanout(counter(), Dense(3), merge=None), (4,), stateful=True),
    Row("residual", lambda: residual(serial(Dense(5, "tanh"), Dense(4))), (4,)),
    Row("repeat", lambda: repeat(Dense(4, "tanh"), 2), (4,)),
    Row("named", lambda: named("head", Dense(2)), (4,)),
]


def inputs(row: Row, dtype: Any = "float64", batch: int = 3, seed: int = 0) -> Any:
    """Random inputs for a row: arrays with a batch axis, in a tuple where the row's shape is one of shapes."""
    rng = np.random.default_rng(seed)

    def draw(shape: Any) -> Any:
        if any(isinstance(n, tuple) for n in shape):
            return tuple(draw(s) for s in shape)
        if row.classes:
            return rng.integers(0, row.classes, (batch, *shape))
        return rng.normal(size=(batch, *shape)).astype(dtype)

    return draw(row.shape)
