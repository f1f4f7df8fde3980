"""Curves over the number of samples and over a parameter."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import random
from fnet.errors import StructureError, ValueRangeError
from fnet.layers import Dense
from fnet.train.learning_curves import Curve

KEY = random.key(1)
X = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
Y = X @ np.array([[1.0], [-1.0], [0.5]], np.float32)
OPTIONS = {"epochs": 4, "batch_size": 8}


def least_squares(units: int = 1, rate: float = 0.1) -> fnet.Trainer:
    return fnet.Trainer(fnet.serial(Dense(units), Dense(1)), "mse", fnet.optimizers.adam(rate), ["mae"])


def test_the_last_point_of_a_learning_curve_is_a_cross_validation():
    trainer = least_squares()
    curve = fnet.learning_curve(trainer, KEY, X, Y, [6, 0.5, 1.0], k=3, **OPTIONS)
    assert curve.name == "samples" and curve.points == (6, 8, 16)
    assert curve.train["mae"].shape == curve.validation["loss"].shape == (3, 3)
    crossed = fnet.k_fold(trainer, KEY, X, Y, k=3, **OPTIONS)
    assert curve.validation["loss"][-1].tolist() == crossed.values["loss"].tolist()
    first = crossed.folds[0]
    start = trainer.init(random.fold_in(random.fold_in(random.fold_in(KEY, 1), 0), 0), (3,))
    drawing = random.fold_in(random.fold_in(random.fold_in(KEY, 0), 1), 0)
    rows = np.sort(np.asarray(random.permutation(drawing, 16))[:6])
    ts, _ = trainer.fit(start, X[first.train[rows]], Y[first.train[rows]], verbose=False, **OPTIONS)
    assert trainer.evaluate(ts, X[first.test], Y[first.test], 8)["mae"] == curve.validation["mae"][0, 0]
    assert trainer.evaluate(ts, X[first.train[rows]], Y[first.train[rows]], 8)["mae"] == curve.train["mae"][0, 0]


def test_a_validation_curve_tells_the_better_value():
    curve = fnet.validation_curve(
        lambda rate: least_squares(rate=rate), [1e-6, 0.1], KEY, X, Y, k=2, name="rate", **{**OPTIONS, "epochs": 20}
    )
    slow, fast = curve.validation["loss"].mean(axis=1)
    assert curve.points == (1e-6, 0.1) and fast < slow / 2
    again = fnet.validation_curve(
        lambda rate: least_squares(rate=rate), [0.1], KEY, X, Y, k=2, **{**OPTIONS, "epochs": 20}
    )
    assert again.train["loss"][0].tolist() == curve.train["loss"][1].tolist()


def test_a_curve_is_shown_as_a_table():
    values = {"loss": np.array([[1.0, 2.0], [3.0, 5.0]])}
    assert str(Curve("units", (8, 16), values, {"loss": 2 * values["loss"]})).splitlines() == [
        "units  loss  val_loss",
        "8       1.5         3",
        "16        4         8",
    ]


@pytest.mark.parametrize(
    ("sizes", "error", "text"),
    [
        ([17], ValueRangeError, "a size is from 1 to 16, the samples that every fold trains on, received 17"),
        ([0.01], ValueRangeError, "received 0.01, which is 0"),
        ([1.5], ValueRangeError, "a fraction is 0 < size <= 1, received 1.5"),
        ([], StructureError, "sizes holds the sizes to try, received none"),
    ],
)
def test_sizes_that_no_fold_has(sizes, error, text):
    with pytest.raises(error, match=text):
        fnet.learning_curve(least_squares(), KEY, X, Y, sizes, k=3)


def test_mistakes_with_values():
    with pytest.raises(ValueRangeError, match="values holds the values to try, received none"):
        fnet.validation_curve(least_squares, [], KEY, X, Y)
    with pytest.raises(StructureError, match=r"validation_curve: trainer is an fnet\.Trainer, received a int"):
        fnet.validation_curve(lambda units: units, [1], KEY, X, Y)
