"""The real TensorBoard shows the logs in a browser: Chromium, without a window. $CI_ARTEFACTS keeps the picture."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from fnet.callbacks import TensorBoard

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
SECONDS = 60

pytest.importorskip("tensorboardX")
pytest.importorskip("tensorboard")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")]


@pytest.fixture
def address(trainer, ts, problem, tmp_path) -> Iterator[str]:
    """Where TensorBoard serves the logs of a run, on this machine only."""
    logs = tmp_path / "logs"
    trainer.fit(
        ts, *problem, batch_size=5, epochs=8, validation_data=problem, verbose=0,
        callbacks=TensorBoard(logs, histogram_freq=1, update_freq="batch", hparams={"rate": 0.001}),
    )  # fmt: skip
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logs), "--host", "127.0.0.1", "--port", "0"]
    with (tmp_path / "messages").open("w+") as messages:
        server = subprocess.Popen([*command, "--load_fast=false"], stdout=messages, stderr=subprocess.STDOUT)
        try:
            yield served(server, tmp_path / "messages")
        finally:
            server.terminate()
            server.wait(SECONDS)


def served(server: subprocess.Popen, messages: Path) -> str:
    """Wait until it serves both runs."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        found = re.search(r"http://127\.0\.0\.1:\d+", messages.read_text())
        if found is not None:
            runs = urllib.request.urlopen(f"{found[0]}/data/runs", timeout=SECONDS).read().decode()
            if '"train"' in runs and '"validation"' in runs:
                return found[0]
        time.sleep(0.2)
    raise AssertionError(f"TensorBoard serves no runs: {messages.read_text()}")


def opened(page: str, folder: Path, *options: str) -> str:
    """What Chromium says of a page after ten seconds of the page's own time."""
    assert CHROMIUM is not None
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--window-size=1400,1000", f"--user-data-dir={folder}", "--virtual-time-budget=10000", *options, page,
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


def test_tensorboard_shows_the_scalars(address, tmp_path):
    page = opened(f"{address}/#timeseries", tmp_path / "profile", "--dump-dom")
    text = re.sub(r"<(script|style).*?</\1>|<[^>]*>", "\n", page, flags=re.DOTALL)
    shown = {line.strip() for line in text.splitlines()}
    assert {"epoch_loss", "epoch_mae", "epoch_learning_rate", "batch_loss", "evaluation_loss_vs_iterations"} <= shown
    assert {"train", "validation"} <= shown
    pictures = Path(os.environ.get("CI_ARTEFACTS") or tmp_path)
    pictures.mkdir(parents=True, exist_ok=True)
    picture = pictures / "tensorboard.png"
    opened(f"{address}/#scalars&tagFilter=epoch_", tmp_path / "profile", f"--screenshot={picture}")
    assert picture.stat().st_size > 10_000
