"""PyTorch with torch.compile, where a C++ compiler is present."""

from __future__ import annotations

import shutil

from bench import worker_torch
from bench.problems import DIGITS, SMALL
from bench.protocol import UnavailableError, Workload


def start(threads: int) -> str:
    """Set the number of threads; returns what this peer is."""
    if not any(map(shutil.which, ("g++", "clang++"))):
        raise UnavailableError("torch.compile needs a C++ compiler")
    return f"{worker_torch.start(threads)}, torch.compile"


WORKLOADS: dict[str, Workload] = {
    "step_small": lambda: worker_torch.training_step(SMALL, compiled=True),
    "step_small_read": lambda: worker_torch.training_step(SMALL, compiled=True, read=True),
    "step_digits": lambda: worker_torch.training_step(DIGITS, compiled=True),
    "infer_digits": lambda: worker_torch.inference(DIGITS, compiled=True),
}
