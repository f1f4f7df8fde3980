"""Mistakes of a caller: each is told by its text, before anything is computed."""

from __future__ import annotations

import functools
import re

import numpy as np
import pytest

from fnet import losses, random, tree
from fnet.errors import DtypeError, FnetError, NonFiniteError, ShapeError, StructureError, ValueRangeError
from fnet.layers import Dense
from fnet.networks.combinators import serial
from fnet.train import Trainer, TrainState
from tests.weights import any_weights


class Batches:
    """A data set of batches without an end, which NumPy would collect for ever."""

    def __len__(self):
        return 3

    def __getitem__(self, index):
        return X, Y


X, Y = np.ones((6, 3), "float32"), np.zeros((6, 1), "float32")

FIT = {
    "lengths": ({"y": Y[:5]}, ShapeError, "y has 5 samples and x has 6: expected the same number"),
    "weights": ({"sample_weight": np.ones(4)}, ShapeError, "sample_weight has 4 samples and x has 6"),
    "empty": ({"x": X[:0], "y": Y[:0]}, ValueRangeError, "x and y have no samples. Pass at least one"),
    "nothing": ({"x": (), "y": ()}, (ValueRangeError, ShapeError), "no array|no samples"),
    "features": ({"x": np.ones((6, 4))}, ShapeError, "x has samples of shape (4,), for which 'dense/kernel'"),
    "rank": ({"x": np.ones(6)}, ShapeError, "the network cannot take samples of shape () as in x: in 'dense': Dense"),
    "scalar": ({"x": 3.0}, ShapeError, "x must have the samples on its first axis, received a scalar"),
    "ragged": ({"x": [[1.0], [1.0, 2.0]]}, ShapeError, "x does not make an array"),
    "text": ({"x": [["a", "b", "c"]] * 6}, DtypeError, "x must hold numbers or booleans, received dtype <U1"),
    "objects": ({"y": np.array([None] * 6)}, DtypeError, "y must hold numbers or booleans, received None in sample 0"),
    "object numbers": (
        {"x": X.astype(object)},
        DtypeError,
        "as of a data frame of several dtypes. Convert it: x.astype('",
    ),
    "object texts": (
        {"x": np.array([[1, 2, 3]] * 5 + [[1, "Paris", 3]], object)},
        DtypeError,
        "x must hold numbers or booleans, received 'Paris' in sample 5 at (1,). Encode categories",
    ),
    "object arrays": (
        {"x": np.array([X[0], X[0, :2], None], object)},
        DtypeError,
        "received arrays as objects, first in sample 0. Give every sample the same shape: np.stack(list(x))",
    ),
    "batches": (
        {"x": Batches()},
        DtypeError,
        "received a Batches. Pass an array with the samples on its first axis, or give it an __iter__ that yields b",
    ),
    "masked": (
        {"x": np.ma.masked_array(X, mask=X > 0)},
        DtypeError,
        "x is a masked array, whose mask fnet does not see. Fill it, x.filled(value)",
    ),
    "beyond float32": (
        {"y": np.full((6, 1), 1e39)},
        ValueRangeError,
        "y has numbers beyond the range of float32, in which the network",
    ),
    "weights by name": (
        {"sample_weight": {"a": np.ones(6)}},
        StructureError,
        "sample_weight is a dict, but the network has one output. Pass its weights as one array",
    ),
    "scalar weight": (
        {"sample_weight": 2.0},
        ShapeError,
        "sample_weight must have the samples on its first axis, received a scalar. Give one for each sample",
    ),
    "no y": (
        {"y": None},
        StructureError,
        "y is None, but mean_squared_error compares the outputs with targets. Pass them",
    ),
    "no x": ({"x": None}, StructureError, "x is None. Pass an array of samples"),
    "samples": ({"x": list(X), "y": list(Y)}, StructureError, "x is a list of 6 arrays of shape (3,), each of which"),
    "a list of one": ({"x": [X]}, StructureError, "but the network has one. Pass the array itself: x[0]."),
    "one sample": ({"x": [X[0]], "y": Y[:1]}, StructureError, "but the network has one. Stack them: np.stack(x)."),
    "batches in a list": (
        {"x": [(X[:4], Y[:4]), (X[4:], Y[4:])], "y": None},
        StructureError,
        "x is a list of 2 batches, but what is in a list stands for inputs. Pass iter(x) for one epoch, or",
    ),
    "tuples of samples": ({"x": list(zip(X, Y, strict=True)), "y": None}, ShapeError, "x/0/1 has 1 samples and x/0/0"),
    "targets in a list": (
        {"y": list(Y)},
        StructureError,
        "y is a list of 6 arrays, one for each sample, of which each",
    ),
    "generator": ({"x": (row for row in X)}, DtypeError, "received a generator. Collect what it yields: np.stack("),
    "complex": ({"x": X.astype(complex)}, DtypeError, "x must hold numbers or booleans, received dtype complex128"),
    "targets": ({"y": np.zeros((6, 2))}, ShapeError, "mean_squared_error: expected y_true shaped like y_pred"),
    "batch 0": ({"batch_size": 0}, ValueRangeError, "batch_size: expected an integer of at least 1, received 0"),
    "batch 2.5": ({"batch_size": 2.5}, ValueRangeError, "batch_size: expected an integer of at least 1, received 2.5"),
    "batch True": (
        {"batch_size": True},
        ValueRangeError,
        "batch_size: expected an integer of at least 1, received True",
    ),
    "epochs": ({"epochs": -1}, ValueRangeError, "epochs: expected an integer of at least 1, received -1"),
    "initial": ({"initial_epoch": -1}, ValueRangeError, "initial_epoch: expected an integer of at least 0"),
    "split 1": ({"validation_split": 1.0}, ValueRangeError, "expected 0 <= validation_split < 1, received 1.0"),
    "split -": ({"validation_split": -0.1}, ValueRangeError, "expected 0 <= validation_split < 1, received -0.1"),
    "split nan": (
        {"validation_split": float("nan")},
        ValueRangeError,
        "expected 0 <= validation_split < 1, received nan",
    ),
    "split text": ({"validation_split": "0.1"}, ValueRangeError, "expected 0 <= validation_split < 1, received '0.1'"),
    "split all": ({"validation_split": 0.99}, ValueRangeError, "leaves 0 for training and 6 for validation"),
    "validation": ({"validation_data": X}, StructureError, "validation_data is a tuple (x, y)"),
    "validation x": (
        {"validation_data": (np.ones((2, 4)), Y[:2])},
        ShapeError,
        "validation_data x has samples of shape (4,), for which 'dense/kernel'",
    ),
    "validation targets": (
        {"validation_data": (X, np.ones((6, 2)))},
        ShapeError,
        "in 'validation_data': mean_squared_error: expected y_true shaped like y_pred",
    ),
    "validation samples": (
        {"validation_data": (list(X), Y)},
        StructureError,
        "validation_data x is a list of 6 arrays",
    ),
    "no validation y": ({"validation_data": (X, None)}, StructureError, "in 'validation_data': y is None"),
    "validation y": ({"validation_data": (X, Y[:2])}, ShapeError, "validation_data y has 2 samples"),
    "what fit returns": (
        {"ts": (TrainState(*any_weights(Dense(1), (3,)), {}, random.key(0), 0), {})},
        StructureError,
        "expected a TrainState, received what fit returns: write ts, history = trainer.fit(ts, ...).",
    ),
    "state": ({"ts": {}}, StructureError, "expected a TrainState as the first argument, received a dict"),
}


@pytest.fixture(scope="module")
def trainer() -> Trainer:
    return Trainer(serial(Dense(2), Dense(1)), "mse")


@pytest.fixture
def ts(trainer: Trainer) -> TrainState:
    return trainer.init(random.key(0), (3,))


@pytest.mark.parametrize("name", FIT)
def test_fit(name, trainer, ts):
    arguments, kind, message = FIT[name]
    before = tree.map(np.array, ts)
    with pytest.raises(kind, match=re.escape(message) if "|" not in message else message):
        trainer.fit(**{"ts": ts, "x": X, "y": Y, "verbose": False, **arguments})
    assert tree.all_equal(ts, before)


def test_columns_of_a_data_frame_are_named(trainer, ts):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"size": X[:, 0], "rooms": [1] * 6, "city": ["Rome", "Paris"] * 3})
    with pytest.raises(DtypeError, match="x must hold numbers or booleans, received 'Rome' in sample 0, column 'city'"):
        trainer.fit(ts, frame, Y, verbose=False)
    with pytest.raises(DtypeError, match="x must hold numbers .* data frame of several dtypes. Convert it: x.astype"):
        trainer.predict(ts, frame.assign(city=[True, False] * 3).astype({"city": bool, "rooms": object}))
    assert trainer.predict(ts, frame.assign(city=0.0).astype("float32")).shape == (6, 1)


def test_arrays_of_any_kind_are_taken(trainer, ts, tmp_path):
    """Every way to hold the same numbers gives the same bits."""
    stored = np.memmap(tmp_path / "x", "float32", "w+", shape=X.shape)
    stored[:] = X
    fixed = X.copy()
    fixed.flags.writeable = False
    kinds = [stored, fixed, np.asfortranarray(X), X[::-1], X.astype("float64"), X.astype(">f4"), np.ma.masked_array(X)]
    kinds += [
        X.tolist(),
        X.astype("int8"),
        X.astype(bool),
        np.stack([X, X], 1)[:, 1],
        memoryview(X),
        np.ones((6, 1)) * X[0],
    ]
    expected = trainer.predict(ts, X)
    assert all(tree.all_equal(trainer.predict(ts, kind), expected) for kind in kinds)
    runs = [trainer.fit(ts, x, Y, verbose=False) for x in (X, *kinds[:5])]
    assert all(tree.all_equal(after, runs[0][0]) for after, _ in runs)


def test_a_state_that_is_not_finite_already(trainer, ts):
    spoiled = ts._replace(params=tree.map(lambda leaf: leaf * np.nan, ts.params))
    with pytest.raises(NonFiniteError, match="Its parameter 'dense/kernel' is not finite already"):
        trainer.fit(spoiled, X, Y, verbose=False)


def test_a_loss_of_one_number_cannot_be_weighted_by_sample():
    trainer = Trainer(Dense(1), lambda y, p: np.mean((y - p) ** 2))
    ts = trainer.init(random.key(0), (3,))
    with pytest.raises(ShapeError, match=r"the loss <lambda> gives one number .*value for each sample, \(batch,\), or"):
        trainer.fit(ts, X, Y, sample_weight=np.ones(6), verbose=False)
    rows = Trainer(Dense(1), lambda y, p: np.mean((y - p) ** 2, axis=-1))
    assert rows.evaluate(ts, X, Y, sample_weight=np.zeros(6))["loss"] == 0


def test_a_loss_without_targets_may_do_without_y():
    trainer = Trainer(Dense(1), lambda y, p: np.mean(p**2, axis=-1))
    ts = trainer.init(random.key(0), (3,))
    assert trainer.evaluate(ts, X, None)["loss"] == pytest.approx(float((trainer.predict(ts, X) ** 2).mean()))


@pytest.mark.parametrize("name", ["lengths", "empty", "features", "text", "batch 0", "state"])
def test_evaluate_and_predict(name, trainer, ts):
    arguments, kind, message = FIT[name]
    arguments = {"ts": ts, "x": X, "y": Y, **arguments}
    with pytest.raises(kind, match=re.escape(message)):
        trainer.evaluate(**arguments)
    del arguments["y"]
    if name != "lengths":
        with pytest.raises(kind, match=re.escape(message.replace("x and y have", "x have"))):
            trainer.predict(**arguments)


def test_a_state_of_another_network(trainer, ts):
    other = Trainer(Dense(1), "mse").init(random.key(0), (3,))
    with pytest.raises(StructureError, match=r"ts\.params does not belong to this network: trees differ at 'kernel'"):
        trainer.predict(other, X)
    wider = Trainer(serial(Dense(5), Dense(1)), "mse").init(random.key(0), (3,))
    with pytest.raises(
        ShapeError, match=r"'dense/kernel' of the network has the shape \(3, 2\), but ts.params has \(3, 5\)"
    ):
        trainer.fit(wider, X, Y, verbose=False)
    with pytest.raises(StructureError, match=r"ts\.opt_state does not belong to this optimizer"):
        Trainer(serial(Dense(2), Dense(1)), "mse", "sgd").fit(ts, X, Y, verbose=False)


@pytest.mark.parametrize(
    ("loss", "y", "message"),
    [
        ("sparse_categorical_crossentropy", [0, 1, 2, 0, 3, 1], "label 3 of sample 4 is out of range"),
        ("sparse_categorical_crossentropy", [0, 1, 2, -1, 3, 1], "label -1 of sample 3 is out of range"),
        ("sparse_categorical_crossentropy", [0, 1, 0.5, 0, 0, 0], "received 0.5 in sample 2"),
        ("categorical_crossentropy", np.eye(6, 3) * 2, "expected y_true in [0, 1], received 2.0 in sample 0"),
        ("binary_crossentropy", -np.eye(6, 3, -2), "expected y_true in [0, 1], received -1.0 in sample 2"),
    ],
)
def test_targets_out_of_range_name_the_sample(loss, y, message):
    trainer = Trainer(Dense(3), functools.partial(losses.get(loss), from_logits=True))
    ts = trainer.init(random.key(0), (3,))
    with pytest.raises(ValueRangeError, match=re.escape(message)):
        trainer.fit(ts, X, y, verbose=False)
    with pytest.raises(ValueRangeError, match=re.escape(message)):
        trainer.evaluate(ts, X, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loss": "msee"}, "(?i)unknown loss 'msee'.* Did you mean 'mse'?"),
        ({"optimizer": "adm"}, "(?i)unknown optimizer 'adm'.* Did you mean 'adam'?"),
        ({"metrics": ["accurracy"]}, "(?i)unknown metric 'accurracy'.* Did you mean 'accuracy'?"),
        ({"metrics": "accurracy"}, "(?i)unknown metric 'accurracy'.* Did you mean 'accuracy'?"),
        ({"net": "dense"}, "net is a Layer, received a str"),
    ],
)
def test_trainer(arguments, message):
    with pytest.raises(FnetError, match=message):
        Trainer(**{"net": Dense(1), "loss": "mse", **arguments})


def test_a_state_that_changes_its_dtype_is_refused():
    from fnet.networks.layer import Layer

    counting = Layer(
        lambda key, shape, dtype: ({}, {"count": np.zeros((), "int64")}),
        lambda params, state, x, key=None, train=False: (x, {"count": state["count"] + 0.5}),
        name="counting",
    )
    trainer = Trainer(serial(Dense(1), counting), "mse")
    with pytest.raises(
        DtypeError, match=r"state of the network at 'counting/count' was int64\[\] and became float64\[\]"
    ):
        trainer.fit(trainer.init(random.key(0), (3,)), X, Y, verbose=False)
