"""Layers that make or use a mask: padding has no influence on what they compute, and gets no gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random
from fnet.errors import DtypeError, ShapeError
from fnet.layers import (
    AdditiveAttention,
    Attention,
    BatchNormalization,
    Dense,
    Embedding,
    GlobalAveragePooling1D,
    GroupNormalization,
    GroupQueryAttention,
    Masking,
    MultiHeadAttention,
    Softmax,
)
from fnet.masking import Masked
from fnet.networks.combinators import serial

KEY = random.key(2)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(3, 5, 4))
LENGTHS = np.array([5, 3, 1])
MASK = np.arange(5) < LENGTHS[:, None]


def spoiled(x: np.ndarray = X, value: float = np.nan) -> Masked:
    """The batch with `value` in the padding."""
    return Masked(np.where(MASK[:, :, None], x, value), MASK)


def run(layer: Any, x: Any, shape: Any = (5, 4), train: bool = False) -> Any:
    params, state = layer.init(KEY, shape, "float64")
    return layer.apply(params, state, x, key=KEY, train=train)


def test_masking_leaves_out_steps_of_one_value_and_zeroes_them() -> None:
    x = X.copy()
    x[1, 2] = x[2, 0] = 7.0
    x[0, 0, 0] = 7.0
    y, _ = run(Masking(7), x)
    expected = np.ones((3, 5), bool)
    expected[1, 2] = expected[2, 0] = False
    np.testing.assert_array_equal(y.mask, expected)
    np.testing.assert_array_equal(y.values, np.where(expected[..., None], x, 0))
    again, _ = Masking().apply({}, {}, Masked(x, MASK))
    np.testing.assert_array_equal(again.mask, MASK)
    images, _ = Masking().apply({}, {}, np.zeros((2, 3, 2, 2)))
    assert images.mask.tolist() == [[False] * 3] * 2
    assert Masking().apply({}, {}, np.full((1, 1, 2), np.nan))[0].mask.all()


def test_a_mask_of_whole_samples() -> None:
    kept = np.array([True, False, True])
    y, _ = run(GlobalAveragePooling1D(), Masked(X, kept))
    np.testing.assert_allclose(y, np.where(kept[:, None], X.mean(1), 0), rtol=1e-12)
    params, state = BatchNormalization().init(KEY, (5, 4), "float64")
    new, expected = (BatchNormalization().apply(params, state, x, train=True)[1] for x in (Masked(X, kept), X[kept]))
    for a, b in zip(fnet.tree.leaves(new), fnet.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize("layer", [GroupNormalization(2), BatchNormalization()], ids=repr)
def test_sequences_without_steps_have_gradients_of_zero(layer: Any) -> None:
    params, state = layer.init(KEY, (None, 4))
    x = np.zeros((2, 0, 4), "float32")
    g = fnet.grad(lambda p: np.sum(layer.apply(p, state, x, train=True)[0]))(params)
    for part in fnet.tree.leaves(g):
        np.testing.assert_array_equal(part, 0)


def test_masking_of_nan() -> None:
    x = np.array([[[1.0, np.nan], [np.nan, np.nan], [np.inf, 0.0]]])
    y, _ = Masking(np.nan).apply({}, {}, x)
    np.testing.assert_array_equal(y.mask, [[True, False, True]])
    np.testing.assert_array_equal(y.values, [[[1, np.nan], [0, 0], [np.inf, 0]]])


def test_masking_under_jit_and_its_gradient() -> None:
    x = np.where(MASK[:, :, None], X, 0)
    y, _ = fnet.jit(Masking().apply)({}, {}, x)
    np.testing.assert_array_equal(y.mask, MASK)
    g = fnet.grad(lambda x: np.sum(np.exp(Masking().apply({}, {}, x)[0].values)))(x)
    np.testing.assert_allclose(g, np.where(MASK[:, :, None], np.exp(X), 0), rtol=1e-12)


def test_embedding_masks_zeros() -> None:
    ids = np.array([[3, 1, 0, 0], [0, 2, 2, 0]])
    layer = Embedding(4, 2, mask_zero=True)
    params, _ = layer.init(KEY, (4,))
    for given in (ids, ids.astype("uint8"), ids.astype("float32")):
        for apply in (layer.apply, fnet.jit(layer.apply)):
            y, _ = apply(params, {}, given)
            np.testing.assert_array_equal(y.mask, ids != 0)
            np.testing.assert_array_equal(y.values, params["embeddings"][ids])
    outer = np.array([[True, False, True, True]] * 2)
    np.testing.assert_array_equal(layer.apply(params, {}, Masked(ids, outer))[0].mask, outer & (ids != 0))
    np.testing.assert_array_equal(Embedding(4, 2).apply(params, {}, Masked(ids, outer))[0].mask, outer)


@pytest.mark.parametrize("keepdims", [False, True])
def test_the_mean_is_over_the_steps_that_count(keepdims: bool) -> None:
    y, _ = run(GlobalAveragePooling1D(keepdims=keepdims), spoiled())
    expected = [X[i, :n].mean(0, keepdims=keepdims) for i, n in enumerate(LENGTHS)]
    np.testing.assert_allclose(y, expected, rtol=1e-12)
    nothing, _ = run(GlobalAveragePooling1D(), Masked(X, np.zeros((3, 5), bool)))
    np.testing.assert_array_equal(nothing, np.zeros((3, 4)))


@pytest.mark.parametrize("axis", [-1, 1, (1, 2)])
def test_softmax_leaves_masked_entries_out_and_gives_them_zero(axis: Any) -> None:
    y, _ = run(Softmax(axis), spoiled())
    np.testing.assert_array_equal(y.mask, MASK)
    for i, n in enumerate(LENGTHS):
        e = np.exp(X[i, :n])
        axes = tuple(a - 1 if a > 0 else a for a in np.atleast_1d(axis))
        np.testing.assert_allclose(y.values[i, :n], e / e.sum(axes, keepdims=True), rtol=1e-12)
        np.testing.assert_array_equal(y.values[i, n:], 0)
    scores, _ = run(Softmax(), Masked(X[..., 0], MASK), (5,))
    np.testing.assert_allclose(scores.values.sum(-1), 1, rtol=1e-12)


@pytest.mark.parametrize("axis", [-1, 1])
def test_batch_statistics_are_those_of_the_steps_that_count(axis: int) -> None:
    layer = BatchNormalization(axis, momentum=0.9)
    y, state = run(layer, spoiled(), train=True)
    if axis == -1:
        counted = X[MASK]
        mean, variance = counted.mean(0), counted.var(0)
    else:
        counted = [X[MASK[:, t], t] for t in range(5)]
        mean, variance = (np.array([f(c) for c in counted]) for f in (np.mean, np.var))
    np.testing.assert_allclose(state["moving_mean"], 0.1 * mean, rtol=1e-6)
    np.testing.assert_allclose(state["moving_variance"], 0.9 + 0.1 * variance, rtol=1e-6)
    wide = (1, 1, 4) if axis == -1 else (1, 5, 1)
    expected = (X - mean.reshape(wide)) / np.sqrt(variance.reshape(wide) + 1e-3)
    np.testing.assert_array_equal(y.mask, MASK)
    np.testing.assert_allclose(y.values[MASK], expected[MASK], rtol=1e-6, atol=1e-7)


def test_batch_normalization_of_masked_images() -> None:
    x = RNG.normal(size=(3, 5, 2, 4))
    _, state = run(BatchNormalization(momentum=0), Masked(x, MASK), (5, 2, 4), train=True)
    np.testing.assert_allclose(state["moving_mean"], x[MASK].mean((0, 1)), rtol=1e-6)
    np.testing.assert_allclose(state["moving_variance"], x[MASK].var((0, 1)), rtol=1e-6)


def test_inference_and_frozen_training_use_the_moving_statistics() -> None:
    layer = BatchNormalization(trainable=False)
    params, state = layer.init(KEY, (5, 4), "float64")
    for x in (X, Masked(X, MASK)):
        trained, new = layer.apply(params, state, x, train=True)
        expected, _ = BatchNormalization().apply(params, state, x)
        np.testing.assert_array_equal(trained, expected)
        assert fnet.tree.all_equal(new, state)
    _, new = layer.with_trainable(True).apply(params, state, X, train=True)
    assert not fnet.tree.all_equal(new, state)
    inner = serial(Dense(3), BatchNormalization())
    params, state = inner.init(KEY, (5, 4), "float64")
    frozen, new = fnet.freeze(inner).apply(params, state, X, train=True)
    np.testing.assert_array_equal(frozen, inner.apply(params, state, X)[0])
    assert fnet.tree.all_equal(new, state)
    assert not fnet.tree.all_equal(inner.apply(params, state, X, train=True)[1], state)


ATTENTION = [
    MultiHeadAttention(2, 3),
    MultiHeadAttention(2, 4, causal=True, rotary=True),
    GroupQueryAttention(3, 4, 2),
    Attention(use_scale=True),
    Attention(score_mode="concat", causal=True),
    AdditiveAttention(),
]


@pytest.mark.parametrize("layer", ATTENTION, ids=repr)
def test_attention_does_not_see_padding(layer: Any) -> None:
    params, state = layer.init(KEY, (5, 4), "float64")
    params = fnet.tree.map(lambda p: p + 0.1, params)
    y, _ = layer.apply(params, state, spoiled(value=1e3))
    np.testing.assert_array_equal(y.mask, MASK)
    for i, n in enumerate(LENGTHS):
        alone, _ = layer.apply(params, state, X[i : i + 1, :n])
        np.testing.assert_allclose(y.values[i : i + 1, :n], alone, rtol=1e-10, atol=1e-12)
    jitted, _ = fnet.jit(layer.apply)(params, state, spoiled(value=1e3))
    np.testing.assert_allclose(jitted.values, y.values, rtol=1e-12, atol=1e-14)

    def of_real_steps(x: Any) -> Any:
        values = layer.apply(params, state, Masked(x, MASK))[0].values
        return np.sum(fnet.ops.where(MASK[:, :, None], values, 0) ** 2)

    g = fnet.grad(of_real_steps)(X)
    assert np.all((g != 0).any(-1) == MASK)


@pytest.mark.parametrize("layer", ATTENTION, ids=repr)
def test_masks_of_query_value_and_key_combine(layer: Any) -> None:
    if layer.config["causal"]:
        return
    shape = ((5, 4), (6, 4), (6, 4))
    params, state = layer.init(KEY, shape, "float64")
    query, value, key = (RNG.normal(size=(3, *s)) for s in shape)
    value_mask, key_mask = np.arange(6) != 1, np.arange(6) < 4
    wide = [np.broadcast_to(m, (3, 6)) for m in (value_mask, key_mask)]
    seen = value_mask & key_mask
    expected, _ = layer.apply(params, state, (query, value[:, seen], key[:, seen]))
    y, _ = layer.apply(params, state, (query, Masked(value, wide[0]), Masked(key, wide[1])))
    np.testing.assert_allclose(y, expected, rtol=1e-10, atol=1e-12)
    y, _ = layer.apply(params, state, (Masked(query, MASK), Masked(value, wide[0]), Masked(key, wide[1])))
    np.testing.assert_allclose(y.values[MASK], expected[MASK], rtol=1e-10, atol=1e-12)
    np.testing.assert_array_equal(y.mask, MASK)
    assert np.ptp(y.values[~MASK], axis=0) == pytest.approx(0)  # zeros, or the bias alone


def test_a_mask_given_and_masks_that_travel_combine() -> None:
    layer = MultiHeadAttention(2, 3, masked=True)
    params, state = layer.init(KEY, ((5, 4), (5,)), "float64")
    given = RNG.random((3, 5, 5)) < 0.7
    both = given & MASK[:, None] & MASK[:, :, None]
    y, _ = layer.apply(params, state, (Masked(X, MASK), given))
    expected, _ = layer.apply(params, state, (X, both))
    np.testing.assert_allclose(y.values, expected, rtol=1e-12)


def test_errors() -> None:
    with pytest.raises(ShapeError, match=r"Masking: expected an input \(batch, steps, features\), received \(3, 5\)"):
        Masking().apply({}, {}, X[..., 0])
    with pytest.raises(ShapeError, match=r"Masking takes samples of shape \(steps, features\), received \(5,\)"):
        Masking().init(KEY, (5,))
    with pytest.raises(DtypeError, match="Masking: mask_value is a number, received str 'x'"):
        Masking("x")
    for layer in (MultiHeadAttention(2, 3), Attention()):
        with pytest.raises(
            ShapeError, match=r"the mask of an input of shape \(3, 5, 4\) is \(batch, steps\), received \(3, 4\)"
        ):
            run(layer, Masked(X, MASK[:, :4]))
        with pytest.raises(DtypeError, match="a mask is boolean, true where a step counts, received float64"):
            run(layer, Masked(X, MASK.astype("float64")))
    for layer in (BatchNormalization(), Softmax(), GlobalAveragePooling1D()):
        with pytest.raises(ShapeError, match=rf"{layer.kind}: .*mask .*\(3, 4\)"):
            run(layer, Masked(X, MASK[:, :4]), train=True)
