"""fnet: the donated jitted step of the contract, `Trainer.fit`, and jitted inference."""

from __future__ import annotations

import numpy as np

import fnet
from bench.problems import Network, Objective, Operation, Problem
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.fnet import objectives, operations, place, steps
from bench.workers.fnet.place import timed as timed


def start(threads: int) -> str:
    """NUMBA_NUM_THREADS, which the parent set, is the number of threads; returns what this peer is."""
    return f"fnet {fnet.__version__}{place.start()}"


def workload(do: str, problem: Problem) -> Run:
    """Prepare what a row does."""
    if isinstance(problem, Operation):
        return operations.workload(do, problem)
    if isinstance(problem, Objective):
        return objectives.workload(problem)
    if not isinstance(problem, Network):
        raise UnavailableError(NO_SUCH_ROW)
    if do in ("step", "read"):
        return steps.Training(problem, read=do == "read").run
    if do == "fit":
        return steps.fit(problem)
    if do == "infer":
        return steps.Inference(problem).run
    raise UnavailableError(NO_SUCH_ROW)


def losses(problem: Network, count: int) -> list[float]:
    """The losses of the first steps."""
    return steps.Training(problem).losses(count)


def results(problem: Problem, exact: bool) -> list[np.ndarray]:
    """What an operation gives, or the gradients of the first step."""
    dtype = "float64" if exact else "float32"
    if isinstance(problem, Operation):
        return [operations.result(problem, dtype)]
    assert isinstance(problem, Network)
    return steps.Training(problem).gradients(dtype)
