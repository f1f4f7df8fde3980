"""A training begun in one library goes on in the other, through files."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import fnet
from fnet import tree
from fnet.layers import BatchNormalization, Dense

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("keras") is None or find_spec("jax") is None, reason="Keras is not installed"),
]

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X[:, :2] * 2
NET = fnet.serial(Dense(4, "tanh"), BatchNormalization(), Dense(2))
TRAINER = fnet.Trainer(NET, "mse", fnet.optimizers.adam(0.01), ["mae"])


def further(trainer: fnet.Trainer, ts: fnet.TrainState, steps: int) -> fnet.TrainState:
    return trainer.fit(ts, X, Y, batch_size=8, epochs=steps, shuffle=False, verbose=0)[0]


@pytest.fixture(scope="module")
def begun() -> fnet.TrainState:
    return further(TRAINER, TRAINER.init(fnet.random.key(0), (3,)), 3)


@pytest.fixture(scope="module")
def folder(begun, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("files")
    np.savez(path / "data.npz", x=X, y=Y)
    for suffix in ("keras", "h5"):
        fnet.save_model(path / f"ours.{suffix}", NET, begun.params, begun.state, trainer=TRAINER, train_state=begun)
    command = [sys.executable, str(Path(__file__).with_name("training_file_recorder.py")), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return path


def compare(ts: fnet.TrainState, path: Path) -> None:
    found = np.load(path)
    weights = [found[f"arr_{i}"] for i in range(len(found.files) - 1)]
    own = {array.shape: [] for array in weights}
    for leaf in tree.leaves((ts.params, ts.state)):
        own.setdefault(np.shape(leaf), []).append(np.asarray(leaf))
    for array in weights:  # those of one shape in any order
        assert any(np.allclose(array, leaf, atol=1e-4) for leaf in own[array.shape])
    assert found["iterations"] == int(ts.step) == 8


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_keras_goes_on_with_files_of_fnet(folder, begun, suffix):
    compare(further(TRAINER, begun, 5), folder / f"ours.{suffix}.npz")


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_fnet_goes_on_with_files_of_keras(folder, suffix):
    trainer, ts = fnet.load_training(folder / f"theirs.{suffix}")
    assert int(ts.step) == 3
    compare(further(trainer, ts, 5), folder / f"theirs.{suffix}.npz")
