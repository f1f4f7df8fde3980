"""PyTorch, eager: its fastest settings for these sizes (fused Adam, inference mode, channels last)."""

from __future__ import annotations

import numpy as np
import torch

from bench.problems import Network, Objective, Operation, Problem
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.torch import objectives, operations, place, steps
from bench.workers.torch.place import timed as timed


def start(threads: int) -> str:
    """Set the number of threads; returns what this peer is."""
    torch.set_num_threads(threads)
    return f"torch {torch.__version__}{place.start()}"


def workload(do: str, problem: Problem, compiled: bool = False, dtype: torch.dtype = torch.float32) -> Run:
    """Prepare what a row does."""
    if isinstance(problem, Operation) and (not compiled or place.DEVICE.type == "cuda"):
        return operations.workload(do, problem, dtype, compiled)
    if isinstance(problem, Objective) and not compiled:
        return objectives.workload(problem)
    if not isinstance(problem, Network):
        raise UnavailableError(NO_SUCH_ROW)
    if do in ("step", "read"):
        return steps.Training(problem, compiled, read=do == "read", dtype=dtype).run
    if do == "infer":
        return steps.inference(problem, compiled, dtype)
    raise UnavailableError(NO_SUCH_ROW)


def losses(problem: Network, count: int, compiled: bool = False) -> list[float]:
    """The losses of the first steps."""
    return steps.Training(problem, compiled).losses(count)


def results(problem: Problem, exact: bool, dtype: torch.dtype = torch.float32) -> list[np.ndarray]:
    """What an operation gives, or the gradients of the first step."""
    dtype = torch.float64 if exact else dtype
    if isinstance(problem, Operation):
        return [operations.result(problem, dtype)]
    assert isinstance(problem, Network)
    return steps.Training(problem, dtype=dtype).gradients()
