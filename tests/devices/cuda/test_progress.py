"""The plugin of tests on a card: results as they come, and no further test in a process that the card has given up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.devices.cuda.progress import VARIABLE

ROOT = Path(__file__).parents[3]
TESTS = """
import pytest

@pytest.mark.parametrize("n", range(6))
def test_of(n):
    if n == 1:
        raise RuntimeError("CUDA says illegal address. The card takes no more work from this process: start it again.")
"""


@pytest.mark.slow
def test_a_lost_worker_is_replaced_and_every_result_is_written(tmp_path: Path):
    pytest.importorskip("xdist")
    (tmp_path / "test_lost.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-n", "1", "-p", "tests.devices.cuda.progress", "-c", os.devnull]
    command += ["--rootdir", str(tmp_path), str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment |= {VARIABLE: str(tmp_path / "progress"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    results = [json.loads(line) for line in (tmp_path / "progress").read_text().splitlines()]
    failed = [result["said"] for result in results if result["outcome"] == "failed"]
    assert len(results) == 6, done.stdout
    assert "illegal address" in failed[0] and "crashed while running" in failed[1] and len(failed) == 2
