"""Integers outside of a table are told before anything is computed, by their place in the data."""

from __future__ import annotations

import functools
import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import Layer, Trainer, fanout, random, serial
from fnet.errors import ValueRangeError
from fnet.layers import Dense, Embedding, Flatten
from fnet.train import TrainState
from fnet.train.lookups import Lookups

TRAINER = Trainer(serial(Embedding(5, 2), Flatten(), Dense(1)), "mse")


@functools.cache
def state() -> TrainState:
    return TRAINER.init(random.key(0), (3,))


def message(value: str, place: tuple[int, ...], name: str = "x", layer: str = "embedding") -> str:
    return re.escape(
        f"in '{layer}': Embedding: {value} at position {place} of {name} is outside of the table of 5 rows"
    )


@pytest.mark.parametrize("method", ["fit", "evaluate", "predict"])
@pytest.mark.parametrize("value", [5, -1, 2**31])
def test_the_place_in_the_data_is_told(method: str, value: int) -> None:
    x, y = np.zeros((40, 3), "int64"), np.zeros((40, 1))
    x[35, 1] = value
    arguments = (x,) if method == "predict" else (x, y)
    with pytest.raises(ValueRangeError, match=message(str(value), (35, 1)) + ": expected 0 to 4. Check the input"):
        getattr(TRAINER, method)(state(), *arguments, batch_size=8)


def test_validation_data_too() -> None:
    x, y = np.zeros((4, 3), "uint8"), np.zeros((4, 1))
    with pytest.raises(ValueRangeError, match=message("9", (2, 0), "validation_data x")):
        TRAINER.fit(state(), x, y, validation_data=(np.full_like(x, [[0], [1], [9], [9]]), y), verbose=False)


@given(
    dtype=st.sampled_from(["int8", "uint8", "int64", "uint64", "float32", "float64"]),
    values=st.lists(st.sampled_from([0, 4, 5, 100, -1, -0.5, 4.5, np.nan, np.inf]), min_size=1, max_size=4),
)
def test_what_is_refused_is_what_the_layer_refuses(dtype: str, values: list[float]) -> None:
    if not dtype.startswith("f"):
        values = [v for v in values if np.isfinite(v) and (v >= 0 or dtype.startswith("i"))] or [0]
    x = np.array(values, dtype)[:, None]
    layer = Embedding(5, 2)
    params, state = layer.init(random.key(0), (1,))
    check = Lookups(layer, params, state, x).check
    wrong = [i for i, v in enumerate(x[:, 0]) if not 0 <= np.trunc(v) < 5]
    if wrong:
        with pytest.raises(ValueRangeError, match=message(str(x[wrong[0], 0]), (wrong[0], 0))):
            check("x", x)
    else:
        check("x", x)


def column(i: int) -> Layer:
    return Layer(lambda key, shape, dtype: ({}, {}), lambda p, s, x, key=None, train=False: (x[:, i], s), name="column")


def test_columns_of_one_input_and_inputs_by_name() -> None:
    several = fanout(serial(column(0), Embedding(9, 2)), serial(column(1), Embedding(5, 2)))
    trainer = Trainer(serial(several, Dense(1)), "mse")
    x = np.full((2500, 2), 4)
    x[2100, 1] = 7
    ts = trainer.init(random.key(0), (2,))
    with pytest.raises(ValueRangeError, match=r"_1/embedding': Embedding: 7 at position \(2100,\) of x is outside"):
        trainer.predict(ts, x)
    assert trainer.predict(ts, np.where(x == 7, 0, x)[:3]).shape == (3, 1)


def test_what_depends_on_parameters_is_left_to_the_network() -> None:
    """The loss is NaN then, and the error says what the layer says of the batch."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return x + params["shift"], state

    shift = Layer(lambda key, shape, dtype: ({"shift": np.full((), 5, dtype)}, {}), apply, name="shift")
    trainer = Trainer(serial(shift, Embedding(5, 2), Flatten(), Dense(1)), "mse")
    with pytest.raises(ArithmeticError, match=r"In the batch of the samples 0, 1: in '.*embedding': Embedding: 5"):
        ts = trainer.init(random.key(0), (1,))
        trainer.fit(ts, np.zeros((2, 1)), np.zeros((2, 1)), shuffle=False, verbose=False)
