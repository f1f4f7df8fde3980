"""Matrix products and their derivatives beside PyTorch's."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops

torch = pytest.importorskip("torch")

SHAPES = [
    ((32, 16), (16, 1)),
    ((128, 784), (784, 300)),
    ((1, 300), (300, 100)),
    ((600, 50), (50, 70)),
    ((40, 9, 33), (40, 33, 20)),
    ((2, 150, 140), (2, 140, 160)),
]


@pytest.mark.parametrize("shapes", SHAPES, ids=str)
def test_product_and_gradients(shapes):
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal(shape).astype(np.float32) for shape in shapes)
    weight = rng.standard_normal((*a.shape[:-1], b.shape[-1])).astype(np.float32)
    x, y = torch.tensor(a, requires_grad=True), torch.tensor(b, requires_grad=True)
    expected = torch.matmul(x, y)
    expected.backward(torch.tensor(weight))

    def loss(a, b):
        return ops.sum(ops.matmul(a, b) * weight)

    ours = [ops.matmul(a, b), *fnet.grad(loss, argnums=(0, 1))(a, b)]
    for value, theirs in zip(ours, [expected.detach(), x.grad, y.grad], strict=True):
        np.testing.assert_allclose(value, theirs.numpy(), rtol=1e-4, atol=1e-4 * float(theirs.abs().max()))
