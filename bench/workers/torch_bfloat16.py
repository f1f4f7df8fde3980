"""PyTorch on tensors of bfloat16: data, weights, gradients and moments."""

from __future__ import annotations

import numpy as np
import torch as pytorch

from bench.problems import Problem
from bench.protocol import Run
from bench.workers import torch


def start(threads: int) -> str:
    """Set the number of threads; returns what this peer is."""
    return f"{torch.start(threads)}, bfloat16"


def workload(do: str, problem: Problem) -> Run:
    """Prepare what a row does."""
    return torch.workload(do, problem, dtype=pytorch.bfloat16)


def results(problem: Problem, exact: bool) -> list[np.ndarray]:
    """What an operation gives, or the gradients of the first step."""
    return torch.results(problem, exact, dtype=pytorch.bfloat16)
