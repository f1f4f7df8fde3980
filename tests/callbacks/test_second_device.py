"""Callbacks on a second device: what they ask for is done there, as on the CPU."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, tree
from fnet.callbacks import Callback, EarlyStopping, LearningRateScheduler
from fnet.errors import NonFiniteError
from tests.devices.recording import Recording


class Halved(Callback):
    """The parameters after the seventh step are halved."""

    def on_train_batch_end(self, run):
        if run.step == 7:
            run.replace(run.ts._replace(params=tree.map(lambda leaf: 0.5 * leaf, run.ts.params)))


def test_rates_states_and_the_best_weights(trainer, problem, monkeypatch):
    monkeypatch.setitem(device.FOUND, "recording", Recording("recording"))

    def trained(place: Any) -> Any:
        ts = place(trainer.init(fnet.random.key(1), (3,)))
        asking = [
            LearningRateScheduler(lambda epoch, rate: rate / 2),
            Halved(),
            EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True),
        ]
        x, y = map(place, problem)
        return trainer.fit(ts, x, y, batch_size=5, epochs=3, verbose=False, callbacks=asking)

    here, record = trained(lambda values: values)
    there, history = trained(lambda values: fnet.to_device(values, "recording"))
    assert all(isinstance(leaf, fnet.DeviceArray) for leaf in tree.leaves(there.params))
    assert tree.all_equal(fnet.to_host(there), here) and history.history == record.history
    assert history["learning_rate"] == [0.0005, 0.00025, 0.000125]


def test_a_gradient_that_is_not_finite_is_traced_there(monkeypatch):
    monkeypatch.setitem(device.FOUND, "recording", Recording("recording"))

    def apply(params, state, x, key=None, train=False):
        return fnet.ops.sqrt(x), state

    root = fnet.Layer(lambda key, shape, dtype: ({}, {}), apply, name="root")
    inner = fnet.layers.Dense(3, use_bias=False, kernel_initializer="identity")
    trainer = fnet.Trainer(fnet.serial(inner, root, fnet.layers.Dense(1)), "mse", "sgd")
    values = trainer.init(fnet.random.key(0), (3,)), np.zeros((2, 3), "float32"), np.zeros((2, 1), "float32")
    ts, x, y = fnet.to_device(values, "recording")
    with pytest.raises(NonFiniteError, match="the gradient of the output of 'dense' is the first that is not finite: "):
        trainer.fit(ts, x, y, verbose=False)
