"""Models within models in files, between fnet and both generations of Keras: structure, predictions, training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fnet import Trainer, load_model, load_training, load_weights, random, save_model, tree
from fnet.masking import unmasked
from tests.keras.nested_models import NETS

WORKER = Path(__file__).with_name("nested_worker.py")
BACKEND = os.environ.get("KERAS_BACKEND") or next((n for n in ("jax", "torch", "tensorflow") if find_spec(n)), None)
OLD = os.environ.get("FNET_TF_KERAS")  # a Python that has tf_keras, which cannot be in one environment with ours
TRAINED = ("autoencoder", "twins")  # the others are compared as they are, which takes Keras less time
ONLY_KERAS_3 = {"steps.h5"}  # a graph within a layer has the form of Keras 3

pytestmark = pytest.mark.slow


def arrays(path: Path) -> Any:
    with np.load(path) as file:
        found = [file[name] for name in file.files]
    return found if len(found) > 1 else found[0]


def check(found: Any, expected: Any, name: str, tolerance: float = 2e-6) -> None:
    pairs = zip(tree.leaves(unmasked(found)), tree.leaves(expected), strict=True)
    for one, other in pairs:
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=name)


def trained_on(trainer: Trainer, ts: Any, x: Any, y: Any) -> Any:
    return trainer.fit(ts, x, y, batch_size=64, epochs=2, shuffle=False, verbose=False)


def exchange(folder: Path, python: str, which: str) -> None:
    rng, ours = np.random.default_rng(1), dict[str, tuple[Any, Any]]()
    for name, (make, shape) in NETS.items():
        net = make()
        shapes = shape if isinstance(shape[0], tuple) else (shape,)
        drawn = [rng.integers(0, 9, (12, *s)) if name == "text" else rng.normal(size=(12, *s)) for s in shapes]
        x = [part.astype("int32" if name == "text" else "float32") for part in drawn]
        params, state = net.init(random.key(0), shape)
        x_given = x if len(x) > 1 else x[0]
        y = [
            rng.normal(size=part.shape).astype("float32") for part in tree.leaves(net.apply(params, state, x_given)[0])
        ]
        y_given = y if len(y) > 1 else y[0]
        trainer = Trainer(net, ["mse"] * len(y) if len(y) > 1 else "mse", "adam")
        ts, _ = trained_on(trainer, trainer.init_from(random.key(3), params, state), x_given, y_given)
        np.savez(folder / f"{name}.x.npz", *x)
        np.savez(folder / f"{name}.y.npz", *y)
        for suffix in ("keras", "h5"):
            if which == "keras" or f"{name}.{suffix}" not in ONLY_KERAS_3:
                save_model(folder / f"ours-{name}.{suffix}", net, ts.params, ts.state, trainer, ts, shape=shape)
        after, _ = trained_on(trainer, ts, x_given, y_given)
        ours[name] = trainer.predict(ts, x_given), trainer.predict(after, x_given)
    environment = {**os.environ, "KERAS_BACKEND": str(BACKEND), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if which == "tf_keras":
        environment.pop("KERAS_BACKEND")
    command = [python, "-W", "ignore", str(WORKER), str(folder), which]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    names = json.loads((folder / "names.json").read_text())
    assert names["ours-autoencoder.h5"] == [
        "x",
        ["enc", ["dense", "batch_normalization", "code"]],
        ["dec", ["first", "wide"]],
    ]
    for path in names:
        name = path.removeprefix("ours-").partition(".")[0]
        check(arrays(folder / f"{path}.predicted.npz"), ours[name][0], path)
        if path.endswith(".keras") and name in TRAINED:
            check(arrays(folder / f"{path}.trained.npz"), ours[name][1], path)
    for name, (make, shape) in NETS.items():
        x, y = (arrays(folder / f"{name}.{part}.npz") for part in "xy")
        expected = arrays(folder / f"theirs-{name}.predicted.npz")
        for suffix in ("keras", "h5"):
            net, *weights = load_model(folder / f"theirs-{name}.{suffix}")
            check(net.apply(*weights, x)[0], expected, f"theirs-{name}.{suffix}")
            if name in TRAINED:
                trainer, ts = load_training(folder / f"theirs-{name}.{suffix}")
                after, _ = trained_on(trainer, ts, x, y)
                trained = arrays(folder / f"theirs-{name}.trained.npz")
                check(trainer.predict(after, x), trained, f"theirs-{name}.{suffix}, trained", 5e-5)
        net = make()
        params, state = net.init(random.key(0), shape)
        weights = load_weights(folder / f"theirs-{name}.weights.h5", net, params, state)
        check(net.apply(*weights, x)[0], expected, f"theirs-{name}.weights.h5")
    loaded, _, _ = load_model(folder / "theirs-twins.h5")
    assert [child.kind for child in loaded.children] == ["graph"] * 3 + ["Concatenate", "Dense"]
    print(f"{len(names)} files of fnet, {3 * len(NETS)} of {which}")


def test_models_within_models_between_fnet_and_keras(tmp_path):
    pytest.importorskip("h5py")
    if find_spec("keras") is None or BACKEND is None:
        pytest.skip("Keras is not installed")
    exchange(tmp_path, sys.executable, "keras")


def test_models_within_models_between_fnet_and_keras_2(tmp_path):
    if OLD is None:
        pytest.skip("FNET_TF_KERAS names no Python with tf_keras")
    exchange(tmp_path, OLD, "tf_keras")
