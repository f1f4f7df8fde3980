"""What a training run shows and records."""

from __future__ import annotations

import io
import re
import sys

import pytest

from fnet.train import History, progress


def test_curves_are_drawn(tmp_path):
    pytest.importorskip("matplotlib")
    history = History()
    for epoch, loss in enumerate((1.0, 0.5)):
        history.append(epoch, {"loss": loss, "mae": loss, "val_loss": 2 * loss})
    figure = history.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
    first, second = figure.axes
    assert [list(line.get_ydata()) for line in first.lines] == [[1.0, 0.5], [2.0, 1.0]]
    assert [list(line.get_xdata()) for line in second.lines] == [[1, 2]]
    assert history.plot() is not None


def test_a_line_for_each_epoch_where_there_is_no_terminal(trainer, ts, problem, capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    trainer.fit(ts, *problem, batch_size=5, epochs=2, validation_data=problem)
    lines = capsys.readouterr().out.splitlines()
    number = r"\d+\.\d{4}"
    for line, epoch in zip(lines, (1, 2), strict=True):
        values = rf"loss {number}  mae {number}  val_loss {number}  val_mae {number}"
        assert re.fullmatch(rf"epoch {epoch}/2  {values}  \(\d+\.\d\d s\)", line)


def test_fast_epochs_are_left_out_but_for_the_last(trainer, ts, problem, capsys, monkeypatch):
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 1e9)
    trainer.fit(ts, *problem, batch_size=5, epochs=4)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[1] for line in lines] == ["4/4"]


def test_a_bar_on_a_terminal(trainer, ts, problem, capsys, monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    _, history = trainer.fit(ts, *problem, batch_size=5, epochs=2)
    text = screen.getvalue()
    assert "epoch 1/2" in text
    assert "epoch 2/2" in text
    assert "5/5" in text
    assert f"loss {history['loss'][-1]:.4f}" in text
    assert capsys.readouterr().out == ""


def test_silence(trainer, ts, problem, capsys):
    trainer.fit(ts, *problem, batch_size=5, epochs=2, verbose=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (0.0, "0.0000"), (1e-3, "0.0010"), (2.5e-4, "2.5000e-04"), (float("nan"), "nan")],
)
def test_numbers_keep_four_digits(value, text):
    assert progress._number(value) == text
