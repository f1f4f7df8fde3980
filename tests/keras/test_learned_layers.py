"""Layers of Keras' names that learn from data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.keras import Sequential, layers, models

X = np.random.default_rng(0).normal(3.0, 2.0, (40, 3)).astype("float32")


def test_normalization_learns_and_trains_behind(tmp_path: Path) -> None:
    normalizer = layers.Normalization()
    normalizer.adapt(X)
    assert normalizer.mean.shape == normalizer.variance.shape == (1, 3)
    np.testing.assert_allclose(normalizer.mean[0], X.mean(0), rtol=1e-6)
    model = Sequential([normalizer, layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(X, X.sum(1), epochs=1, verbose=0)
    np.testing.assert_allclose(normalizer.mean[0], X.mean(0), rtol=1e-6)
    model.save(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    np.testing.assert_array_equal(again.layers[0].mean, normalizer.mean)


@pytest.mark.parametrize("form", ["list", "generator", "pairs", "steps"])
def test_batches_teach_as_in_keras(form: str) -> None:
    parts = [X[:7], X[7:]]
    layer = layers.Normalization()
    if form == "steps":
        layer.adapt(iter([*parts, X + 1]), steps=2)
    else:
        layer.adapt(parts if form == "list" else iter(parts if form == "generator" else [(p, 1) for p in parts]))
    np.testing.assert_allclose(layer.mean[0], X.mean(0), rtol=1e-6)


def test_a_layer_that_was_told_learns_nothing() -> None:
    layer = layers.Normalization(mean=1.0, variance=2.0, name="norm")
    with pytest.raises(
        StructureError, match=r"^norm: what it knows was given to it as arguments, so it learns nothing"
    ):
        layer.adapt(X)
    assert layer.mean.shape == (1, 1)
