"""The listings of the tutorials run with fnet.keras in the place of Keras, and do what they do with Keras."""

from __future__ import annotations

import importlib.util
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.keras import Input, Model, backend, layers
from tests.keras import listings


@pytest.fixture(autouse=True)
def fresh_names():
    backend.clear_session()


@pytest.mark.parametrize("name", listings.NAMES)
def test_a_listing_runs_with_another_import(name):
    found, _ = listings.run(name, "fnet.keras")
    assert listings.models_of(found)
    for model in listings.models_of(found).values():
        listings.behaviour(model, None, steps=model.compiled)


@pytest.fixture(scope="module")
def with_keras(tmp_path_factory):
    """What the models of the listings do with real Keras, in a process of its own."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("needs Keras")
    path = tmp_path_factory.mktemp("keras") / "found.pickle"
    worker = Path(__file__).with_name("listings_worker.py")
    root = Path(__file__).parents[2]
    subprocess.run(
        [sys.executable, worker, path, *listings.NAMES],
        check=True,
        cwd=root,
        env=os.environ | {"PYTHONPATH": str(root)},
    )
    return pickle.loads(path.read_bytes())


@pytest.mark.slow
@pytest.mark.parametrize("name", listings.NAMES)
def test_a_listing_does_what_it_does_with_keras(name, with_keras):
    found, printed = listings.run(name, "fnet.keras")
    expected = with_keras[name]
    assert printed == expected["printed"]
    for label, model in listings.models_of(found).items():
        theirs = expected["models"][label]
        ours = listings.behaviour(model, theirs["weights"], steps=model.compiled and name not in listings.DRAWS)
        for a, b in zip(ours["outputs"], theirs["outputs"], strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
        if "after" in theirs and "after" in ours:  # steps from the same memory of the optimizer, none
            np.testing.assert_allclose(ours["losses"], theirs["losses"], rtol=1e-4, atol=1e-5)
            np.testing.assert_allclose(ours["after"], theirs["after"], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "faulty, error, text",
    [
        (lambda x: layers.Dense(32, actuvation="relu"), TypeError, "Did you mean 'activation'"),
        (
            lambda x: Model(x, layers.Activation("relu")),
            StructureError,
            r"the layer Activation, which was not called. Call it: layers\.Activation\(\.\.\.\)\(x\)",
        ),
        (lambda x: layers.Dense(1)(layers.Activation("relu")), StructureError, "was not called"),
        (lambda x: layers.Dense(32, input_shape=(784.0,)), Exception, "sizes are positive integers"),
        (lambda x: layers.Dens(3), AttributeError, "Did you mean 'Dense'"),
    ],
)
def test_faulty_lines_are_answered(faulty, error, text):
    with pytest.raises(error, match=text):
        faulty(Input((4,)))
