"""PyTorch with torch.compile, where a C++ compiler is present."""

from __future__ import annotations

import shutil

from bench.problems import Network, Problem
from bench.protocol import Run, UnavailableError
from bench.workers import torch
from bench.workers.torch.place import timed as timed


def start(threads: int) -> str:
    """Set the number of threads; returns what this peer is."""
    if not any(map(shutil.which, ("g++", "clang++"))):
        raise UnavailableError("torch.compile needs a C++ compiler")
    return f"{torch.start(threads)}, torch.compile"


def workload(do: str, problem: Problem) -> Run:
    """Prepare what a row does."""
    return torch.workload(do, problem, compiled=True)


def losses(problem: Network, count: int) -> list[float]:
    """The losses of the first steps."""
    return torch.losses(problem, count, compiled=True)
