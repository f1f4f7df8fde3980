"""Tables, functions as callbacks, the end at a NaN, pickling, and the table of names."""

from __future__ import annotations

import csv
import os
import pickle

import numpy as np
import pytest

from fnet import callbacks, optimizers, random
from fnet.callbacks import (
    CALLBACKS,
    BackupAndRestore,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    SwapEMAWeights,
    TerminateOnNaN,
)
from fnet.errors import DtypeError, NonFiniteError, ValueRangeError
from fnet.layers import Dense
from fnet.train import Trainer
from tests.callbacks.feeding import Feed, fed


def test_a_table_without_validation_has_its_columns_all_the_same(trainer, problem, tmp_path):
    fed(trainer, problem, [{"mae": 0.5, "loss": 1.0}, {"loss": 2.0}], CSVLogger(tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "epoch,loss,mae,val_loss,val_mae",
        "0,1.0,0.5,NA,NA",
        "1,2.0,NA,NA,NA",
    ]


def test_a_table_is_appended_to(trainer, problem, tmp_path):
    logs = [{"loss": 1.0, "val_loss": 0.25}]
    for _ in range(2):
        fed(trainer, problem, logs, CSVLogger(tmp_path / "a.csv", separator=";", append=True))
    assert (tmp_path / "a.csv").read_text().splitlines() == ["epoch;loss;val_loss", "0;1.0;0.25", "0;1.0;0.25"]
    fed(trainer, problem, logs, CSVLogger(tmp_path / "a.csv"))
    assert (tmp_path / "a.csv").read_text().splitlines() == ["epoch,loss,val_loss", "0,1.0,0.25"]


def test_a_table_is_appended_to_by_the_columns_that_it_has(trainer, problem, tmp_path):
    """A writer that was killed left half a line."""
    path = tmp_path / "a.csv"
    path.write_text("epoch,val_loss,loss\n0,0.5,1.")
    fed(trainer, problem, [{"loss": 2.0}, {"loss": 3.0, "val_loss": 4.0}], CSVLogger(path, append=True))
    assert path.read_text().splitlines() == ["epoch,val_loss,loss", "0,0.5,1.", "0,NA,2.0", "1,4.0,3.0"]
    logs = [{"loss": 2.0, "mae": 1.5, "val_mae": 1.0}]
    with pytest.warns(UserWarning, match="CSVLogger: '.*a.csv' has no column for mae, val_mae, which are left") as told:
        trainer.fit(
            trainer.init(random.key(0), (3,)),
            *problem,
            verbose=False,
            callbacks=[Feed(logs), CSVLogger(path, append=True)],
        )
    assert path.read_text().splitlines()[4:] == ["0,NA,2.0"] and told[0].filename == __file__
    path.write_text("7,8\n")
    fed(trainer, problem, [{"loss": 2.0}], CSVLogger(path, append=True))
    assert path.read_text().splitlines() == ["7,8", "0,2.0,NA"]


def test_a_table_is_complete_after_every_epoch_and_after_an_error(trainer, problem, tmp_path):
    lines = []

    def look(epoch, logs, ts):
        lines.append(len((tmp_path / "a.csv").read_text().splitlines()))
        if epoch == 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fed(trainer, problem, [{"loss": 1.0}] * 3, CSVLogger(tmp_path / "a.csv"), look)
    assert lines == [2, 3]


def test_a_table_of_a_real_run_is_read_back(trainer, ts, problem, tmp_path):
    new, history = trainer.fit(
        ts, *problem, batch_size=23, epochs=2, validation_data=problem, verbose=False,
        callbacks=[CSVLogger(tmp_path / "a.csv"), ReduceLROnPlateau()],
    )  # fmt: skip
    with (tmp_path / "a.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["epoch", "learning_rate", "loss", "mae", "val_loss", "val_mae"]
    for name in history:
        assert [float(row[name]) for row in rows] == history[name], new


def test_a_table_in_a_folder_that_is_not_there(trainer, ts, problem, tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        trainer.fit(ts, *problem, batch_size=23, verbose=False, callbacks=CSVLogger(tmp_path / "nowhere" / "a.csv"))


@pytest.mark.parametrize("separator", ["", ";;", '"', "\n", 1])
def test_separators(separator):
    with pytest.raises(ValueRangeError, match="CSVLogger: separator is one character, received"):
        CSVLogger("a.csv", separator=separator)


def test_functions_for_hooks(trainer, ts, problem):
    calls = []
    names = ("on_epoch_begin", "on_epoch_end", "on_train_batch_begin", "on_train_batch_end")
    numbered = {name: lambda number, logs, name=name: calls.append((name, number, sorted(logs))) for name in names}
    plain = {
        name: lambda logs, name=name: calls.append((name, sorted(logs))) for name in ("on_train_begin", "on_train_end")
    }
    trainer.fit(ts, *problem, batch_size=23, epochs=1, verbose=False, callbacks=LambdaCallback(**numbered, **plain))
    assert calls == [
        ("on_train_begin", []),
        ("on_epoch_begin", 0, []),
        ("on_train_batch_begin", 0, []),
        ("on_train_batch_end", 0, ["loss", "mae"]),
        ("on_epoch_end", 0, ["loss", "mae"]),
        ("on_train_end", ["loss", "mae"]),
    ]
    with pytest.raises(DtypeError, match="LambdaCallback: on_epoch_end is a function or None, received a int 3"):
        LambdaCallback(on_epoch_end=3)


@pytest.mark.parametrize("sample", [0, 13])
def test_the_end_at_a_nan(trainer, ts, problem, same, capsys, sample):
    x, y = problem[0].copy(), problem[1]
    with pytest.raises(NonFiniteError) as caught:
        broken = np.where(np.arange(23)[:, None] == sample, np.nan, x)
        trainer.fit(ts, broken, y, batch_size=5, shuffle=False, verbose=False)
    new, history = trainer.fit(
        ts, broken, y, batch_size=5, shuffle=False, verbose=False, callbacks=[TerminateOnNaN()], epochs=3
    )
    assert same(new, caught.value.ts) and int(new.step) == sample // 5 and history.epoch == []
    assert f"the training ends: {caught.value}" in capsys.readouterr().out
    with pytest.raises(NonFiniteError, match="clean the data"):
        trainer.fit(ts, broken, y, batch_size=5, verbose=False, callbacks=TerminateOnNaN(raise_error=True))


def schedule(epoch: int) -> float:
    return 0.1 / (1 + epoch)


MADE = [
    EarlyStopping("loss", patience=3),
    ModelCheckpoint("a.weights.h5", save_weights_only=True),
    ReduceLROnPlateau("loss", factor=0.5),
    LearningRateScheduler(schedule),
    CSVLogger("a.csv", append=True),
    TerminateOnNaN(),
    LambdaCallback(on_train_end=print),
    BackupAndRestore("backup", save_freq=3),
    SwapEMAWeights(swap_on_epoch=True),
]


@pytest.mark.parametrize("made", MADE, ids=lambda made: type(made).__name__)
def test_callbacks_are_pickled_with_what_they_remember(made):
    again = pickle.loads(pickle.dumps(made))
    assert type(again) is type(made) and repr(again) == repr(made) and again.config == made.config
    assert again.memory() == made.memory() == {name: getattr(made, name) for name in made.remembered}


def test_what_is_remembered_goes_on_elsewhere(trainer, problem, tmp_path):
    logs = [{"loss": value} for value in (1.0, 2.0, 3.0, 4.0, 5.0)]
    whole, first = EarlyStopping("loss", patience=3), EarlyStopping("loss", patience=3)
    _, history = fed(trainer, problem, logs, whole)
    fed(trainer, problem, logs[:2], first)

    class GoOn(EarlyStopping):
        def on_train_begin(self, run):
            super().on_train_begin(run)
            self.remember(pickle.loads(pickle.dumps(first.memory())))

    rest = GoOn("loss", patience=3)
    _, after = fed(trainer, problem, logs, rest, initial_epoch=2)
    assert history.epoch == [0, 1, 2, 3] and after.epoch == [2, 3] and rest.stopped_epoch == whole.stopped_epoch == 3


def test_a_new_table_keeps_the_first_letters_of_an_old_one_until_its_first_row(trainer, problem, tmp_path):
    """And the file itself, which may have other names; after an error in the first epoch it is empty."""
    path, other = tmp_path / "a.csv", tmp_path / "b.csv"
    path.write_text("epoch,loss\r\n" + "0,1.0\r\n" * 9)
    os.link(path, other)
    seen = []
    look = LambdaCallback(on_epoch_begin=lambda epoch, logs: seen.append(path.read_text()))
    fed(trainer, problem, [{"loss": 2.0}, {"loss": 3.0}], CSVLogger(path), look)
    assert seen == ["epoch", "epoch,loss,val_loss\n0,2.0,NA\n"]
    assert other.read_text() == "epoch,loss,val_loss\n0,2.0,NA\n1,3.0,NA\n"

    def fail(epoch, logs):
        raise KeyError

    with pytest.raises(KeyError):
        fed(trainer, problem, [{"loss": 2.0}], CSVLogger(path), LambdaCallback(on_epoch_begin=fail))
    assert other.read_text() == ""
    for text in ("epoch", "", "0,5.0"):  # of a process that was killed in its first epoch; without a header
        path.write_text(text)
        fed(trainer, problem, [{"loss": 2.0}], CSVLogger(path, append=True))
        rows = ["0,5.0", "0,2.0,NA"] if text == "0,5.0" else ["epoch,loss,val_loss", "0,2.0,NA"]
        assert path.read_text().splitlines() == rows


def test_a_table_while_it_is_written_is_pickled_without_its_file(trainer, problem, tmp_path):
    copies = []
    logger = CSVLogger(tmp_path / "a.csv")
    fed(trainer, problem, [{"loss": 1.0}], logger, lambda epoch, logs, ts: copies.append(pickle.dumps(logger)))
    assert pickle.loads(copies[0]).memory() == {"columns": ["loss", "val_loss"], "length": 31}


def test_every_callback_is_in_the_table():
    elsewhere = {"TensorBoard"}  # needs tensorboardX, which may be missing
    assert {type(made).__name__ for made in MADE} | elsewhere == set(CALLBACKS) and CALLBACKS.find(
        "CSVLogger"
    ) is CSVLogger
    with pytest.raises(AttributeError, match="has no callback 'EarlyStoping'. Did you mean 'EarlyStopping'"):
        callbacks.EarlyStoping  # noqa: B018


def test_a_class_in_place_of_an_object(trainer, ts, problem):
    with pytest.raises(DtypeError, match=r"callbacks has the class EarlyStopping, .* Write EarlyStopping\(\)"):
        trainer.fit(ts, *problem, callbacks=[EarlyStopping])


def test_feeding_replaces_the_numbers(trainer, problem):
    """The other tests depend on it."""
    seen = []
    fed(trainer, problem, [{"a": 1.0}, {"b": 2.0}], lambda epoch, logs, ts: seen.append(dict(logs)))
    assert seen == [{"a": 1.0}, {"b": 2.0}] and isinstance(Feed([]), callbacks.Callback)


def test_a_new_run_needs_no_new_trainer(problem):
    trainer = Trainer(Dense(1), "mse", optimizers.sgd(0.1))
    ts = trainer.init(random.key(0), (3,))
    scheduler = LearningRateScheduler(schedule)
    first, record = trainer.fit(ts, *problem, batch_size=23, epochs=2, verbose=False, callbacks=scheduler)
    again, history = trainer.fit(ts, *problem, batch_size=23, epochs=2, verbose=False, callbacks=scheduler)
    assert record.history == history.history and history["learning_rate"] == [0.1, 0.05], (first, again)
