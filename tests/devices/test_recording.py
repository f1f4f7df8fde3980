"""A second device: what runs on the CPU runs there, to the bit, and by nothing but the device itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, losses, ops, tree
from fnet.compile.memory import ARENA, FIXED, STATE
from fnet.device import cpu
from fnet.errors import DeviceError, NonFiniteError, ValueRangeError
from fnet.layers import LSTM, BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from tests.devices.recording import Recording
from tests.layers.image_table import IMAGES
from tests.losses.table import LOSSES, LossCase
from tests.tables import LAYERS, Row, inputs

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def recording(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recording]:
    made = Recording("recording")
    monkeypatch.setitem(device.FOUND, made.name, made)
    yield made


def there(values: Any) -> Any:
    return fnet.to_device(values, "recording")


def is_there(values: Any) -> bool:
    return all(isinstance(leaf, fnet.DeviceArray) and leaf.device == "recording" for leaf in tree.leaves(values))


@contextmanager
def closed_cpu() -> Iterator[None]:
    """The CPU gives no memory and runs nothing."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("empty", "block", "ready", "loop", "copy", "fill", "compute", "runner"):
            patch.setattr(cpu(), name, lambda *_, name=name: pytest.fail(f"the CPU was asked for '{name}'"))
        yield


NETWORKS = {
    "digits": (lambda: fnet.serial(Dense(16, activation="relu"), Dropout(0.4), Dense(4)), (8,)),
    "pictures": (
        lambda: fnet.serial(Conv2D(4, 3), BatchNormalization(), MaxPooling2D(2), Flatten(), Dense(4)),
        (8, 8, 1),
    ),
    "sequences": (lambda: fnet.serial(LSTM(8), Dense(4)), (5, 3)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_trains_there_as_on_the_cpu(name: str, recording: Recording):
    make, shape = NETWORKS[name]
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(70, *shape)).astype(np.float32), rng.integers(0, 4, 70)

    def trained(place: Any) -> tuple[Any, ...]:
        loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
        trainer = fnet.Trainer(make(), loss, optimizer="adam", metrics=["accuracy"])
        ts = place(trainer.init(fnet.random.key(0), shape))
        ts, history = trainer.fit(ts, place(x), place(y), batch_size=16, epochs=2, validation_split=0.2, verbose=False)
        results = trainer.evaluate(ts, place(x), place(y))
        return ts, history, results, trainer.predict(ts, place(x))

    ts, history, results, outputs = trained(there)
    assert is_there((ts, outputs))
    on_cpu = trained(lambda values: values)
    assert tree.all_equal(fnet.to_host((ts, outputs)), (on_cpu[0], on_cpu[3]))
    assert (dict(history), results) == (dict(on_cpu[1]), on_cpu[2])
    assert recording.seen["runs"] == 2 * 4 + 2 * 1 + 3 + 3  # batches of 16, two epochs and their validation; of 32
    assert 0 < recording.seen["waited"] <= recording.seen["runs"]
    assert sum(recording.kernels.values()) > 3 * recording.seen["runs"]


@pytest.mark.slow
def test_the_digits_of_the_example_are_learnt_there(recording: Recording):
    pictures, labels = pytest.importorskip("sklearn.datasets").load_digits(return_X_y=True)
    x, y = pictures / 16, labels

    def trained(place: Any) -> tuple[Any, Any]:
        net = fnet.serial(Dense(256, activation="relu"), Dropout(0.4), Dense(10))
        loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
        trainer = fnet.Trainer(net, loss, optimizer="adam", metrics=["accuracy"])
        ts = place(trainer.init(fnet.random.key(0), (64,)))
        ts, _ = trainer.fit(ts, place(x[:1437]), place(y[:1437]), epochs=10, validation_split=0.1, verbose=False)
        return ts, trainer.evaluate(ts, place(x[1437:]), place(y[1437:]))

    ts, results = trained(there)
    assert is_there(ts) and results["accuracy"] > 0.85
    expected, on_cpu = trained(lambda values: values)
    assert tree.all_equal(fnet.to_host(ts), expected) and results == on_cpu


class Again:
    """Batches of the host, which begin anew in every epoch."""

    def __init__(self, *arrays: np.ndarray) -> None:
        self.arrays = arrays

    def __iter__(self) -> Iterator[Any]:
        return (tuple(a[i : i + 16] for a in self.arrays) for i in range(0, 70, 16))


def _moved(values: Any, rng: np.random.Generator) -> tuple[Any, ...]:
    """What all ways to train, to evaluate and to predict give for data of the host."""
    state, data = values
    trainer = fnet.Trainer(
        fnet.serial(Dense(16, activation="relu"), Dense(4, activation="softmax")),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    ts = state(trainer.init(fnet.random.key(0), (8,)))
    x, y = data
    ts, history = trainer.fit(ts, x, y, epochs=2, verbose=False)
    inputs = Again(x.arrays[0]) if isinstance(x, Again) else x
    return fnet.to_host(ts), dict(history), trainer.evaluate(ts, x, y), fnet.to_host(trainer.predict(ts, inputs))


@pytest.mark.parametrize("of", ["batches", "data sets"])
def test_batches_of_the_host_are_copied_there_on_their_way(
    of: str, recording: Recording, monkeypatch: Any, tmp_path: Any
):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(70, 8)).astype(np.float32), rng.integers(0, 4, 70)
    data: Any = (Again(x, y), None)
    if of == "data sets":
        monkeypatch.setattr("fnet.train.sources.datasets.WINDOW_BYTES", 16 * 40)
        monkeypatch.setattr("fnet.train.given.is_large", lambda *data: True)
        stored = np.memmap(tmp_path / "x", np.float32, "w+", shape=x.shape)
        stored[:] = x
        data = (stored, y)
    values = _moved((there, data), rng)
    assert recording.seen["closed"] >= 4 and is_there(fnet.to_device(values[3], "recording"))
    expected = _moved((lambda values: values, data), rng)
    assert tree.all_equal((values[0], values[3]), (expected[0], expected[3]))
    assert values[1:3] == expected[1:3]


def test_a_batch_of_the_host_with_a_nan_is_found(recording: Recording):
    x, y = np.ones((70, 8), np.float32), np.zeros(70, np.int64)
    x[40, 3] = np.nan
    trainer = fnet.Trainer(Dense(4), partial(losses.sparse_categorical_crossentropy, from_logits=True))
    ts = there(trainer.init(fnet.random.key(0), (8,)))
    with pytest.raises(NonFiniteError, match="x holds NaN or infinities .1., first in sample 8 of batch 2: clean"):
        trainer.fit(ts, Again(x, y), verbose=False)
    with pytest.raises(DeviceError, match="'x' on the host; nothing is copied by itself"):
        trainer.fit(ts, x, y, verbose=False)


def test_a_step_asks_nobody_else(recording: Recording):
    net = fnet.serial(Dense(16, activation="relu"), Dense(1))
    specs = fnet.eval_shape(lambda key: net.init(key, (3,)), fnet.ArraySpec((2,), np.dtype(np.uint32)))
    params, state = tree.map(lambda spec: there(np.full(spec.shape, 0.1, spec.dtype)), specs)
    optimizer = fnet.optimizers.sgd(0.1, momentum=0.9)
    opt_state = there(tree.map(lambda spec: np.zeros(spec.shape, spec.dtype), fnet.eval_shape(optimizer.init, params)))

    def step(params: Any, opt_state: Any, x: Any) -> Any:
        loss, gradient = fnet.value_and_grad(lambda p: np.mean(net.apply(p, state, x)[0] ** 2))(params)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        return fnet.optimizers.apply_updates(params, updates), opt_state, loss

    x = there(X)
    with closed_cpu():
        eager = step(params, opt_state, x)
    jitted = fnet.jit(step, donate=("params", "opt_state"))
    first = jitted(params, opt_state, x)
    assert is_there((eager, first))
    assert tree.all_equal(fnet.to_host(eager), fnet.to_host(first))
    recording.seen.clear(), recording.kernels.clear()
    with closed_cpu():
        again = jitted(*first[:2], x)
    assert again[0] is first[0] and again[1] is first[1]
    plan = jitted.plan(*first[:2], x)
    assert recording.seen == {"runs": 1, "arrays": 1}  # the loss is the only new array
    assert sum(recording.kernels.values()) == len(plan.calls)
    with closed_cpu():
        last = jitted.repeat(3, *again[:2], x)
    assert recording.seen["runs"] == 4 and last[0] is first[0]


def test_an_eager_call_is_one_kernel_and_one_array(recording: Recording):
    x = there(X)
    recording.seen.clear()
    with closed_cpu():
        y = ops.exp(x)
    assert recording.seen == {"arrays": 1, "loops": 1} and list(recording.kernels.values()) == [1]
    assert is_there((y, x.T, x[1:], x.reshape(3, 2))) and recording.seen == {"arrays": 1, "loops": 1}
    assert is_there(x.T.reshape(2, 3)) and recording.seen["arrays"] == 2


def test_memory_is_the_devices_own(recording: Recording):
    f = fnet.jit(lambda p, x: (p + np.sum(np.tanh(x) @ x.T * np.float32([[1, 2], [3, 4]])), x * 2), donate="p")
    p, _ = f(there(np.zeros(3, np.float32)), there(X))
    p, y = f(p, there(X))
    program = f.compiled(p, there(X)).program
    assert set(program.runner._blocks) == {ARENA, FIXED, STATE}
    memory = f.memory()
    assert memory.state >= program.plan.state_bytes == recording.alignment
    assert memory.arena == program.plan.arena_bytes > 0
    host = fnet.jit(lambda p, x: (p + np.sum(np.tanh(x) @ x.T * np.float32([[1, 2], [3, 4]])), x * 2), donate="p")
    expected, _ = host(np.zeros(3, np.float32), X)
    np.testing.assert_array_equal(fnet.to_host(p), host(expected, X)[0])
    fnet.clear_cache()
    assert recording.seen["cleared"] == 1 and f.memory() == (0, 0, 0, 0)
    assert is_there((p, y))


def test_one_function_runs_on_all_devices_in_turns(recording: Recording, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(device.FOUND, "another", Recording("another"))
    f = fnet.jit(lambda p, x: (p + x @ x.T, np.sum(p)), donate="p")
    places = ("cpu", "recording", "another")
    carried = {name: fnet.to_device(np.zeros((2, 2), np.float32), name) for name in places}
    for i in range(4):
        for name in places:
            carried[name], total = f(carried[name], fnet.to_device(X, name))
            assert float(total) == i * (X @ X.T).sum()
    assert f.memory().programs == 3
    assert type(carried["cpu"]) is np.ndarray
    assert [carried[name].device for name in places[1:]] == list(places[1:])
    for name in places:
        np.testing.assert_array_equal(fnet.to_host(carried[name]), 4 * (X @ X.T))


def test_states_are_made_where_the_key_and_the_parameters_are(recording: Recording):
    trainer = fnet.Trainer(Dense(3), "mse", optimizer="adam")
    ts = trainer.init(there(fnet.random.key(0)), (2,))
    assert is_there((ts.params, ts.opt_state["momentum"], ts.key))
    assert is_there(fnet.optimizers.adafactor(0.1).init(there({"w": X}))["row_mean"])
    here = trainer.init(fnet.random.key(0), (2,))
    assert tree.all_equal(fnet.to_host(ts), here)


def test_mistakes_are_named_there_too(recording: Recording):
    trainer = fnet.Trainer(Dense(3), "sparse_categorical_crossentropy")
    ts, y = there(trainer.init(fnet.random.key(0), (3,))), there(np.array([0, 2]))
    spoilt = X.copy()
    spoilt[1, 0] = np.nan
    with pytest.raises(NonFiniteError, match="x holds NaN or infinities \\(1\\), first in sample 1: clean the data"):
        trainer.fit(ts, there(spoilt), y, verbose=False)
    with pytest.raises(ValueRangeError, match="class_weight: expected the class of each target, received 0.5 in sampl"):
        trainer.fit(ts, there(X), there(np.float32([0.5, 1])), class_weight={0: 1.0}, verbose=False)


def test_weights_of_classes_are_those_of_the_labels_there(recording: Recording):
    trainer, y = fnet.Trainer(Dense(3, "softmax"), "sparse_categorical_crossentropy"), np.array([0, 2])
    ts = trainer.init(fnet.random.key(0), (3,))
    received, _ = trainer.fit(there(ts), there(X), there(y), class_weight={0: 1.0, 2: 3.0}, verbose=False)
    expected, _ = trainer.fit(ts, X, y, class_weight={0: 1.0, 2: 3.0}, verbose=False)
    assert tree.all_equal(fnet.to_host(received), expected)
    plain, _ = trainer.fit(ts, X, y, verbose=False)
    assert not tree.all_equal(plain.params, expected.params)


def test_metrics_of_two_classes_are_watched_there(recording: Recording):
    """Targets are looked at on the host only."""
    trainer = fnet.Trainer(Dense(1, "sigmoid"), "binary_crossentropy", metrics=["accuracy", "auc", "f1_score"])
    ts, y = trainer.init(fnet.random.key(0), (3,)), np.float32([[0], [1]])
    assert trainer.evaluate(there(ts), there(X), there(y)) == trainer.evaluate(ts, X, y)


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_every_loss_runs_there(case: LossCase, recording: Recording):
    y, p = case.make(np.random.default_rng(0), (6,))
    weights = np.linspace(0.5, 2, 6)
    got = case.loss(there(y), there(p), sample_weight=there(weights))
    assert is_there(got)
    np.testing.assert_allclose(float(got), float(case.loss(y, p, sample_weight=weights)), rtol=1e-12)


@pytest.mark.parametrize("row", [*LAYERS, *IMAGES], ids=lambda row: row.id)
def test_every_layer_runs_there(row: Row, recording: Recording):
    """Eagerly: an array that a layer makes for itself on the host would be refused beside those of the device."""
    layer = row.make()
    dtype = np.float32 if row in IMAGES else np.float64
    params, state = layer.init(fnet.random.key(0), row.shape, dtype)
    arguments = params, state, inputs(row, dtype), fnet.random.key(3)

    def run(params: Any, state: Any, x: Any, key: Any) -> Any:
        return layer.apply(params, state, x, key=key, train=True)

    for got, expected in zip(tree.leaves(run(*there(arguments))), tree.leaves(run(*arguments)), strict=True):
        assert not isinstance(got, np.ndarray) or got.ndim == 0
        np.testing.assert_allclose(fnet.to_host(got), expected, rtol=1e-12)
