"""Laws of `Trainer.fit`: what it computes, that it is pure, and that it repeats to the bit."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import losses, optimizers, random, tree
from fnet.layers import Dense, Dropout
from fnet.networks.combinators import serial
from fnet.threads import set_num_threads
from fnet.train import Trainer, loop
from fnet.train.data import ORDER, STEP
from fnet.train.sources import arrays
from fnet.transforms import stage
from fnet.transforms.jit import jit
from fnet.transforms.vjp import value_and_grad


def plain_epoch(trainer: Trainer, ts: Any, x: np.ndarray, y: np.ndarray, batch_size: int) -> tuple[Any, float, float]:
    """One epoch as a plain loop over eager steps: the new (params, opt_state), mean loss and mean absolute error."""
    net, loss, optimizer = trainer._net, losses.mean_squared_error, trainer._optimizer
    params, opt_state, step = ts.params, ts.opt_state, int(ts.step)
    order = random.permutation(random.fold_in(random.fold_in(ts.key, ORDER), step), len(x))

    def value_of(params: Any, index: np.ndarray, key: np.ndarray) -> Any:
        predicted, _ = net.apply(params, {}, x[index], key=key, train=True)
        return loss(y[index], predicted), predicted

    total, error = 0.0, 0.0
    for start in range(0, len(x), batch_size):
        index = order[start : start + batch_size]
        key = random.fold_in(random.fold_in(ts.key, STEP), step)
        (value, predicted), gradient = value_and_grad(value_of, has_aux=True)(params, index, key)
        updates, opt_state = optimizer.update(gradient, opt_state, params)
        params = optimizers.apply_updates(params, updates)
        total += float(value) * len(index)
        error += float(np.abs(predicted - y[index]).sum())
        step += 1
    return (params, opt_state), total / len(x), error / len(x)


def test_an_epoch_is_the_plain_loop(trainer, ts, problem):
    new, history = trainer.fit(ts, *problem, batch_size=5, verbose=False)
    (params, opt_state), loss, error = plain_epoch(trainer, ts, *problem, batch_size=5)
    assert history["loss"] == pytest.approx([loss], rel=1e-6)
    assert history["mae"] == pytest.approx([error], rel=1e-6)
    assert int(new.step) == 5
    for found, expected in zip(tree.leaves((new.params, new.opt_state)), tree.leaves((params, opt_state)), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


@given(first=st.integers(1, 3), second=st.integers(1, 3), batch_size=st.sampled_from([5, 23, 40]))
def test_epochs_add_up(first, second, batch_size):
    trainer, x, y = small()
    ts = trainer.init(random.key(0), (3,))
    whole, record = trainer.fit(ts, x, y, batch_size=batch_size, epochs=first + second, verbose=False)
    half, begun = trainer.fit(ts, x, y, batch_size=batch_size, epochs=first, verbose=False)
    half, ended = trainer.fit(
        half, x, y, batch_size=batch_size, epochs=first + second, initial_epoch=first, verbose=False
    )
    assert tree.all_equal(whole, half)
    assert record["loss"] == begun["loss"] + ended["loss"]
    assert record.epoch == begun.epoch + ended.epoch


def small() -> tuple[Trainer, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(23, 3)).astype("float32")
    return _SMALL, x, x[:, :1] - x[:, 1:2]


_SMALL = Trainer(Dense(1), "mse", "sgd")


def test_the_same_call_gives_the_same_bits(trainer, ts, problem, same):
    results = [trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=False) for _ in range(2)]
    assert same(results[0][0], results[1][0])
    assert results[0][1].history == results[1][1].history


def test_what_shapes_decide_is_worked_out_once(trainer, ts, problem, monkeypatch):
    """A second call for other data of the same kind traces nothing."""
    x, y = problem

    def calls(x: np.ndarray) -> None:
        after, _ = trainer.fit(ts, x, y, batch_size=5, validation_split=0.5, sample_weight=y[:, 0], verbose=False)
        trainer.evaluate(after, x, y, batch_size=5)
        trainer.predict(after, x, batch_size=5)

    calls(x)
    traced = []
    monkeypatch.setattr(stage._Staging, "__init__", lambda self: traced.append(self))
    calls(x + 1)
    assert not traced


def test_the_length_of_chunks_does_not_change_the_bits(trainer, ts, problem, same, monkeypatch):
    results = []
    for seconds in (0.0, 10.0):
        monkeypatch.setattr(loop, "CHUNK_SECONDS", seconds)
        results.append(trainer.fit(ts, *problem, batch_size=2, epochs=4, verbose=False))
    assert same(results[0][0], results[1][0])
    assert results[0][1].history == results[1][1].history


def test_every_epoch_visits_every_sample_once_in_an_order_of_its_own(monkeypatch):
    seen = orders_seen(monkeypatch, shuffle=True)
    assert len(seen) == 3
    assert all(sorted(order.tolist()) == list(range(23)) for order in seen)
    assert len({tuple(order.tolist()) for order in seen}) == 3
    assert all(np.array_equal(a, b) for a, b in zip(seen, orders_seen(monkeypatch, shuffle=True), strict=True))


def test_without_shuffling_the_order_is_that_of_the_data(monkeypatch):
    assert all(order.tolist() == list(range(23)) for order in orders_seen(monkeypatch, shuffle=False))


def orders_seen(monkeypatch, shuffle: bool) -> list[np.ndarray]:
    """The orders that three epochs are trained in."""
    seen: list[np.ndarray] = []
    chunks = arrays.ArraysEpoch.chunks

    def spy(self, at, *others):
        for number, chunk in enumerate(chunks(self, at, *others)):
            seen.extend([] if number else [chunk.inputs[0]])
            yield chunk

    trainer, x, y = small()
    with monkeypatch.context() as patch:
        patch.setattr(arrays.ArraysEpoch, "chunks", spy)
        trainer.fit(trainer.init(random.key(0), (3,)), x, y, batch_size=5, epochs=3, shuffle=shuffle, verbose=False)
    return seen


def test_training_learns(problem):
    trainer = Trainer(serial(Dense(8, activation="tanh"), Dense(1)), "mse", optimizers.adam(0.02))
    new, history = trainer.fit(trainer.init(random.key(0), (3,)), *problem, batch_size=5, epochs=150, verbose=False)
    assert history["loss"][-1] < 0.1 * history["loss"][0]
    assert trainer.evaluate(new, *problem)["loss"] < 0.1 * history["loss"][0]


def test_dropout_acts_in_training_only(problem):
    """A rate of 0 for the optimizer: only the dropout can make the loss of an epoch differ from the next."""
    trainer = Trainer(serial(Dense(4), Dropout(0.5), Dense(1)), "mse", optimizers.sgd(0.0))
    ts = trainer.init(random.key(0), (3,))
    new, history = trainer.fit(ts, *problem, batch_size=5, epochs=3, validation_data=problem, verbose=False)
    assert len(set(history["loss"])) == 3
    assert len(set(history["val_loss"])) == 1
    assert tree.all_equal(new.params, ts.params)


def test_the_last_part_is_set_aside_before_shuffling(trainer, ts, problem, same):
    x, y = problem
    new, history = trainer.fit(ts, x, y, batch_size=5, validation_split=0.3, verbose=False)
    at = 16  # floor(23 * 0.7)
    given, expected = trainer.fit(ts, x[:at], y[:at], batch_size=5, validation_data=(x[at:], y[at:]), verbose=False)
    assert same(new, given) and history.history == expected.history
    values = trainer.evaluate(new, x[at:], y[at:], batch_size=5)
    assert all(history[f"val_{name}"][-1] == value for name, value in values.items())


def test_validation_does_not_change_training(trainer, ts, problem, same):
    with_it, _ = trainer.fit(ts, *problem, batch_size=5, epochs=3, validation_data=problem, verbose=False)
    without, _ = trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=False)
    assert same(with_it, without)


def test_names_in_the_record_in_order(trainer, ts, problem):
    _, history = trainer.fit(ts, *problem, batch_size=5, epochs=2, validation_split=0.2, verbose=False)
    assert list(history.keys()) == ["loss", "mae", "val_loss", "val_mae"] == list(history)
    assert all(len(history[name]) == 2 and type(history[name][0]) is float for name in history)
    assert history.epoch == [0, 1] and not history.interrupted and "mse" not in history and len(history) == 4


def test_equal_metric_names_are_numbered(problem):
    trainer = Trainer(Dense(1), "mse", metrics=["mae", "mae", losses.mse])
    assert list(trainer.evaluate(trainer.init(random.key(0), (3,)), *problem).keys()) == [
        "loss",
        "mae",
        "mae_1",
        "mean_squared_error",
    ]


def test_nothing_given_is_changed_and_nothing_returned_changes(trainer, ts, problem, same):
    before, data = tree.map(np.array, ts), [np.array(part) for part in problem]
    first, _ = trainer.fit(ts, *problem, batch_size=5, epochs=2, validation_split=0.2, verbose=False)
    kept = tree.map(np.array, first)
    second, _ = trainer.fit(first, *problem, batch_size=5, epochs=2, verbose=False)
    trainer.evaluate(first, *problem)
    trainer.predict(first, problem[0])
    assert same(ts, before) and same(first, kept) and not same(second, kept)
    assert all(leaf.flags.owndata for leaf in tree.leaves(first))
    assert all(np.array_equal(a, b) for a, b in zip(problem, data, strict=True))


def test_callbacks_get_a_state_of_their_own_and_can_stop(trainer, ts, problem, same):
    seen = []

    def callback(epoch, logs, ts):
        seen.append((epoch, sorted(logs), int(ts.step)))
        tree.map(lambda leaf: leaf.fill(0), ts.params)
        return "stop" if epoch == 1 else None

    stopped, history = trainer.fit(ts, *problem, batch_size=5, epochs=9, verbose=False, callbacks=[callback])
    assert seen == [(0, ["loss", "mae"], 5), (1, ["loss", "mae"], 10)]
    assert history.epoch == [0, 1] and not history.interrupted
    assert same(stopped, trainer.fit(ts, *problem, batch_size=5, epochs=2, verbose=False)[0])


def test_a_callback_may_use_the_same_trainer(trainer, ts, problem, same):
    def callback(epoch, logs, inner):
        trainer.evaluate(inner, *problem, batch_size=5)
        after, _ = trainer.fit(inner, *problem, batch_size=5, verbose=False)
        trainer.predict(after, problem[0])

    arguments = {"batch_size": 5, "epochs": 4, "validation_data": problem, "verbose": False}
    disturbed, record = trainer.fit(ts, *problem, **arguments, callbacks=[callback])
    quiet, expected = trainer.fit(ts, *problem, **arguments)
    assert same(disturbed, quiet)
    assert record.history == expected.history


def test_weights_of_one_change_nothing_and_of_zero_remove_samples(problem):
    x, y = problem
    trainer = Trainer(Dense(1), "mse", "sgd")
    ts = trainer.init(random.key(0), (3,))
    plain, record = trainer.fit(ts, x, y, batch_size=5, verbose=False)
    ones, weighted = trainer.fit(ts, x, y, batch_size=5, sample_weight=np.ones(23), verbose=False)
    assert record["loss"] == pytest.approx(weighted["loss"])
    for a, b in zip(tree.leaves(plain.params), tree.leaves(ones.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)
    weight = (np.arange(23) < 10).astype("float64")
    assert trainer.evaluate(ts, x, y, sample_weight=weight)["loss"] == pytest.approx(
        trainer.evaluate(ts, x[:10], y[:10])["loss"] * 10 / 23, rel=1e-5
    )


def test_several_inputs_and_float64(problem):
    from fnet.networks.combinators import parallel
    from fnet.networks.layer import Layer

    add = Layer(lambda key, shape, dtype: ({}, {}), lambda p, s, x, key=None, train=False: (x[0] + x[1], s), name="add")
    trainer = Trainer(serial(parallel(Dense(2), Dense(2)), add, Dense(1)), "mse", "adam")
    x, y = problem
    ts = trainer.init(random.key(0), ((3,), (2,)), dtype="float64")
    new, history = trainer.fit(ts, (x, x[:, :2]), y, batch_size=5, epochs=30, verbose=False)
    assert {leaf.dtype for leaf in tree.leaves(new.params)} == {np.dtype("float64")}
    assert history["loss"][-1] < history["loss"][0]
    assert trainer.predict(new, (x, x[:, :2])).shape == (23, 1)


def test_walked_native_and_any_number_of_threads_give_the_same_bits(problem, same, monkeypatch):
    net, results = serial(Dropout(0.25), Dense(1)), []
    ts = Trainer(net, "mse").init(random.key(1), (3,))
    for executor, threads in (("walk", 1), ("native", 2)):
        monkeypatch.setattr("fnet.train.programs.jit", functools.partial(jit, executor=executor))
        set_num_threads(threads)
        results.append(Trainer(net, "mse").fit(ts, *problem, batch_size=23, epochs=3, verbose=False))
    assert all(same(after, results[0][0]) for after, _ in results)
    assert all(history.history == results[0][1].history for _, history in results)
