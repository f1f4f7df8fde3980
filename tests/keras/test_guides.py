"""Programs after the ideas of Keras' guides and examples run with fnet.keras, and do what they do with Keras."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fnet.keras import backend
from tests.keras import listings

GUIDES = [name for name, path in listings.PATHS.items() if path.parent == listings.GUIDES]
ONLY_HERE = ("forecasting",)  # Keras needs TensorFlow for it
QUICK = ("making_layers", "own_callbacks", "weights_between")


def run(name):
    backend.clear_session()
    return listings.run(name, "fnet.keras")


@pytest.mark.parametrize("name", QUICK)
def test_a_guide_runs(name):
    found, _ = run(name)
    for model in listings.models_of(found).values():
        listings.behaviour(model, None, steps=False)


def test_there_are_forty():
    assert len(GUIDES) >= 40


@pytest.fixture(scope="module")
def with_keras(tmp_path_factory):
    """What the models of the guides do with real Keras on PyTorch, in a process of its own."""
    if importlib.util.find_spec("keras") is None or importlib.util.find_spec("torch") is None:
        pytest.skip("needs Keras and PyTorch")
    path = tmp_path_factory.mktemp("keras") / "found.pickle"
    worker, root = Path(__file__).with_name("listings_worker.py"), Path(__file__).parents[2]
    names = [name for name in GUIDES if name not in ONLY_HERE]
    env = os.environ | {"PYTHONPATH": str(root), "KERAS_BACKEND": "torch"}
    subprocess.run([sys.executable, worker, path, *names], check=True, cwd=root, env=env)
    return pickle.loads(path.read_bytes())


@pytest.mark.slow
@pytest.mark.filterwarnings("default:accuracy. expected probabilities")
@pytest.mark.parametrize("name", GUIDES)
def test_a_guide_does_what_it_does_with_keras(name, with_keras):
    found, printed = run(name)
    if name in ONLY_HERE:
        return
    expected = with_keras[name]
    assert printed == expected["printed"]
    models = listings.models_of(found)
    assert models.keys() == expected["models"].keys()
    for label, model in models.items():
        theirs = expected["models"][label]
        steps = model.compiled and name not in listings.DRAWS
        ours = listings.behaviour(model, theirs["weights"], steps, found.get("example"))
        if name != "vae":  # which draws in inference, too
            for a, b in zip(ours["outputs"], theirs["outputs"], strict=True):
                np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        assert ("after" in ours) == ("after" in theirs)
        if "after" in ours:
            np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(ours["after"], theirs["after"], rtol=1e-3, atol=1e-4)
