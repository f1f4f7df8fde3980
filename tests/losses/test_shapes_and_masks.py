"""Ranks that are made equal, masks of every rank, labels that do not count, losses of whole batches."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses
from fnet.masking import Masked
from tests.losses.table import dice, one_hot, softmax, tversky


@pytest.mark.parametrize("loss", [losses.mse, losses.mae, losses.binary_crossentropy])
def test_a_missing_last_axis_of_size_one_is_no_broadcast(loss):
    y, p = np.array([1.0, 0.0, 1.0]), np.array([[0.5], [0.25], [0.125]])
    expected = loss(y[:, None], p)
    np.testing.assert_array_equal(loss(y, p), expected)
    np.testing.assert_array_equal(loss(y[:, None], p[:, 0]), expected)
    np.testing.assert_array_equal(loss(y, p, reduction="none"), loss(y[:, None], p, reduction="none"))


def test_a_mask_of_steps_without_features():
    rng = np.random.default_rng(0)
    y, p, mask = rng.normal(size=(3, 4)), rng.normal(size=(3, 4)), rng.random((3, 4)) < 0.6
    expected = ((y - p) ** 2)[mask].mean()
    for targets in (y, y[..., None]):
        np.testing.assert_allclose(losses.mse(y, Masked(p, mask)), expected, rtol=1e-12)
        np.testing.assert_allclose(losses.mse(targets, Masked(p[..., None], mask)), expected, rtol=1e-12)


def test_a_mask_of_steps_with_many_values():
    rng = np.random.default_rng(0)
    y, z, mask = rng.integers(0, 4, (2, 3, 5)), rng.normal(size=(2, 3, 5, 4)), np.eye(2, 3, dtype=bool)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    values = loss(y, z, reduction="none")
    np.testing.assert_allclose(loss(y, Masked(z, mask)), values[mask].mean(), rtol=1e-12)


def test_masks_work_under_jit():
    rng = np.random.default_rng(0)
    y, p, mask = rng.normal(size=(3, 4, 2)), rng.normal(size=(3, 4, 2)), rng.random((3, 4)) < 0.6

    def f(y, p, mask, w):
        return fnet.value_and_grad(lambda p: losses.huber(y, Masked(p, mask), sample_weight=w))(p)

    w = rng.uniform(size=3)
    for got, expected in zip(fnet.jit(f)(y, p, mask, w), f(y, p, mask, w), strict=True):
        np.testing.assert_allclose(got, expected, rtol=1e-12)
    assert fnet.jit(f)(y, p, np.zeros_like(mask), w)[0] == 0


@pytest.mark.parametrize("from_logits", [True, False])
def test_ignored_classes(from_logits):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(3, 4, 5)), rng.integers(0, 5, (3, 4))
    p = z if from_logits else softmax(z)
    keep, mask = rng.random((3, 4)) < 0.5, rng.random((3, 4)) < 0.8
    loss = losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    values = loss(y, p, reduction="none")
    for marked in (-1, 255):
        some = np.where(keep, y, marked)
        np.testing.assert_allclose(loss(some, p, ignore_class=marked), values[keep].mean(), rtol=1e-12)
        both = loss(some, Masked(p, mask), ignore_class=marked)
        np.testing.assert_allclose(both, values[keep & mask].mean(), rtol=1e-12)
        gradient = fnet.grad(loss, argnums=1)(some, p, ignore_class=marked)
        np.testing.assert_array_equal(np.any(gradient != 0, -1), keep)
        assert loss(np.full((3, 4), marked), p, ignore_class=marked) == 0


def test_padded_labels_under_a_mask_are_not_read():
    z, mask = np.random.default_rng(0).normal(size=(2, 3, 4)), np.array([[True, True, False], [True, False, False]])
    loss = losses.Crossentropy(from_logits=True)
    y = np.where(mask, 1, -7)
    np.testing.assert_allclose(loss(y, Masked(z, mask)), loss(np.ones((2, 3)), z, reduction="none")[mask].mean())


def test_overlap_of_the_whole_batch_or_of_each_sample():
    rng = np.random.default_rng(0)
    y, p = (rng.random((3, 4, 2)) < 0.5).astype(float), rng.random((3, 4, 2))
    for loss, formula in ((losses.dice, dice), (losses.Tversky(0.2, 0.6), lambda y, p: tversky(y, p, 0.2, 0.6))):
        assert loss(y, p, reduction="none").shape == ()
        np.testing.assert_allclose(loss(y, p), formula(y.ravel(), p.ravel()), rtol=1e-12)
        each = loss(y, p, axis=(1, 2), reduction="none")
        np.testing.assert_allclose(each, formula(y.reshape(3, -1), p.reshape(3, -1)), rtol=1e-12)
        fnet.testing.check_grads(lambda p, loss=loss: loss(y, p), p)
        assert loss(y[:0], p[:0]) == 0


def test_masked_steps_belong_to_no_set():
    rng = np.random.default_rng(0)
    y, p, mask = one_hot(rng.integers(0, 2, (3, 4)), 2), rng.random((3, 4, 2)), rng.random((3, 4)) < 0.6
    mask[0] = False
    for loss in (losses.dice, losses.tversky):
        np.testing.assert_allclose(loss(y, Masked(p, mask)), loss(y[mask], p[mask]), rtol=1e-12)
        each = [loss(y[i][mask[i]], p[i][mask[i]]) for i in (1, 2)]
        np.testing.assert_allclose(loss(y, Masked(p, mask), axis=(1, 2)), np.mean(each), rtol=1e-12)
        assert loss(y, Masked(p, np.zeros_like(mask))) == 0


def test_means_and_variances_of_single_targets():
    rng = np.random.default_rng(0)
    y, p = rng.normal(size=4), rng.normal(size=(4, 2))
    assert losses.gaussian_nll(y, p) == losses.gaussian_nll(y[:, None], p)
