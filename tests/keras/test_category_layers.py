"""Layers of categories and texts give what Keras' own give, of the same arguments, learnt from the same data."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnet
from tests.keras.text_models import COLUMNS, model, predicted
from tests.layers.category_table import CATEGORIES, Row

pytestmark = [
    pytest.mark.skipif(not (find_spec("keras") and find_spec("tensorflow")), reason="Keras with TensorFlow is missing"),
    pytest.mark.slow,
]


@pytest.fixture(scope="module")
def of_keras() -> Any:
    """What one process with Keras says of every row."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.keras.category_comparison"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("row", CATEGORIES, ids=lambda row: row.id)
def test_keras_gives_the_same(row: Row, of_keras: Any) -> None:
    assert of_keras[row.id] == row.y


def test_models_travel_with_what_they_have_learnt(tmp_path: Path) -> None:
    own = model(fnet.keras)
    expected = predicted(own, COLUMNS)
    for suffix in ("keras", "h5"):
        own.save(tmp_path / f"fnet.{suffix}")
    done = subprocess.run(
        [sys.executable, "-m", "tests.keras.text_models", str(tmp_path)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for name, found in json.loads(done.stdout.splitlines()[-1]).items():
        np.testing.assert_allclose(found, expected, rtol=1e-5, err_msg=name)
    read = fnet.keras.models.load_model(tmp_path / "keras.keras")
    np.testing.assert_allclose(predicted(read, COLUMNS), expected, rtol=1e-5)
