"""What calls, weights of nested models, dtypes, operations and masks are in files, between fnet and Keras."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from fnet import Input, graph, load_model, load_weights, random, save_model, save_weights, serial, tree
from fnet.layers import LSTM, BatchNormalization, Conv1D, Dense, Dropout, Flatten, LeakyReLU, PReLU, TimeDistributed
from fnet.masking import unmasked
from fnet.networks.graph import wiring_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("keras") is None or find_spec("jax") is None, reason="Keras is not installed"),
]
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 5, 4)).astype("float32")
IDS = RNG.integers(0, 4, (3, 5)).astype("int32")


def distinct(net, dtype="float32"):
    rng = np.random.default_rng(3)
    made = net.init(random.key(0), (5, 4), dtype)
    return [tree.map(lambda leaf: rng.uniform(0.1, 0.5, leaf.shape).astype(leaf.dtype), part) for part in made]


def base():
    return Dense(5, "tanh"), BatchNormalization(), Dense(5), BatchNormalization()


def models():
    """Networks, with the dtype of their parameters."""
    x, own, y = Input((5, 4)), serial(BatchNormalization(), Dropout(0.9), LSTM(2, dropout=0.5)), Input((4,))
    chain = graph(y, Dense(2)(Dense(3)(y)))
    return {
        "inference": (graph(x, [own(x, train=False), own(x)]), "float32"),
        "activations": (serial(Dense(4, LeakyReLU(0.2)), Conv1D(3, 2, activation=PReLU())), "float32"),
        "wide": (serial(TimeDistributed(Dense(3, LeakyReLU(0.2))), Flatten(), Dense(2)), "float64"),
        "functional-inside.keras": (serial(TimeDistributed(chain), Dense(2)), "float64"),
    }


def expected(net, params, state, x):
    y = unmasked(net.apply(params, state, x)[0])
    return [np.asarray(part) for part in (y if isinstance(y, tuple) else (y,))]


def check(found, wanted, name):
    assert len(found) == len(wanted), name
    for one, other in zip(found, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("python", [sys.executable, os.environ.get("FNET_TF_KERAS")], ids=["keras", "tf_keras"])
def test_files_between_fnet_and_keras(tmp_path, python):
    if python is None:
        pytest.skip("FNET_TF_KERAS names no Python with tf_keras")
    which = "keras" if python == sys.executable else "tf_keras"
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "ids.npy", IDS)
    ours = {}
    for name, (net, dtype) in models().items():
        params, state = distinct(net, dtype)
        for suffix in ("keras", "h5"):
            if name.endswith(".keras") and suffix == "h5":  # ``tf.keras`` 2 reads no Functional model within a layer
                continue
            path = tmp_path / f"ours-{name.removesuffix('.keras')}.{suffix}"
            save_model(path, net, params, state, shape=(5, 4))
            ours[path.name] = expected(net, params, state, X)
    net = serial(Dense(6), serial(*base()), Dense(2))
    params, state = distinct(net)
    for suffix in ("weights.h5", "h5"):
        save_weights(tmp_path / f"ours-nested.{suffix}", net, params, state, nested=True)
        ours[f"ours-nested.{suffix}"] = expected(net, params, state, X)

    command = [python, "-W", "ignore", str(Path(__file__).with_name("exchange_worker.py")), str(tmp_path), which]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    failed = json.loads((tmp_path / "failed.json").read_text())
    assert not failed, "\n".join(f"{name}: {text}" for name, text in failed.items())
    opened = [name for name in ours if (tmp_path / f"{name}.npz").exists()]
    assert len(opened) == (len(ours) if which == "keras" else 4)
    for name in opened:
        check(list(np.load(tmp_path / f"{name}.npz").values()), ours[name], name)

    files = [path for path in sorted(tmp_path.glob("theirs-*")) if path.suffix in (".keras", ".h5")]
    for path in files:
        name = path.name.split(".")[0]
        if "nested" in name:
            for own in (net, serial(Dense(6), *base(), Dense(2))):
                weights = load_weights(path, own, *own.init(random.key(0), (5, 4)))
                check(expected(own, *weights, X), list(np.load(tmp_path / "theirs-nested.npz").values()), path.name)
            continue
        given = tuple(np.load(tmp_path / f"{name}.in.npz").values())
        loaded, *weights = load_model(path)
        found = expected(loaded, *weights, given if len(given) > 1 else given[0])
        wanted = list(np.load(tmp_path / f"{name}.npz").values())
        check(found, wanted, path.name)
        assert name != "theirs-integers" or found[0].dtype == wanted[0].dtype == "float32"
        if name == "theirs-inference":
            calls = wiring_of(loaded).calls
            assert [call.train for call in calls] == [False, None, None], path.name
    assert len(files) >= 17
