"""Files of `ModelCheckpoint`: the training goes on from them, and one that is there stays until the next is whole."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import numpy as np
import pytest

import fnet
from fnet import Trainer, keras, load_model, load_training, random, serial
from fnet.callbacks import ModelCheckpoint
from fnet.io import models
from fnet.layers import Dense, Dropout, Flatten


@pytest.mark.parametrize(
    ("name", "options", "at"),
    [
        ("{epoch}.keras", {}, "2.keras"),
        ("{epoch}-{batch}.h5", {"save_freq": 10}, "2-5.h5"),
        ("best.keras", {"save_best_only": True, "monitor": "loss", "initial_value_threshold": 1e9}, "best.keras"),
    ],
)
def test_a_training_goes_on_with_the_same_bits(problem, same, tmp_path, name, options, at):
    """Its optimizer, its random numbers, the order of its samples, and the shape of inputs that only the data tell."""
    net = serial(Flatten(), Dense(4, "tanh"), Dropout(0.25), Dense(1))
    trainer = Trainer(net, "mse", fnet.optimizers.adam(0.05), ["mae"])
    given = {"batch_size": 5, "verbose": False}
    saving = ModelCheckpoint(tmp_path / name, **options)
    ts, _ = trainer.fit(trainer.init(random.key(1), (3,)), *problem, epochs=2, callbacks=saving, **given)
    other, loaded = load_training(tmp_path / at)
    assert same(loaded.opt_state, ts.opt_state) and int(loaded.step) == int(ts.step)
    more, record = trainer.fit(ts, *problem, epochs=3, initial_epoch=2, **given)
    again, same_record = other.fit(loaded, *problem, epochs=3, initial_epoch=2, **given)
    assert same(list(more), list(again)) and record.history == same_record.history


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_training_of_keras_words_goes_on_with_the_same_bits(problem, same, tmp_path, suffix):
    keras.utils.set_random_seed(3)
    model = keras.Sequential(
        [keras.layers.Dense(4, activation="tanh"), keras.layers.Dropout(0.25), keras.layers.Dense(1)]
    )
    model.compile("adam", "mse")
    given = {"batch_size": 5, "epochs": 3, "verbose": 0}
    model.fit(*problem, callbacks=[keras.callbacks.ModelCheckpoint(tmp_path / f"{{epoch}}.{suffix}")], **given)
    loaded = keras.models.load_model(tmp_path / f"2.{suffix}")
    loaded.fit(*problem, initial_epoch=2, **given)
    assert same(loaded.get_weights(), model.get_weights()) and loaded.optimizer.iterations == model.optimizer.iterations


def test_a_loss_without_a_name_is_told_once(problem, same, tmp_path):
    def own(y_true, y_pred):
        return (y_true - y_pred) ** 2

    trainer = Trainer(Dense(1), own)
    with pytest.warns(UserWarning, match="ModelCheckpoint saves the network without its training: .*own") as told:
        ts, _ = trainer.fit(
            trainer.init(random.key(1), (3,)), *problem, epochs=2, verbose=False,
            callbacks=ModelCheckpoint(tmp_path / "own.keras"),
        )  # fmt: skip
    assert len(told) == 1 and told[0].filename == __file__
    assert same(load_model(tmp_path / "own.keras")[1]["dense"], ts.params)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_save_that_fails_leaves_the_file_before(problem, tmp_path, monkeypatch, suffix):
    path = tmp_path / f"model.{suffix}"
    trainer = Trainer(Dense(1), "mse")

    def fails(*args, **options):
        raise OSError(28, "No space left on device")

    def break_it(epoch, logs, ts):
        monkeypatch.setattr(models.trained_files, "write", fails)

    with pytest.raises(OSError, match="No space left"):
        trainer.fit(
            trainer.init(random.key(1), (3,)), *problem, epochs=2, verbose=False,
            callbacks=[ModelCheckpoint(path), break_it],
        )  # fmt: skip
    assert [one.name for one in tmp_path.iterdir()] == [path.name]
    assert int(load_training(path)[1].step) == 1


TRAIN = """
import sys, numpy as np, fnet
from fnet.callbacks import ModelCheckpoint
x = np.ones((40, 3), "float32")
trainer = fnet.Trainer(fnet.serial(fnet.layers.Dense(64), fnet.layers.Dense(1)), "mse")
ts = trainer.init(fnet.random.key(1), (3,))
saving = ModelCheckpoint(sys.argv[1], save_freq=1)
trainer.fit(ts, x, x[:, :1], batch_size=5, epochs=1, verbose=False, callbacks=saving)
print("began", flush=True)
trainer.fit(ts, x, x[:, :1], batch_size=5, epochs=10**6, verbose=False, callbacks=saving)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="processes as POSIX kills them")
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_a_process_that_is_killed_while_it_saves_leaves_a_whole_file(tmp_path, suffix):
    path, moments = tmp_path / f"model.{suffix}", np.random.default_rng(5)
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", TRAIN, str(path)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None and process.stdout.readline() == "began\n"
        time.sleep(moments.uniform(0.01, 0.2))
        process.kill()
        process.wait()
        process.stdout.close()
        trainer, ts = load_training(path)
        assert int(ts.step) >= 1
    trainer.fit(ts, np.ones((8, 3), "float32"), np.ones((8, 1), "float32"), verbose=False)
