"""Losses of embeddings beside loops over pairs and triplets."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses
from fnet.testing import check_grads


def data(seed=0, batch=9, classes=3):
    rng = np.random.default_rng(seed)
    e = rng.normal(size=(batch, 4))
    return rng.integers(0, classes, batch), e / np.linalg.norm(e, axis=1, keepdims=True)


def semihard(labels, e, margin=1.0):
    d = np.linalg.norm(e[:, None] - e[None], axis=-1)
    values = []
    for i in range(len(e)):
        others = d[i][labels != labels[i]]
        for j in range(len(e)):
            if i == j or labels[i] != labels[j] or not others.size:
                continue
            farther = others[others > d[i, j]]
            values.append(max(d[i, j] - (farther.min() if farther.size else others.max()) + margin, 0))
    return np.mean(values) if values else 0.0


def circle(labels, e, gamma=80.0, margin=0.4):
    d = np.maximum(1 - e @ e.T, 0)
    values = []
    for i in range(len(e)):
        p = [j for j in range(len(e)) if j != i and labels[j] == labels[i]]
        n = [j for j in range(len(e)) if labels[j] != labels[i]]
        attract = np.exp(gamma * (margin + d[i, p]) * (d[i, p] - margin)).sum()
        repel = np.exp(gamma * np.maximum(1 + margin - d[i, n], 0) * (1 - margin - d[i, n])).sum()
        values.append(np.log1p(attract * repel))
    values = np.array(values)
    return values[values > 0].mean() if np.any(values > 0) else 0.0


@pytest.mark.parametrize("seed", range(4))
def test_semihard_triplets(seed):
    labels, e = data(seed)
    for margin in (0.1, 1.0):
        value = losses.triplet_semihard(labels, e, margin=margin)
        np.testing.assert_allclose(value, semihard(labels, e, margin), rtol=1e-12)
    check_grads(lambda e: losses.triplet_semihard(labels, e), e)
    order = np.random.default_rng(seed).permutation(9)
    np.testing.assert_allclose(losses.triplet_semihard(labels[order, None], e[order]), semihard(labels, e), rtol=1e-12)


def test_semihard_triplets_that_do_not_exist():
    _, e = data()
    for labels in (np.zeros(9, int), np.arange(9)):
        value, gradient = fnet.value_and_grad(lambda e, y=labels: losses.triplet_semihard(y, e))(e)
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)
    assert losses.triplet_semihard([], e[:0]) == 0


@pytest.mark.parametrize("seed", range(4))
def test_circle(seed):
    labels, e = data(seed)
    np.testing.assert_allclose(losses.circle(labels, e), circle(labels, e), rtol=1e-10)
    np.testing.assert_allclose(losses.Circle(gamma=4.0, margin=0.2)(labels, e), circle(labels, e, 4.0, 0.2), rtol=1e-10)
    check_grads(lambda e: losses.circle(labels, e, gamma=4.0), e)
    values = losses.circle(labels, e, reduction="none")
    order = np.random.default_rng(seed).permutation(9)
    np.testing.assert_allclose(losses.circle(labels[order], e[order], reduction="none"), values[order], rtol=1e-10)


def test_circle_without_pairs():
    _, e = data()
    for labels in (np.zeros(9, int), np.arange(9)):
        value, gradient = fnet.value_and_grad(lambda e, y=labels: losses.circle(y, e))(e)
        assert value == 0
        np.testing.assert_array_equal(gradient, 0)


def test_triplets():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 3, 4))
    a, p, n = x.transpose(1, 0, 2)
    expected = np.maximum(np.linalg.norm(a - p, axis=1) - np.linalg.norm(a - n, axis=1) + 0.5, 0)
    np.testing.assert_allclose(losses.triplet(None, x, margin=0.5, reduction="none"), expected, rtol=1e-12)
    np.testing.assert_allclose(
        losses.triplet(np.zeros(6), x, sample_weight=np.arange(6.0), margin=0.5), (expected * np.arange(6)).mean()
    )
    check_grads(lambda x: losses.triplet(None, x), x)


def test_equal_points_have_no_slope():
    x = np.ones((1, 3, 2))
    value, gradient = fnet.value_and_grad(lambda x: losses.triplet(None, x))(x)
    assert value == 1
    np.testing.assert_array_equal(gradient, 0)
    _, gradient = fnet.value_and_grad(lambda e: losses.triplet_semihard([0, 0, 1], e))(np.ones((3, 2)))
    np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize("loss", [losses.circle, pytest.param(losses.triplet_semihard, marks=pytest.mark.slow)])
def test_compiled_and_eager_agree(loss):
    labels, e = data()
    f = fnet.value_and_grad(lambda e, y: loss(y, e))
    for got, expected in zip(fnet.jit(f)(e, labels), f(e, labels), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e20, 1e30])
def test_distances_of_any_size(size):
    """Squares that overflow or vanish do not."""
    x = (np.array([[[0.0, 0.0], [3.0, 4.0], [0.0, 5.5]]]) * size).astype(np.float32)
    value, gradient = fnet.value_and_grad(lambda x: losses.triplet(None, x, margin=size))(x)
    np.testing.assert_allclose(value / size, 0.5, rtol=1e-5)
    np.testing.assert_allclose(gradient[0], [[-0.6, 0.2], [0.6, 0.8], [0, -1]], atol=1e-5)
    embeddings = (np.array([[0.0], [1.0], [1.5]]) * size).astype(np.float32)
    np.testing.assert_allclose(losses.triplet_semihard([0, 0, 1], embeddings, margin=size) / size, 1, rtol=1e-5)
