"""Models judged by data sets that stay in their file: what `fit` and `evaluate` do with the samples of each part."""

from __future__ import annotations

import re
import subprocess
import sys

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import random, tree
from fnet.errors import FileError, ShapeError, ValueRangeError
from fnet.layers import Dense
from fnet.train.dataset import Dataset, is_dataset
from fnet.train.sources import datasets, picked
from fnet.train.sources.picked import Picked

KEY, SAMPLE = random.key(1), 16  # bytes of 3 numbers and one
X = np.random.default_rng(0).normal(size=(40, 3)).astype("float32")
Y = (X[:, :1] > 0).astype("float32")
WEIGHT = np.linspace(0.5, 1.5, 40).astype("float32")


class Asked:
    """Like a data set of a file: slices of it are asked for, and their sizes are kept."""

    def __init__(self, array):
        self.array, self.shape, self.dtype, self.sizes = array, array.shape, array.dtype, []

    def __getitem__(self, part):
        self.sizes.append(part.stop - part.start)
        return self.array[part]


@pytest.fixture
def windows(monkeypatch):
    """Windows of 15 samples, blocks and pieces of 4: parts of 16 and more are read by windows, others whole."""
    monkeypatch.setattr(datasets, "WINDOW_BYTES", 15 * SAMPLE)
    monkeypatch.setattr(datasets, "BLOCK_BYTES", 4 * SAMPLE)
    monkeypatch.setattr(picked, "PIECE_BYTES", 4 * 12)


@pytest.fixture(scope="module")
def trainer():
    return fnet.Trainer(Dense(1, "sigmoid"), "binary_crossentropy", "sgd", metrics=["accuracy"])


@given(st.lists(st.integers(0, 29)), st.integers(1, 9), st.integers(0, 30), st.integers(0, 30))
def test_picked_samples_are_those_of_an_array(numbers, chunk, begin, end):
    array, rows = np.arange(60).reshape(30, 2), np.sort(np.array(numbers, np.int64))
    data = Dataset("x", Asked(array))
    data.chunk = chunk
    for of in (data, array):
        found = Picked(of, rows)
        assert is_dataset(found) and found.shape == (len(rows), 2) and found.dtype == array.dtype
        assert np.array_equal(found[begin:end], array[rows][begin:end])


@pytest.mark.parametrize("k", [2, 4])
def test_a_fold_is_what_fit_and_evaluate_do_with_a_data_set_of_its_samples(trainer, windows, k):
    """Tests have 20 samples, which are read by windows, or 10, which are read whole."""
    x, y = Asked(X), Asked(Y)
    weights = {0: 1.0, 1: 3.0}
    options = {"k": k, "epochs": 2, "batch_size": 5, "stratify": True}
    found = fnet.k_fold(trainer, KEY, x, y, class_weight=weights, **options)
    inside = fnet.k_fold(trainer, KEY, X, Y, class_weight=weights, **options)
    for number, (fold, other) in enumerate(zip(found.folds, inside.folds, strict=True)):
        assert fold.train.tolist() == other.train.tolist() and fold.test.tolist() == other.test.tolist()
        start = trainer.init(random.fold_in(random.fold_in(random.fold_in(KEY, 1), 0), number), (3,))
        own = Asked(X[fold.train]), Asked(Y[fold.train])
        ts, _ = trainer.fit(start, *own, batch_size=5, epochs=2, class_weight=weights, verbose=False)
        assert tree.all_equal(ts, fold.ts)
        assert trainer.evaluate(ts, X[fold.test], Y[fold.test], 5) == fold.results
    assert max(x.sizes) == 4 and y.sizes[0] == 40 and max(y.sizes[1:]) <= 12  # the first ones are labels for folds


def test_other_ways_of_judging(trainer, windows):
    """Weights in memory beside a data set; a part that is read whole has the bits that it has in memory."""
    bag = fnet.bagging(trainer, KEY, Asked(X), Y, 2, fraction=0.3, batch_size=5, sample_weight=WEIGHT)
    expected = fnet.bagging(trainer, KEY, X, Y, 2, fraction=0.3, batch_size=5, sample_weight=WEIGHT)
    assert tree.all_equal(bag.states, expected.states)
    assert np.array_equal(bag.predict(Asked(X)), bag.predict(X))
    options = {"k": 2, "batch_size": 5, "class_weight": {0: 1.0, 1: 3.0}}
    curve = fnet.learning_curve(trainer, KEY, Asked(X), Asked(Y), [5, 15], **options)
    expected = fnet.learning_curve(trainer, KEY, X, Y, [5, 15], **options)
    assert tree.all_equal((curve.train, curve.validation), (expected.train, expected.validation))
    curve = fnet.validation_curve(lambda _: trainer, [1], KEY, Asked(X), Asked(Y), 4, batch_size=5, stratify=Y)
    assert curve.validation["loss"].shape == (1, 4)


def test_folds_of_data_sets_share_their_programs(windows):
    trainer = fnet.Trainer(Dense(1), "mse")
    groups = [0] * 16 + [1] * 11 + [2] * 7 + [3] * 6
    fnet.k_fold(trainer, KEY, Asked(X), Asked(Y), 4, groups=groups, batch_size=5)
    # Training on 5, and on the last 4 of 24, 29 and 34 and 3 of 33. Tests on 5, and on the last 1 of 16, 11, 6 and 2.
    assert sum(function.memory().programs for function in trainer._programs.compiled.values()) == 6


def test_trees_of_data_sets(windows):
    left, right = fnet.Input((2,), name="a"), fnet.Input((1,), name="b")
    trainer = fnet.Trainer(fnet.graph({"a": left, "b": right}, Dense(1)(fnet.layers.concatenate([left, right]))), "mse")
    x = {"a": X[:, :2], "b": X[:, 2:]}
    found = fnet.k_fold(trainer, KEY, x | {"a": Asked(x["a"])}, Y, 2, batch_size=5, dtype="float64")
    for fold in found.folds:
        part = tree.map(lambda leaf, rows=fold.test: leaf[rows], x)
        assert trainer.evaluate(fold.ts, part, Y[fold.test], 5) == fold.results
        assert fold.ts.params["dense"]["kernel"].dtype == np.float64


def test_mistakes(trainer, windows):
    class Broken(Asked):
        def __getitem__(self, part):
            if part.stop > 30:
                raise OSError("truncated file")
            return super().__getitem__(part)

    with pytest.raises(FileError, match=r"^samples \d+ to \d+ of x cannot be read: OSError: truncated file. Check"):
        fnet.k_fold(trainer, KEY, Broken(X), Y, 2)
    with pytest.raises(ShapeError, match="y has 5 samples and x has 40"):
        fnet.k_fold(trainer, KEY, Asked(X), Y[:5], 2)
    with pytest.raises(
        ShapeError,
        match=re.escape("k_fold: stratify has one label for each of 40 samples, received the shape (40, 3, 1)"),
    ):
        fnet.k_fold(trainer, KEY, Asked(X), Asked(X[:, :, None]), 2, stratify=True)
    with pytest.raises(ValueRangeError, match="binary_crossentropy: expected y_true in"):
        fnet.k_fold(trainer, KEY, Asked(X), Asked(Y + 3), 2)


MEMORY = """
import sys, h5py, numpy as np, fnet
from fnet.layers import Dense, Flatten

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")) / 1024

trainer = fnet.Trainer(fnet.serial(Flatten(), Dense(1)), "mse", "sgd")

def use(x, y):
    fnet.k_fold(trainer, fnet.random.key(0), x, y, 2, batch_size=64)
    fnet.bagging(trainer, fnet.random.key(0), x, y, 1, batch_size=64)

use(np.zeros((130, 1000, 10), "f4"), np.zeros((130, 1), "f4"))
with h5py.File(sys.argv[1], "w") as file:
    x = file.create_dataset("x", (8000, 1000, 10), "f4", chunks=(16, 1000, 10))
    y = file.create_dataset("y", (8000, 1), "f4")
    before = peak()
    use(x, y)
    print(peak() - before)
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_data(tmp_path):
    """320 MB, of which no element was written, so that the file is small."""
    arguments = [sys.executable, "-c", MEMORY, str(tmp_path / "large.h5")]
    grown = float(subprocess.run(arguments, check=True, stdout=subprocess.PIPE, text=True).stdout)
    assert grown < 200, grown


def test_a_file_of_hdf5(trainer, windows, tmp_path):
    """With chunks: what lies between the samples of a fold is read with them."""
    with h5py.File(tmp_path / "data.h5", "w") as file:
        x, y = file.create_dataset("x", data=X.astype("f8"), chunks=(7, 3)), file.create_dataset("y", data=Y)
        found = fnet.k_fold(trainer, KEY, x, y, 2, batch_size=5)
    expected = fnet.k_fold(trainer, KEY, Asked(X), Asked(Y), 2, batch_size=5)
    assert tree.all_equal([fold.ts for fold in found.folds], [fold.ts for fold in expected.folds])
