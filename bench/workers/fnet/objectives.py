"""Losses with their gradients, jitted, and `fnet.minimize`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import fnet
from bench.problems.objectives import LossGradient, Minimisation, Objective, Regression, Rosenbrock
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError
from bench.workers.fnet.losses import LOSSES, binary


def workload(problem: Objective) -> Run:
    """Values and gradients of a loss, or iterations of a minimisation."""
    if isinstance(problem, LossGradient):
        return _gradients(problem)
    if isinstance(problem, Minimisation):
        return _iterations(problem)
    raise UnavailableError(NO_SUCH_ROW)


def _gradients(problem: LossGradient) -> Run:
    loss, arrays = binary if problem.loss == "binary" else LOSSES[problem.loss], problem.arrays()
    value_and_gradient = fnet.jit(fnet.value_and_grad(lambda outputs, targets: loss(targets, outputs)))

    def run(count: int) -> int:
        for _ in range(count):
            value_and_gradient(*arrays)
        return count

    return run


def _iterations(problem: Minimisation) -> Run:
    function, start = _function(problem)
    objective = fnet.optimizers.Objective(function)

    def run(count: int) -> int:
        done = 0
        while done < count:
            found = fnet.minimize(
                objective, start, tolerance=0, max_iterations=problem.iterations, history=problem.history
            )
            done += found.iterations
        return done

    return run


def _function(problem: Minimisation) -> tuple[Callable[[Any], Any], Any]:
    if isinstance(problem, Rosenbrock):
        return (lambda x: np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)), problem.start()
    assert isinstance(problem, Regression)
    x, t = problem.data()

    def mean_squared_error(leaves: Any) -> Any:
        y = x
        for kernel, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            y = np.tanh(y @ kernel + bias)
        return np.mean((y @ leaves[-2] + leaves[-1] - t) ** 2)

    return mean_squared_error, problem.start()
