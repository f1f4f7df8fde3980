"""A plugin of pytest that writes down each result at once, so that it is there if the time ends before the tests."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

VARIABLE = "FNET_TEST_PROGRESS"


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """A line for each test; a worker of xdist leaves that to the process that began it."""
    if "PYTEST_XDIST_WORKER" in os.environ or (report.when != "call" and report.passed):
        return
    text = str(report.longrepr or "")
    errors = [line.removeprefix("E ").strip() for line in text.splitlines() if line.startswith("E ")]
    line = {"test": report.nodeid, "outcome": report.outcome, "seconds": report.duration}
    line["said"] = " / ".join(errors[:4]) or text[-200:]
    with Path(os.environ[VARIABLE]).open("a") as file:
        file.write(json.dumps(line) + "\n")
