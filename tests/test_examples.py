"""The examples run as they are documented."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

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
