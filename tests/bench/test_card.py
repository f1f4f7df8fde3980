"""The benchmark of a card, tried without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from bench import card, device
from bench.card_rows import COPY, GEMM, NETWORKS, OPERATIONS, PRODUCTS
from bench.machine import UnavailableError
from bench.measure import Result
from bench.problems import from_json
from bench.rows import find

ROOT = Path(__file__).parents[2]


def test_rows_have_keys_of_their_own_and_survive_the_way_to_a_worker():
    rows = [*NETWORKS, *OPERATIONS, *PRODUCTS, COPY, GEMM]
    assert len({row.row.key for row in rows}) == len(rows)
    for problem in [p for row in rows for p in (row.row.problem, row.small) if p is not None]:
        assert from_json(json.loads(json.dumps(problem.to_json()))) == problem


def test_without_a_card_it_says_why(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("fnet.kernels.cuda.runtime.driver.cards", lambda: ({}, "the driver sees no card"))
    monkeypatch.setattr(sys, "argv", ["card"])
    monkeypatch.setenv(device.VARIABLE, device.CPU)
    with pytest.raises(SystemExit, match=r"^no card: the driver sees no card\.$"):
        card.main()


class FakePeer:
    """A peer that fails in its second row; started: the names of all that were."""

    started: list[str] = []  # noqa: RUF012  (the test clears it)

    def __init__(self, name: str, threads: int, limit: float) -> None:
        if name == "absent":
            raise UnavailableError("not installed")
        self.started.append(name)
        self.name, self.version, self.is_alive, self._rows = name, f"{name} 1", True, 0

    def prepare(self, row: Any) -> None:
        self._rows += 1
        if self._rows == 2 and self.name == "weak":
            raise UnavailableError("CUDA says illegal address")

    def burst(self, count: int) -> float:
        return 0.01

    def end(self) -> None:
        self.is_alive = False

    def close(self) -> None:
        pass


def test_who_failed_in_a_row_gets_a_new_process(monkeypatch: pytest.MonkeyPatch):
    FakePeer.started.clear()
    monkeypatch.setattr(card, "Peer", FakePeer)
    monkeypatch.setattr("bench.measure.time.sleep", lambda seconds: None)
    with ExitStack() as stack:
        peers = card.Peers(("fnet", "absent", "weak"), stack)
        results = [peers.measure(find("mlp"), 1, 0.01) for _ in range(3)]
    assert peers.absent == {"absent": "not installed"} and FakePeer.started == ["fnet", "weak", "weak"]
    assert [sorted(result.seconds) for result in results] == [["fnet", "weak"], ["fnet"], ["fnet", "weak"]]
    assert results[1].absent == {"weak": "CUDA says illegal address"}


def test_rates_are_held_against_the_ceilings_of_the_run():
    seconds = {"copy": 1e-3, "gemm": 0.1, "softmax 32768 x 1024": 1e-3}
    rows = {row.row.key: row.row for row in (COPY, GEMM, *OPERATIONS)}
    results = [Result(rows[key], {"fnet": [time], "torch": [time / 2]}, {}) for key, time in seconds.items()]
    table = card._operations_table(results)
    assert "Copying: 2147 GB/s" in table and "21990 GFLOP/s" in table
    assert "| softmax 32768 x 1024 | 1000.0 | 268.4 GB/s | 12 % | 0.50 |" in table


@pytest.mark.slow
def test_all_of_it_runs_on_a_card_without_a_card(tmp_path: Path):
    pages = {"bench.card": tmp_path / "bench.md", "tests.devices.cuda.on_card": tmp_path}
    options = {
        "bench.card": ["--dry", "--only", "mlp", "--rounds", "1", "--burst", "0.001"],
        "tests.devices.cuda.on_card": [
            "--emulated",
            "--processes",
            "1",
            "--parts",
            "machine",
            "networks",
            "--seconds",
            "12",
        ],
    }
    for module, page in pages.items():
        command = [sys.executable, "-m", module, "--out", str(page), *options[module]]
        done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    table, report = (tmp_path / "bench.md").read_text(), (tmp_path / "report.md").read_text()
    assert "| MLP 16-16-1, batch 32, in small | fnet |" in table
    assert "## With cuBLASLt (not in use: no card) and with" in table and "|  | fnet_own |" in table
    assert "torch: PyTorch sees no card" in table or "torch: No module named 'torch'" in table
    assert "Emulated of capability (9, 0)" in report and "\n## networks\n\n" in report
    assert "passed" in report or "what follows it was not tried" in report  # as far as there was time
