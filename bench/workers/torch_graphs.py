"""PyTorch with a whole training step as one CUDA graph."""

from __future__ import annotations

from typing import Any

import torch

from bench.problems import Network, Problem
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers import torch as eager
from bench.workers.torch import steps
from bench.workers.torch.place import DEVICE
from bench.workers.torch.place import timed as timed

WARM_UP = 4


def start(threads: int) -> str:
    """Set the number of threads; returns what this peer is."""
    if DEVICE.type == "cpu":
        raise UnavailableError("there are graphs on cards only")
    return f"{eager.start(threads)}, CUDA graphs"


def workload(do: str, problem: Problem) -> Run:
    """Record a step after some on a stream of its own, as PyTorch asks for."""
    if do != "step" or not isinstance(problem, Network):
        raise UnavailableError(NO_SUCH_ROW)
    training, beside = steps.Training(problem, captured=True), torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        training.run(WARM_UP)
    torch.cuda.current_stream().wait_stream(beside)
    graph: Any = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        training.run(1)

    def run(count: int) -> int:
        for _ in range(count):
            graph.replay()
        return count

    return run
