"""Dropout with a noise shape and a seed, Lambda, ActivityRegularization, Flatten with channels first."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, serial
from fnet.layers import (
    ActivityRegularization,
    AlphaDropout,
    Dense,
    Dropout,
    Flatten,
    GaussianDropout,
    GaussianNoise,
    Lambda,
    SpatialDropout1D,
)

KEY = random.key(5)


def train(layer: Any, x: Any, key: Any = KEY) -> np.ndarray:
    return layer.apply({}, {}, x, key=key, train=True)[0]


@pytest.mark.parametrize("shape", [(None, 1, None), (1, None, 1), (None, None, None), (64, 1, 1)])
def test_a_noise_shape_drops_together_along_its_ones(shape: Any) -> None:
    x = np.random.default_rng(0).normal(size=(64, 5, 8))
    y = train(Dropout(0.4, shape), x)
    kept = y != 0
    for axis, size in enumerate(shape):
        assert size != 1 or np.all(kept == kept.take([0], axis))
    np.testing.assert_allclose(y[kept], (x / 0.6)[kept], rtol=1e-12)
    first = kept[tuple(slice(1) if n == 1 else slice(None) for n in shape)]
    assert abs(first.mean() - 0.6) < 5 * np.sqrt(0.24 / first.size)


def test_a_spatial_dropout_is_one_with_a_noise_shape() -> None:
    x = np.random.default_rng(0).normal(size=(4, 5, 8))
    np.testing.assert_array_equal(train(SpatialDropout1D(0.4), x), train(Dropout(0.4, (None, 1, None)), x))


def test_nothing_is_left_of_what_was_nan() -> None:
    assert not np.any(train(Dropout(1, (None, 1)), np.full((3, 4), np.nan)))


@pytest.mark.parametrize("make", [Dropout, SpatialDropout1D, AlphaDropout, GaussianNoise, GaussianDropout])
def test_a_seed_gives_a_layer_other_numbers_of_its_own(make: Any) -> None:
    x = np.ones((2, 30, 40))
    plain, seeded, again, other = (train(make(0.5, **s), x) for s in ({}, {"seed": 1}, {"seed": 1}, {"seed": -2}))
    np.testing.assert_array_equal(seeded, again)
    assert np.any(plain != seeded) and np.any(seeded != other)
    assert np.any(train(make(0.5, seed=1), x, random.key(9)) != seeded)


def test_lambda_applies_its_function() -> None:
    net = serial(Dense(3), Lambda(lambda x: np.sin(x) * 2), Lambda(fnet.ops.softmax))
    params, state = net.init(KEY, (4,), "float64")
    x = np.random.default_rng(0).normal(size=(2, 4))
    y, _ = net.apply(params, state, x)
    e = np.exp(2 * np.sin(x @ params["dense"]["kernel"]))
    np.testing.assert_allclose(y, e / e.sum(-1, keepdims=True), rtol=1e-12)
    assert net.out_shape((4,)) == (3,)
    pair = serial(Lambda(lambda x: x[0] - x[1]))
    np.testing.assert_array_equal(pair.apply({}, {}, (x, 2 * x))[0], -x)


def test_activity_regularization_reports_its_penalty() -> None:
    x = np.random.default_rng(0).normal(size=(5, 4))
    net = serial(ActivityRegularization(l1=0.5, l2=0.1), Lambda(lambda x: x * 3))
    y, _, penalty = fnet.apply_with_penalty(net, {}, {}, x)
    np.testing.assert_array_equal(y, x * 3)
    assert penalty == pytest.approx((0.5 * np.abs(x).sum() + 0.1 * (x**2).sum()) / 5)
    assert fnet.apply_with_penalty(serial(ActivityRegularization()), {}, {}, x)[2] == 0


def test_flatten_of_channels_first_has_the_order_of_channels_last() -> None:
    x = np.arange(48.0).reshape(2, 3, 4, 2)
    first = np.moveaxis(x, -1, 1)
    np.testing.assert_array_equal(Flatten("channels_first").apply({}, {}, first)[0], x.reshape(2, -1))
    np.testing.assert_array_equal(Flatten("channels_last").apply({}, {}, x)[0], x.reshape(2, -1))
    for small in (x[:, 0, 0], x[:, 0, 0, 0]):
        np.testing.assert_array_equal(Flatten("channels_first").apply({}, {}, small)[0], small.reshape(2, -1))
    assert Flatten("channels_first").out_shape((3, None, 4)) == (None,)
