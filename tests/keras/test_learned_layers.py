"""Layers of Keras' names that learn from data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fnet.errors import ShapeError, StructureError
from fnet.keras import Input, Model, Sequential, layers, models

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


def test_a_single_text_is_no_data() -> None:
    with pytest.raises(
        ShapeError, match=r"^words: adapt takes samples, received a single value\. Give a list of it\.$"
    ):
        layers.StringLookup(name="words").adapt("abc")


def test_a_layer_that_was_told_learns_nothing() -> None:
    layer = layers.Normalization(mean=1.0, variance=2.0, name="norm")
    with pytest.raises(
        StructureError, match=r"^norm: what it knows was given to it as arguments, so it learns nothing"
    ):
        layer.adapt(X)
    assert layer.mean.shape == (1, 1)


TEXTS = ["the cat sat on the mat", "a dog ran", "the dog sat", "cats and dogs ran to the mat"] * 4
LABELS = np.array([0, 1, 0, 1] * 4, "float32")
ROWS = {
    "color": np.array([["red"], ["green"], ["blue"], ["red"]], object),
    "size": np.array([[1.0], [2.0], [3.0], [5.0]], "float32"),
    "code": np.array([[5], [7], [9], [7]]),
}
TARGETS = np.array([1.0, 2.0, 3.0, 4.0], "float32")


def text_model() -> Sequential:
    vectorize = layers.TextVectorization(max_tokens=12, output_sequence_length=6)
    vectorize.adapt(TEXTS)
    return Sequential(
        [
            Input((1,), dtype="string"),
            vectorize,
            layers.Embedding(12, 4),
            layers.GlobalAveragePooling1D(),
            layers.Dense(1),
        ]
    )


def table_model() -> Model:
    inputs = {"color": Input((1,), dtype="string"), "size": Input((1,)), "code": Input((1,), dtype="int64")}
    color, size = layers.StringLookup(output_mode="one_hot"), layers.Normalization()
    code = layers.IntegerLookup(output_mode="multi_hot")
    for layer, name in ((color, "color"), (size, "size"), (code, "code")):
        layer.adapt(ROWS[name])
    known = layers.concatenate([color(inputs["color"]), size(inputs["size"]), code(inputs["code"])])
    return Model(inputs, layers.Dense(1)(known))


def test_a_model_takes_texts_and_learns(tmp_path: Path) -> None:
    model = text_model()
    model.compile("adam", "mse")
    texts = np.array(TEXTS, object)[:, None]
    before = model.evaluate(texts, LABELS, verbose=0)
    model.fit(texts, LABELS, epochs=2, validation_split=0.25, verbose=0)
    model.fit(TEXTS, LABELS, validation_data=(TEXTS, LABELS), verbose=0)
    assert model.evaluate(TEXTS, LABELS, verbose=0) < before
    predicted = model.predict(texts, verbose=0)
    np.testing.assert_allclose(predicted, model(texts), rtol=1e-6)
    ids = Sequential([model.layers[1], model.layers[2], model.layers[3]])
    np.testing.assert_allclose(ids.predict(model.layers[0](TEXTS), verbose=0), predicted, rtol=1e-6)
    model.save(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(texts, verbose=0), predicted)
    assert again.layers[0].get_vocabulary() == model.layers[0].get_vocabulary()
    again.fit(texts, LABELS, verbose=0)


def test_a_model_takes_texts_beside_numbers(tmp_path: Path) -> None:
    model = table_model()
    model.compile("adam", "mse")
    record = model.fit(ROWS, TARGETS, epochs=2, verbose=0).history["loss"]
    assert record[1] < record[0]
    batches = [({name: part[i : i + 2] for name, part in ROWS.items()}, TARGETS[i : i + 2]) for i in (0, 2)]
    model.fit((batch for _ in range(2) for batch in batches), epochs=2, steps_per_epoch=2, verbose=0)
    predicted = model.predict(ROWS, verbose=0)
    np.testing.assert_allclose(model(ROWS), predicted, rtol=1e-6)
    model.save_weights(tmp_path / "model.weights.h5")
    other = table_model()
    other.load_weights(tmp_path / "model.weights.h5")
    np.testing.assert_array_equal(other.predict(ROWS, verbose=0), predicted)


def test_vocabularies_are_seen_and_set(tmp_path: Path) -> None:
    lookup = layers.StringLookup(mask_token="")
    lookup.adapt(np.array(["b", "a", "b"]))
    assert lookup.get_vocabulary() == ["", "[UNK]", "b", "a"]
    assert (lookup.get_vocabulary(False), lookup.vocabulary_size()) == (["b", "a"], 4)
    lookup.set_vocabulary(["x", "y"])
    assert lookup(["y", "b", ""]).tolist() == [3, 1, 0]
    lookup.adapt([["q"]])
    assert lookup.get_vocabulary() == ["", "[UNK]", "q"]
    assert lookup.get_weights() == []
    bins = layers.Discretization(num_bins=3)
    assert bins.bin_boundaries is None or not bins.built
    bins.adapt(np.arange(9.0))
    np.testing.assert_allclose(bins.bin_boundaries, [2.0, 5.0], rtol=1e-6)
    assert layers.Discretization([1.0, 2.0]).bin_boundaries == [1.0, 2.0]
    assert layers.IntegerLookup(vocabulary=[4, 9]).get_vocabulary() == [-1, 4, 9]


def test_weights_of_counts_are_a_keyword() -> None:
    layer = layers.CategoryEncoding(3, "count")
    y = layer(np.array([[0, 2]]), count_weights=np.array([[0.5, 2.0]], "float32"))
    assert y.tolist() == [[0.5, 0.0, 2.0]]
    assert layers.HashedCrossing(5)((["A", "B"], np.array([101, 101]))).tolist() == [1, 4]


def test_texts_behind_trained_layers_are_refused() -> None:
    lookup = layers.Hashing(3)
    model = Sequential([Input((2,)), layers.Dense(2, name="first"), lookup, layers.Dense(1)])
    model.compile("sgd", "mse")
    with pytest.raises(
        StructureError, match=r"serial: first is in front of a layer that runs on the host, where nothing"
    ):
        model.fit(np.ones((4, 2)), np.ones(4), verbose=0)
    nested = Sequential([Sequential([Input((1,), dtype="string"), layers.Hashing(3)], name="inner"), layers.Dense(1)])
    nested.compile("sgd", "mse")
    with pytest.raises(
        StructureError, match=r"inner has a layer within it that runs on the host\. Put that layer into"
    ):
        nested.fit(np.array([["a"]], object), np.ones(1), verbose=0)


@pytest.mark.slow
def test_texts_of_any_length_go_into_a_recurrent_layer(tmp_path: Path) -> None:
    encoder = layers.TextVectorization(max_tokens=20)
    encoder.adapt(TEXTS)
    words = layers.Embedding(len(encoder.get_vocabulary()), 3, mask_zero=True)
    model = Sequential([encoder, words, layers.LSTM(2), layers.Dense(1)])
    model.compile("sgd", "mse")
    model.fit(TEXTS, LABELS, batch_size=8, validation_data=(TEXTS[:4], LABELS[:4]), verbose=0)
    assert encoder.output.shape == (None, None) and model.output_shape == (None, 1)
    alone, together = model.predict(["a dog ran"], verbose=0), model.predict(TEXTS[:2], verbose=0)
    np.testing.assert_allclose(alone[0], together[1], rtol=1e-5)
    model.save(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(again.predict(TEXTS, verbose=0), model.predict(TEXTS, verbose=0))
