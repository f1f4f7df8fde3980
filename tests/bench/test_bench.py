"""The benchmarks' own machinery: problems travel to workers, timings become ratios, the page keeps its notes."""

from __future__ import annotations

import importlib.util
import io
import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bench import compilations, fitting, kernels, objectives, picture, precision, protocol, report, streaming
from bench.machine import UnavailableError
from bench.measure import Result, measure
from bench.problems import MLP, Network, from_json
from bench.problems.operations import Convolution, Gemm
from bench.rows import ROWS, Row, find
from bench.workers import fnet as fnet_worker
from bench.workers.fnet.networks import network
from bench.workers.fnet.steps import initial, shapes_of
from fnet import tree
from fnet.train.sources import datasets

STEPS = [row for row in ROWS if row.do == "step"]
PARAMETERS = {
    "mlp": 16 * 16 + 16 + 16 + 1,
    "cnn": 9 * 32 + 32 + 9 * 32 * 16 + 16 + 400 * 50 + 50 + 50 * 10 + 10,
    "vgg": 9 * (3 * 64 + 64 * 64 + 64 * 128 + 128 * 128) + 2 * (64 + 64 + 128 + 128) + 8192 * 10 + 10,
    "lstm": 4 * 128 * (64 + 128 + 1) + 128 + 1,
    "transformer": 65 * 128 + 64 * 128 + 2 * (12 * 128**2 + 13 * 128) + 2 * 128 + 128 * 65 + 65,
}


@pytest.mark.parametrize("row", [*ROWS, *kernels.rows(), *objectives.ROWS, *precision.ROWS], ids=lambda row: row.key)
def test_a_problem_survives_the_way_to_a_worker(row: Row):
    assert from_json(json.loads(json.dumps(row.problem.to_json()))) == row.problem


@pytest.mark.parametrize("row", STEPS, ids=lambda row: row.key)
def test_the_network_of_fnet_takes_the_weights_and_gives_what_the_targets_need(row: Row):
    problem = row.problem
    assert isinstance(problem, Network)
    x, t = problem.data()
    net = network(problem)
    params, _ = initial(net, problem)
    given = [leaf for leaves in problem.weights().values() for leaf in leaves.values()]
    for leaf, weight in zip(tree.leaves(params), given, strict=True):
        np.testing.assert_array_equal(leaf.ravel(), weight.ravel())
    if row.key in PARAMETERS:
        assert sum(weight.size for weight in given) == PARAMETERS[row.key]
    if problem.loss == "mse":
        assert net.out_shape(shapes_of(x)) == t.shape[1:]


class FakePeer:
    """A peer whose steps take a known time; its bursts are written down."""

    def __init__(self, name: str, seconds: list[float], bursts: list[str]) -> None:
        self.name, self.seconds, self.bursts = name, seconds, bursts

    def prepare(self, row: Row) -> None:
        if not self.seconds:
            raise UnavailableError("out of order")

    def burst(self, count: int) -> float:
        self.bursts.append(self.name)
        return self.seconds[len(self.bursts) % len(self.seconds)]


def test_rounds_alternate_and_ratios_are_within_a_round(monkeypatch):
    monkeypatch.setattr("bench.measure.time.sleep", lambda seconds: None)
    bursts: list[str] = []
    peers: Any = [FakePeer("fnet", [0.01], bursts), FakePeer("slow", [0.03], bursts), FakePeer("broken", [], bursts)]
    result = measure(find("mlp"), peers, rounds=3, burst=0.01)
    assert bursts[-6:] == ["fnet", "slow", "slow", "fnet", "fnet", "slow"]
    assert result.ratio("slow") == pytest.approx(3)
    assert result.absent == {"broken": "out of order"}


def test_the_tables_name_the_best_peer_and_its_target():
    seconds = {"fnet": [1e-6, 3e-6, 2e-6], "jax": [8e-6, 9e-6, 8e-6], "torch": [5e-6, 6e-6, 5e-6]}
    result = Result(replace(find("fanout"), targets={"best": 10}), seconds, {"keras": "absent today"})
    title = result.row.title
    assert report.summary_table([result]).splitlines()[-1] == f"| {title} | 2.0 | torch | 5.0 | 2.50 | 10 |"
    lines = report.peers_table([result]).splitlines()
    assert lines[2] == f"| {title} | fnet | 2.0 | 1.0 |  |  |"
    assert lines[3:] == ["|  | jax | 8.0 | 8.0 | 4.00 |  |", "|  | torch | 5.0 | 5.0 | 2.50 | 10 |"]
    assert report.absent_list({"other": "why"}, [result]).splitlines()[2:] == [
        "- other: why",
        f"- keras, {title}: absent today",
    ]


def test_the_picture_of_the_peers_is_that_of_the_results():
    page = """
## Every peer

| row | peer | median us | min us | peer / fnet | target |
|---|---|---:|---:|---:|---:|
| a, batch 1 | fnet | 2.0 | 2.0 |  |  |
|  | jax | 5.0 | 5.0 | 2.5 | 15 |
|  | keras_jax | 9.0 | 9.0 | 4.5 |  |
|  | keras_tensorflow | 8.0 | 8.0 | 4.0 |  |
| b | torch | 1.0 | 1.0 | 0.5 |  |

## Starting

| c | torch | 1.0 | 1.0 | 7 |  |
"""
    assert picture.ratios(page) == {"a, batch 1": {"JAX": 2.5, "Keras": 4.0}, "b": {"PyTorch": 0.5}}
    assert ">0.5</text>" in picture.svg(picture.ratios(page)) and 'width="-' not in picture.svg(picture.ratios(page))
    drawn = picture.svg(picture.ratios(report.PAGE.read_text()))
    assert picture.PICTURE.read_text() == drawn, "run python -m bench.picture"


def test_a_new_page_keeps_the_notes_and_what_was_not_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "PAGE", tmp_path / "RESULTS.md")
    report.write_page("today", {"Rows": "fast", "Memory": "little"})
    report.PAGE.write_text(report.PAGE.read_text() + "by hand\n")
    report.write_page("tomorrow", {"Rows": "faster", "Scaling": "linear"})
    text = report.PAGE.read_text()
    page, notes = text.split("<!--")
    sections = "## Rows\n\ntomorrow\n\nfaster", "## Memory\n\ntoday\n\nlittle", "## Scaling\n\ntomorrow\n\nlinear"
    assert page == "\n\n".join(["# Results", *sections, ""])
    assert notes.endswith("## Notes\nby hand\n")


def test_compilations_inside_of_others_are_counted_apart(monkeypatch):
    times = iter([0.0, 1.0, 3.0, 7.0])
    monkeypatch.setattr(compilations.time, "thread_time", lambda: next(times))
    stopwatch = compilations.Stopwatch()
    inner, outer = (
        SimpleNamespace(data={"dispatcher": SimpleNamespace(py_func=f)}) for f in (compilations.listen, measure)
    )
    stopwatch.on_start(outer), stopwatch.on_start(inner), stopwatch.on_end(inner), stopwatch.on_end(outer)
    assert stopwatch.own == {"bench.measure.measure": 5.0, "bench.compilations.listen": 2.0}
    assert stopwatch.whole == {"bench.measure.measure": 7.0, "bench.compilations.listen": 2.0}


def test_a_worker_answers_mistakes_and_goes_on(monkeypatch, capsys):
    def workload(do: str, problem: Any) -> Any:
        if do == "fail":
            raise ZeroDivisionError("by zero")
        return lambda count: 2 * count

    problem = find("mlp").problem.to_json()
    requests = [{"prepare": "fail", "problem": problem}, {"prepare": "step", "problem": problem}, {"count": 3}]
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(json.dumps(request) + "\n" for request in requests)))
    pipe = io.StringIO()
    worker: Any = SimpleNamespace(workload=workload)
    protocol.serve(pipe, worker)
    first, second, third = map(json.loads, pipe.getvalue().splitlines())
    assert first == {"unavailable": "ZeroDivisionError: by zero"}
    assert second == {"ready": True}
    assert third["steps"] == 6 and third["seconds"] >= 0
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_the_table_of_precision_has_times_as_multiples_of_the_highest_level_and_errors():
    row = precision.ROWS[0]
    seconds = {"fnet": [2e-3, 4e-3, 2e-3], "fnet_medium": [1e-3, 2e-3, 1e-3], "torch": [3e-3, 6e-3, 3e-3]}
    errors = {"fnet": 2e-7, "fnet_medium": 2.5e-3, "torch": 3e-7}
    peers = ["fnet", "fnet_medium", "torch", "torch_medium"]
    head, _, line = precision.table([(Result(row, seconds, {}), errors)], peers, 2).splitlines()
    assert head.endswith("| fnet highest, us | fnet medium | torch highest | torch medium |")
    assert line == f"| {row.title} | 2000.0 (2.0e-07) | 0.50 (2.5e-03) | 1.50 (3.0e-07) |  |"


def test_every_peer_of_precision_is_a_module():
    assert all(importlib.util.find_spec(f"bench.workers.{peer}") for peer in precision.PEERS)


def test_the_part_of_fitting_has_calls_steps_and_folds(monkeypatch):
    monkeypatch.setattr(fitting, "STEPS", 3)
    monkeypatch.setattr(fitting, "EPOCHS", 2)
    calls, folds = fitting.fitting_table(1).split("\n\n")
    assert [line.count("|") for line in calls.splitlines()] == [4] * 13
    assert "| a step of 3 an epoch with the usual callbacks | " in calls and "| a backup after an epoch | " in calls
    assert [line.split(" | ")[-1] for line in folds.splitlines()[2:]] == ["6 |", "12 |"]


def test_the_part_of_streaming_has_every_layout_beside_arrays(monkeypatch):
    monkeypatch.setattr(streaming, "SAMPLES", 160)
    monkeypatch.setattr(datasets, "WINDOW_BYTES", 1 << 16)
    rows = streaming.streaming_table(1).splitlines()[2:]
    assert len(rows) == 2 + len(streaming.LAYOUTS)
    assert [row.split("|")[3].strip() for row in rows[:2]] == ["1.000", "1.000"]


def test_the_relative_error_is_of_all_arrays_together():
    exact = [np.array([3.0]), np.array([[0.0, 4.0]])]
    assert protocol.relative_error(exact, exact) == 0
    assert protocol.relative_error([np.array([3.3]), np.array([[0.4, 4.0]])], exact) == pytest.approx(0.1)


@pytest.mark.parametrize("problem", [Gemm(8, 8, 8), Convolution(1, 4, 2, 8, 3), MLP(4, (8, 1))], ids=str)
def test_a_worker_tells_the_error_of_its_results(problem, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(json.dumps({"error": True, "problem": problem.to_json()}) + "\n"))
    pipe = io.StringIO()
    protocol.serve(pipe, fnet_worker)
    assert 1e-9 < json.loads(pipe.getvalue())["error"] < 1e-6
