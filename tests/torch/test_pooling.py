"""Pooling, upsampling, embedding beside PyTorch's: values, gradients, ties and NaN."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers, ops

torch = pytest.importorskip("torch")
F = torch.nn.functional
TOLERANCE = {np.float32: 2e-6, np.float64: 1e-13}
RNG = np.random.default_rng(0)

# name: ours, theirs on (N, C, ...), shape
PAIRS: dict[str, tuple[Callable, Callable, tuple[int, ...]]] = {
    "max 1-d": (lambda x: ops.max_pool(x, 3, 2), lambda x: F.max_pool1d(x, 3, 2), (3, 9, 5)),
    "max 2-d": (lambda x: ops.max_pool(x, 2), lambda x: F.max_pool2d(x, 2), (2, 7, 8, 70)),
    "max 2-d overlapping": (lambda x: ops.max_pool(x, 3, 2), lambda x: F.max_pool2d(x, 3, 2), (2, 9, 8, 21)),
    "max 2-d same": (lambda x: ops.max_pool(x, 3, 1, "same"), lambda x: F.max_pool2d(x, 3, 1, 1), (2, 5, 6, 4)),
    "max 3-d": (lambda x: ops.max_pool(x, 2, (2, 1, 2)), lambda x: F.max_pool3d(x, 2, (2, 1, 2)), (2, 4, 5, 6, 3)),
    "average 1-d": (lambda x: ops.average_pool(x, 3, 2), lambda x: F.avg_pool1d(x, 3, 2), (3, 9, 5)),
    "average 2-d": (lambda x: ops.average_pool(x, (2, 3), 2), lambda x: F.avg_pool2d(x, (2, 3), 2), (2, 7, 8, 70)),
    "average 2-d same": (
        lambda x: ops.average_pool(x, 3, 1, "same"),
        lambda x: F.avg_pool2d(x, 3, 1, 1, count_include_pad=False), (2, 5, 6, 4),
    ),
    "average 3-d": (lambda x: ops.average_pool(x, 2), lambda x: F.avg_pool3d(x, 2), (2, 4, 5, 6, 3)),
    "global max": (
        lambda x: layers.GlobalMaxPooling2D(keepdims=True).apply({}, {}, x)[0],
        lambda x: F.adaptive_max_pool2d(x, 1), (2, 7, 8, 5),
    ),
    "global average": (
        lambda x: layers.GlobalAveragePooling2D(keepdims=True).apply({}, {}, x)[0],
        lambda x: F.adaptive_avg_pool2d(x, 1), (2, 7, 8, 5),
    ),
    "nearest": (
        lambda x: layers.UpSampling2D((2, 3)).apply({}, {}, x)[0],
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="nearest"), (2, 4, 3, 2),
    ),
    "bilinear": (
        lambda x: layers.UpSampling2D((2, 3), interpolation="bilinear").apply({}, {}, x)[0],
        lambda x: F.interpolate(x, scale_factor=(2, 3), mode="bilinear", align_corners=False), (2, 4, 3, 2),
    ),
}  # fmt: skip


def compare(ours: Callable, theirs: Callable, x: np.ndarray) -> None:
    y, pull = fnet.vjp(ours, x)
    tensor = torch.tensor(np.moveaxis(x, -1, 1).copy(), requires_grad=True)
    expected = theirs(tensor)
    g = RNG.normal(size=y.shape).astype(x.dtype)
    (gradient,) = torch.autograd.grad(expected, tensor, torch.tensor(np.moveaxis(g, -1, 1).copy()))
    tolerance = 8 * TOLERANCE[x.dtype.type]
    np.testing.assert_allclose(np.moveaxis(y, -1, 1), expected.detach().numpy(), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(np.moveaxis(pull(g)[0], -1, 1), gradient.numpy(), rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", PAIRS)
def test_values_and_gradients(name: str, dtype: Any) -> None:
    ours, theirs, shape = PAIRS[name]
    compare(ours, theirs, RNG.normal(size=shape).astype(dtype))


def test_ties_and_nan() -> None:
    x = RNG.integers(0, 3, (2, 8, 8, 17)).astype(np.float32)
    compare(lambda x: ops.max_pool(x, 3, 2), lambda x: F.max_pool2d(x, 3, 2), x)
    x[RNG.random(x.shape) < 0.05] = np.nan
    y = ops.max_pool(x, 3, 2)
    np.testing.assert_array_equal(np.moveaxis(y, -1, 1), F.max_pool2d(torch.tensor(np.moveaxis(x, -1, 1)), 3, 2))


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_embedding(dtype: Any) -> None:
    table, ids = RNG.normal(size=(50, 70)).astype(dtype), RNG.integers(0, 50, (4, 30))
    y, pull = fnet.vjp(lambda t: layers.Embedding(50, 70).apply({"embeddings": t}, {}, ids)[0], table)
    tensor = torch.tensor(table, requires_grad=True)
    expected = F.embedding(torch.tensor(ids), tensor)
    g = RNG.normal(size=y.shape).astype(dtype)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    (gradient,) = torch.autograd.grad(expected, tensor, torch.tensor(g))
    tolerance = 8 * TOLERANCE[dtype]
    np.testing.assert_allclose(pull(g)[0], gradient.numpy(), rtol=tolerance, atol=tolerance)
