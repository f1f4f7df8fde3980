"""What a training run shows and records."""

from __future__ import annotations

import io
import re
import sys
import types

import pytest

from fnet.errors import ValueRangeError
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


class Screen(io.StringIO):
    """A terminal of 80 columns: `lines` are those that it shows."""

    def isatty(self) -> bool:
        return True

    @property
    def lines(self) -> list[str]:
        shown = []
        for line in self.getvalue().split("\n"):
            row = ""
            for text in line.split("\r"):
                row = text + row[len(text) :]
            shown.append(row.rstrip())
        return shown


def test_a_bar_on_a_terminal(trainer, ts, problem, capsys, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    trainer.fit(ts, *problem, batch_size=2, epochs=2, validation_data=problem)
    text = screen.getvalue()
    assert re.search(r"epoch 1/2  \d+/12 \[[=.]+\], loss \d", text)
    assert screen.lines == [""]  # the bar of an epoch that is over is gone
    assert len(capsys.readouterr().out.splitlines()) == 2  # a log file has the lines all the same


@pytest.mark.parametrize("names", [4, 12])
@pytest.mark.parametrize("columns", [50, 80])
def test_everything_fits_on_the_terminal(names, columns, monkeypatch):
    screen = Screen()
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setattr(sys, "stdout", screen)
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    shown = progress.Progress(True, 100, 20)
    shown.begin(98)
    for _ in range(20):
        shown.advance(1, 0.1234)
    shown.end(98, {f"val_sparse_accuracy_{i}": 0.5 + i for i in range(names)})
    *lines, last = screen.lines
    assert last == "" and all(len(line) < columns for line in re.split("[\r\n]", screen.getvalue()))
    assert lines[0].startswith("epoch 99/100  val_sparse_accuracy_0 0.5000") and lines[-1].endswith(" s)")
    assert all(f"val_sparse_accuracy_{i} {0.5 + i:.4f}" in "\n".join(lines) for i in range(names))


def test_a_bar_that_is_left_stays(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    shown = progress.Progress(True, 3, 4)
    shown.begin(0)
    shown.advance(1, 2.5)
    shown.close()
    assert re.fullmatch(r"epoch 1/3  1/4 \[=+\.+\], loss 2\.5000, \d\d:\d\d left", screen.lines[0])


def test_a_line_for_each_epoch_however_fast(trainer, ts, problem, capsys, monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 1e9)
    trainer.fit(ts, *problem, batch_size=5, epochs=4, verbose=2)
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["1/4", "2/4", "3/4", "4/4"]
    assert screen.getvalue() == ""


@pytest.mark.parametrize("verbose", [3, -1, "2", None, 1.0])
def test_what_verbose_may_be(trainer, ts, problem, verbose):
    with pytest.raises(ValueRangeError, match="verbose is 0 or False for nothing, 1, True or 'auto' .*, received"):
        trainer.fit(ts, *problem, batch_size=5, verbose=verbose)


def test_a_bar_in_a_notebook(monkeypatch, capsys):
    """The kernel of a notebook is known by its shell; its bars are tqdm's, of widgets."""
    bars = []

    class Bar:
        def __init__(self, **options):
            bars.append((options["total"], options["desc"], options.keys() & {"ascii", "ncols"}))

        def set_postfix_str(self, text, refresh): ...
        def update(self, steps): ...
        def close(self): ...

    shell = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    monkeypatch.setitem(sys.modules, "tqdm.notebook", types.SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(progress.importlib.util, "find_spec", lambda name: name == "ipywidgets")
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    shown = progress.Progress("auto", 3, 4)
    shown.begin(0)
    shown.advance(4, 2.5)
    shown.end(0, {"loss": 2.5})
    assert bars == [(4, "epoch 1/3", set())] and capsys.readouterr().out.startswith("epoch 1/3  loss 2.5000")
    progress.Progress(2, 3, 4).begin(0)
    assert len(bars) == 1


def test_silence(trainer, ts, problem, capsys):
    trainer.fit(ts, *problem, batch_size=5, epochs=2, verbose=False)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5000"), (0.0, "0.0000"), (1e-3, "0.0010"), (2.5e-4, "2.5000e-04"), (float("nan"), "nan")],
)
def test_numbers_keep_four_digits(value, text):
    assert progress._number(value) == text


def test_steps_are_counted_where_their_number_is_not_known(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN", 0.0)
    shown = progress.Progress(True, 3, None)
    shown.begin(0)
    shown.advance(2, 2.5)
    shown.close()
    assert "epoch 1/3  2, loss 2.5000, 00:00" in screen.getvalue()
    assert "left" not in screen.getvalue()
