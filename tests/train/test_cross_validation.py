"""Cross-validation: fresh networks for each fold, one set of programs for all."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import device, random, tree
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten
from fnet.train.sources.rows import Rows
from tests.devices.recording import Recording

KEY = random.key(1)


@pytest.fixture(scope="module")
def trainer() -> fnet.Trainer:
    return fnet.Trainer(fnet.serial(Dense(4, "tanh"), Dropout(0.25), Dense(1)), "mse", metrics=["mae"])


@pytest.fixture(scope="module")
def found(trainer, problem):
    return fnet.k_fold(trainer, KEY, *problem, k=4, epochs=3, batch_size=7)


@pytest.fixture(scope="module")
def problem() -> tuple[np.ndarray, np.ndarray]:
    x = np.random.default_rng(0).normal(size=(24, 3)).astype("float32")
    return x, (x[:, :1] * x[:, 1:2] + x[:, 2:]).astype("float32")


def programs(trainer: fnet.Trainer) -> int:
    return sum(function.memory().programs for function in trainer._programs.compiled.values())


def test_each_sample_is_tested_once_by_a_network_that_has_not_seen_it(found):
    assert np.sort(np.concatenate([fold.test for fold in found.folds])).tolist() == list(range(24))
    for fold in found.folds:
        assert np.sort(np.concatenate([fold.train, fold.test])).tolist() == list(range(24))
        assert int(fold.ts.step) == 3 * 3 and len(fold.history["loss"]) == 3


def test_a_fold_is_what_fit_and_evaluate_do_with_its_samples(trainer, found, problem):
    x, y = problem
    fold = found.folds[1]
    start = trainer.init(random.fold_in(random.fold_in(random.fold_in(KEY, 1), 0), 1), (3,))
    ts, _ = trainer.fit(start, x[fold.train], y[fold.train], batch_size=7, epochs=3, verbose=False)
    assert tree.all_equal(ts, fold.ts)
    assert trainer.evaluate(ts, x[fold.test], y[fold.test], 7) == fold.results


def test_networks_and_keys_are_fresh_in_each_fold(found):
    keys = {tuple(fold.ts.key) for fold in found.folds}
    assert len(keys) == 4
    assert len({fold.ts.params["dense"]["kernel"].tobytes() for fold in found.folds}) == 4


def test_all_folds_share_their_programs(problem):
    trainer = fnet.Trainer(Dense(1), "mse")
    fnet.k_fold(trainer, KEY, *problem, k=4, batch_size=7, epochs=2)
    assert programs(trainer) == 3  # training on 7 and on the last 4 of 18 samples, tests on 6
    fnet.k_fold(trainer, random.key(2), *problem, k=4, batch_size=7, repeats=2)
    assert programs(trainer) == 3


def test_folds_of_any_size_share_the_programs_of_full_batches(problem):
    trainer = fnet.Trainer(Dense(1), "mse")
    groups = [0] * 12 + [1] * 7 + [2] * 5
    found = fnet.k_fold(trainer, KEY, *problem, k=3, batch_size=4, groups=groups, epochs=2)
    assert sorted(len(fold.train) for fold in found.folds) == [12, 17, 19]
    # Training on 4, on the last 1 and 3. Tests on 4, on the last 1 and 3.
    assert programs(trainer) == 6
    alone = fnet.Trainer(Dense(1), "mse")
    for number, fold in enumerate(found.folds):
        key = random.fold_in(random.fold_in(random.fold_in(KEY, 1), 0), number)
        x, y = (part[fold.train] for part in problem)
        ts, _ = alone.fit(alone.init(key, (3,)), x, y, batch_size=4, epochs=2, verbose=False)
        assert tree.all_equal(ts, fold.ts)
        assert alone.evaluate(ts, *(part[fold.test] for part in problem), 4) == fold.results


def test_steps_of_all_sizes_call_the_same_kernels():
    """So nothing is compiled for the folds after the first one, but for a last batch of one sample."""
    x = np.random.default_rng(0).normal(size=(48, 4, 4, 1)).astype("float32")
    net = fnet.serial(Conv2D(2, 3, activation="relu"), BatchNormalization(), Flatten(), Dropout(0.5), Dense(1))
    trainer = fnet.Trainer(net, "mse", metrics=["mae"])
    fnet.k_fold(trainer, KEY, x, x[:, :1, 0, 0], k=3, batch_size=8, groups=np.repeat([0, 1, 2], [13, 14, 21]))
    called: dict[str, list[tuple]] = {"training_step": [], "evaluation_step": []}
    for (make, *_), step in trainer._programs.compiled.items():
        plans = [made.program.plan for made in step._compiled.values()]
        called[make.__name__] += [tuple(call.kernel for call in plan.calls) for plan in plans]
    assert [len(several) for several in called.values()] == [3, 3]  # 8, and the last of 35, 34, 27 and of 13, 14, 21
    assert [len(set(several)) for several in called.values()] == [1, 1]


def test_class_weights_count_in_training_only(problem):
    x, y = problem[0], (problem[1] > 0).astype("int64")
    trainer = fnet.Trainer(Dense(1, "sigmoid"), "binary_crossentropy")
    fold = fnet.k_fold(trainer, KEY, x, y, k=2, batch_size=7, class_weight={1: 5.0}).folds[1]
    start = trainer.init(random.fold_in(random.fold_in(random.fold_in(KEY, 1), 0), 1), (3,))
    options = {"batch_size": 7, "verbose": False}
    ts, _ = trainer.fit(start, x[fold.train], y[fold.train], class_weight={1: 5.0}, **options)
    assert tree.all_equal(ts, fold.ts)
    assert trainer.evaluate(ts, x[fold.test], y[fold.test], 7) == fold.results


def test_rows_make_batches_of_their_own_samples_only():
    x = np.arange(24, dtype="float32").reshape(12, 2)
    rows = Rows.picked({"x": x, "y": None}, np.array([9, 3, 3, 7, 1]))
    assert rows.data["x"].shape == (12, 2) and rows.samples["x"].tolist() == x[[9, 3, 3, 7, 1]].tolist()
    source = rows.source(2)
    epoch = source.training(KEY, 0, True)
    visited = [epoch.batch(number).samples.tolist() for number in range(source.steps)]
    assert [len(samples) for samples in visited] == [2, 2, 1] and sorted(np.concatenate(visited)) == [0, 1, 2, 3, 4]
    assert [(chunk.size, chunk.steps) for chunk in epoch.chunks(0)] == [(2, 2), (1, 1)]
    assert [batch["x"].tolist() for batch in source.batches()] == [
        part.tolist() for part in (x[[9, 3]], x[[3, 7]], x[[1]])
    ]


def test_rows_of_arrays_of_a_second_device(problem, monkeypatch):
    monkeypatch.setitem(device.FOUND, "recording", Recording("recording"))
    trainer, chosen = fnet.Trainer(Dense(1), "mse"), np.array([5, 3, 1, 8, 9])
    data, ts = dict(zip("xy", problem, strict=True)) | {"sample_weight": None}, trainer.init(KEY, (3,))
    here, _ = trainer.fit(ts, Rows.picked(data, chosen), None, batch_size=2, epochs=2, verbose=False)
    data, ts = fnet.to_device((data, ts), "recording")
    there, _ = trainer.fit(ts, Rows.picked(data, chosen), None, batch_size=2, epochs=2, verbose=False)
    assert tree.all_equal(fnet.to_host(there), here)


def test_mean_and_spread_of_every_metric(found):
    by_fold = np.array([fold.results["mae"] for fold in found.folds])
    assert found.values["mae"].tolist() == by_fold.tolist()
    assert found.mean["mae"] == by_fold.mean() and found.std["mae"] == by_fold.std(ddof=1)
    assert set(found.mean) == {"loss", "mae"}
    head, loss, mae = str(found).splitlines()
    assert head.split() == ["4", "folds", "mean", "std", "min", "max"]
    assert mae.split() == [
        "mae",
        *(f"{v:.4g}" for v in (by_fold.mean(), by_fold.std(ddof=1), by_fold.min(), by_fold.max())),
    ]
    assert loss.startswith("loss ") and len({len(line) for line in (head, loss, mae)}) == 1


def test_repetitions_have_other_folds_and_the_same_arguments_the_same_bits(trainer, found, problem):
    again = fnet.k_fold(trainer, KEY, *problem, k=4, epochs=3, batch_size=7, repeats=2)
    assert len(again.folds) == 8
    assert tree.all_equal([fold.ts for fold in again.folds[:4]], [fold.ts for fold in found.folds])
    assert sorted(tuple(f.test) for f in again.folds[4:]) != sorted(tuple(f.test) for f in again.folds[:4])


def test_trees_of_inputs_weights_and_classes():
    rng = np.random.default_rng(0)
    x = {"a": rng.normal(size=(12, 2)), "b": rng.normal(size=(12, 3))}
    labels = np.arange(12) % 2
    left, right = fnet.Input((2,), name="a"), fnet.Input((3,), name="b")
    net = fnet.graph({"a": left, "b": right}, Dense(2)(fnet.layers.concatenate([left, right])))
    trainer = fnet.Trainer(net, fnet.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    options = {"k": 3, "stratify": True, "dtype": "float64", "class_weight": {0: 1.0, 1: 2.0}}
    found = fnet.k_fold(trainer, KEY, x, labels, **options)
    assert all(labels[fold.test].tolist().count(1) == 2 for fold in found.folds)
    assert found.folds[0].ts.params["dense"]["kernel"].dtype == np.float64
    groups = fnet.k_fold(trainer, KEY, x, labels, k=2, groups=np.arange(12) // 6, sample_weight=np.ones(12))
    assert {tuple(fold.test) for fold in groups.folds} == {tuple(range(6)), tuple(range(6, 12))}
    given = fnet.k_fold(trainer, KEY, x, labels, k=3, stratify=np.arange(12) // 4)
    assert all(set(fold.test // 4) == {0, 1, 2} for fold in given.folds)


def test_mistakes_are_told(trainer, problem):
    x, y = problem
    with pytest.raises(StructureError, match=r"k_fold: trainer is an fnet\.Trainer, received a Layer\. Make one"):
        fnet.k_fold(Dense(1), KEY, x, y)
    with pytest.raises(ValueRangeError, match="k=25 folds need a sample each, received 24 samples"):
        fnet.k_fold(trainer, KEY, x, y, k=25)
    with pytest.raises(ShapeError, match="y has 23 samples and x has 24"):
        fnet.k_fold(trainer, KEY, x, y[1:])
    with pytest.raises(ValueRangeError, match="repeats=2 without shuffle would do the same again"):
        fnet.k_fold(trainer, KEY, x, y, repeats=2, shuffle=False)
    with pytest.raises(DtypeError, match="a key is a uint32 array"):
        fnet.k_fold(trainer, 0, x, y)
