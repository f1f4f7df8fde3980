"""What ends training early: Ctrl-C, and a loss that is not finite."""

from __future__ import annotations

import os
import signal

import numpy as np
import pytest

from fnet import optimizers, random, tree
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


def test_ctrl_c_during_validation_leaves_the_epoch_out_of_the_record(trainer, ts, problem, monkeypatch, chunks_of_one):
    interrupt_at(monkeypatch, 6)
    stopped, history = trainer.fit(ts, *problem, batch_size=5, epochs=9, validation_data=problem, verbose=False)
    assert history.interrupted and history.epoch == [] and int(stopped.step) == 5


def interrupt_at(monkeypatch, chunk: int, times: int = 1) -> None:
    """Send SIGINT to this process in the given chunk of steps."""
    run, done = loop.Loop.run, []

    def spy(self, steps, *inputs):
        for n in run(self, steps, *inputs):
            done.append(n)
            if len(done) == chunk:
                for _ in range(times):
                    os.kill(os.getpid(), signal.SIGINT)
            yield n

    monkeypatch.setattr(loop.Loop, "run", spy)


def test_a_diverging_loss_names_the_epoch_and_the_step(problem):
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(1e25))
    ts = trainer.init(random.key(0), (3,))
    before = tree.map(np.array, ts)
    with pytest.raises(NonFiniteError, match=r"the loss became NaN or infinite in epoch 0 at step [1-4] .*Lower the"):
        trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=False)
    assert tree.all_equal(ts, before)


def test_a_last_update_that_diverges_is_found_too(problem):
    x, y = problem
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(1e30))
    with pytest.raises(NonFiniteError, match="the parameter 'kernel' became NaN or infinite at step 0 .*Lower"):
        trainer.fit(trainer.init(random.key(0), (3,)), x * 1e10, y, batch_size=23, verbose=False)


@pytest.mark.parametrize(("sample", "step"), [(0, 10), (7, 11), (22, 14)])
def test_a_nan_in_the_data_names_the_first_step_and_the_sample(trainer, ts, problem, sample, step):
    ten, _ = trainer.fit(ts, *problem, batch_size=5, epochs=2, verbose=False)
    x, y = problem
    x[sample, 1] = np.nan
    message = rf"in epoch 3 at step {step} .*unchanged. x has 1 values that are not finite, first in sample {sample}:"
    with pytest.raises(NonFiniteError, match=message):
        trainer.fit(ten, x, y, batch_size=5, epochs=9, initial_epoch=3, shuffle=False, verbose=False)
