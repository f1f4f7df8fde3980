"""What ends training early: Ctrl-C, and a loss that is not finite."""

from __future__ import annotations

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest

from fnet import Layer, optimizers, random, serial, tree
from fnet.callbacks import Callback, TerminateOnNaN
from fnet.errors import NonFiniteError
from fnet.layers import Dense
from fnet.train import Trainer, loop


@pytest.fixture
def chunks_of_one(monkeypatch):
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)


def test_ctrl_c_returns_the_last_completed_step(trainer, ts, problem, same, monkeypatch, chunks_of_one):
    """The signal comes during the second step of the second epoch, the seventh in all."""
    interrupt_at(monkeypatch, 7)
    before = signal.getsignal(signal.SIGINT)
    stopped, history = trainer.fit(ts, *problem, batch_size=5, epochs=9, verbose=False)
    assert history.interrupted and history.epoch == [0] and int(stopped.step) == 7
    assert signal.getsignal(signal.SIGINT) is before
    monkeypatch.undo()
    whole, _ = trainer.fit(ts, *problem, batch_size=5, verbose=False)
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    interrupt_at(monkeypatch, 2)
    resumed, _ = trainer.fit(whole, *problem, batch_size=5, verbose=False)
    assert same(stopped, resumed)


def test_a_second_ctrl_c_raises(trainer, ts, problem, monkeypatch, chunks_of_one):
    interrupt_at(monkeypatch, 3, times=2)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(ts, *problem, batch_size=5, epochs=9, verbose=False)
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_in_a_callback(trainer, ts, problem):
    def callback(epoch, logs, ts):
        raise KeyboardInterrupt

    stopped, history = trainer.fit(ts, *problem, batch_size=5, epochs=9, verbose=False, callbacks=[callback])
    assert history.interrupted and history.epoch == [0] and int(stopped.step) == 5


def test_ctrl_c_where_a_callback_trains_ends_both(trainer, ts, problem, monkeypatch, chunks_of_one):
    """The signal comes in the third step of the training within the callback."""
    seen = []

    def callback(epoch, logs, ts):
        inner, record = trainer.fit(ts, *problem, batch_size=5, epochs=2, verbose=False)
        seen.append((int(inner.step), record.interrupted))

    interrupt_at(monkeypatch, 8)
    before = signal.getsignal(signal.SIGINT)
    stopped, history = trainer.fit(ts, *problem, batch_size=5, epochs=9, verbose=False, callbacks=callback)
    assert seen == [(8, True)] and history.interrupted and history.epoch == [0] and int(stopped.step) == 5
    assert signal.getsignal(signal.SIGINT) is before


def test_ctrl_c_during_validation_leaves_the_epoch_out_of_the_record(trainer, ts, problem, monkeypatch, chunks_of_one):
    interrupt_at(monkeypatch, 6)
    stopped, history = trainer.fit(ts, *problem, batch_size=5, epochs=9, validation_data=problem, verbose=False)
    assert history.interrupted and history.epoch == [] and int(stopped.step) == 5


def interrupt_at(monkeypatch, chunk: int, times: int = 1) -> None:
    """Send SIGINT to this process in the given chunk of steps."""
    run, done = loop.CompiledLoop.run, []

    def spy(self, steps, *inputs):
        for n in run(self, steps, *inputs):
            done.append(n)
            if len(done) == chunk:
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)
            yield n

    monkeypatch.setattr(loop.CompiledLoop, "run", spy)


def test_a_diverging_loss_names_the_epoch_and_the_step(problem):
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(1e25))
    ts = trainer.init(random.key(0), (3,))
    before = tree.map(np.array, ts)
    with pytest.raises(NonFiniteError, match=r"the loss became NaN or infinite in epoch 0 at step [1-4] .*Lower the"):
        trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=False)
    assert tree.all_equal(ts, before)


@pytest.mark.parametrize("chunk", [0.0, 10.0])
@pytest.mark.parametrize(("sample", "batch_size"), [(0, 5), (13, 5), (22, 5), (22, 23)])
def test_the_last_good_state_and_the_record_are_on_the_error(
    trainer, ts, problem, same, monkeypatch, sample, batch_size, chunk
):
    """A callback spoils a sample after the second epoch, so that the third one fails where it is met."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", chunk)
    x, y = problem
    spoiled = x.copy()

    def spoil(epoch, logs, ts):
        if epoch == 1:
            spoiled[sample] = np.nan

    arguments = {"batch_size": batch_size, "shuffle": False, "verbose": False}
    with pytest.raises(NonFiniteError) as caught:
        trainer.fit(ts, spoiled, y, epochs=9, callbacks=[spoil], **arguments)
    good, history = caught.value.ts, caught.value.history
    two, expected = trainer.fit(ts, x, y, epochs=2, **arguments)
    done = sample // batch_size
    interrupt_at(monkeypatch, done) if done else None
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 0.0)
    assert same(good, trainer.fit(two, x, y, **arguments)[0] if done else two)
    assert int(good.step) == int(two.step) + done and history.history == expected.history
    again = pickle.loads(pickle.dumps(caught.value))
    assert same(again.ts, good) and again.history == history


def test_an_update_that_diverges_is_left_out_of_the_last_good_state(problem, same):
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(lambda step: np.where(np.equal(step, 7), 1e38, 1e-3)))
    ts = trainer.init(random.key(0), (3,))
    x, y = (100 * part for part in problem)
    with pytest.raises(NonFiniteError, match="in epoch 1 at step 8 .*The update before made the parameter 'kernel'"):
        trainer.fit(ts, x, y, batch_size=5, epochs=3, verbose=False)
    try:
        trainer.fit(ts, x, y, batch_size=5, epochs=3, verbose=False)
    except NonFiniteError as error:
        assert int(error.ts.step) == 7 and all(np.isfinite(leaf).all() for leaf in tree.leaves(error.ts))
        assert error.history.epoch == [0]


def test_the_layer_that_made_the_first_nan_is_named(problem):
    root = Layer(lambda k, s, d: ({}, {}), lambda p, s, x, key=None, train=False: (np.sqrt(x), s), name="root")
    trainer = Trainer(serial(Dense(4), serial(root, Dense(2)), Dense(1)), "mse")
    ts = trainer.init(random.key(0), (3,))
    with pytest.raises(NonFiniteError, match="at step 0 .*The output of 'serial/root' is the first that is not finite"):
        trainer.fit(ts, *problem, batch_size=23, verbose=False)


def test_a_last_update_that_diverges_is_found_too(problem):
    x, y = problem
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(1e30))
    with pytest.raises(NonFiniteError, match="the parameter 'kernel' became NaN or infinite at step 0 .*Lower"):
        trainer.fit(trainer.init(random.key(0), (3,)), x * 1e10, y, batch_size=23, verbose=False)


class Rate(Callback):
    """Sets the learning rate after every batch, or the state."""

    changes_learning_rate = True

    def __init__(self, good=None):
        self.good = good

    def on_train_batch_end(self, run):
        run.learning_rate = 1e12
        if self.good is not None:
            run.replace(self.good(run.ts))


@pytest.mark.parametrize("given", ["arrays", "batches"])
def test_the_last_good_state_where_a_callback_asks_for_something_after_every_batch(given):
    """The update of step 3 makes the parameters infinite; a callback may go back to good ones."""
    x, y = np.zeros((20, 3), "float32"), np.zeros((20, 1), "float32")
    x[6:8] = 1e14
    trainer = Trainer(Dense(1, kernel_initializer="ones", use_bias=False), "mse", optimizers.sgd(1e12))
    ts = trainer.init(random.key(0), (3,))

    def fit(*callbacks):
        data = (iter([(x[i : i + 2], y[i : i + 2]) for i in range(0, 20, 2)]),) if given == "batches" else (x, y)
        size = {} if given == "batches" else {"batch_size": 2}
        return trainer.fit(ts, *data, **size, steps_per_epoch=10, shuffle=False, verbose=False, callbacks=callbacks)

    text = r"the parameter 'kernel' became NaN or infinite at step 3 \(counted from 0\), in epoch 0; the state given to"
    with pytest.raises(NonFiniteError, match=text) as caught:
        fit(Rate())
    assert caught.value.ts.step == 3 and tree.all_equal(caught.value.ts.params, ts.params)
    last, _ = fit(Rate(), TerminateOnNaN())
    assert tree.all_equal(last, caught.value.ts)
    last, _ = fit(Rate(lambda now: now if np.isfinite(now.params["kernel"]).all() else now._replace(params=ts.params)))
    assert last.step == 10 and tree.all_equal(last.params, ts.params)


@pytest.mark.parametrize(("sample", "step"), [(0, 10), (7, 11), (22, 14)])
def test_a_nan_in_the_data_names_the_first_step_and_the_sample(trainer, ts, problem, sample, step):
    ten, _ = trainer.fit(ts, *problem, batch_size=5, epochs=2, verbose=False)
    x, y = problem
    x[sample, 1] = np.nan
    message = rf"in epoch 3 at step {step} .*unchanged. x holds NaN or infinities \(1\), first in sample {sample}:"
    with pytest.raises(NonFiniteError, match=message):
        trainer.fit(ten, x, y, batch_size=5, epochs=9, initial_epoch=3, shuffle=False, verbose=False)


def test_what_left_out_samples_hold_is_not_blamed(problem):
    x, y = problem
    y[3] = np.nan
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(1e25))
    weight = (np.arange(23) != 3).astype("float32")
    ts = trainer.init(random.key(0), (3,))
    with pytest.raises(NonFiniteError, match="Lower the learning rate"):
        trainer.fit(ts, np.delete(x, 3, 0), np.delete(y, 3, 0), batch_size=22, epochs=9, verbose=False)
    one, _ = trainer.fit(ts, x, y, batch_size=1, shuffle=False, sample_weight=weight * 1e-25, verbose=False)
    assert int(one.step) == 23
    with pytest.raises(NonFiniteError, match="at step [12] .*Lower the learning rate"):
        trainer.fit(ts, x, y, batch_size=1, shuffle=False, sample_weight=weight, verbose=False)


@pytest.mark.slow
def test_ctrl_c_at_any_moment_gives_a_state_of_one_step(problem, same, monkeypatch):
    """In a thread's time the signal comes anywhere; the states after every step are known."""
    x, y = problem
    trainer = Trainer(serial(Dense(300, "tanh"), Dense(300), Dense(1)), "mse")
    ts = trainer.init(random.key(0), (3,))
    arguments = {"batch_size": 5, "epochs": 8, "validation_data": problem, "verbose": False}
    states, run = {}, loop.CompiledLoop.run

    def spy(self, steps, *inputs):
        for n in run(self, steps, *inputs):
            if hasattr(self.carry, "ts"):
                states[int(self.carry.ts.step)] = tree.map(np.array, self.carry.ts)
            yield n

    with monkeypatch.context() as patch:
        patch.setattr(loop.CompiledLoop, "run", spy)
        patch.setattr(loop, "CHUNK_SECONDS", 0.0)
        _ = trainer.fit(ts, x, y, **arguments)
    began = time.perf_counter()
    whole, _ = trainer.fit(ts, x, y, **arguments)
    seconds, stopped = time.perf_counter() - began, 0
    rng = np.random.default_rng(0)
    for _ in range(40):
        timer = threading.Timer(rng.uniform(0, seconds), os.kill, (os.getpid(), signal.SIGINT))
        new = None
        try:
            timer.start()
            new, history = trainer.fit(ts, x, y, **arguments)
            timer.join()
            time.sleep(0.01)
        except KeyboardInterrupt:  # before the first step or after the last one
            timer.join()
        if new is not None:
            stopped += history.interrupted
            assert same(new, states[int(new.step)]) and (history.interrupted or same(new, whole))
    assert stopped > 5


@pytest.mark.parametrize("batch_size", [5, 23])
def test_a_nan_in_an_input_of_weight_0_is_named_though_the_loss_leaves_the_sample_out(trainer, ts, problem, batch_size):
    x, y = problem[0].copy(), problem[1]
    x[2, 0], weight = np.nan, np.ones(23)
    weight[2] = 0
    with pytest.raises(NonFiniteError, match="parameter '.*kernel' .*x holds NaN .*first in sample 2: clean"):
        trainer.fit(ts, x, y, sample_weight=weight, batch_size=batch_size, shuffle=False, verbose=False)
