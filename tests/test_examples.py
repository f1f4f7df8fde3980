"""The examples run as they are documented."""

from __future__ import annotations

import contextlib
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fnet
from fnet import device, tree
from fnet.devices.cuda.device import Cuda
from fnet.transforms.jit import Jitted
from tests.devices.cuda.emulated import Emulated

ROOT = Path(__file__).parents[1]


def run(example: str, folder: Path, *arguments: str) -> str:
    """What the example prints when it is run in `folder`."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / example), *arguments]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_digits(tmp_path):
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    printed = run("digits.py", tmp_path)
    found = re.search(r"test accuracy (\d\.\d{4})", printed)
    assert found is not None
    assert float(found[1]) >= 0.97
    assert sorted(path.name for path in tmp_path.iterdir()) == ["digits.h5", "digits.png"]
    again = run("digits.py", tmp_path)
    assert again.splitlines()[-4:] == printed.splitlines()[-4:]


@pytest.mark.slow
def test_njit_embed(tmp_path):
    printed = run("njit_embed.py", tmp_path)
    error = re.search(r"largest error in 10 seconds of motion: (\d\.\d{4})", printed)
    assert error is not None
    assert float(error[1]) < 0.2
    ratio = re.search(r"calling fnet from Python: .* us, (\d+) times as long", printed)
    assert ratio is not None
    assert int(ratio[1]) >= 3


def test_minimize_function(tmp_path):
    printed = run("minimize_function.py", tmp_path)
    points = re.findall(r"\((-?\d\.\d{4}), (-?\d\.\d{4})\), value", printed)
    assert len(points) == 6
    assert all(abs(float(coordinate) - 1) < 0.01 for point in points for coordinate in point)
    fitted = re.findall(r"(\w+) +(-?\d+\.\d{4}) +true (\d\.\d)", printed)
    assert len(fitted) == 5
    assert all(abs(float(value) - float(true)) < 0.03 for _, value, true in fitted)
    assert ("offset", "1.0000", "1.0") in fitted


@pytest.mark.slow
def test_second_order(tmp_path):
    pytest.importorskip("scipy")
    printed = run("second_order.py", tmp_path)
    found = re.search(r"Levenberg-Marquardt +(\S+) .*\n +Adam +(\S+)", printed)
    assert found is not None
    assert float(found[1]) < float(found[2]) / 2


# The package that the data comes with, and what the example prints.
RESULTS = {
    "char_transformer": (None, r"network \d\.\d\d, bigrams \d"),
    "cnn_digits": ("sklearn", "test accuracy 0.9"),
    "custom_layer": ("sklearn", "both layers are right\ntest accuracy"),
    "dnn_classifier": ("sklearn", "network: accuracy 0.9"),
    "forecasting": ("statsmodels", r"LSTM +\d\d.* -\d\d % of the best"),
    "inception": ("sklearn", "test accuracy 0.9"),
    "physics_informed": (None, r"largest error .* 0\.00"),
    "residual_cnn": ("sklearn", "test accuracy 0.9"),
    "rnn_topologies": ("sklearn", "(many to .*\n){3}"),
    "tickets": (None, "department 0.* right .* priority 0.* right"),
    "two_inputs": ("statsmodels", r"network's error .* \(-\d+ %\)"),
}
PLAIN = ("dnn_classifier",)  # a quick one, which shows in the plain run that the examples are alive


@pytest.mark.parametrize(
    "example", [pytest.param(name, marks=() if name in PLAIN else pytest.mark.slow) for name in RESULTS]
)
def test_an_example_reaches_the_result_that_it_states(example, tmp_path):
    """It asserts the result itself, and writes nothing."""
    package, printed = RESULTS[example]
    if package is not None:
        pytest.importorskip(package)
    assert re.search(printed, run(f"{example}.py", tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_every_example_takes_a_device(path):
    assert 'add_argument("--device", default="cpu"' in path.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("example", ["custom_layer", "minimize_function"])
def test_an_example_goes_through_on_a_card(example, tmp_path, monkeypatch):
    """On one without a card, with few samples and steps, which do not reach the result."""
    card = Emulated()
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    fit, evaluate, repeat = fnet.Trainer.fit, fnet.Trainer.evaluate, Jitted.repeat

    def fitted(self: Any, ts: Any, x: Any, y: Any, **options: Any) -> Any:
        return fit(self, ts, *few((x, y)), **(options | {"batch_size": 4, "epochs": 1}))

    monkeypatch.setattr(fnet.Trainer, "fit", fitted)
    monkeypatch.setattr(fnet.Trainer, "evaluate", lambda self, ts, *data: evaluate(self, ts, *few(data)))
    monkeypatch.setattr(Jitted, "repeat", lambda self, count, *args: repeat(self, min(count, 2), *args))
    monkeypatch.setattr(sys, "argv", [example, "--device", "cuda"])
    monkeypatch.chdir(tmp_path)
    with contextlib.suppress(AssertionError):
        runpy.run_path(str(ROOT / "examples" / f"{example}.py"), run_name="__main__")
    assert sum(card.kernels.values()) > 20


def few(values: Any) -> Any:
    return tree.map(lambda leaf: leaf[:4], values)
