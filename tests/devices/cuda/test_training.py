"""Whole trainings on a card without a card: loss, gradients, dropout and Adam give what the CPU gives, to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, losses, ops, optimizers, tree
from fnet.devices.cuda import walks
from fnet.devices.cuda.device import Cuda
from fnet.devices.cuda.lower import recurrent as lower
from fnet.kernels.cuda.runtime.limits import Limits
from tests.devices.cuda.emulated import Emulated

STEPS = 4


RECURRENT = fnet.layers.SimpleRNN, fnet.layers.LSTM, fnet.layers.GRU


def several(*args: Any, back: bool) -> walks.Way:
    """The way of a recurrent layer on a card of six multiprocessors, whose blocks share out the units."""
    found = walks.ways(*args[:-1], Limits(6, 99 << 10), back=back)
    return min((way for way in found if way.is_together), key=lambda way: way.clocks)


def dense(params: Any, x: Any) -> Any:
    """A product as a sum of elementwise ones."""
    return np.sum(x[:, :, None] * params["kernel"][None], axis=1) + params["bias"]


def start(rng: np.random.Generator, rows: int, columns: int) -> Any:
    return {"kernel": rng.normal(size=(rows, columns)).astype(np.float32) / 2, "bias": np.zeros(columns, np.float32)}


@pytest.mark.parametrize("is_late", [False, True])
def test_a_compiled_step_trains_there_as_on_the_cpu(is_late: bool, monkeypatch: pytest.MonkeyPatch):
    card = Emulated(is_checked=not is_late, is_late=is_late)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(5, 6)).astype(np.float32), rng.integers(0, 3, 5)
    params = [start(rng, 6, 5), start(rng, 5, 3)]
    rule = optimizers.adam(0.05)

    def step(params: Any, state: Any, key: Any, number: Any, x: Any, y: Any) -> Any:
        def loss(params: Any) -> Any:
            h = ops.relu(dense(params[0], x))
            h = ops.dropout(h, key=fnet.random.fold_in(key, number), rate=0.2)
            return losses.sparse_categorical_crossentropy(y, dense(params[1], h), from_logits=True)

        value, gradient = fnet.value_and_grad(loss)(params)
        updates, state = rule.update(gradient, state, params)
        return optimizers.apply_updates(params, updates), state, number + 1, value

    def trained(place: Any) -> Any:
        carry = place((params, rule.init(params)))
        key, number, *data = place((fnet.random.key(3), np.int64(0), x, y))
        jitted, values = fnet.jit(step, donate=("params", "state")), []
        for _ in range(STEPS):
            *carry, number, value = jitted(*carry, key, number, *data)
            values.append(value)
        return fnet.to_host((carry, values))

    there, here = trained(lambda values: fnet.to_device(values, "cuda")), trained(lambda values: values)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), there, here)
    assert card.seen["recorded"] == 1 and card.seen["replayed"] == STEPS - 1
    assert there[1][-1] < there[1][0]


class Batches:
    """Batches of the host, which begin anew in every epoch; the last one is smaller."""

    def __init__(self, *arrays: np.ndarray) -> None:
        self.arrays = arrays

    def __iter__(self) -> Iterator[Any]:
        return (tuple(a[i : i + 8] for a in self.arrays) for i in range(0, len(self.arrays[0]), 8))


def summed(columns: int) -> fnet.Layer:
    """`dense` as a layer."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        kernel = fnet.initializers.glorot_uniform()(key, (*shape, columns), dtype)
        return {"kernel": kernel, "bias": np.zeros(columns, dtype)}, {}

    return fnet.Layer(init, lambda params, state, x, key=None, train=False: (dense(params, x), state), name="summed")


def test_fit_evaluate_and_predict_there_on_batches_of_the_host(monkeypatch: pytest.MonkeyPatch):
    card = Emulated(is_late=True)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 6)).astype(np.float32), rng.integers(0, 3, 20)

    def trained(place: Any) -> Any:
        net = fnet.serial(summed(5), fnet.layers.Activation("tanh"), fnet.layers.Dropout(0.2), summed(3))
        loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
        trainer = fnet.Trainer(net, loss, optimizer=optimizers.adam(0.05), metrics=["accuracy"])
        ts = place(trainer.init(fnet.random.key(0), (6,)))
        ts, history = trainer.fit(ts, Batches(x, y), epochs=2, validation_data=Batches(x[:9], y[:9]), verbose=False)
        return (
            fnet.to_host(ts),
            dict(history),
            dict(trainer.evaluate(ts, Batches(x, y))),
            trainer.predict(ts, Batches(x)),
        )

    there = trained(lambda values: fnet.to_device(values, "cuda"))
    assert isinstance(there[3], fnet.DeviceArray)
    here = trained(lambda values: values)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), fnet.to_host(there), here)
    assert card.seen["replayed"] > 2 and card.seen["pinned"] > 0


@pytest.mark.parametrize("count, units", [(20, 4), pytest.param(200, 16, marks=pytest.mark.slow)])
def test_the_network_for_digits_is_trained_there(count: int, units: int, monkeypatch: pytest.MonkeyPatch):
    """Arrays of the card: an order of the samples, gathers of batches, products, losses and metrics are made there."""
    pictures, labels = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    card = Emulated()
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    x, y = (pictures[:count] / 16).astype(np.float32), labels[:count]

    def trained(place: Any) -> Any:
        net = fnet.serial(fnet.layers.Dense(units, activation="relu"), fnet.layers.Dropout(0.2), fnet.layers.Dense(10))
        loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
        trainer = fnet.Trainer(net, loss, optimizer=optimizers.adam(0.01), metrics=["accuracy"])
        ts = place(trainer.init(fnet.random.key(0), (64,)))
        ts, history = trainer.fit(ts, place(x), place(y), batch_size=8, validation_split=0.2, epochs=2, verbose=False)
        return fnet.to_host(ts), dict(history), fnet.to_host(trainer.predict(ts, place(x)))

    there, here = trained(lambda values: fnet.to_device(values, "cuda")), trained(lambda values: values)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), there, here)
    assert card.seen["replayed"] > 0 and card.kernels["gemm"] > 0


@pytest.mark.parametrize(
    "layer, blocks",
    [(fnet.layers.LSTM, "one"), *(pytest.param(layer, "several", marks=pytest.mark.slow) for layer in RECURRENT)],
)
def test_recurrent_layers_are_trained_there(layer: Any, blocks: str, monkeypatch: pytest.MonkeyPatch):
    """Masked sequences through a recurrent layer, compiled steps with its derivatives, Adam.

    Several blocks wait for each other, launch by launch and in graphs, where each launch finds its counters at 0.
    """
    card = Emulated()
    if blocks == "several":
        monkeypatch.setattr(lower, "way", several)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(8, 3, 2)).astype(np.float32), rng.integers(0, 2, 8)
    x[::2, 2] = 0

    def trained(place: Any) -> Any:
        net = fnet.serial(fnet.layers.Masking(), layer(4), fnet.layers.Dense(2))
        loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
        trainer = fnet.Trainer(net, loss, optimizer=optimizers.adam(0.05))
        ts = place(trainer.init(fnet.random.key(0), (3, 2)))
        ts, history = trainer.fit(ts, place(x), place(y), batch_size=4, epochs=2, verbose=False)
        return fnet.to_host(ts), dict(history), fnet.to_host(trainer.predict(ts, place(x)))

    there, here = trained(lambda values: fnet.to_device(values, "cuda")), trained(lambda values: values)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), there, here)
    assert card.seen["replayed"] > 0 and card.kernels["walk"] > 0 and card.kernels["walk_back"] > 0
    assert card.seen["together"] == (card.kernels["walk"] + card.kernels["walk_back"] if blocks == "several" else 0)
