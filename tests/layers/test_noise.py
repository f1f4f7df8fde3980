"""Random layers: what is dropped together, means and variances kept, rates at their ends, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers import AlphaDropout, GaussianDropout, GaussianNoise, SpatialDropout1D, SpatialDropout2D

KEY = fnet.random.key(5)
N = 40_000


def train(layer: fnet.Layer, x: np.ndarray) -> np.ndarray:
    return layer.apply({}, {}, x, key=KEY, train=True)[0]


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_spatial_dropout_drops_whole_channels(rank: int) -> None:
    x = np.random.default_rng(0).normal(size=(20, *(2, 3, 2)[:rank], 50)).astype("float32")
    y = train(getattr(layers, f"SpatialDropout{rank}D")(0.3), x).reshape(20, -1, 50)
    dropped = (y == 0).all(1)
    np.testing.assert_array_equal((y == 0).any(1), dropped)
    assert abs(dropped.mean() - 0.3) < 4 * np.sqrt(0.3 * 0.7 / dropped.size)
    kept = np.broadcast_to(~dropped[:, None], y.shape)
    np.testing.assert_allclose(y[kept], x.reshape(y.shape)[kept] / np.float32(0.7), rtol=1e-6)


def test_what_is_dropped_is_zero_even_where_it_was_nan() -> None:
    y = train(SpatialDropout1D(0.5), np.full((1, 2, 50), np.nan))
    assert set(np.isnan(y).all(1).ravel().tolist()) == {True, False}
    assert (y[~np.isnan(y)] == 0).all()
    assert not train(SpatialDropout1D(1), np.ones((2, 3, 4))).any()


@pytest.mark.parametrize(
    ("layer", "x", "mean", "variance"),
    [
        (GaussianNoise(0.5), np.full(N, 2.0), 2, 0.25),
        (GaussianDropout(0.2), np.full(N, 2.0), 2, 4 * 0.25),
        (AlphaDropout(0.3), np.random.default_rng(1).normal(size=N), 0, 1),
    ],
    ids=lambda v: v.name if isinstance(v, fnet.Layer) else "",
)
def test_mean_and_variance(layer: Any, x: np.ndarray, mean: float, variance: float) -> None:
    y = train(layer, x[None])
    assert abs(y.mean() - mean) < 4 * np.sqrt(variance / N)
    assert abs(y.var() - variance) < 6 * variance * np.sqrt(2 / N)


def test_alpha_dropout_sets_the_dropped_to_one_value() -> None:
    y = train(AlphaDropout(0.3), np.random.default_rng(1).normal(size=(1, 1000)))
    values, counts = np.unique(y, return_counts=True)
    limit, a = -1.7580993408473766, (0.7 * (1 + 0.3 * 1.7580993408473766**2)) ** -0.5
    np.testing.assert_allclose(values[np.argmax(counts)], a * limit - a * limit * 0.3, rtol=1e-12)
    assert abs(counts.max() - 300) < 4 * np.sqrt(210) and sorted(counts)[-2] == 1


@pytest.mark.parametrize("layer", [GaussianNoise(0), GaussianDropout(0), AlphaDropout(0.0), SpatialDropout2D(0)])
def test_no_noise_changes_nothing(layer: fnet.Layer) -> None:
    x = np.random.default_rng(0).normal(size=(2, 3, 3, 4))
    np.testing.assert_array_equal(train(layer, x), x)
    np.testing.assert_array_equal(layer.apply({}, {}, x, train=True)[0], x)


ERRORS = [
    (lambda: GaussianNoise(-1), ValueRangeError, "GaussianNoise: stddev is a finite number that is not negative, rec"),
    (lambda: GaussianNoise("big"), DtypeError, "GaussianNoise: stddev is a number, received str 'big'"),
    (lambda: GaussianDropout(1), ValueRangeError, "GaussianDropout: with a rate of 1 nothing is left to scale"),
    (lambda: AlphaDropout(1.0), ValueRangeError, "AlphaDropout: with a rate of 1 nothing is left to scale"),
    (lambda: AlphaDropout(1.5), ValueRangeError, "AlphaDropout: rate is a fraction"),
    (lambda: SpatialDropout2D(-0.1), ValueRangeError, "SpatialDropout2D: rate is a fraction"),
    (lambda: train(SpatialDropout2D(0.5), np.ones((2, 3))), ShapeError, r"SpatialDropout2D: expected an input \(batch"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for *_, text in ERRORS])
def test_errors(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()
