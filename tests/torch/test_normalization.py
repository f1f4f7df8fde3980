"""Normalising and activation layers beside PyTorch's: values and gradients, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers, ops

torch = pytest.importorskip("torch")
F = torch.nn.functional
DTYPES = [np.float32, np.float64]


def first(x: Any) -> Any:
    """Channels second, where PyTorch has them."""
    return x.movedim(-1, 1)


def last(x: Any) -> Any:
    return x.movedim(1, -1)


PAIRS: dict[str, tuple[Callable, Callable, tuple[int, ...]]] = {
    "batch": (
        lambda x, a, b: ops.batch_normalization(x, a, b, 1e-3)[0],
        lambda x, a, b: last(F.batch_norm(first(x), None, None, a, b, True, 0.0, 1e-3)),
        (6, 5, 4, 8),
    ),
    "batch and relu": (
        lambda x, a, b: ops.relu(ops.batch_normalization(x, a, b, 1e-3)[0]),
        lambda x, a, b: torch.relu(last(F.batch_norm(first(x), None, None, a, b, True, 0.0, 1e-3))),
        (70, 33),
    ),
    "layer": (
        lambda x, a, b: ops.layer_normalization(x, a, b, 1e-3),
        lambda x, a, b: F.layer_norm(x, (x.shape[-1],), a, b, 1e-3),
        (30, 3, 20),
    ),
    "rms": (
        lambda x, a, b: ops.rms_normalization(x, a, 1e-6) + b,
        lambda x, a, b: F.rms_norm(x, (x.shape[-1],), a, 1e-6) + b,
        (30, 3, 20),
    ),
    "group": (
        lambda x, a, b: ops.group_normalization(x, a, b, 4, 1e-3),
        lambda x, a, b: last(F.group_norm(first(x), 4, a, b, 1e-3)),
        (3, 5, 4, 8),
    ),
    "prelu": (
        lambda x, a, b: layers.PReLU(shared_axes=1).apply({"alpha": ops.reshape(a, (1, 8))}, {}, x)[0] + b,
        lambda x, a, b: last(F.prelu(first(x), a)) + b,
        (5, 4, 8),
    ),
    "softmax over two axes": (
        lambda x, a, b: layers.Softmax((1, 2)).apply({}, {}, x * a + b)[0],
        lambda x, a, b: torch.softmax((x * a + b).reshape(x.shape[0], -1), -1).reshape(x.shape),
        (5, 4, 8),
    ),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients(name, dtype):
    ours, theirs, shape = PAIRS[name]
    rng = np.random.default_rng(2)
    operands = [rng.normal(0.3, 1.5, size).astype(dtype) for size in (shape, shape[-1:], shape[-1:])]
    weights = rng.normal(size=shape).astype(dtype)
    tensors = [torch.tensor(v, requires_grad=True) for v in operands]
    expected = theirs(*tensors)
    gradients = torch.autograd.grad(expected, tensors, torch.tensor(weights), allow_unused=True)

    def both(*operands: Any) -> Any:
        y, pull = fnet.vjp(ours, *operands)
        return y, pull(weights)

    tolerance = {"rtol": 2e-4, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-11}
    for y, pulled in (both(*operands), fnet.jit(both)(*operands)):
        np.testing.assert_allclose(y, expected.detach().numpy(), **tolerance)
        for got, wanted in zip(pulled, gradients, strict=True):
            np.testing.assert_allclose(got, 0 if wanted is None else wanted.numpy(), **tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_batch_normalization_moves_its_statistics_as_pytorch_but_for_the_correction(dtype):
    x = np.random.default_rng(0).normal(2, 3, (20, 5)).astype(dtype)
    layer = layers.BatchNormalization(momentum=0.9)
    params, state = layer.init(fnet.random.key(0), (5,), dtype)
    theirs = torch.nn.BatchNorm1d(5, eps=1e-3, momentum=0.1, dtype=torch.tensor(x).dtype)
    for _ in range(3):
        y, state = layer.apply(params, state, x, train=True)
        expected = theirs(torch.tensor(x))
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(state["moving_mean"], theirs.running_mean.numpy(), rtol=1e-5)
    # PyTorch's batch variance is divided by n - 1, Keras' by n.
    batch = (theirs.running_var.numpy() - 0.9**3) * 19 / 20 + 0.9**3
    np.testing.assert_allclose(state["moving_variance"], batch, rtol=1e-5)
    theirs.eval()
    expected = theirs(torch.tensor(x)).detach().numpy() * np.sqrt(theirs.running_var.numpy() + 1e-3)
    y = layer.apply(params, state, x)[0] * np.sqrt(state["moving_variance"] + 1e-3)
    np.testing.assert_allclose(y, expected, rtol=1e-4, atol=1e-5)
