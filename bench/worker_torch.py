"""PyTorch, eager: its fastest settings for these sizes (fused Adam, inference mode)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from bench.problems import DIGITS, MLP, SMALL
from bench.protocol import Workload


def start(threads: int) -> str:
    """Set the number of threads; returns what this peer is."""
    torch.set_num_threads(threads)
    return f"torch {torch.__version__}"


def mlp(problem: MLP) -> nn.Sequential:
    """The network of a problem."""
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(problem.sizes, problem.sizes[1:], strict=False):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def training_step(problem: MLP, compiled: bool = False, read: bool = False) -> Callable[[int], int]:
    """Forward, loss, backward and Adam on one batch; `read` looks at the loss of every step."""
    model = mlp(problem)
    optimizer = torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    loss_of = nn.functional.cross_entropy if problem.classes else nn.functional.mse_loss
    x, t = map(torch.from_numpy, problem.data())
    t = t.long() if problem.classes else t

    def forward() -> torch.Tensor:
        return loss_of(model(x), t)

    forward = torch.compile(forward) if compiled else forward

    def run(count: int) -> int:
        for _ in range(count):
            optimizer.zero_grad()
            loss = forward()
            loss.backward()
            optimizer.step()
            if read:
                loss.item()
        return count

    return run


def inference(problem: MLP, compiled: bool = False) -> Callable[[int], int]:
    """One example at a time."""
    model = mlp(problem)
    model = torch.compile(model) if compiled else model
    x = torch.from_numpy(problem.data()[0][:1])

    def run(count: int) -> int:
        with torch.inference_mode():
            for _ in range(count):
                model(x)
        return count

    return run


WORKLOADS: dict[str, Workload] = {
    "step_small": lambda: training_step(SMALL),
    "step_small_read": lambda: training_step(SMALL, read=True),
    "step_digits": lambda: training_step(DIGITS),
    "infer_digits": lambda: inference(DIGITS),
}
