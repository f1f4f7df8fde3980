"""Files of what is on a card: a file is of numbers, so they are copied, and what is read is NumPy's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import callbacks, layers, serial, tree
from fnet.devices.cuda.device import Cuda


@pytest.fixture
def training(cuda: Cuda) -> Any:
    trainer = fnet.Trainer(serial(layers.Dense(2, name="dense")), "mse", optimizer="adam")
    data = np.ones((4, 3), np.float32), np.zeros((4, 2), np.float32)
    return trainer, trainer.init(fnet.random.key(0), (3,)), fnet.to_device(data, "cuda")


def there(values: Any) -> Any:
    return fnet.to_device(values, "cuda")


def test_every_kind_of_file_takes_arrays_of_a_card(training: Any, tmp_path: Path):
    trainer, ts, _ = training
    net, on_card = serial(layers.Dense(2, name="dense")), there(ts)
    fnet.save_weights(tmp_path / "w.weights.h5", net, on_card.params, on_card.state)
    params, state = fnet.load_weights(tmp_path / "w.weights.h5", net, on_card.params, on_card.state)
    assert tree.all_equal((params, state), (ts.params, ts.state))
    fnet.save_model(tmp_path / "m.keras", net, on_card.params, on_card.state, trainer, on_card)
    assert tree.all_equal(fnet.load_training(tmp_path / "m.keras")[1].params, ts.params)
    fnet.checkpoint.save(tmp_path / "t.ckpt", on_card)
    for like in (ts, on_card):
        assert tree.all_equal(fnet.checkpoint.load(tmp_path / "t.ckpt", like), ts)


def test_safetensors_take_arrays_of_a_card(training: Any, tmp_path: Path):
    pytest.importorskip("safetensors")
    _, ts, _ = training
    fnet.save_safetensors(tmp_path / "w.safetensors", there(ts.params))
    loaded = fnet.load_safetensors(tmp_path / "w.safetensors")
    np.testing.assert_array_equal(loaded["dense.kernel"], ts.params["dense"]["kernel"])


def test_callbacks_write_them_while_the_card_trains(training: Any, tmp_path: Path):
    trainer, ts, data = training
    saved = [
        callbacks.ModelCheckpoint(tmp_path / "whole.keras"),
        callbacks.ModelCheckpoint(tmp_path / "only.weights.h5", save_weights_only=True),
        callbacks.BackupAndRestore(tmp_path / "backup"),
    ]
    trained, _ = trainer.fit(there(ts), *data, epochs=2, callbacks=saved, verbose=False)
    on_host = fnet.to_host(trained)
    _, saved_state = fnet.load_training(tmp_path / "whole.keras")
    assert tree.all_equal(list(saved_state), list(on_host))
    net = serial(layers.Dense(2, name="dense"))
    loaded, _ = fnet.load_weights(tmp_path / "only.weights.h5", net, on_host.params, on_host.state)
    assert tree.all_equal(loaded, on_host.params)
