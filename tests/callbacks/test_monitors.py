"""Callbacks that watch a number, fed with given numbers: what Keras documents, epoch by epoch."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import load_model, load_weights
from fnet.callbacks import EarlyStopping, ModelCheckpoint, ReduceLROnPlateau
from fnet.errors import ArgumentError, ValueRangeError
from fnet.layers import Dense
from fnet.train import Trainer
from tests.callbacks.feeding import Seen, fed


def losses(*values):
    return [{"val_loss": value} for value in values]


@pytest.mark.parametrize(
    ("options", "values", "last"),
    [
        ({}, (1.0, 2.0, 0.5), 1),
        ({}, (1.0, 1.0, 0.5), 1),
        ({"patience": 2}, (1.0, 2.0, 0.9, 1.0, 1.0, 1.0), 4),
        ({"patience": 2}, (1.0, 0.9, 0.8, 0.7), 3),
        ({"patience": 1, "min_delta": 0.2}, (1.0, 0.9, 0.75, 0.7), 1),
        ({"patience": 1, "min_delta": -0.2}, (1.0, 0.9, 0.75, 0.7), 1),
        ({"min_delta": 0.2}, (1.0, 0.75, 0.5, 0.31), 3),
        ({"mode": "max"}, (1.0, 2.0, 3.0, 2.5, 9.0), 3),
        ({"start_from_epoch": 2}, (1.0, 2.0, 3.0, 4.0), 3),
        ({"patience": 2, "baseline": 0.5}, (1.0, 0.9, 0.8, 0.7), 3),
        ({"patience": 2, "baseline": 0.5}, (1.0, 1.0, 0.8, 0.7), 1),
        ({"patience": 2, "baseline": 0.95}, (1.0, 0.9, 0.95, 0.96, 0.97), 3),
        ({}, (np.nan, np.nan, np.nan), 1),
    ],
)
def test_early_stopping(trainer, problem, options, values, last):
    early = EarlyStopping(**options)
    _, history = fed(trainer, problem, losses(*values), early)
    assert history.epoch[-1] == last
    assert early.stopped_epoch == (last if last + 1 < len(values) else early.stopped_epoch)


@pytest.mark.parametrize(("values", "best"), [((1.0, 0.5, 0.7, 0.6), 1), ((3.0, 2.0, 1.0), 2), ((1.0, 2.0, 3.0), 0)])
def test_the_best_weights_are_restored_also_where_it_did_not_stop(trainer, problem, same, values, best):
    seen, early = Seen(), EarlyStopping(patience=9, restore_best_weights=True)
    new, history = fed(trainer, problem, losses(*values), seen, early)
    assert same(new.params, seen.params[best]) and early.best_epoch == best and early.stopped_epoch == 0
    assert int(new.step) == len(values) == len(history.epoch) and same(early.best_weights[0], new.params)
    again, _ = fed(trainer, problem, losses(*values), early)
    assert same(again, new)  # nothing is left of the run before


def test_ctrl_c_keeps_the_last_step(trainer, problem, same):
    def interrupt(epoch, logs, ts):
        if epoch == 2:
            raise KeyboardInterrupt

    seen, early = Seen(), EarlyStopping(patience=9, restore_best_weights=True)
    new, history = fed(trainer, problem, losses(1.0, 2.0, 3.0, 4.0), seen, early, interrupt)
    assert history.interrupted and same(new.params, seen.params[2]) and same(early.best_weights[0], seen.params[0])


def test_verbose_stopping_tells(trainer, problem, capsys):
    fed(trainer, problem, losses(1.0, 2.0, 3.0), EarlyStopping(verbose=1, restore_best_weights=True))
    expected = ["epoch 2: early stopping", "the parameters are those after the best epoch, 1"]
    assert capsys.readouterr().out.splitlines() == expected


@pytest.mark.parametrize(
    ("options", "values", "rates"),
    [
        ({"patience": 1}, (1.0, 1.0, 1.0, 1.0), (16, 16, 8, 4)),
        ({"patience": 2}, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0), (16, 16, 16, 8, 8, 4)),
        ({"patience": 1, "cooldown": 1}, (1.0, 1.0, 1.0, 1.0, 1.0), (16, 16, 8, 4, 2)),
        ({"patience": 1, "cooldown": 2}, (1.0, 1.0, 1.0, 1.0, 1.0, 1.0), (16, 16, 8, 8, 4, 4)),
        ({"patience": 1, "min_lr": 5.0}, (1.0, 1.0, 1.0, 1.0, 1.0), (16, 16, 8, 5, 5)),
        ({"patience": 1, "min_delta": 0.5}, (1.0, 0.6, 0.4, 0.2), (16, 16, 8, 8)),
        ({"patience": 1, "mode": "max"}, (1.0, 2.0, 1.0, 1.0), (16, 16, 16, 8)),
        ({"patience": 0}, (1.0, 1.0, 0.5, 0.4), (16, 16, 8, 8)),
    ],
)
def test_reduce_on_plateau(trainer, problem, options, values, rates):
    """The rates are multiples of 1/16 of the first one, 0.001."""
    if "min_lr" in options:
        options = {**options, "min_lr": options["min_lr"] / 16 * 0.001}
    _, history = fed(trainer, problem, losses(*values), ReduceLROnPlateau(factor=0.5, **options))
    np.testing.assert_allclose(history["learning_rate"], [rate / 16 * 0.001 for rate in rates])


@pytest.mark.parametrize(
    ("options", "values", "epochs"),
    [
        ({"save_best_only": True}, (2.0, 1.0, 1.5, 0.5), [1, 2, 4]),
        ({"save_best_only": True, "mode": "max"}, (2.0, 1.0, 2.0, 2.5), [1, 4]),
        ({"save_best_only": True, "initial_value_threshold": 0.9}, (2.0, 1.0, 0.5, 0.7), [3]),
        ({}, (2.0, 1.0, 3.0), [1, 2, 3]),
    ],
)
def test_checkpoints_of_epochs(trainer, problem, same, tmp_path, options, values, epochs):
    seen, pattern = Seen(), str(tmp_path / "runs" / "{epoch:02d}-{val_loss:.2f}.weights.h5")
    saving = ModelCheckpoint(pattern, save_weights_only=True, **options)
    new, _ = fed(trainer, problem, losses(*values), seen, saving)
    names = [f"{epoch:02d}-{values[epoch - 1]:.2f}.weights.h5" for epoch in epochs]
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == names
    for epoch, name in zip(epochs, names, strict=True):
        params, _ = load_weights(tmp_path / "runs" / name, trainer._net, new.params, new.state)
        assert same(params, seen.params[epoch - 1])


def test_the_best_file_outlives_a_run(trainer, problem, same, tmp_path):
    """As in Keras, `best` is of all runs of the object."""
    path, seen = tmp_path / "best.weights.h5", Seen()
    saving = ModelCheckpoint(path, save_best_only=True, save_weights_only=True)
    for values, best in (((2.0, 1.0), 1), ((1.5, 1.7), 1), ((0.5, 0.7), 0)):
        new, _ = fed(trainer, problem, losses(*values), seen, saving)
        params, _ = load_weights(path, trainer._net, new.params, new.state)
        assert same(params, seen.params[best])


@pytest.mark.parametrize(
    "make", [EarlyStopping, ReduceLROnPlateau, lambda monitor: ModelCheckpoint("x.keras", monitor, save_best_only=True)]
)
@pytest.mark.parametrize("monitor", ["off", "val_off"])
def test_a_metric_without_a_direction_is_told_before_the_first_epoch(problem, make, monitor):
    def off(y_true, y_pred):
        return y_pred - y_true

    epochs: list[int] = []
    trainer = Trainer(Dense(1), "mse", metrics=[off])
    expected = f"which way '{monitor}' gets better is not known: .* with a direction. Pass mode='min' or"
    with pytest.raises(ValueRangeError, match=expected):
        fed(trainer, problem, [{monitor: 1.0}] * 3, make(monitor), lambda epoch, logs, ts: epochs.append(epoch))
    assert epochs == []


def test_checkpoints_of_steps(trainer, ts, problem, same, tmp_path):
    """Every third step of the run, of five in an epoch."""
    saving = ModelCheckpoint(tmp_path / "{epoch}-{batch}.weights.h5", save_weights_only=True, save_freq=3)
    new, _ = trainer.fit(ts, *problem, batch_size=5, epochs=3, verbose=False, callbacks=saving)
    names = ["1-3", "2-1", "2-4", "3-2", "3-5"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.weights.h5" for name in names]
    params, _ = load_weights(tmp_path / "3-5.weights.h5", trainer._net, new.params, new.state)
    assert same(params, new.params)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_checkpoints_of_whole_models(trainer, ts, problem, same, tmp_path, suffix):
    saving = ModelCheckpoint(tmp_path / f"{{epoch}}.{suffix}")
    new, _ = trainer.fit(ts, *problem, epochs=2, verbose=False, callbacks=saving)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"1.{suffix}", f"2.{suffix}"]
    _, params, _ = load_model(tmp_path / f"2.{suffix}")
    assert same(params, new.params)


@pytest.mark.parametrize(
    ("callback", "text"),
    [
        (
            EarlyStopping,
            "EarlyStopping watches 'val_loss', which is not there, so it does nothing; there are loss, mae",
        ),
        (ReduceLROnPlateau, "ReduceLROnPlateau watches 'val_loss', which is not there, so it does nothing; there are "),
        (lambda: EarlyStopping("los", mode="min"), "which is not there, .* there are loss, mae. Did you mean 'loss'"),
    ],
)
def test_a_number_that_is_not_there_is_warned_of_once_a_run(trainer, ts, problem, callback, text):
    watching = callback()
    for _ in range(2):
        with pytest.warns(UserWarning, match=text) as told:
            new, history = trainer.fit(ts, *problem, batch_size=23, epochs=3, verbose=False, callbacks=watching)
        assert len(told) == 1 and told[0].filename == __file__ and history.epoch == [0, 1, 2], new


def test_a_checkpoint_without_the_number_is_saved(trainer, ts, problem, tmp_path):
    saving = ModelCheckpoint(tmp_path / "best.weights.h5", save_best_only=True, save_weights_only=True)
    with pytest.warns(UserWarning, match="ModelCheckpoint watches 'val_loss', .*so it saves all the same") as told:
        new, _ = trainer.fit(ts, *problem, batch_size=23, epochs=2, verbose=False, callbacks=saving)
    assert (tmp_path / "best.weights.h5").is_file() and told[0].filename == __file__, new


def test_several_numbers_cannot_be_watched(trainer, problem):
    with pytest.warns(UserWarning, match="watches 'val_loss', which is 2 numbers, so it does nothing"):
        fed(trainer, problem, [{"val_loss": np.ones(2)}] * 2, EarlyStopping())


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (
            lambda: EarlyStopping(mode="least"),
            ValueRangeError,
            "EarlyStopping.*mode is .*'auto'.*received 'least'",
        ),
        (lambda: EarlyStopping(patience=-1), ValueRangeError, "patience to be an integer >= 0, received -1"),
        (
            lambda: EarlyStopping(patince=3),
            TypeError,
            r"EarlyStopping\(\) got an .* Did you mean 'patience'",
        ),
        (lambda: EarlyStopping(restore_best_weights=1), ArgumentError, "restore_best_weights"),
        (lambda: EarlyStopping(min_delta="0.1"), ArgumentError, "min_delta"),
        (lambda: ReduceLROnPlateau(factor=1.0), ValueRangeError, r"factor.*\b1"),
        (lambda: ReduceLROnPlateau(cooldown=0.5), ArgumentError, "cooldown"),
        (lambda: ModelCheckpoint("w.weights.h5"), ValueRangeError, "For weights alone give save_weights_only=True"),
        (
            lambda: ModelCheckpoint("w.h5", save_weights_only=True),
            ValueRangeError,
            "a file of weights ends in .weights.h5, received",
        ),
        (
            lambda: ModelCheckpoint("w.weights.h5", save_weights_only=True, save_freq="batch"),
            ArgumentError,
            "save_freq to be 'epoch' or a number of steps",
        ),
    ],
)
def test_bad_arguments(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_a_name_that_cannot_be_filled_in(trainer, ts, problem, tmp_path):
    saving = ModelCheckpoint(tmp_path / "{val_los:.2f}.weights.h5", save_weights_only=True)
    with pytest.raises(ValueRangeError, match="cannot be filled in .'val_los'.; there are batch, loss, mae, epoch"):
        trainer.fit(ts, *problem, batch_size=23, verbose=False, callbacks=saving)
    assert list(tmp_path.iterdir()) == []
