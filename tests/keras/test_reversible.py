"""An embedding called both ways: in models, layers of one's own, files of Keras in both directions."""

from __future__ import annotations

import os

import numpy as np
import pytest

from fnet import keras as ours
from fnet.errors import ValueRangeError

IDS = np.array([[1, 2, 0], [3, 4, 5]])


def language_model(keras, tied):
    ids = keras.Input((3,), dtype="int32")
    table = keras.layers.ReversibleEmbedding(7, 4, tie_weights=tied, mask_zero=True, logit_soft_cap=3.0)
    return keras.Model(ids, table(keras.layers.Dense(4)(table(ids)), reverse=True))


def test_both_ways():
    table = ours.layers.ReversibleEmbedding(7, 4)
    h = table(IDS)
    np.testing.assert_allclose(table(h, reverse=True), h @ table.embeddings.numpy().T, atol=1e-7)
    np.testing.assert_array_equal(table(inputs=h, reverse=True), table(h, reverse=True))
    assert table.compute_output_shape((None, 3)) == (None, 3, 4)
    assert table.compute_output_shape((None, 3, 4), reverse=True) == (None, 3, 7)


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
def test_a_model_learns_and_is_kept_in_files(tied, tmp_path):
    model = language_model(ours, tied)
    assert model.count_params() == 28 + 20 + (0 if tied else 28)
    model.compile("adam", ours.losses.SparseCategoricalCrossentropy(from_logits=True))
    losses = model.fit(IDS, IDS, epochs=3, verbose=0).history["loss"]
    assert losses[0] > losses[-1]
    with pytest.raises(ValueRangeError, match="ReversibleEmbedding: 7 at position"):
        model.fit(IDS + 2, IDS, verbose=0)
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        read = ours.models.load_model(tmp_path / name)
        np.testing.assert_array_equal(read.predict(IDS, verbose=0), model.predict(IDS, verbose=0))
        assert [weight.path for weight in read.weights] == [weight.path for weight in model.weights]


class Predictor(ours.Model):
    """Words from words, by one table."""

    def __init__(self):
        super().__init__()
        self.table, self.between = ours.layers.ReversibleEmbedding(7, 4, mask_zero=True), ours.layers.Dense(4)

    def call(self, x):
        return self.table(self.between(self.table(x)), reverse=True)


def test_in_a_model_of_ones_own():
    model = Predictor()
    assert np.shape(model(IDS)) == (2, 3, 7) and model.count_params() == 48


@pytest.mark.slow
@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
@pytest.mark.filterwarnings("ignore:__array__ implementation")  # of Keras' own variables
def test_files_of_keras(tied, name, tmp_path):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    theirs = pytest.importorskip("keras")
    path = str(tmp_path / name)
    for first, second in ((theirs, ours), (ours, theirs)):
        model = language_model(first, tied)
        model.save(path)
        read = second.models.load_model(path)
        np.testing.assert_allclose(read.predict(IDS, verbose=0), model.predict(IDS, verbose=0), atol=1e-6)
