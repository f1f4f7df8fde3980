"""Chains and their links: order, clipping, decay."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import optimizers as optim
from fnet import tree
from tests.optimizers.running import a_tree, run, updates_of


def test_chain_feeds_each_transform_with_the_updates_before():
    g = {"w": np.array([3.0, -4.0])}
    opt = optim.chain(optim.clip_by_value(1.0), optim.scale(2.0), optim.scale_by_learning_rate(0.1))
    np.testing.assert_allclose(updates_of(opt, g)["w"], [-0.2, 0.2])
    assert tree.all_equal(updates_of(optim.chain(), g), g)
    clipped = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.1))
    expected = updates_of(optim.adam(0.1), tree.map(lambda x: x / 5, g), g)
    np.testing.assert_allclose(updates_of(clipped, g, g)["w"], expected["w"], rtol=1e-9)


def test_chain_is_associative():
    links = optim.scale(3.0), optim.clip_by_value(1.0), optim.sgd(0.1, momentum=0.9)
    gradients = [np.array([0.1, 5.0]), np.array([-1.0, 0.2])]
    flat, _ = run(optim.chain(*links), np.zeros(2), gradients)
    nested, _ = run(optim.chain(links[0], optim.chain(*links[1:])), np.zeros(2), gradients)
    np.testing.assert_array_equal(flat, nested)


@given(seed=st.integers(0, 2**31), limit=st.floats(0.1, 10))
def test_clipping_by_norms(seed, limit):
    g = tree.map(np.float64, a_tree(np.random.default_rng(seed)))
    whole = np.sqrt(sum(np.sum(x**2) for x in tree.leaves(g)))
    for got, x in zip(tree.leaves(updates_of(optim.clip_by_global_norm(limit), g)), tree.leaves(g), strict=True):
        np.testing.assert_allclose(got, x * min(1, limit / whole), rtol=1e-12)
    for got, x in zip(tree.leaves(updates_of(optim.clip_by_norm(limit), g)), tree.leaves(g), strict=True):
        np.testing.assert_allclose(got, x * limit / max(limit, np.linalg.norm(x)), rtol=1e-12)


def test_clipping_leaves_small_gradients_alone():
    g = a_tree(np.random.default_rng(0))
    for clip in (optim.clip_by_norm(100.0), optim.clip_by_global_norm(100.0), optim.clip_by_value(100.0)):
        assert tree.all_equal(updates_of(clip, g), g)
    assert updates_of(optim.clip_by_global_norm(1.0), {}) == {}


@pytest.mark.parametrize("clip", [optim.clip_by_norm, optim.clip_by_global_norm])
def test_norms_neither_overflow_nor_hide_what_is_not_finite(clip):
    np.testing.assert_allclose(updates_of(clip(1.0), np.array([100.0, 100.0])), [0.70711, 0.70711], atol=1e-5)
    huge = np.full(2, 1e30, np.float32)
    got = updates_of(clip(1.0), huge)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.sqrt(0.5), rtol=1e-6)
    np.testing.assert_array_equal(updates_of(clip(1.0), np.zeros(2)), 0)
    for bad in (np.inf, np.nan):
        assert np.all(np.isnan(updates_of(clip(1.0), np.array([bad, 1.0]))))


def test_clip_by_value_keeps_nan():
    np.testing.assert_array_equal(
        updates_of(optim.clip_by_value(1.0), np.array([-5.0, np.nan, 0.5])), [-1, np.nan, 0.5]
    )


def test_decay_before_the_rule_is_a_penalty_and_takes_a_mask():
    w, g = {"kernel": np.array([2.0]), "bias": np.array([2.0])}, {"kernel": np.array([1.0]), "bias": np.array([1.0])}
    opt = optim.chain(optim.add_decayed_weights(0.5), optim.sgd(0.1))
    assert tree.all_equal(updates_of(opt, g, w), {"kernel": np.array([-0.2]), "bias": np.array([-0.2])})
    for mask in (lambda path, leaf: path != "bias", {"kernel": True, "bias": False}):
        got = updates_of(optim.add_decayed_weights(0.5, mask), g, w)
        assert tree.all_equal(got, {"kernel": np.array([2.0]), "bias": np.array([1.0])})
