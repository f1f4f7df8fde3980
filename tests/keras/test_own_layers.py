"""What tutorials write in layers of their own: masks, operations, configs; and what they read of layers."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.keras import Input, Sequential, layers, metrics, ops

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 4)).astype("float32")
WORDS = np.array([[1, 2, 0], [3, 0, 0], [1, 1, 2]])


class Mean(layers.Layer):
    """The mean over the steps that count; the mask ends here."""

    def call(self, x, mask=None):
        if mask is None:
            return ops.mean(x, axis=1)
        kept = ops.expand_dims(ops.cast(mask, "float32"), -1)
        return ops.sum(x * kept, axis=1) / ops.sum(kept, axis=1)

    def compute_mask(self, inputs, mask=None):
        return None


class Embedded(layers.Layer):
    """A layer around an Embedding, whose mask it hands on."""

    def __init__(self, size, **options):
        super().__init__(**options)
        self.size, self.words = size, layers.Embedding(5, size, mask_zero=True)

    def call(self, x):
        return self.words(x) * 2.0

    def compute_mask(self, *args, **options):
        return self.words.compute_mask(*args, **options)

    def get_config(self):
        return {**super().get_config(), "size": self.size}


def test_masks_are_ended_and_made_by_layers_of_ones_own():
    first = Embedded(4)
    model = Sequential([Input((3,), dtype="int32"), first, Mean(), layers.Dense(1)])
    rows = first.words.embeddings.numpy()
    means = np.stack([2 * rows[line[line > 0]].mean(0) for line in WORDS])
    np.testing.assert_allclose(model.predict(WORDS), model.layers[-1](means), rtol=1e-5, atol=1e-6)


def test_layers_are_made_again_from_their_config():
    again = Embedded.from_config(Embedded(7, name="own").get_config())
    assert again.size == 7 and again.name == "own"
    dense = layers.Dense.from_config(layers.Dense(3, activation="relu").get_config())
    assert dense.units == 3 and dense.activation.__name__ == "relu"
    with pytest.raises(AttributeError, match="has no attribute 'unit'. Did you mean 'units'"):
        dense.unit  # noqa: B018


def test_weights_are_not_hidden_by_an_assignment():
    dense = layers.Dense(3)
    dense.build((None, 4))
    with pytest.raises(AttributeError, match=r"is a weight: give it another value by layer.kernel.assign\(value\)"):
        dense.kernel = np.ones((4, 3))


def test_operations_are_keras_own():
    assert ops.convert_to_tensor([1.0]).dtype == "float32" and ops.convert_to_tensor([1]).dtype.kind == "i"
    assert ops.one_hot(np.array([1]), num_classes=3).tolist() == [[0, 1, 0]]
    assert ops.cast(Input((4,)), "int32").dtype == "int32"
    assert bool(ops.any(X > 0)) and ops.relu(X).min() == 0
    assert ops.mean(ops.convert_to_numpy(X)).shape == ()
    with pytest.raises(AttributeError, match="has no attribute 'concatnate'. Did you mean 'concatenate'"):
        ops.concatnate  # noqa: B018


def test_metrics_of_ones_own_without_their_methods_are_refused():
    class Counting(metrics.Metric):
        def __init__(self, name="count", **options):
            super().__init__(name=name, **options)

    with pytest.raises(StructureError, match="Counting: a metric of your own defines update_state and result"):
        Counting()
