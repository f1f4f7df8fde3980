"""A training that ends at any step goes on to the bit; another one is refused by what differs."""

from __future__ import annotations

import errno
import itertools
import os
from typing import Any

import pytest

import fnet
from fnet import device, tree
from fnet.callbacks import (
    BackupAndRestore,
    Callback,
    CSVLogger,
    EarlyStopping,
    LearningRateScheduler,
    ReduceLROnPlateau,
)
from fnet.errors import DtypeError, FileError, StructureError, ValueRangeError
from fnet.io import atomic
from tests.devices.recording import Recording

STEPS = 15  # of three epochs


class EndedError(Exception):
    pass


class End(Callback):
    """Ends the training by an error after a step, or does not."""

    def __init__(self, step: int | None = None) -> None:
        self.step = step

    def on_train_batch_end(self, run):
        if run.step == self.step:
            raise EndedError


class Counting(Callback):
    """Counts its calls, and stops by that."""

    remembered = ("seen",)
    batch_interval = 2

    def on_train_begin(self, run):
        self.seen = [0, 0, 0, 0]

    def on_epoch_begin(self, run):
        self.seen[0] += 1

    def on_epoch_end(self, run):
        self.seen[1] += 1

    def on_train_batch_begin(self, run):
        self.seen[2] += 1

    def on_train_batch_end(self, run):
        self.seen[3] += 1
        if run.step == 7:
            run.replace(run.ts._replace(key=run.ts.key + 1, params=tree.map(lambda leaf: 2 * leaf, run.ts.params)))
        if run.step == 14:
            run.stop()


@pytest.fixture
def train(trainer, ts, problem, tmp_path):
    """``train(freq, end, **options) -> (ts, history, what callbacks know, table)``, backed up in one folder."""

    def run(freq: Any = "epoch", end: int | None = None, folder: str = "backup", **options: Any) -> Any:
        several = [
            ReduceLROnPlateau("loss", factor=0.5, patience=0, min_delta=0.1),
            BackupAndRestore(tmp_path / folder, freq, **options.pop("backup", {})),
            EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True),
            CSVLogger(tmp_path / f"{folder}.csv"),
            Counting(),
            End(end),
        ]
        own = {"batch_size": 5, "epochs": 3, "validation_data": problem, "callbacks": several, "verbose": False}
        start, x, y = options.pop("ts", ts), *options.pop("problem", problem)
        new, history = options.pop("trainer", trainer).fit(start, x, y, **own | options)
        memories = [callback.memory() for callback in several]
        table = memories.pop(3), (tmp_path / f"{folder}.csv").read_text()
        return new, history, memories, table

    return run


def goes_on(train: Any, freq: Any, ends: Any) -> bool:
    """Whether a training that ends after any of the steps and goes on is the same to the bit as one never stopped."""
    whole, record, memories, table = train(freq, folder="whole")
    assert record.epoch == [0, 1, 2] and int(whole.step) == 14 and memories[3]["seen"] == [3, 3, 7, 7]
    for end in ends:
        with pytest.raises(EndedError):
            train(freq, end)
        new, history, others, other_table = train(freq)
        same = tree.all_equal(new, whole) and (history, other_table) == (record, table)
        if not (same and tree.all_equal(others[2], memories[2]) and others[3] == memories[3]):
            return False
    return True


@pytest.mark.parametrize(("freq", "ends"), [("epoch", [7]), (1, [13]), (3, [4, 10])])
def test_a_training_that_ends_goes_on_to_the_bit(train, tmp_path, freq, ends):
    assert goes_on(train, freq, ends) and not (tmp_path / "backup").exists()


def endless(x, y):
    """A generator whose batches differ from epoch to epoch."""
    for number in itertools.count():
        yield x[number % 4 : number % 4 + 5], y[number % 4 : number % 4 + 5]


@pytest.mark.parametrize("end", [4, 10, 13])
@pytest.mark.parametrize("kind", ["generator", "list of batches"])
def test_a_training_on_batches_goes_on_to_the_bit(trainer, ts, problem, tmp_path, kind, end):
    def run(folder, end=None):
        batches = endless(*problem)
        given = batches if kind == "generator" else Again([next(batches) for _ in range(5)])
        callbacks = [BackupAndRestore(tmp_path / folder, 3), End(end)]
        return trainer.fit(ts, given, epochs=3, steps_per_epoch=5, callbacks=callbacks, verbose=False)

    whole, record = run("whole")
    with pytest.raises(EndedError):
        run("backup", end)
    new, history = run("backup")
    assert tree.all_equal(new, whole) and history == record


class Again:
    """Batches that begin anew in every epoch."""

    def __init__(self, batches):
        self.batches = batches

    def __iter__(self):
        return iter(self.batches)


@pytest.mark.slow
@pytest.mark.parametrize("freq", ["epoch", 1, 2, 3, 4])
def test_a_training_that_ends_after_any_step_goes_on_to_the_bit(train, freq):
    assert goes_on(train, freq, range(1, STEPS))


def test_more_epochs_go_on_from_a_backup_of_fewer(train, problem):
    train(backup={"delete_checkpoint": False}, epochs=1)
    new, history, *_ = train(epochs=3)
    whole, record, *_ = train(folder="whole")
    assert tree.all_equal(new, whole) and history == record


@pytest.mark.parametrize("freq", ["epoch", 1])
def test_a_run_that_was_stopped_gives_the_same_again(train, tmp_path, freq):
    first, again = (train(freq, backup={"delete_checkpoint": False}, epochs=5) for _ in range(2))
    assert first[1].epoch == [0, 1, 2] and int(first[0].step) == 14
    assert tree.all_equal(first[0], again[0]) and first[1] == again[1] and first[3] == again[3]
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["checkpoint-000000000014.h5"]


def test_ctrl_c_leaves_the_backup(trainer, ts, problem, tmp_path):
    def interrupted(epoch, logs, ts):
        if epoch == 1:
            raise KeyboardInterrupt

    arguments = {"batch_size": 5, "epochs": 3, "verbose": False}
    _, history = trainer.fit(ts, *problem, callbacks=[BackupAndRestore(tmp_path / "b", 1), interrupted], **arguments)
    assert history.interrupted and [path.name for path in (tmp_path / "b").iterdir()] == ["checkpoint-000000000010.h5"]
    new, history = trainer.fit(
        ts, *problem, callbacks=[BackupAndRestore(tmp_path / "b", 1), lambda epoch, logs, ts: None], **arguments
    )
    whole, record = trainer.fit(ts, *problem, **arguments)
    assert tree.all_equal(new, whole) and history == record


def other_net(trainer, ts, problem):
    net = fnet.serial(fnet.layers.Dense(4, activation="tanh"), fnet.layers.Dropout(0.5), fnet.layers.Dense(1))
    return {"trainer": fnet.Trainer(net, "mse", "adam", metrics=["mae"])}


OTHERS = {
    "batch size": (lambda *_: {"batch_size": 6}, r"batch_size was 5, is 6\. Call fit as before, or remove"),
    "steps": (lambda *_: {"steps_per_epoch": 4}, "steps_per_epoch was None, is 4"),
    "order": (lambda *_: {"shuffle": False}, "shuffle was True, is False"),
    "targets": (lambda t, ts, p: {"problem": (p[0], p[1] + 1)}, "y was .* with the checksum .*, is "),
    "samples": (lambda t, ts, p: {"problem": (p[0][1:], p[1][1:])}, r"x was .*\(23, 3\) with .*, is .*\(22, 3\) with"),
    "start": (lambda t, ts, p: {"ts": t.init(fnet.random.key(2), (3,))}, "ts/params/dense/kernel was .*; ts/key was"),
    "network": (other_net, r"net was \.\.\..*rate=0\.25.*, is \.\.\..*rate=0\.5"),
    "validation": (lambda *_: {"validation_data": None}, r"validation/x was .*, is none"),
    "callbacks": (lambda *_: {"callbacks": None}, r"callbacks was .*'EarlyStopping', ', is .'Back"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_another_training_is_refused_by_what_differs(train, trainer, ts, problem, tmp_path, name):
    with pytest.raises(EndedError):
        train(end=8)
    before = [path.read_bytes() for path in (tmp_path / "backup").iterdir()]
    options, message = OTHERS[name][0](trainer, ts, problem), OTHERS[name][1]
    if name == "callbacks":
        options = {"callbacks": [BackupAndRestore(tmp_path / "backup")]}
    with pytest.raises(StructureError, match=f"backup': the backup is of another training: .*{message}"):
        train(**options)
    assert [path.read_bytes() for path in (tmp_path / "backup").iterdir()] == before


def test_a_damaged_backup_is_skipped_for_the_one_before(train, tmp_path):
    whole, record, *_ = train(folder="whole")
    with pytest.raises(EndedError):
        train(2, end=9, backup={"double_checkpoint": True})
    paths = sorted((tmp_path / "backup").iterdir())
    assert [path.name[17:] for path in paths] == ["000006.h5", "000008.h5"]
    paths[1].write_bytes(paths[1].read_bytes()[:-5000] + bytes(5000))
    with pytest.warns(UserWarning, match=r"the one before is used: .*8\.h5"):
        new, history, *_ = train(2, backup={"double_checkpoint": True})
    assert tree.all_equal(new, whole) and history == record


def test_damaged_backups_are_an_error_if_there_is_no_other(train, tmp_path):
    with pytest.raises(EndedError):
        train(end=9)
    (path,) = (tmp_path / "backup").iterdir()
    path.write_bytes(b"nothing")
    with pytest.raises(FileError, match=r"none of the checkpoints in '.*backup' can be read\. The latest: .*5\.h5"):
        train()


def test_a_folder_is_for_one_training_at_a_time(trainer, ts, problem, tmp_path):
    def again(epoch, logs, ts):
        trainer.fit(ts, *problem, batch_size=5, verbose=False, callbacks=BackupAndRestore(tmp_path))

    with pytest.raises(FileError, match="another run of fit trains with backup_dir '.*' now. Give each its own folder"):
        trainer.fit(ts, *problem, batch_size=5, verbose=False, callbacks=[BackupAndRestore(tmp_path), again])
    trainer.fit(ts, *problem, batch_size=5, verbose=False, callbacks=BackupAndRestore(tmp_path / "free"))


def test_a_failed_backup_ends_the_training_with_its_error_and_leaves_the_one_before(train, tmp_path, monkeypatch):
    whole, record, *_ = train(folder="whole")
    replace, calls = os.replace, []

    def full(source, target):
        calls.append(target)
        if len(calls) > 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        replace(source, target)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left on device"):
        patch.setattr(atomic.os, "replace", full)
        train(2)
    assert [path.name for path in (tmp_path / "backup").iterdir()] == ["checkpoint-000000000006.h5"]
    new, history, *_ = train(2)
    assert tree.all_equal(new, whole) and history == record


def test_a_memory_that_files_cannot_hold_is_named(trainer, ts, problem, tmp_path):
    class Odd(Callback):
        remembered = ("odd",)
        odd = (1, {"a": {2}})

    with pytest.raises(DtypeError, match="'memories/1 Odd/odd/1/a' is a set, expected dicts, lists, tuples"):
        trainer.fit(ts, *problem, batch_size=5, verbose=False, callbacks=[BackupAndRestore(tmp_path / "b"), Odd()])


@pytest.mark.parametrize("freq", [0, "batch", 1.5])
def test_the_frequency(freq):
    with pytest.raises((ValueRangeError, TypeError), match="save_freq to be 'epoch' or a number of steps"):
        BackupAndRestore("b", freq)


def test_the_record_of_rates_and_metrics_of_several_numbers(problem, tmp_path):
    def counts(y_true, y_pred):
        return fnet.ops.absolute(y_true - y_pred)

    trainer = fnet.Trainer(fnet.layers.Dense(1), "mse", fnet.optimizers.sgd(0.1), metrics=[counts])
    ts = trainer.init(fnet.random.key(0), (3,))

    def train(end: int | None, epochs: int = 3) -> Any:
        several = [LearningRateScheduler(lambda epoch, rate: rate / 2), BackupAndRestore(tmp_path / "b", 1), End(end)]
        return trainer.fit(ts, *problem, batch_size=23, epochs=epochs, verbose=False, callbacks=several)

    whole, record = train(None)
    with pytest.raises(EndedError):
        train(2)
    new, history = train(None)
    assert tree.all_equal(new, whole) and history == record
    assert history["learning_rate"] == [0.05, 0.025, 0.0125]


def test_a_device_gets_its_arrays_back(trainer, problem, tmp_path, monkeypatch):
    monkeypatch.setitem(device.FOUND, "restored", Recording("restored"))
    ts, x, y = fnet.to_device((trainer.init(fnet.random.key(1), (3,)), *problem), "restored")

    def train(end: int | None) -> Any:
        several = [
            EarlyStopping("loss", mode="max", patience=9, restore_best_weights=True),
            BackupAndRestore(tmp_path / "b", 2),
            End(end),
        ]
        return trainer.fit(ts, x, y, batch_size=5, epochs=3, verbose=False, callbacks=several)

    whole, record = train(None)
    with pytest.raises(EndedError):
        train(8)
    new, history = train(None)
    assert all(isinstance(leaf, fnet.DeviceArray) for leaf in tree.leaves(new.params))
    assert tree.all_equal(fnet.to_host(new), fnet.to_host(whole)) and history == record
