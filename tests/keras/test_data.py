"""Labels and sequences beside Keras' own functions."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import data

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("labels", [[1, 0, 3], [[1], [2]], [[1, 2], [0, 2]], 2, [1.0, 2.0]])
@pytest.mark.parametrize("classes", [None, 5])
def test_labels(labels, classes):
    peer = keras.utils.to_categorical(labels, classes)
    mine = data.one_hot(labels, classes)
    assert mine.shape == peer.shape and (mine == peer).all() and mine.dtype == np.float32


@pytest.mark.parametrize("maxlen", [None, 2, 6])
@pytest.mark.parametrize("padding", ["pre", "post"])
@pytest.mark.parametrize("truncating", ["pre", "post"])
@pytest.mark.parametrize("sequences", [[[1, 2, 3], [], [4]], [[[1.5, 2], [3, 4], [5, 6]], [[7, 8]]]])
def test_sequences(sequences, maxlen, padding, truncating):
    for dtype, value in (("int32", 0.0), ("float64", -1.5)):
        options = {"padding": padding, "truncating": truncating, "dtype": dtype, "value": value}
        peer = keras.utils.pad_sequences(sequences, maxlen, **options)
        mine = data.pad_sequences(sequences, maxlen, **options)
        assert mine.dtype == peer.dtype
        np.testing.assert_array_equal(mine, peer)
