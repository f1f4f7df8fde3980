"""Layers that go to Keras and come from it compute the same there, and Keras' files have their weights where we say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.io.keras.test_every_layer import SAID

# The other backends cannot compute every layer: torch has no LayerNormalization over several axes.
pytestmark = [
    pytest.mark.skipif(not (find_spec("keras") and find_spec("jax")), reason="Keras with JAX is not installed"),
    pytest.mark.slow,
]

ROUGH = {"mel-spectrogram": 1e-4}  # Keras computes the bands of the mel scale in float32


@pytest.fixture(scope="module")
def compared():
    """What one process with Keras says of every row."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.keras.layer_comparison"],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


OTHERWISE = ("random-crop", "equalization")  # in 3.15 the whole image in inference, and no symbolic call at all


@pytest.mark.parametrize("name", [row.id for row in SAID if row.id not in OTHERWISE])
def test_a_layer_computes_the_same_on_both_sides(compared, name):
    found = compared[name]
    assert "error" not in found, found["error"]
    tolerance = ROUGH.get(name, 1e-5)
    assert found["written"] < tolerance
    assert found["stored"] == 0
    assert found["read"] < tolerance
