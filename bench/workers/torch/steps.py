"""What is timed: training steps and calls for inference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from bench.problems import Network
from bench.protocol import Run
from bench.workers.torch.networks import network
from bench.workers.torch.place import DEVICE, wait
from bench.workers.torch.weights import load


class Training:
    """A training loop on one batch: forward, loss, backward and Adam.

    read: look at every loss; captured: the steps can be recorded into a CUDA graph.
    """

    def __init__(
        self,
        problem: Network,
        compiled: bool = False,
        read: bool = False,
        dtype: torch.dtype = torch.float32,
        captured: bool = False,
    ) -> None:
        model = network(problem)
        load(model, problem.weights())
        self.parameters = list(model.to(DEVICE, dtype).parameters())
        self.optimizer = torch.optim.Adam(self.parameters, 1e-3, eps=1e-7, fused=True, capturable=captured)
        self.read, self.keeps_gradients = read, captured
        loss = LOSSES[problem.loss]
        x, t = (_tensors(arrays, dtype) for arrays in problem.data())

        def forward() -> torch.Tensor:
            return loss(model(*x), *t)

        if compiled:
            torch.compiler.reset()  # else the ninth network exceeds the limit of recompilations and runs eagerly
        self.forward: Callable[[], torch.Tensor] = torch.compile(forward) if compiled else forward

    def run(self, count: int) -> int:
        """Do `count` steps."""
        optimizer, forward, read = self.optimizer, self.forward, self.read
        for _ in range(count):
            optimizer.zero_grad(set_to_none=not self.keeps_gradients)
            loss = forward()
            loss.backward()
            optimizer.step()
            if read:
                loss.item()
        self.loss = loss
        return count

    def losses(self, count: int) -> list[float]:
        """Do `count` steps and look at their losses."""
        found = []
        for _ in range(count):
            self.run(1)
            found.append(self.loss.item())
        return found

    def gradients(self) -> list[np.ndarray]:
        """The gradients of the loss, in float64."""
        return [g.double().cpu().numpy() for g in torch.autograd.grad(self.forward(), self.parameters)]


def inference(problem: Network, compiled: bool, dtype: torch.dtype) -> Run:
    """One example at a time."""
    model = network(problem).eval().to(DEVICE, dtype)
    model = torch.compile(model) if compiled else model
    x = tuple(tensor[:1] for tensor in _tensors(problem.data()[0], dtype))

    def run(count: int) -> int:
        with torch.inference_mode():
            for _ in range(count):
                model(*x)
                wait()
        return count

    return run


def _tensors(arrays: Any, dtype: torch.dtype) -> tuple[torch.Tensor, ...]:
    """A tensor for each array, floats in `dtype`; images as channels-first views of channels-last memory."""
    found = []
    for array in arrays if isinstance(arrays, tuple) else (arrays,):
        tensor = torch.from_numpy(array).to(DEVICE)
        tensor = tensor.long() if array.dtype == np.int32 else tensor.to(dtype)
        found.append(tensor.permute(0, 3, 1, 2) if tensor.ndim == 4 else tensor)
    return tuple(found)


def _classes(y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    return functional.cross_entropy(y.flatten(0, -2), t.flatten())


def _ticket(y: tuple[torch.Tensor, torch.Tensor], priority: torch.Tensor, department: torch.Tensor) -> torch.Tensor:
    is_urgent, is_for = y
    return functional.binary_cross_entropy_with_logits(is_urgent, priority) + 0.2 * functional.cross_entropy(
        is_for, department
    )


def _ctc(y: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    batch, steps, _ = y.shape
    log_p = functional.log_softmax(y, -1).transpose(0, 1)
    lengths = torch.full((batch,), steps), torch.full((batch,), t.shape[1])
    return functional.ctc_loss(log_p, t, *lengths, reduction="none").mean()


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse": functional.mse_loss,
    "classes": _classes,
    "ticket": _ticket,
    "ctc": _ctc,
}
