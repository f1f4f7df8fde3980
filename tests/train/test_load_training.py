"""Training that goes on from files of Keras' formats."""

from __future__ import annotations

import h5py
import numpy as np
import pytest

import fnet
from fnet import losses, metrics, optimizers, tree
from fnet.callbacks import LearningRateScheduler
from fnet.errors import FileError, StructureError
from fnet.layers import BatchNormalization, Dense

X = np.random.default_rng(0).normal(size=(16, 3)).astype("float32")
Y = X[:, :2] * 2
NET = fnet.serial(Dense(4, "tanh"), BatchNormalization(), Dense(2))
ONE = fnet.serial(Dense(2))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_training_goes_on_with_the_same_bits(tmp_path, suffix):
    trainer = fnet.Trainer(
        NET, losses.Huber(delta=0.5), optimizers.adam(0.01, use_ema=True), [metrics.r2_score(), "mae"]
    )
    ts = trainer.init(fnet.random.key(3), (3,))
    ts, _ = trainer.fit(ts, X, Y, batch_size=8, epochs=2, verbose=0)
    path = tmp_path / f"m.{suffix}"
    fnet.save_model(path, NET, ts.params, ts.state, trainer=trainer, train_state=ts)
    found, loaded = fnet.load_training(path)
    assert tree.all_equal(loaded, ts)
    after, history = trainer.fit(ts, X, Y, batch_size=8, epochs=2, verbose=0)
    later, same = found.fit(loaded, X, Y, batch_size=8, epochs=2, verbose=0)
    assert tree.all_equal(later, after) and same.history == history.history


def test_several_outputs_and_frozen_layers(tmp_path):
    x = fnet.Input((3,), name="x")
    hidden = Dense(4, name="body", trainable=False)(x)
    net = fnet.graph(x, [Dense(1, name="a")(hidden), Dense(1, name="b")(hidden)])
    trainer = fnet.Trainer(net, {"a": "mse", "b": "mae"}, "rmsprop", {"b": ["mse"]}, {"a": 0.5, "b": 1.0})
    ts = trainer.init(fnet.random.key(0))
    targets = [Y[:, :1], Y[:, 1:]]
    ts, _ = trainer.fit(ts, X, targets, epochs=1, verbose=0)
    fnet.save_model(tmp_path / "m.keras", net, ts.params, ts.state, trainer=trainer, train_state=ts)
    found, loaded = fnet.load_training(tmp_path / "m.keras")
    assert tree.all_equal(loaded, ts)
    assert dict(found.evaluate(loaded, X, targets).items()) == dict(trainer.evaluate(ts, X, targets).items())


def test_what_cannot_go_on(tmp_path):
    params, state = NET.init(fnet.random.key(0), (3,))
    for suffix in ("keras", "h5"):
        fnet.save_model(tmp_path / f"m.{suffix}", NET, params, state)
        with pytest.raises(FileError, match=r"saved without what it was trained with. Load it alone: fnet.load_model"):
            fnet.load_training(tmp_path / f"m.{suffix}")
    trainer = fnet.Trainer(NET, losses.gaussian_nll, "adam")
    with pytest.raises(StructureError, match=r"with both, trainer= and train_state="):
        fnet.save_model(tmp_path / "n.keras", NET, params, state, trainer=trainer)
    with pytest.raises(StructureError, match="Keras has no loss gaussian_nll"):
        ts = trainer.init(fnet.random.key(0), (3,))
        fnet.save_model(tmp_path / "n.keras", NET, params, state, trainer=trainer, train_state=ts)
    assert not (tmp_path / "n.keras").exists()


def test_what_was_compiled_has_a_checksum(tmp_path):
    trainer = fnet.Trainer(NET, "mse", optimizers.adam(0.0123))
    ts = trainer.init(fnet.random.key(0), (3,))
    path = tmp_path / "m.h5"
    fnet.save_model(path, NET, ts.params, ts.state, trainer=trainer, train_state=ts)
    data = path.read_bytes()
    assert data.count(b"0.0123") == 1
    path.write_bytes(data.replace(b"0.0123", b"0.0124"))
    with pytest.raises(FileError, match="'training_config' does not have the checksum of the manifest"):
        fnet.load_training(path)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_float64_comes_back(tmp_path, suffix):
    trainer = fnet.Trainer(NET, "mse", "adam")
    ts, _ = trainer.fit(trainer.init(fnet.random.key(0), (3,), "float64"), X, Y, verbose=0)
    path = tmp_path / f"m.{suffix}"
    fnet.save_model(path, NET, ts.params, ts.state, trainer=trainer, train_state=ts)
    _, loaded = fnet.load_training(path)
    assert tree.all_equal(loaded, ts)
    assert [leaf.dtype for leaf in tree.leaves(loaded)] == [leaf.dtype for leaf in tree.leaves(ts)]
    _, params, state = fnet.load_model(path)
    assert params["dense"]["kernel"].dtype == np.float64 and tree.all_equal((params, state), (ts.params, ts.state))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_numbers_of_an_optimizer_come_back_as_they_are(tmp_path, suffix, dtype):
    """A learning rate that a callback has set, and the product of nadam, which Keras' variables round to float32."""
    for optimizer in (optimizers.nadam(), optimizers.adam(use_ema=True, gradient_accumulation_steps=2)):
        trainer = fnet.Trainer(ONE, "mse", optimizer)
        ts = trainer.init(fnet.random.key(0), (3,), dtype)
        ts, _ = trainer.fit(ts, X, Y, verbose=0, callbacks=LearningRateScheduler(lambda epoch: 0.05))
        path = tmp_path / f"{optimizer.name}.{suffix}"
        fnet.save_model(path, ONE, ts.params, ts.state, trainer=trainer, train_state=ts)
        found, loaded = fnet.load_training(path)
        assert tree.all_equal(loaded, ts) and found.learning_rate(loaded) == 0.05
        held = trainer.with_learning_rate(trainer.init(fnet.random.key(0), (3,), dtype), 0.001)  # that of the optimizer
        fnet.save_model(path, ONE, held.params, held.state, trainer=trainer, train_state=held)
        assert tree.all_equal(fnet.load_training(path)[1], held)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_adafactor_comes_back(tmp_path, suffix):
    """Keras keeps variables that it does not use."""
    trainer = fnet.Trainer(ONE, "mse", "adafactor")
    ts, _ = trainer.fit(trainer.init(fnet.random.key(0), (3,)), X, Y, verbose=0)
    path = tmp_path / f"m.{suffix}"
    fnet.save_model(path, ONE, ts.params, ts.state, trainer=trainer, train_state=ts)
    assert tree.all_equal(fnet.load_training(path)[1], ts)


def test_a_number_that_no_optimizer_has(tmp_path):
    trainer = fnet.Trainer(ONE, "mse", "adam")
    ts = trainer.with_learning_rate(trainer.init(fnet.random.key(0), (3,)), 0.25)
    path = tmp_path / "m.h5"
    fnet.save_model(path, ONE, ts.params, ts.state, trainer=trainer, train_state=ts)
    with h5py.File(path, "r+") as file:
        del file["manifest"], file.attrs["fnet"]
        file["fnet_training/numbers/learning_rate"][()] = -1
    with pytest.raises(FileError, match=r"optimizer has -1.0 at 'learning_rate' in the file, expected a number of at"):
        fnet.load_training(path)
