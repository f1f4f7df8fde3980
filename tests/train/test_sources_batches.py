"""Batches from generators and iterables: the same training as from arrays, each mistake by its text, no thread left."""

from __future__ import annotations

import re
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnet import optimizers, random, tree
from fnet.callbacks import BackupAndRestore, Callback, LambdaCallback
from fnet.errors import DtypeError, NonFiniteError, ShapeError, StructureError, ValueRangeError
from fnet.layers import Dense, GlobalAveragePooling1D
from fnet.networks.combinators import serial
from fnet.train import Trainer
from fnet.train.loop import CompiledLoop
from fnet.train.sources import batches as source_of_batches
from fnet.train.sources.batches import BatchesEpoch
from fnet.train.sources.prefetch import Prefetch


class End(Callback):
    """Ends the training by an error after a step, or does not."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, run):
        if run.step == self.step:
            raise KeyError


class Again:
    """Batches that begin anew; counts how often."""

    def __init__(self, *arrays, size=5):
        self.arrays, self.size, self.begun = arrays, size, 0

    def __iter__(self):
        self.begun += 1
        for at in range(0, len(self.arrays[0]), self.size):
            yield tuple(array[at : at + self.size] for array in self.arrays)


def without_end(*arrays):
    while True:
        yield from Again(*arrays)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name == "fnet data"]


def fit(trainer, ts, x, y=None, **options):
    size = {} if y is None else {"batch_size": 5}
    return trainer.fit(ts, x, y, **{"epochs": 2, "verbose": False, "shuffle": False} | size | options)


def test_batches_train_as_arrays_do(trainer, ts, problem, same):
    """With sample weights and validation, to the bit."""
    weight = np.linspace(0.5, 1, 23).astype("float32")
    expected, history = fit(trainer, ts, *problem, sample_weight=weight, validation_data=problem)
    for batches in (Again(*problem, weight), without_end(*problem, weight)):
        result, record = fit(trainer, ts, batches, steps_per_epoch=5, validation_data=Again(*problem))
        assert same(result, expected)
        assert record.history == history.history
    assert same(fit(trainer, ts, Again(*problem, weight))[0], expected)


def test_a_generator_goes_on_and_loses_no_batch(trainer, ts, problem, same):
    stream = without_end(*problem)
    one, _ = fit(trainer, ts, stream, steps_per_epoch=2, epochs=1)
    two, _ = fit(trainer, one, stream, steps_per_epoch=3, epochs=1)
    assert same(two, fit(trainer, ts, *problem, epochs=1)[0])


def test_evaluate_and_predict(trainer, ts, problem, same):
    x, y = problem
    assert trainer.evaluate(ts, Again(x, y)) == trainer.evaluate(ts, x, y, batch_size=5)
    expected = trainer.predict(ts, x, batch_size=5)
    for batches in (Again(x), Again(x, y), (batch[0] for batch in Again(x))):
        assert same(trainer.predict(ts, batches), expected)
    assert same(trainer.predict(ts, without_end(x), steps=3), expected[:15])
    assert same(trainer.predict(ts, x, batch_size=5, steps=3), expected[:15])
    assert trainer.evaluate(ts, x, y, 5, steps=2) == trainer.evaluate(ts, x[:10], y[:10], 5)


@pytest.mark.parametrize("make", [Again, without_end], ids=["iterable", "generator"])
def test_a_training_goes_on_in_the_middle_of_an_epoch(trainer, ts, problem, same, tmp_path, make):
    """The batches that were trained on are skipped, those of earlier epochs too where a generator goes on."""
    expected, history = fit(trainer, ts, make(*problem), steps_per_epoch=5, epochs=3)
    for step in (1, 7, 9, 12):

        def train(end, folder=tmp_path / str(step)):
            several = [BackupAndRestore(folder, 1), End(end)]
            return fit(trainer, ts, make(*problem), steps_per_epoch=5, epochs=3, callbacks=several)

        with pytest.raises(KeyError):
            train(step)
        result, record = train(None)
        assert same(result, expected)
        assert record.history == history.history


def test_class_weight_and_hooks_of_batches(same):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(10, 3)).astype("float32"), rng.integers(0, 2, 10)
    trainer = Trainer(Dense(2, "softmax"), "sparse_categorical_crossentropy", "sgd")
    ts, seen = trainer.init(random.key(0), (3,)), []
    hooks = [LambdaCallback(on_train_batch_begin=lambda batch, logs: seen.append(batch))]
    options = {"class_weight": {0: 1.0, 1: 3.0}, "callbacks": hooks}
    assert same(fit(trainer, ts, Again(x, y), **options)[0], fit(trainer, ts, x, y, **options)[0])
    assert seen == [0, 1, 0, 1] * 2


def test_sequences_of_several_lengths_compile_once_each():
    trainer = Trainer(serial(GlobalAveragePooling1D(), Dense(1)), "mse", "sgd")
    ts = trainer.init(random.key(0), (4, 2))
    lengths = [3, 4, 3, 5, 4, 3]
    batches = [(np.ones((2, n, 2), "float32"), np.zeros((2, 1), "float32")) for n in lengths]
    ts, history = fit(trainer, ts, iter(batches), epochs=2, steps_per_epoch=3)
    assert int(ts.step) == 6
    assert history["loss"][1] < history["loss"][0]
    assert sum(step.memory().programs for step in trainer._programs.compiled.values()) == 3


@pytest.mark.parametrize("room", [1 << 26, 1])
def test_nan_is_explained_though_the_batches_are_gone(trainer, ts, problem, monkeypatch, room):
    """Behind more batches than are remembered, or larger ones; the good state before is in the error."""
    monkeypatch.setattr(source_of_batches, "REMEMBERED_BYTES", room)
    x, y = (np.tile(part, (4, 1)) for part in problem)
    bad = x.copy()
    bad[4 * 18 + 1, 2] = np.nan
    text = r"epoch 0 at step 18 .*x holds NaN or infinities \(1\), first in sample 1 of batch 18: clean the data"
    with pytest.raises(NonFiniteError, match=text) as caught:
        fit(trainer, ts, (batch for batch in Again(bad, y, size=4)), steps_per_epoch=20, epochs=1)
    good, _ = fit(trainer, ts, x[:72], y[:72], batch_size=4, epochs=1)
    assert tree.all_equal(caught.value.ts, good)


X, Y = np.ones((4, 3), "float32"), np.zeros((4, 1), "float32")
GOOD = (X, Y)
MISTAKES = {
    "early": ([GOOD] * 3, {"steps_per_epoch": 5}, ValueRangeError, "ended after 3 batches of an epoch, expected steps"),
    "used up": ([GOOD] * 3, {}, ValueRangeError, "x has no batch for an epoch: a generator is used up after one pass."),
    "empty": ([], {}, ValueRangeError, "x has no batch for an epoch"),
    "samples": ([GOOD, (X, Y[:3])], {}, ShapeError, "batch 1 of x: y has 3 samples and batch 1 of x: x has 4"),
    "features": ([GOOD, (X[:, :2], Y)], {}, ShapeError, "batch 1 of x: x has samples of shape (2,), for which"),
    "dtype": ([GOOD, (X, Y.astype(int))], {}, DtypeError, "batch 1 of x: y has dtype int64, expected float32 as in"),
    "tree": (
        [GOOD, (X, Y, Y[:, 0])],
        {},
        StructureError,
        "batch 1 of x has the arrays x, y, sample_weight, expected x",
    ),
    "four": ([GOOD, (X, Y, Y, Y)], {}, StructureError, "batch 1 of x: expected (x, y) or (x, y, sample_weight), rec"),
    "text": ([GOOD, (X, [["a"]] * 4)], {}, DtypeError, "batch 1 of x: y must hold numbers or booleans"),
    "targets": (
        [GOOD, (X, np.zeros((4, 2)))],
        {},
        ShapeError,
        "in 'batch 1 of x': mean_squared_error: expected y_true",
    ),
    "no y": ([(X,)], {}, StructureError, "in 'batch 0 of x': y is None, but mean_squared_error"),
    "split": ([GOOD], {"validation_split": 0.5}, StructureError, "validation_split is for arrays. Pass other batches"),
    "size": (
        [GOOD],
        {"batch_size": 4},
        StructureError,
        "batch_size=4 beside batches, which have sizes of their own. Leave it out, or make batches of 4.",
    ),
    "steps": ([GOOD], {"steps_per_epoch": 0}, ValueRangeError, "steps_per_epoch: expected an integer of at least 1"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name, trainer, ts):
    batches, options, kind, message = MISTAKES[name]
    before = tree.map(np.array, ts)
    with pytest.raises(kind, match=re.escape(message)):
        fit(trainer, ts, iter(batches), **options)
    assert tree.all_equal(ts, before)


def test_mistakes_of_validation_and_of_steps_over_arrays(trainer, ts):
    with pytest.raises(ValueRangeError, match="validation_data ended after 1 batches .* expected validation_steps=2"):
        fit(trainer, ts, X, Y, validation_data=iter([GOOD]), validation_steps=2)
    with pytest.raises(ValueRangeError, match="steps_per_epoch=2, but 4 samples make 1 batches of 5. Leave steps_per"):
        fit(trainer, ts, X, Y, steps_per_epoch=2)


def test_batch_size_beside_batches(trainer, ts, problem, same):
    """It is refused, but for validation data in arrays."""
    x, y = problem
    for call in (trainer.evaluate, trainer.predict):
        with pytest.raises(StructureError, match="batch_size=5 beside batches, which have sizes of their own."):
            call(ts, Again(x, y), batch_size=5)
    _, expected = fit(trainer, ts, x, y, validation_data=problem)
    _, history = fit(trainer, ts, Again(x, y), validation_data=problem, batch_size=5)
    assert history.history == expected.history


def test_an_error_of_a_generator_comes_with_its_traceback(trainer, ts):
    def broken():
        yield GOOD
        raise KeyError("no such file")

    with pytest.raises(KeyError, match="no such file") as caught:
        fit(trainer, ts, broken())
    assert "broken" in [entry.name for entry in caught.traceback]


def test_an_early_end_leaves_no_thread(trainer, ts, problem):
    """The fixture looks: a callback stops the run, or raises, within an epoch."""
    stop = LambdaCallback(on_train_batch_end=lambda batch, logs: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        fit(trainer, ts, without_end(*problem), steps_per_epoch=100, callbacks=[stop])
    assert caught.value.__traceback__ is not None


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(), max_size=6), st.integers(0, 6))
def test_prefetched_items_are_the_items_and_at_most_one_is_made_ahead(items, taken):
    made = []
    ahead = Prefetch(made.append(item) or item for item in items)
    seen = [item for _, item in zip(range(taken), ahead, strict=False)]
    ahead.close()
    assert seen == items[:taken]
    assert len(made) <= min(len(items), len(seen) + 1)


def test_a_generator_may_write_each_batch_into_the_same_memory(trainer, ts, problem, same, monkeypatch):
    """A batch is made while the one before trains, and one that went wrong is looked at again."""
    x, y = problem

    def load_late(self, values, load=CompiledLoop.load):
        time.sleep(0.01)  # the next batch is there before the step begins
        load(self, values)

    monkeypatch.setattr(CompiledLoop, "load", load_late)

    def batches(into, count=6):
        for number in range(count):
            into[:] = x * number
            yield (into, y)

    expected, history = trainer.fit(
        ts, iter([((x * number).astype("float32"), y) for number in range(6)]), epochs=2, steps_per_epoch=3, verbose=0
    )
    for into in (np.empty_like(x), np.empty((50, 3), "float32")[:23], np.empty((23, 3), ">f4")):
        result, record = trainer.fit(ts, batches(into), epochs=2, steps_per_epoch=3, verbose=0)
        assert same(result, expected) and record.history == history.history
    into = np.empty_like(x)
    outputs = trainer.predict(result, (batch for batch, _ in batches(into, 3)))
    assert same(outputs, trainer.predict(result, np.concatenate([0 * x, x, 2 * x])))


@pytest.mark.parametrize("number", [14, 15, 16])
def test_an_update_that_makes_a_parameter_infinite_is_found_at_any_batch(number):
    """Also the last one before batches are forgotten."""
    trainer = Trainer(Dense(1, kernel_initializer="ones", use_bias=False), "mse", optimizers.sgd(1e12))
    ts = trainer.init(random.key(0), (3,))
    batches = iter([(X * (1e14 if i == number else 0), Y) for i in range(20)])
    text = rf"infinite in epoch 0 at step {number + 1} .* The update before made the parameter 'kernel' NaN or infinite"
    with pytest.raises(NonFiniteError, match=text) as caught:
        trainer.fit(ts, batches, steps_per_epoch=20, verbose=0)
    assert caught.value.ts.step == number and np.isfinite(caught.value.ts.params["kernel"]).all()


def test_few_large_batches_are_remembered(trainer, ts, problem, monkeypatch):
    x, y = problem
    monkeypatch.setattr(source_of_batches, "REMEMBERED_BYTES", 3 * (x.nbytes + y.nbytes))
    held = []

    def remember(self, number, data, keep, given=BatchesEpoch._remember):
        given(self, number, data, keep)
        held.append(len(self._latest))

    monkeypatch.setattr(BatchesEpoch, "_remember", remember)
    trainer.fit(ts, iter([(x, y)] * 8), steps_per_epoch=8, verbose=0)
    assert held == [1, 2, 3, 1, 2, 3, 1, 2]
