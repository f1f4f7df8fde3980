"""Data sets of a file, larger than memory: what arrays give where they are small, else the same order for a key."""

from __future__ import annotations

import re
import subprocess
import sys
import threading

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import losses, random, tree
from fnet.callbacks import BackupAndRestore, Callback, LambdaCallback
from fnet.errors import DtypeError, FileError, NonFiniteError, ShapeError, StructureError, ValueRangeError
from fnet.layers import Concatenate, Dense, Embedding, Flatten
from fnet.networks.combinators import parallel, serial
from fnet.train import Trainer
from fnet.train.dataset import is_dataset
from fnet.train.sources import datasets
from fnet.train.sources.windows import Windows, epoch_key

WINDOW, BLOCK = 10, 3  # samples, of 3 + 1 numbers


class Asked:
    """Like a data set of a file: slices of it are asked for, and counted."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.rows = array, array.shape, array.dtype, []

    def __getitem__(self, part):
        self.rows.append((part.start, part.stop))
        return self.array[part]


class End(Callback):
    """Ends the training by an error after a step, or does not."""

    def __init__(self, step):
        self.step = step

    def on_train_batch_end(self, run):
        if run.step == self.step:
            raise KeyError


@pytest.fixture
def windows(monkeypatch):
    """Windows of 10 samples of the problem, blocks of 3."""
    monkeypatch.setattr(datasets, "WINDOW_BYTES", 16 * WINDOW)
    monkeypatch.setattr(datasets, "BLOCK_BYTES", 16 * BLOCK)


@pytest.fixture
def file(tmp_path):
    with h5py.File(tmp_path / "data.h5", "w") as file:
        yield file


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread.name for thread in threading.enumerate() if thread.name == "fnet data"]


def fit(trainer, ts, x, y, **options):
    return trainer.fit(ts, x, y, **{"epochs": 2, "verbose": False, "batch_size": 5} | options)


def kinds(file, tmp_path, array, name):
    """The same samples in every kind of data set."""
    mapped = np.memmap(tmp_path / name, array.dtype, "w+", shape=array.shape)
    mapped[:] = array
    mapped.flush()
    yield file.create_dataset(name, data=array)
    yield file.create_dataset(f"{name}_chunks", data=array, chunks=(4, *array.shape[1:]), compression="gzip")
    yield file.create_dataset(f"{name}_double", data=array.astype(">f8"))
    yield np.memmap(tmp_path / name, array.dtype, "r", shape=array.shape)
    yield Asked(array)


def test_small_data_sets_are_arrays(trainer, ts, problem, same, file, tmp_path):
    """To the bit, shuffled too, where all of them fit into one window."""
    expected, _ = fit(trainer, ts, *problem, validation_split=0.2)
    for x, y in zip(
        *(kinds(file, tmp_path, part, name) for part, name in zip(problem, "xy", strict=True)), strict=True
    ):
        assert is_dataset(x)
        assert same(fit(trainer, ts, x, y, validation_split=0.2)[0], expected)


def test_large_data_sets_in_their_order_are_arrays(trainer, ts, problem, same, file, tmp_path, windows):
    """To the bit: training, validation, results, weights, limits; in every kind of data set, beside arrays too."""
    x, y = problem
    weight = np.linspace(0.5, 1, 23).astype("float32")
    options = {"shuffle": False, "validation_data": problem, "sample_weight": weight}
    expected, history = fit(trainer, ts, x, y, **options)
    for large in kinds(file, tmp_path, x, "x"):
        given_y, given_weight = file.require_dataset("y", data=y, shape=y.shape, dtype="f4"), Asked(weight)
        for targets in (y, given_y):
            own = {"validation_data": (large, targets), "sample_weight": given_weight}
            result, record = fit(trainer, ts, large, targets, **options | own)
            assert same(result, expected)
            assert record.history == history.history
        assert trainer.evaluate(ts, large, y, 5, given_weight) == trainer.evaluate(ts, x, y, 5, weight)
        assert trainer.evaluate(ts, large, y, 5, steps=3) == trainer.evaluate(ts, x[:15], y[:15], 5)
        assert same(trainer.predict(ts, large, 5), trainer.predict(ts, x, 5))
        assert same(trainer.predict(ts, large, 5, steps=3), trainer.predict(ts, x[:15], 5))
    assert same(
        fit(trainer, ts, Asked(x), y, shuffle=False, validation_split=0.4, steps_per_epoch=2)[0],
        fit(trainer, ts, x, y, shuffle=False, validation_split=0.4, steps_per_epoch=2)[0],
    )


def test_shuffled_samples_come_in_the_order_of_the_key(trainer, ts, problem, same, windows):
    """Each once, by windows; another order in the next epoch and for another key."""
    x, y = problem
    result, _ = fit(trainer, ts, Asked(x), y)
    assert same(fit(trainer, ts, Asked(x), Asked(y))[0], result)
    one, two = (Windows(23, BLOCK, WINDOW, epoch_key(ts.key, step)) for step in (0, 5))
    now = ts
    for order in (np.concatenate([made.samples(i) for i in range(3)]) for made in (one, two)):
        assert sorted(order) == [*range(23)]
        now, _ = fit(trainer, now, x[order], y[order], shuffle=False, epochs=1)
    assert same(now, result)
    assert one.order(0).tolist() != one.order(1).tolist()
    assert one.samples(0).tolist() != two.samples(0).tolist()
    assert one.samples(0).tolist() != Windows(23, BLOCK, WINDOW, epoch_key(ts.key + 1, 0)).samples(0).tolist()


@given(st.integers(1, 60), st.integers(1, 70), st.integers(1, 70), st.booleans())
def test_windows_hold_every_sample_once(count, block, window, shuffled):
    made = Windows(count, block, window, random.key(3) if shuffled else None)
    found = [made.samples(number) for number in range(-(-count // window))]
    assert [len(part) for part in found] == [made.size(number) for number in range(len(found))]
    together = np.concatenate(found)
    assert (np.sort(together) if shuffled else together).tolist() == [*range(count)]
    cuts = [end - begin for number in range(len(found)) for begin, end in made.stretches(number)]
    assert max(cuts) <= block and len(cuts) <= -(-count // block) + len(found)


def test_two_windows_are_read_at_most(trainer, ts, windows):
    """At each step, of the samples that it has not trained on; and no more than a block at once."""
    x, y = Asked(np.ones((100, 3), "float32")), Asked(np.ones((100, 1), "float32"))
    ahead = []

    def look(batch, logs):
        ahead.append(sum(end - begin for begin, end in x.rows[1:]) - 5 * (batch + 1))

    fit(trainer, ts, x, y, epochs=1, callbacks=[LambdaCallback(on_train_batch_end=look)])
    assert len(ahead) == 20 and max(ahead) <= 2 * WINDOW and min(ahead) == 0
    assert max(end - begin for begin, end in x.rows[1:]) <= BLOCK
    assert sum(end - begin for begin, end in x.rows[1:]) == 100


def test_the_first_window_of_an_epoch_is_read_in_the_one_before(trainer, ts, problem, same, windows):
    """Each sample is read once an epoch, in training and validation; none ahead of an epoch that does not come."""
    x, y = problem
    expected, record = fit(trainer, ts, Asked(x), y, epochs=3, validation_data=problem)
    large, other = Asked(x), Asked(x)
    ahead = []

    def look(epoch, logs):
        ahead.append(tuple(sum(end - begin for begin, end in data.rows[1:]) - 23 * epoch for data in (large, other)))

    options = {"epochs": 3, "validation_data": (other, y), "callbacks": LambdaCallback(on_epoch_end=look)}
    result, history = fit(trainer, ts, large, y, **options)
    assert same(result, expected) and history.history == record.history
    assert ahead == [(23 + WINDOW, 23 + WINDOW), (23 + WINDOW, 23 + WINDOW), (23, 23)]
    order = Windows(23, BLOCK, WINDOW, epoch_key(ts.key, 5))
    at = next(i for i in range(len(large.rows)) if sum(e - b for b, e in large.rows[1 : i + 1]) == 23)
    assert large.rows[at + 1 : at + 1 + len(order.stretches(0))] == order.stretches(0)


class Again(Callback):
    """Begins the second epoch with another state."""

    def __init__(self, ts):
        self.ts = ts

    def on_epoch_begin(self, run):
        if run.epoch == 1:
            run.replace(self.ts)


def test_what_was_read_ahead_is_left_where_the_order_is_another(trainer, ts, problem, same, windows):
    x, y = problem
    for steps in (None, 1, 2, 4):
        once, _ = fit(trainer, ts, Asked(x), y, epochs=1, steps_per_epoch=steps)
        other = once._replace(key=once.key + 1)
        expected, _ = fit(trainer, other, Asked(x), y, epochs=2, steps_per_epoch=steps)
        result, _ = fit(trainer, ts, Asked(x), y, epochs=3, steps_per_epoch=steps, callbacks=Again(other))
        assert same(result, expected)


def test_an_error_of_the_next_epoch_is_raised_in_it(trainer, ts, problem, windows):
    """Not at the end of the epoch before, whose last callbacks are called first."""
    x, y = problem

    class Once(Asked):
        def __getitem__(self, part):
            if sum(end - begin for begin, end in self.rows[1:]) >= 23:
                raise OSError("gone")
            return super().__getitem__(part)

    done = []
    seen = LambdaCallback(on_epoch_begin=lambda epoch, logs: done.append(epoch))
    with pytest.raises(FileError, match="samples .* of x cannot be read: OSError: gone"):
        fit(trainer, ts, Once(x), y, callbacks=seen)
    assert done == [0, 1]


def test_blocks_are_what_the_file_keeps_together(trainer, ts, problem, file, windows):
    x = file.create_dataset("x", data=problem[0], chunks=(4, 3))
    source = trainer._data.source(ts, (x, problem[1], None), 5, None)
    assert (source.block, source.window) == (4, 10)
    x = file.create_dataset("all", data=problem[0], chunks=(23, 3))
    assert trainer._data.source(ts, (x, problem[1], None), 5, None).block == 10


def test_several_inputs_class_weights_and_other_dtypes(same, monkeypatch):
    monkeypatch.setattr(datasets, "WINDOW_BYTES", 100)
    rng = np.random.default_rng(0)
    words, sizes, y = rng.integers(0, 7, (14, 2)), rng.normal(size=(14, 3)), rng.integers(0, 2, 14).astype("uint8")
    net = serial(parallel(serial(Embedding(7, 2), Flatten()), Dense(4)), Concatenate(), Dense(2, "softmax"))
    trainer = Trainer(net, "sparse_categorical_crossentropy", "sgd", metrics=["accuracy"])
    ts = trainer.init(random.key(0), ((2,), (3,)))
    options = {"class_weight": {0: 1.0, 1: 3.0}, "shuffle": False, "batch_size": 4, "validation_split": 0.2}
    expected, history = fit(trainer, ts, (words, sizes), y, **options)
    for x in ((Asked(words), sizes), (words, Asked(sizes)), [Asked(words), Asked(sizes)]):
        result, record = fit(trainer, ts, x, Asked(y), **options)
        assert same(result, expected)
        assert record.history == history.history
    bad = words.copy()
    bad[9, 1] = 7
    text = "Embedding: 7 at position (1, 1) of samples 8 to 10: x/0 is outside of the table of 7 rows"
    with pytest.raises(ValueRangeError, match=re.escape(text)):
        fit(trainer, ts, (Asked(bad), Asked(sizes)), y, **options)
    wrong = np.where(np.arange(14) == 13, 5, y)
    for split, named in ((0, "12 to 13"), (0.2, "11 to 13")):
        with pytest.raises(ValueRangeError, match=rf"in 'samples {named}': .*label 5"):
            fit(trainer, ts, (Asked(words), Asked(sizes)), wrong, batch_size=4, validation_split=split)


@pytest.mark.parametrize("shuffle", [True, False])
def test_a_training_goes_on_in_the_middle_of_an_epoch(trainer, ts, problem, same, tmp_path, windows, shuffle):
    """To the bit; with other data the backup is refused."""
    x, y = problem
    expected, history = fit(trainer, ts, Asked(x), Asked(y), shuffle=shuffle)

    def train(step, x, end=None):
        several = [BackupAndRestore(tmp_path / str(step), 1), End(end)]
        return fit(trainer, ts, Asked(x), Asked(y), shuffle=shuffle, callbacks=several)

    for step in (1, 3, 5, 7):
        with pytest.raises(KeyError):
            train(step, x, end=step)
        if step == 3:
            other = x.copy()
            other[17, 1] += 1
            with pytest.raises(StructureError, match=r"another training: x was .* with the checksum"):
                train(step, other)
        result, record = train(step, x)
        assert same(result, expected)
        assert record.history == history.history


def test_nan_is_explained_by_its_sample(trainer, ts, problem, windows):
    x, y = problem
    bad = x.copy()
    bad[21, 2] = np.nan
    text = r"epoch 0 at step (\d) .*x holds NaN or infinities \(1\), first in sample 21: clean the data"
    with pytest.raises(NonFiniteError, match=text) as caught:
        fit(trainer, ts, Asked(bad), Asked(y))
    step = int(re.search(text, str(caught.value)).group(1))
    order = np.concatenate([Windows(23, BLOCK, WINDOW, epoch_key(ts.key, 0)).samples(i) for i in range(3)])
    assert 21 in order[5 * step : 5 * step + 5]
    before = order[: 5 * step]
    if step:
        good, _ = fit(trainer, ts, x[before], y[before], epochs=1, shuffle=False)
        assert tree.all_equal(caught.value.ts, good)


X, Y = np.ones((23, 3), "float32"), np.zeros((23, 1), "float32")


class Broken(Asked):
    """A file that ends before sample 20, or gives less than was asked for."""

    def __init__(self, array, short=False):
        super().__init__(array)
        self.short = short

    def __getitem__(self, part):
        if part.stop > 20 and not self.short:
            raise OSError("truncated file")
        return super().__getitem__(part)[: 20 - part.start]


MISTAKES = {
    "lengths": (Asked(X), Y[:5], ShapeError, "y has 5 samples and x has 23: expected the same number"),
    "none": (Asked(X[:0]), Y[:0], ValueRangeError, "x and y have no samples. Pass at least one"),
    "rank": (Asked(X[:, 0]), Y, ShapeError, "the network cannot take samples of shape () as in x: in 'dense': Dense"),
    "features": (Asked(X[:, :2]), Y, ShapeError, "x has samples of shape (2,), for which 'dense/kernel' of the"),
    "text": (Asked(X.astype("S9")), Y, DtypeError, "x must hold numbers or booleans, received dtype |S"),
    "targets": (Asked(X), Asked(np.zeros((23, 2))), ShapeError, "mean_squared_error: expected y_true shaped like"),
    "truncated": (Broken(X), Y, FileError, " of x cannot be read: OSError: truncated file. Check the file, and"),
    "short": (Broken(X, True), Y, FileError, " of x cannot be read: they came with the shape ("),
    "range": (
        Asked(np.where(np.arange(23)[:, None] == 22, 1e39, X.astype("float64"))),
        Y,
        ValueRangeError,
        "samples 21 to 22: x has numbers beyond the range of float32",
    ),
    "steps": (Asked(X), Y, ValueRangeError, "steps_per_epoch=9, but 23 samples make 5 batches of 5. Leave steps_per"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name, trainer, ts, windows):
    x, y, kind, message = MISTAKES[name]
    before = tree.map(np.array, ts)
    with pytest.raises(kind, match=re.escape(message)):
        fit(trainer, ts, x, y, steps_per_epoch=9 if name == "steps" else None)
    assert tree.all_equal(ts, before)


def test_mistakes_of_files(trainer, ts, file, windows):
    """Closed, of no shape, of fields; and the names of validation data."""
    x, y = file.create_dataset("x", data=X), file.create_dataset("y", data=Y)
    fields = file.create_dataset("fields", (23,), [("a", "f4"), ("b", "f4")])
    for given_x in (fields, file.create_dataset("words", data=["a"] * 23), file.create_dataset("empty", dtype="f4")):
        with pytest.raises((DtypeError, ShapeError), match="^x "):
            fit(trainer, ts, given_x, y)
    with pytest.raises(DtypeError, match="x must hold numbers or booleans, received a File. Pass an array"):
        fit(trainer, ts, file, None)
    with pytest.raises(ShapeError, match="validation_data y has 3 samples and validation_data x has 23"):
        fit(trainer, ts, x, y, validation_data=(x, Y[:3]))
    with pytest.raises(FileError, match="samples .* of validation_data x cannot be read: OSError: truncated file"):
        fit(trainer, ts, x, y, validation_data=(Broken(X), y))
    close = LambdaCallback(on_epoch_end=lambda epoch, logs: file.close())
    with pytest.raises(
        FileError, match="^samples .* of x cannot be read: .*keep it open and unchanged during the call"
    ):
        fit(trainer, ts, x, Y, callbacks=[close])
    for call in (trainer.predict, lambda ts, x: fit(trainer, ts, x, y), lambda ts, x: trainer.evaluate(ts, X, x)):
        with pytest.raises(FileError, match="^[xy] cannot be read: .*[Ii]dentifier.*Check the file, and keep it open"):
            call(ts, x)


def test_integers_in_the_other_order_of_bytes(same, file, monkeypatch):
    """As of files of the format IDX: in memory and in a data set, which is read whole or by windows."""
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 7, (23, 2)), rng.integers(0, 2, 23)
    trainer = Trainer(
        serial(Embedding(7, 2), Flatten(), Dense(2, "softmax")), "sparse_categorical_crossentropy", "sgd", ["accuracy"]
    )
    ts = trainer.init(random.key(0), (2,))
    expected, _ = fit(trainer, ts, x, y, shuffle=False)
    others = x.astype(x.dtype.newbyteorder()), y.astype(y.dtype.newbyteorder())
    given = [file.create_dataset(name, data=part) for name, part in zip("xy", others, strict=True)]
    for size in (1 << 25, 16 * WINDOW):
        monkeypatch.setattr(datasets, "WINDOW_BYTES", size)
        for pair in (others, given):
            assert same(fit(trainer, ts, *pair, shuffle=False)[0], expected)


def test_a_file_that_another_thread_opened(trainer, ts, problem, same, tmp_path, windows):
    opened = []

    def open_file():
        opened.append(h5py.File(tmp_path / "data.h5", "w"))
        opened[0]["x"] = problem[0]

    thread = threading.Thread(target=open_file)
    thread.start()
    thread.join()
    with opened[0] as file:
        assert same(trainer.predict(ts, file["x"], 5), trainer.predict(ts, problem[0], 5))


def test_fewer_samples_than_a_batch(trainer, ts, problem, same, windows):
    x, y = (part[:11] for part in problem)
    expected, _ = fit(trainer, ts, x, y, shuffle=False, batch_size=100)
    assert same(fit(trainer, ts, Asked(x), Asked(y), shuffle=False, batch_size=100)[0], expected)


def test_what_is_no_data_set():
    """Arrays, numbers, lists, and what has no slices."""

    class Sparse:
        shape, dtype = (3, 2), np.dtype("f4")

    for value in (X, X[0, 0], 3.0, [X], Sparse(), "x", None, losses, np.ma.masked_array(X)):
        assert not is_dataset(value)


MEMORY = """
import sys, h5py, numpy as np, fnet
from fnet.layers import Dense, Flatten

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024

trainer = fnet.Trainer(fnet.serial(Flatten(), Dense(1)), "mse", "sgd")
ts = trainer.init(fnet.random.key(0), (1000, 10))

def use(x, y):
    _, history = trainer.fit(ts, x, y, batch_size=64, validation_data=(x, y), verbose=False)
    trainer.evaluate(ts, x, y, 64), trainer.predict(ts, x, 64)

use(np.zeros((130, 1000, 10), "f4"), np.zeros((130, 1), "f4"))
with h5py.File(sys.argv[1], "w") as file:
    x = file.create_dataset("x", (int(sys.argv[2]), 1000, 10), "f4", chunks=(16, 1000, 10))
    y = file.create_dataset("y", (int(sys.argv[2]), 1), "f4")
    before = peak()
    use(x, y)
    print(peak() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(tmp_path):
    """640 MB, of which no element was written, so that the file is small: two windows at a time."""
    arguments = [sys.executable, "-c", MEMORY, str(tmp_path / "large.h5"), "16000"]
    grown = float(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert grown < 200, grown
