"""The mean of the parameters: epochs are validated with it, and callbacks and the end of the training may have it."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import keras, random, tree
from fnet.callbacks import SwapEMAWeights
from fnet.errors import StructureError
from fnet.layers import Dense
from fnet.optimizers import averaged_params, sgd
from fnet.train import Trainer
from tests.callbacks.feeding import Seen

X = np.random.default_rng(0).normal(size=(12, 3)).astype("float32")
Y = X[:, :1] - 0.5


def run(*callbacks, epochs=2, momentum=0.5):
    trainer = Trainer(Dense(1), loss="mse", optimizer=sgd(0.1, use_ema=True, ema_momentum=momentum))
    ts = trainer.init(random.key(0), (3,))
    ts, history = trainer.fit(
        ts, X, Y, batch_size=4, epochs=epochs, validation_data=(X, Y), shuffle=False, verbose=False,
        callbacks=list(callbacks),
    )  # fmt: skip
    return trainer, ts, history


def test_epochs_are_validated_with_the_mean():
    _, plain, before = run()
    trainer, ts, history = run(SwapEMAWeights())
    assert tree.all_equal(ts, plain) and history["loss"] == before["loss"]
    mean = ts._replace(params=averaged_params(ts.opt_state))
    assert history["val_loss"][-1] == pytest.approx(trainer.evaluate(mean, X, Y)["loss"], rel=1e-6)
    assert history["val_loss"][-1] != before["val_loss"][-1]


def test_later_callbacks_and_the_end_have_the_mean():
    first, seen = Seen(), Seen()
    _, plain, _ = run(first)
    _, ts, _ = run(seen := Seen(), SwapEMAWeights(swap_on_epoch=True), after := Seen())
    assert tree.all_equal(seen.params, first.params)  # what is trained goes on as without
    assert tree.all_equal(ts.opt_state, plain.opt_state)
    assert tree.all_equal(ts.params, averaged_params(plain.opt_state)) and tree.all_equal(after.params[-1], ts.params)


def test_an_optimizer_without_a_mean_is_refused():
    trainer = Trainer(Dense(1), loss="mse", optimizer="sgd")
    with pytest.raises(StructureError, match=r"keeps no mean of the parameters. Give the optimizer use_ema=True"):
        trainer.fit(trainer.init(random.key(0), (3,)), X, Y, callbacks=[SwapEMAWeights()], verbose=False)


def test_fit_in_the_words_of_keras_ends_with_the_mean():
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(3,))])
    model.compile(keras.optimizers.SGD(0.1, use_ema=True, ema_momentum=0.5), "mse")
    start = model.get_weights()
    model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    trainer = Trainer(Dense(1), loss="mse", optimizer=sgd(0.1, use_ema=True, ema_momentum=0.5))
    ts = trainer.init(random.key(0), (3,))
    ts = ts._replace(params=dict(zip(("kernel", "bias"), start, strict=True)))
    ts, _ = trainer.fit(ts, X, Y, batch_size=4, epochs=2, shuffle=False, verbose=False)
    for own, mean in zip(model.get_weights(), averaged_params(ts.opt_state).values(), strict=True):
        np.testing.assert_allclose(own, mean, rtol=1e-6)
