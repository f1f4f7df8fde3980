"""Layers that a user may write by hand, for tables and tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.layers import Dense
from fnet.masking import Masked
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer


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


def behind_mask(*layers: Layer) -> Layer:
    """The layers behind one that masks the steps of a sequence whose first feature is below -0.5."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return Masked(x, x[..., 0] > -0.5), state

    return serial(Layer(init, apply, name="masking"), *layers)


def average_cell() -> Layer:
    """A custom cell with two states, an average that forgets and its slope, whose output is neither."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        return {"rate": np.full(shape[0], 0.3, dtype)}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        x, average, slope = x
        slope = 0.5 * slope + np.tanh(x) - average
        average = average + params["rate"] * slope
        return (np.concatenate([average, slope * slope], axis=1), average, slope), state

    return Layer(init, apply, name="average", config={"state_size": (4, 4)})


def shared() -> Layer:
    """One Dense object used twice."""
    twin = Dense(4, "tanh")
    return serial(twin, twin, Dense(2))
