"""Losses and their gradients beside PyTorch's, where it has the same one."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses

torch = pytest.importorskip("torch")
F = torch.nn.functional

RNG = np.random.default_rng(0)
REAL, PREDICTED = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 4), scale=2)
LABELS = RNG.integers(0, 4, 6)
HOT, SOFT = np.eye(4)[LABELS], RNG.dirichlet(np.ones(4), 6)
BITS = RNG.integers(0, 2, (6, 4)).astype(float)
UNIT, ROWS = RNG.uniform(0.05, 0.95, (6, 4)), RNG.dirichlet(np.ones(4), 6)
POSITIVE, COUNTS = RNG.uniform(0.1, 3, (6, 4)), RNG.poisson(2, (6, 4)).astype(float)
MOMENTS = RNG.normal(size=(6, 8))
TRIPLETS = RNG.normal(size=(6, 3, 4))


def classes(**options):
    return lambda y, p: F.cross_entropy(p, y, **options)


def gaussian(y, p):
    mean, log_variance = p[:, :4], p[:, 4:]
    return F.gaussian_nll_loss(mean, y, log_variance.exp(), full=True)


def triplets(y, p):
    return F.triplet_margin_loss(p[:, 0], p[:, 1], p[:, 2], margin=1.0, eps=0.0)


def hinge_embedding(y, p):
    return F.relu(1 - (2 * y - 1) * p).mean()


CASES = {
    "mse": (losses.mse, REAL, PREDICTED, lambda y, p: F.mse_loss(p, y)),
    "mae": (losses.mae, REAL, PREDICTED, lambda y, p: F.l1_loss(p, y)),
    "huber": (losses.Huber(1.5), REAL, PREDICTED, lambda y, p: F.huber_loss(p, y, delta=1.5)),
    "cosine": (losses.cosine_similarity, REAL, PREDICTED, lambda y, p: -F.cosine_similarity(y, p, -1, 1e-7).mean()),
    "kl_divergence": (losses.kld, SOFT, ROWS, lambda y, p: F.kl_div(p.log(), y, reduction="batchmean")),
    "poisson": (
        losses.poisson,
        COUNTS,
        POSITIVE,
        lambda y, p: F.poisson_nll_loss(p, y, log_input=False, eps=1e-7),
    ),
    "gaussian_nll": (losses.GaussianNLL(full=True), REAL, MOMENTS, gaussian),
    "bce": (losses.binary_crossentropy, BITS, UNIT, lambda y, p: F.binary_cross_entropy(p, y)),
    "bce_logits": (
        losses.BinaryCrossentropy(True),
        BITS,
        PREDICTED,
        lambda y, p: F.binary_cross_entropy_with_logits(p, y),
    ),
    "cce": (losses.categorical_crossentropy, HOT, ROWS, lambda y, p: -(y * (p / p.sum(-1, True)).log()).sum(-1).mean()),
    "cce_logits": (losses.CategoricalCrossentropy(True), SOFT, PREDICTED, classes()),
    "cce_logits_smooth": (
        losses.CategoricalCrossentropy(True, label_smoothing=0.1),
        SOFT,
        PREDICTED,
        classes(label_smoothing=0.1),
    ),
    "scce_logits": (losses.SparseCategoricalCrossentropy(True), LABELS, PREDICTED, classes()),
    "scce_ignore": (
        losses.SparseCategoricalCrossentropy(True, ignore_class=2),
        LABELS,
        PREDICTED,
        classes(ignore_index=2),
    ),
    "categorical_hinge": (
        losses.categorical_hinge,
        HOT,
        PREDICTED,
        lambda y, p: F.relu(((1 - y) * p).amax(-1) - (y * p).sum(-1) + 1).mean(),
    ),
    "hinge": (losses.hinge, BITS, PREDICTED, hinge_embedding),
    "triplet": (losses.triplet, np.zeros(6), TRIPLETS, triplets),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
def test_value_and_gradient(case, dtype):
    loss, y, p, theirs = CASES[case]
    y = y.astype(dtype) if y.dtype.kind == "f" else y
    p = p.astype(dtype)
    leaf = torch.tensor(p, requires_grad=True)
    expected = theirs(torch.tensor(y), leaf)
    expected.backward()
    value, gradient = fnet.value_and_grad(lambda p: loss(y, p))(p)
    assert value.dtype == gradient.dtype == dtype
    tolerance = {"rtol": 1e-5, "atol": 1e-6} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-12}
    np.testing.assert_allclose(value, expected.detach().numpy(), **tolerance)
    np.testing.assert_allclose(gradient, leaf.grad.numpy(), **tolerance)
