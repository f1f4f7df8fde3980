"""Layers, functions, optimizers and schedules of users' own between fnet and Keras, in both directions."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import initializers, random
from fnet.configured import configurable
from fnet.io.keras import registry
from fnet.layers import Dense, Flatten, Reshape, TimeDistributed, layer_constructor
from fnet.optimizers import optimizer_constructor
from fnet.optimizers.optimizer import by_leaf

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("keras") is None or find_spec("jax") is None, reason="Keras is not installed"),
]

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


@layer_constructor()
def Scale(initial: float = 1.0, shift: Any = "zeros") -> Any:  # noqa: N802
    """As the recorder's: arrays of its own, and a Dense layer."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        inner = {"kernel": initializers.get("glorot_uniform")(key, (shape[-1], shape[-1]), dtype)}
        inner["bias"] = initializers.get(shift)(key, shape[-1:], dtype)
        return {"gain": np.full(shape[-1:], initial, dtype), "shift": inner}, {"offset": np.ones((), dtype)}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return x * params["gain"] @ params["shift"]["kernel"] + params["shift"]["bias"] + state["offset"], state

    return init, apply


def bend(x: Any) -> Any:
    return np.where(x > 0, x, x / 2)


@configurable
def halves(value: float = 0.5) -> Any:
    return lambda key, shape, dtype: np.full(shape, value, dtype)


@optimizer_constructor
def Shrink(learning_rate: Any = 0.1, momentum: float = 0.5) -> Any:  # noqa: N802
    def rule(rate: Any, t: Any) -> Any:
        return lambda g, dtype, m: (-rate.astype(dtype) * (g + momentum * m), g + momentum * m)

    return by_leaf(learning_rate, {"momentum": 0.0}, rule)


@configurable
def waves(rate: float, length: int = 3) -> Any:
    return lambda step: rate / (1 + step % length)


def cubic(y_true: Any, y_pred: Any) -> Any:
    return np.mean(np.abs(y_pred - y_true) ** 3, axis=-1)


def after(trainer, ts):
    """What it predicts after one more epoch."""
    ts, _ = trainer.fit(ts, X, X[:, :2], 4, shuffle=False, verbose=0)
    return trainer.predict(ts, X)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("files")
    np.save(path / "x.npy", X)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "_made", {})
        things = {"lab>Scale": Scale, "lab>bend": bend, "lab>Halves": halves, "lab>cubic": cubic}
        things |= {"lab>Shrink": Shrink, "lab>Waves": waves}
        for name, make in things.items():
            fnet.register(name, make)
        net = fnet.serial(
            Scale(2.0, "ones"), Dense(3, bend, kernel_initializer=halves(0.25)), Reshape((3, 1)),
            TimeDistributed(Scale(0.5)), Flatten(), Dense(2),
        )  # fmt: skip
        trainer = fnet.Trainer(net, cubic, Shrink(waves(0.0002)), [cubic])
        ts = trainer.init(random.key(0), (4,))
        ts, _ = trainer.fit(ts, X, X[:, :2], 4, verbose=0)
        for suffix in ("keras", "h5"):
            fnet.save_model(path / f"ours.{suffix}", net, ts.params, ts.state, trainer, ts, shape=(4,))
        np.save(path / "fnet.npy", net.apply(ts.params, ts.state, X)[0])
        np.save(path / "fnet.loss.npy", list(trainer.evaluate(ts, X, X[:, :2]).values()))
        np.save(path / "fnet.after.npy", after(trainer, ts))
        command = [sys.executable, str(Path(__file__).with_name("registered_recorder.py")), str(path)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        yield path


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_keras_reads_files_of_fnet(folder, suffix):
    for part in ("", ".loss"):
        assert np.allclose(np.load(folder / f"ours.{suffix}{part}.npy"), np.load(folder / f"fnet{part}.npy"), atol=1e-5)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_fnet_reads_files_of_keras(folder, suffix):
    net, params, state = fnet.load_model(folder / f"theirs.{suffix}")
    assert np.allclose(net.apply(params, state, X)[0], np.load(folder / f"theirs.{suffix}.npy"), atol=1e-5)
    assert (net.children[0].kind, net.children[0].config["initial"]) == ("Scale", 2.0)
    trainer, ts = fnet.load_training(folder / f"theirs.{suffix}")
    losses = list(trainer.evaluate(ts, X, X[:, :2]).values())
    assert np.allclose(losses, np.load(folder / f"theirs.{suffix}.loss.npy"), atol=1e-5)
    assert trainer.arguments[2].config == {"learning_rate": waves(0.0002, 2), "momentum": 0.25}
    assert np.allclose(after(trainer, ts), np.load(folder / f"theirs.{suffix}.after.npy"), atol=1e-5)


def test_keras_goes_on_with_an_optimizer_of_ones_own(folder):
    assert np.allclose(np.load(folder / "ours.keras.after.npy"), np.load(folder / "fnet.after.npy"), atol=1e-5)
