"""Files of models between fnet and Keras, in both directions, for all layers of the table and models of Keras' own."""

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

from fnet import load_model, load_weights, random, save_model, tree
from fnet.errors import FnetError, StructureError
from fnet.masking import unmasked
from tests.io.keras.expressions import EXPRESSIONS, IN_OLDER_FILES
from tests.io.keras.test_operations import X, Y, net_of
from tests.tables import LAYERS, inputs

WORKER = Path(__file__).with_name("models_worker.py")
BACKEND = os.environ.get("KERAS_BACKEND") or next((n for n in ("jax", "torch", "tensorflow") if find_spec(n)), None)
# What Keras' own layers cannot do: on JAX a value_dim that is not key_dim, on PyTorch other axes than the last one.
# Of random-crop Keras 3.15 gives the whole image in inference, unlike what it says.
UNABLE = {"attention-cross", "random-crop"} | ({"layer-norm-axes", "layer-norm-first"} if BACKEND == "torch" else set())
# What has no form that both generations of Keras read, in which case files are those of Keras 3: what the older one
# does not have, tensors among the keywords of calls, shapes in configs; hard_sigmoid is another function there.
ONLY_KERAS_3 = ("activation-glu", "group-query", "grouped", "rms-norm", "multi-head", "-states", "-cell", "attention-")
ONLY_KERAS_3 += ("attention.h5", f"operation-{EXPRESSIONS.index('hard_sigmoid(x)')}")
ROUGH = {"mel-spectrogram": 1e-4}  # Keras computes the bands of the mel scale in float32
OLD = os.environ.get("FNET_TF_KERAS")  # a Python that has tf_keras, which cannot be in one environment with ours

pytestmark = pytest.mark.slow


def flat(tensors: Any) -> list[np.ndarray]:
    if isinstance(tensors, dict):
        return [leaf for name in sorted(tensors) for leaf in flat(tensors[name])]
    if isinstance(tensors, tuple | list):
        return [leaf for part in tensors for leaf in flat(part)]
    return [np.asarray(tensors)]


def of_operations(folder: Path, suffix: str) -> dict[str, list[np.ndarray]]:
    """Models of fnet's operations in files of fnet."""
    expected = {}
    for i, text in enumerate(EXPRESSIONS):
        if suffix == "h5" and text not in IN_OLDER_FILES:
            continue
        net, name = net_of(text), f"operation-{i}"
        params, state = net.init(random.key(i))
        save_model(folder / f"{name}.{suffix}", net, params, state)
        np.savez(folder / f"{name}.npz", X, Y)
        expected[name] = flat(net.apply(params, state, (X, Y))[0])
    return expected


def written(folder: Path, suffix: str) -> dict[str, list[np.ndarray]]:
    """Models of all layers in files of fnet, with inputs beside them; what fnet predicts by name."""
    expected = of_operations(folder, suffix)
    for row in LAYERS:
        if row.id in UNABLE:
            continue
        net, x = row.make(), inputs(row, "float32")
        params, state = net.init(random.key(0), row.shape)
        try:
            save_model(folder / f"{row.id}.{suffix}", net, params, state, shape=row.shape)
        except StructureError:  # Keras does not have it
            continue
        np.savez(folder / f"{row.id}.npz", *(x if isinstance(x, tuple) else (x,)))
        expected[row.id] = flat(unmasked(net.apply(params, state, x)[0]))
    return expected


def arrays(path: Path) -> list[np.ndarray]:
    with np.load(path) as file:
        return [file[f"arr_{i}"] for i in range(len(file.files))]


def close(one: list[np.ndarray], other: list[np.ndarray], tolerance: float = 1e-5) -> bool:
    return len(one) == len(other) and all(
        np.allclose(a, b, rtol=tolerance, atol=tolerance) for a, b in zip(one, other, strict=True)
    )


def predicted(path: Path, x: list[np.ndarray]) -> list[np.ndarray]:
    net, params, state = load_model(path)
    return flat(unmasked(net.apply(params, state, tuple(x) if len(x) > 1 else x[0])[0]))


def exchange(folder: Path, suffix: str, python: str, which: str) -> None:
    expected = written(folder, suffix)
    environment = {**os.environ, "KERAS_BACKEND": str(BACKEND), "TF_CPP_MIN_LOG_LEVEL": "3"}
    if which == "tf_keras":
        environment.pop("KERAS_BACKEND")
    command = [python, "-W", "ignore", str(WORKER), str(folder), which]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    problems = dict(json.loads((folder / "failed.json").read_text()))
    for name, own in expected.items():
        out = folder / f"{name}.{suffix}.out.npz"
        if out.exists() and not close(arrays(out), own, ROUGH.get(name, 1e-5)):
            problems[name] = "Keras predicts something else"
    again = sorted(p for p in folder.iterdir() if ".again." in p.name and ".weights." not in p.name)
    for path in again:
        base = path.name.split(".again.")[0]
        x = arrays(folder / f"{base.removesuffix(f'.{suffix}')}.npz")
        try:
            tolerance = ROUGH.get(base.split(".")[0], 1e-5)
            if not close(predicted(path, x), arrays(folder / f"{base}.out.npz"), tolerance):
                problems[path.name] = "fnet predicts something else"
            weights = folder / f"{base}.again.weights.h5"
            if path.suffix == ".keras" and weights.exists():
                net, params, state = load_model(path)
                found = load_weights(weights, net, tree.map(np.zeros_like, params), state)
                if not tree.all_equal(found[0], params):
                    problems[weights.name] = "other weights"
        except FnetError as error:
            problems[path.name] = f"{type(error).__name__}: {error}"
    if which == "tf_keras":
        unable = [
            name for name in problems if any(part in name for part in ONLY_KERAS_3) and not name.startswith("made")
        ]
        print(f"{len(unable)} of {len(expected)} open in Keras 3 alone: {', '.join(unable)}")
        problems = {name: text for name, text in problems.items() if name not in unable}
    print(f"{len(expected)} written by fnet, {len(again)} files written by Keras, {len(problems)} problems")
    assert not problems, "\n".join(f"{name}: {text}" for name, text in problems.items())
    assert len(expected) >= 60 and (len(again) >= 60 or (which, suffix) == ("keras", "h5"))


def exchange_with_keras(folder: Path, suffix: str) -> None:
    pytest.importorskip("h5py")
    if find_spec("keras") is None or BACKEND is None:
        pytest.skip("Keras is not installed")
    exchange(folder, suffix, sys.executable, "keras")


def test_archives_between_fnet_and_keras(tmp_path):
    exchange_with_keras(tmp_path, "keras")


def test_models_between_fnet_and_keras_2(tmp_path):
    if OLD is None:
        pytest.skip("FNET_TF_KERAS names no Python with tf_keras")
    exchange(tmp_path, "h5", OLD, "tf_keras")
