"""Rows of tables as vectors, in the words of Keras."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fnet.data import Stream, batches
from fnet.errors import FnetError
from fnet.keras import Model, layers, models, utils
from fnet.keras.utils import FeatureSpace
from tests.keras.feature_spaces import NEW, ROWS, new_rows, spaces


def adapted(name: str) -> Any:
    space = spaces(utils)[name]
    space.adapt(ROWS)
    return space


def test_columns_stand_in_the_order_of_their_names_and_then_the_crosses() -> None:
    made = adapted("crosses")(NEW)
    assert made.shape == (2, 1 + 4 + 4 + 4 + 6)
    assert made[:, 0].tolist() == [13.5, 36.0]
    assert made[:, 1:5].tolist() == [[0, 1, 0, 0], [1, 0, 0, 0]]
    assert made[:, 5:9].tolist() == [[0, 0, 0, 1], [1, 0, 0, 0]]
    assert made[:, 9:13].sum(1).tolist() == made[:, 13:].sum(1).tolist() == [1, 1]


def test_batches_teach_what_all_rows_teach() -> None:
    space = spaces(utils)["crosses"]
    space.adapt(batches(ROWS, 4))
    np.testing.assert_array_equal(space(NEW), adapted("crosses")(NEW))
    space.adapt(Stream(lambda number: iter([(ROWS, np.ones(6))]), 1))
    np.testing.assert_array_equal(space(NEW), adapted("crosses")(NEW))


def test_one_row_gives_one_vector() -> None:
    space = adapted("names")
    np.testing.assert_array_equal(space({name: column[0] for name, column in NEW.items()}), space(NEW)[0])
    assert space.preprocessors["color"].get_vocabulary() == ["[UNK]", "red", "blue", "green"]


def test_a_space_is_a_part_of_a_model(tmp_path: Path) -> None:
    space = adapted("names")
    encoded = space.get_encoded_features()
    out = layers.Dense(1)(encoded)
    model = Model(space.get_inputs(), out)
    model.compile("sgd", "mse")
    columns = {name: column[:, None] for name, column in ROWS.items()}
    model.fit(columns, np.arange(6.0), epochs=2, verbose=0)
    expected = model.predict(columns, verbose=0)
    np.testing.assert_allclose(model.layers[-1](space(ROWS)), expected, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    np.testing.assert_array_equal(models.load_model(tmp_path / "model.keras").predict(columns, verbose=0), expected)


def test_a_model_on_rows_that_were_encoded_before_shares_its_layers() -> None:
    space = adapted("names")
    encoded = space.get_encoded_features()
    out = layers.Dense(1)(encoded)
    trained, whole = Model(encoded, out), Model(space.get_inputs(), out)
    trained.compile("sgd", "mse")
    trained.fit(space(ROWS), np.arange(6.0), verbose=0)
    columns = {name: column[:, None] for name, column in NEW.items()}
    np.testing.assert_allclose(whole.predict(columns, verbose=0), trained.predict(space(NEW), verbose=0), rtol=1e-6)


@pytest.fixture(scope="module")
def of_keras() -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "tests.keras.feature_spaces"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.slow
@pytest.mark.skipif(not (find_spec("keras") and find_spec("tensorflow")), reason="Keras with TensorFlow is missing")
@pytest.mark.parametrize("name", spaces(utils))
def test_keras_makes_the_same_vectors(name: str, of_keras: Any) -> None:
    made = adapted(name)(new_rows(name))
    found = made if isinstance(made, dict) else {"": made}
    assert found.keys() == of_keras[name].keys()
    for key, value in found.items():
        np.testing.assert_allclose(value, of_keras[name][key], rtol=1e-5, atol=1e-6)


ERRORS = {
    "nothing": (lambda: FeatureSpace({}), r"^FeatureSpace: features is empty\. Give the kind of each column"),
    "kind": (lambda: FeatureSpace({"a": "floats"}), r"unknown kind of feature 'floats'\. Did you mean 'float'\?"),
    "cross": (
        lambda: FeatureSpace({"age": "float"}, crosses=[("age", "agee")]),
        r"^FeatureSpace: no feature 'agee' to cross\. Did you mean 'age'\?$",
    ),
    "not adapted": (
        lambda: spaces(utils)["names"](NEW),
        r"^feature_space: it has learnt nothing yet\. Show it rows first: feature_space\.adapt\(rows\)\.$",
    ),
    "no dict": (
        lambda: adapted("names")(NEW["age"]),
        r"^FeatureSpace: it is called on a dict of columns, received",
    ),
    "a column less": (
        lambda: adapted("names")({"age": NEW["age"], "codes": NEW["code"]}),
        r"^FeatureSpace: the rows have no column 'code'\. Did you mean 'codes'\?$",
    ),
    "integers in a vector": (
        lambda: FeatureSpace({"a": FeatureSpace.integer_hashed(3, output_mode="int"), "b": "float"})(
            {"a": 1, "b": 2.0}
        ),
        r"^FeatureSpace: 'a' is integers or texts, which no vector has\. Give it output_mode='one_hot'",
    ),
    "unknown size": (
        lambda: FeatureSpace({"a": FeatureSpace.feature("float32", layers.Identity(), "one_hot")})({"a": 1.0}),
        r"^FeatureSpace: how many integers 'a' gives is not known, so they make no vectors\.",
    ),
    "save": (lambda: adapted("names").save("x.keras"), r"^FeatureSpace: save the model that it is a part of: Model\("),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    attempt, text = ERRORS[case]
    with pytest.raises(FnetError, match=text):
        attempt()
