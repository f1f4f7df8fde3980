"""Losses with their gradients, and `torch.optim.LBFGS` with its line search."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional

from bench.problems.objectives import LossGradient, Minimisation, Objective, Regression, Rosenbrock
from bench.protocol import NO_SUCH_ROW, Run, UnavailableError

_LOSSES = {
    "mse": functional.mse_loss,
    "binary": functional.binary_cross_entropy_with_logits,
    "classes": functional.cross_entropy,
}


def workload(problem: Objective) -> Run:
    """Values and gradients of a loss, or iterations of a minimisation."""
    if isinstance(problem, LossGradient):
        return _gradients(problem)
    if isinstance(problem, Minimisation):
        return _iterations(problem)
    raise UnavailableError(NO_SUCH_ROW)


def _gradients(problem: LossGradient) -> Run:
    outputs, targets = map(torch.from_numpy, problem.arrays())
    outputs.requires_grad_()
    targets = targets if targets.is_floating_point() else targets.long()
    loss = _LOSSES[problem.loss]

    def run(count: int) -> int:
        for _ in range(count):
            torch.autograd.grad(loss(outputs, targets), outputs)
        return count

    return run


def _iterations(problem: Minimisation) -> Run:
    function, start = _function(problem)

    def run(count: int) -> int:
        done = 0
        while done < count:
            leaves = [leaf.clone().requires_grad_() for leaf in start]
            method = torch.optim.LBFGS(
                leaves, max_iter=problem.iterations, max_eval=100 * problem.iterations, tolerance_grad=0,
                tolerance_change=0, history_size=problem.history, line_search_fn="strong_wolfe",
            )  # fmt: skip

            def closure(leaves: list[torch.Tensor] = leaves, method: torch.optim.Optimizer = method) -> torch.Tensor:
                method.zero_grad()
                value = function(leaves)
                value.backward()
                return value

            method.step(closure)
            done += method.state[leaves[0]]["n_iter"]
        return done

    return run


def _function(problem: Minimisation) -> tuple[Callable[[list[torch.Tensor]], torch.Tensor], list[torch.Tensor]]:
    if isinstance(problem, Rosenbrock):
        return _rosenbrock, [torch.from_numpy(problem.start())]
    assert isinstance(problem, Regression)
    x, t = map(torch.from_numpy, problem.data())

    def mean_squared_error(leaves: list[torch.Tensor]) -> torch.Tensor:
        y = x
        for kernel, bias in zip(leaves[:-2:2], leaves[1:-2:2], strict=True):
            y = torch.tanh(torch.addmm(bias, y, kernel))
        return functional.mse_loss(torch.addmm(leaves[-1], y, leaves[-2]), t)

    return mean_squared_error, list(map(torch.from_numpy, problem.start()))


def _rosenbrock(leaves: list[torch.Tensor]) -> torch.Tensor:
    (x,) = leaves
    return torch.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
