"""When hooks are called, what they see, what they may ask for, and that the others cost no native call."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from fnet import Layer, optimizers, random, serial, tree
from fnet.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    ReduceLROnPlateau,
    TerminateOnNaN,
)
from fnet.errors import NonFiniteError, StructureError, ValueRangeError
from fnet.layers import Dense
from fnet.train import Trainer, loop
from fnet.transforms.jit import Jitted


class Recorder(Callback):
    def __init__(self, interval: int | None = None) -> None:
        self.interval, self.calls = interval, []

    @property
    def batch_interval(self):
        return self.interval

    def on_train_begin(self, run):
        self.calls.append(("train begins", run.step, run.logs))

    def on_train_end(self, run):
        self.calls.append(("train ends", run.step, sorted(run.logs)))

    def on_epoch_begin(self, run):
        self.calls.append(("epoch begins", run.epoch, run.batch))

    def on_epoch_end(self, run):
        self.calls.append(("epoch ends", run.epoch, run.batch))

    def on_train_batch_begin(self, run):
        self.calls.append(("batch begins", run.epoch, run.batch))

    def on_train_batch_end(self, run):
        self.calls.append(("batch ends", run.epoch, run.batch))


def fit(trainer, ts, problem, callbacks, **options):
    given = {"batch_size": 5, "epochs": 2, "verbose": False} | options
    new, history = trainer.fit(ts, *problem, callbacks=callbacks, **given)
    return new, history


def test_hooks_come_in_order(trainer, ts, problem):
    seen = Recorder(1)
    fit(trainer, ts, problem, seen)
    expected = [("train begins", 0, {})]
    for epoch in range(2):
        expected.append(("epoch begins", epoch, 0))
        for batch in range(5):
            expected += [("batch begins", epoch, batch), ("batch ends", epoch, batch + 1)]
        expected.append(("epoch ends", epoch, 5))
    assert seen.calls == [*expected, ("train ends", 10, ["loss", "mae"])]


def test_an_interval_is_of_steps_of_the_run(trainer, ts, problem):
    seen = Recorder(3)
    fit(trainer, ts, problem, seen)
    begun = [call[1:] for call in seen.calls if call[0] == "batch begins"]
    ended = [call[1:] for call in seen.calls if call[0] == "batch ends"]
    assert begun == [(0, 0), (0, 3), (1, 1), (1, 4)] and ended == [(0, 3), (1, 1), (1, 4)]


def native_calls(monkeypatch, trainer, ts, problem, callbacks) -> int:
    """The number of native calls of a warm run of three epochs of 23 steps."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 1e3)
    calls, repeat = [], Jitted.repeat

    def spy(self, n, *args):
        calls.append(n)
        return repeat(self, n, *args)

    monkeypatch.setattr(Jitted, "repeat", spy)
    fit(trainer, ts, problem, callbacks, batch_size=1, epochs=3)
    monkeypatch.setattr(Jitted, "repeat", repeat)
    assert sum(calls) == 69
    return len(calls)


def test_native_chunks_are_left_only_for_batches(monkeypatch, trainer, ts, problem, tmp_path):
    usual = [
        EarlyStopping("loss", patience=9, restore_best_weights=True),
        CSVLogger(tmp_path / "log.csv"),
        TerminateOnNaN(),
        LambdaCallback(on_epoch_end=lambda epoch, logs: None, on_epoch_begin=lambda epoch, logs: None),
        lambda epoch, logs, ts: None,
    ]
    native_calls(monkeypatch, trainer, ts, problem, None)
    least = native_calls(monkeypatch, trainer, ts, problem, None)
    assert least < 9
    assert native_calls(monkeypatch, trainer, ts, problem, usual) == least
    assert native_calls(monkeypatch, trainer, ts, problem, [ReduceLROnPlateau("loss")]) == least
    assert native_calls(monkeypatch, trainer, ts, problem, [Recorder(10)]) >= 69 // 10
    assert native_calls(monkeypatch, trainer, ts, problem, [Recorder(1)]) == 69


def test_callbacks_that_look_on_change_no_bit(trainer, ts, problem, same):
    alone, record = fit(trainer, ts, problem, None)
    for callback in (Recorder(1), Recorder(3), Recorder(), ReduceLROnPlateau("loss", patience=9)):
        with_it, history = fit(trainer, ts, problem, callback)
        assert same(with_it.params, alone.params) and history["loss"] == record["loss"]


def test_the_numbers_of_a_batch_are_the_means_so_far(trainer, ts, problem):
    means = []
    fit(
        trainer, ts, problem, LambdaCallback(on_train_batch_end=lambda batch, logs: means.append((batch, logs["loss"])))
    )
    _, whole = fit(trainer, ts, problem, None)
    assert [batch for batch, _ in means] == [0, 1, 2, 3, 4] * 2
    assert [means[4][1], means[9][1]] == whole["loss"] and len({mean for _, mean in means}) == 10


def test_a_state_that_was_seen_does_not_change(trainer, ts, problem):
    class Keeping(Callback):
        def on_train_begin(self, run):
            self.seen = []

        def on_train_batch_end(self, run):
            self.seen.append((run.ts, tree.map(np.array, run.ts)))

    keeping = Keeping()
    fit(trainer, ts, problem, keeping)
    assert len(keeping.seen) == 10 and all(tree.all_equal(a, b) for a, b in keeping.seen)
    assert [int(a.step) for a, _ in keeping.seen] == list(range(1, 11))


class At(Callback):
    """Does something once, after so many steps of the run."""

    changes_learning_rate = True

    def __init__(self, step, what):
        self.step, self.what = step, what

    def on_train_batch_end(self, run):
        if run.step == self.step:
            self.what(run)


@pytest.mark.parametrize(("step", "epochs", "done"), [(1, [0], 1), (5, [0], 5), (7, [0, 1], 7)])
def test_stopping_at_a_batch_ends_the_epoch_there(trainer, ts, problem, step, epochs, done):
    new, history = fit(trainer, ts, problem, At(step, lambda run: run.stop()), epochs=9, validation_data=problem)
    assert history.epoch == epochs and int(new.step) == done and len(history["val_loss"]) == len(epochs)
    assert not history.interrupted


@pytest.mark.parametrize("chunk", [0.0, 10.0])
def test_stopping_where_a_batch_begins_does_that_one_step(trainer, ts, problem, monkeypatch, chunk):
    class Stopping(Recorder):
        def on_train_batch_begin(self, run):
            if run.step == 4:
                run.stop()

    monkeypatch.setattr(loop, "CHUNK_SECONDS", chunk)
    new, history = fit(trainer, ts, problem, Stopping(4), epochs=9, batch_size=2)
    assert int(new.step) == 5 and history.epoch == [0]


def test_stopping_before_any_step(trainer, ts, problem, same):
    class Never(Callback):
        def __init__(self, hook):
            self.hook = hook

        def on_train_begin(self, run):
            if self.hook == "train":
                run.stop()

        def on_epoch_begin(self, run):
            if self.hook == "epoch" and run.epoch == 1:
                run.stop()

    new, history = fit(trainer, ts, problem, Never("train"))
    assert same(new, ts) and history.epoch == []
    assert fit(trainer, ts, problem, Never("epoch"), epochs=3)[1].epoch == [0]


@pytest.mark.parametrize("step", [2, 5])
def test_another_state_from_a_step_on(trainer, ts, problem, same, step):
    """Within an epoch and at its end, in the rest batch too: later steps go on from what was asked for."""
    other = trainer.init(random.key(5), (3,))
    asked = []

    def replace(run):
        run.replace(run.ts._replace(params=other.params))
        asked.append(run.ts)
        run.stop()

    new, _ = fit(trainer, ts, problem, At(step, replace), epochs=1)
    assert same(new.params, other.params) and int(new.step) == step and same(new, asked[0])
    scaled = At(step, lambda run: run.replace(run.ts._replace(params=other.params)))
    after, history = fit(trainer, ts, problem, scaled, epochs=3)
    assert int(after.step) == 15 and history.epoch == [0, 1, 2] and not same(after, fit(trainer, ts, problem, None)[0])
    assert same(fit(trainer, ts, problem, scaled, epochs=3)[0], after)


def test_the_last_good_state_after_a_callback_replaced_it(problem, same):
    """Steps are repeated from the state that a callback asked for, in the order of the epoch."""
    x, y = problem
    y = np.where(np.arange(23) == 17, 1e30, y[:, 0]).astype("float32")[:, None]
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(1e-3))
    ts = trainer.init(random.key(0), (3,))
    seen = []

    def double(run):
        run.replace(run.ts._replace(params=tree.map(lambda leaf: 2 * leaf, run.ts.params)))

    class Last(At):
        def on_train_batch_end(self, run):
            super().on_train_batch_end(run)
            seen.append(run.ts)

    with pytest.raises(NonFiniteError, match="at step 3 ") as caught:
        fit(trainer, ts, (x, y), Last(2, double), shuffle=False)
    assert same(caught.value.ts, seen[-1]) and int(caught.value.ts.step) == 3


def test_a_state_of_another_shape_is_refused(trainer, ts, problem):
    with pytest.raises(StructureError, match=r"'params/dense/kernel' is float32\[3, 5\], expected float32\[3, 4\]"):
        wrong = {**ts.params, "dense": {**ts.params["dense"], "kernel": np.zeros((3, 5), "float32")}}
        fit(trainer, ts, problem, At(2, lambda run: run.replace(run.ts._replace(params=wrong))))
    with pytest.raises(StructureError, match="a callback asks for a state that is not like that of the run: "):
        fit(trainer, ts, problem, At(2, lambda run: run.replace(run.ts._replace(params={}))))


def test_what_a_callback_adds_is_recorded(trainer, ts, problem):
    class Adding(Callback):
        def on_epoch_end(self, run):
            run.logs.update({"twice": 2 * run.logs["loss"], "a": 1.0, "b": 2.0, "c": 3.0})

    _, history = fit(trainer, ts, problem, Adding())
    assert history["twice"] == [2 * loss for loss in history["loss"]]
    assert list(history) == ["loss", "mae", "twice", "a", "b", "c"]


def test_the_last_hook_is_called_after_an_error_too(trainer, ts, problem):
    class Failing(Recorder):
        def on_epoch_end(self, run):
            raise RuntimeError("no more")

        def on_train_end(self, run):
            self.calls.append((type(run.error), run.interrupted))

    failing = Failing()
    with pytest.raises(RuntimeError, match="no more"):
        fit(trainer, ts, problem, failing)
    assert failing.calls[-1] == (RuntimeError, False)

    class Stopping(Failing):
        def on_epoch_end(self, run):
            raise KeyboardInterrupt

    stopping = Stopping()
    new, history = fit(trainer, ts, problem, stopping)
    assert stopping.calls[-1] == (type(None), True) and history.interrupted and int(new.step) == 5


def test_a_run_leaves_nothing_behind(trainer, ts, problem):
    """The states of a run that is over need no collector of circles."""
    gc.collect()
    before = {id(thing) for thing in gc.get_objects()}
    gc.disable()
    try:
        fit(trainer, ts, problem, [EarlyStopping("loss"), Recorder(1)])
        new = [thing for thing in gc.get_objects() if id(thing) not in before]
        assert not [thing for thing in new if type(thing).__name__ in ("Fit", "Run")]
    finally:
        gc.enable()


def test_directions(trainer, ts, problem):
    seen = {}

    class Asking(Callback):
        def on_epoch_end(self, run):
            seen.update({name: run.direction(name) for name in ("loss", "val_loss", "val_mae")})
            with pytest.raises(ValueRangeError, match="which way 'maee' .* Did you mean 'mae'.* Pass mode='min'"):
                run.direction("maee")

    fit(trainer, ts, problem, Asking())
    assert seen == dict.fromkeys(seen, "down") and len(seen) == 3


def test_traces_of_the_step_with_rates_that_change(problem):
    """One trace for each size of batch, however often the rate changes."""
    traces = []

    def apply(params, state, x, key=None, train=False):
        traces.append(train)
        return x, state

    trainer = Trainer(serial(Layer(lambda k, s, d: ({}, {}), apply), Dense(1)), "mse", "sgd")
    ts = trainer.init(random.key(0), (3,))

    class Changing(Callback):
        changes_learning_rate = True

        def on_epoch_end(self, run):
            counts.append(len(traces))
            run.learning_rate = 0.5 * run.learning_rate

    counts: list[int] = []
    _, history = fit(trainer, ts, problem, Changing(), epochs=4)
    assert len(set(counts)) == 1
    assert history["learning_rate"] == [0.01, 0.005, 0.0025, 0.00125]


def test_each_last_hook_is_called_also_after_one_that_fails(trainer, ts, problem, tmp_path):
    """Files are closed and locks given back; a backup stays, since the run did not end well."""

    class Failing(Callback):
        def __init__(self, text):
            self.text = text

        def on_train_end(self, run):
            if self.text:
                raise RuntimeError(self.text)

    backup, logger = BackupAndRestore(tmp_path / "backup"), CSVLogger(tmp_path / "a.csv")
    with pytest.raises(RuntimeError, match="first"):
        fit(trainer, ts, problem, [Failing("first"), backup, Failing("second"), logger])
    assert logger._file is None and len(list((tmp_path / "backup").iterdir())) == 1
    new, history = fit(trainer, ts, problem, [Failing(""), backup, Failing(""), logger])
    assert history.epoch == [0, 1] and int(new.step) == 10 and not (tmp_path / "backup").exists()
