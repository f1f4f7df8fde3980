"""Rules side by side with PyTorch's own."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import optimizers as optim
from fnet import schedules
from tests.optimizers.running import run
from tests.optimizers.table import RULES

torch = pytest.importorskip("torch")


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES if rule.torch])
def test_trajectory(rule):
    """PyTorch mostly adds epsilon elsewhere, so that both get one near zero there."""
    name, arguments = rule.torch
    rng = np.random.default_rng(1)
    start, gradients = rng.normal(size=5), rng.normal(size=(20, 5))
    w = torch.tensor(start.copy(), requires_grad=True)
    theirs = getattr(torch.optim, name)([w], **arguments)
    path, _ = run(rule.make(), start, list(gradients))
    for got, g in zip(path, gradients, strict=True):
        w.grad = torch.tensor(g)
        theirs.step()
        np.testing.assert_allclose(got, w.detach().numpy(), atol=1e-6)


def test_clipping_by_the_global_norm():
    rng = np.random.default_rng(2)
    w, g = rng.normal(size=5), rng.normal(size=5) * 10
    theirs = torch.tensor(w.copy(), requires_grad=True)
    theirs.grad = torch.tensor(g)
    torch.nn.utils.clip_grad_norm_([theirs], 1.0)
    torch.optim.SGD([theirs], 0.1).step()
    path, _ = run(optim.sgd(0.1, global_clipnorm=1.0), w, [g])
    np.testing.assert_allclose(path[0], theirs.detach().numpy(), rtol=1e-6)


@pytest.mark.parametrize(
    ("schedule", "name", "arguments"),
    [
        (schedules.one_cycle(0.5, 40), "OneCycleLR", {"max_lr": 0.5, "total_steps": 40}),
        (schedules.exponential_decay(0.5, 1, 0.9), "ExponentialLR", {"gamma": 0.9}),
        (
            schedules.cosine_decay_restarts(0.5, 7, t_mul=2.0),
            "CosineAnnealingWarmRestarts",
            {"T_0": 7, "T_mult": 2},
        ),
        (
            schedules.warmup(0.5, 8, initial=0.125),
            "LinearLR",
            {"start_factor": 0.25, "total_iters": 8},
        ),
    ],
    ids=["one_cycle", "exponential", "restarts", "warmup"],
)
def test_schedule(schedule, name, arguments):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 0.5)
    theirs = getattr(torch.optim.lr_scheduler, name)(optimizer, **arguments)
    for step in range(39):
        np.testing.assert_allclose(float(schedule(step)), theirs.get_last_lr()[0], rtol=1e-9, atol=1e-12)
        optimizer.step()
        theirs.step()
