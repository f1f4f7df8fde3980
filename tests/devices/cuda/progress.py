"""A plugin of pytest for tests on a card: each result is written down at once, and no test runs in a lost process.

Results are there if the time ends before the tests. After a kernel that failed, a card takes no more work from the
process: a worker of xdist then ends itself, and another one takes its place. That costs the test that was next.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

VARIABLE = "FNET_TEST_PROGRESS"
LOST: list[str] = []
"""The tests after which a card takes no more work from this process."""


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A line for each test, by the process that began the workers."""
    text = str(report.longrepr or "")
    if "takes no more work from this process" in text:
        LOST.append(report.nodeid)
    if _is_worker() or (report.when != "call" and report.passed):
        return
    errors = [line.removeprefix("E ").strip() for line in text.splitlines() if line.startswith("E ")]
    line = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration}
    line["said"] = " / ".join(errors[:4]) or text[-200:]
    with Path(os.environ[VARIABLE]).open("a") as file:
        file.write(json.dumps(line) + "\n")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A worker that is lost runs nothing more."""
    if LOST and _is_worker():
        os._exit(1)


def _is_worker() -> bool:
    return "PYTEST_XDIST_WORKER" in os.environ
