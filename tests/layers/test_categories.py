"""Layers that make numbers of categories and texts: what comes out, and what holds for all of them."""

from __future__ import annotations

import pickle
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import tree
from fnet.errors import FnetError
from fnet.layers import (
    CategoryEncoding,
    Dense,
    Discretization,
    Embedding,
    HashedCrossing,
    Hashing,
    IntegerLookup,
    StringLookup,
    TextVectorization,
)
from tests.layers.category_table import CATEGORIES, SEEN, TEXTS, WORDS, Row

KEY = fnet.random.key(0)
TOKENS = ["a", "b", "cc", "[UNK]", "é", "😀", "zz"]
EACH = pytest.mark.parametrize("row", CATEGORIES, ids=lambda row: row.id)


def shape_of(x: Any) -> Any:
    return tuple(map(shape_of, x)) if isinstance(x, tuple) else x.shape[1:]


def made(row: Row) -> tuple[Any, Any, Any]:
    layer = row.make()
    params, state = layer.init(KEY, shape_of(row.x))
    return layer, params, state if row.data is None else fnet.adapt(layer, params, state, row.data)


@EACH
def test_numbers_of_categories(row: Row) -> None:
    layer, params, state = made(row)
    y, new = layer.apply(params, state, row.x)
    assert new is state
    assert y.tolist() == row.y
    assert np.asarray(y).dtype in (np.int64, np.float32, object)


@EACH
def test_shapes_are_known_and_jit_computes_the_same(row: Row) -> None:
    layer, params, state = made(row)
    if layer.config.get("invert") and layer.on_host:  # gives texts
        return
    if layer.config.get("output_sequence_length", 1) is not None or layer.config["output_mode"] != "int":
        specs = tree.map(lambda x: fnet.ArraySpec(x.shape, np.dtype("float32")), row.x)
        assert fnet.eval_shape(layer.apply, params, state, specs)[0].shape == np.shape(row.y)
    if row.compiles:
        assert fnet.jit(layer.apply)(params, state, row.x)[0].tolist() == row.y
    else:
        with pytest.raises(FnetError, match=rf"{layer.kind} runs on the host, before what is compiled"):
            fnet.jit(lambda x: layer.apply(params, state, x)[0])(tree.map(lambda x: np.zeros(x.shape), row.x))


@EACH
def test_layers_are_pickled_and_made_again(row: Row) -> None:
    layer, params, state = made(row)
    again = pickle.loads(pickle.dumps(layer))
    assert repr(again) == repr(layer)
    assert again.apply(params, tree.map(np.copy, state), row.x)[0].tolist() == row.y


@pytest.mark.parametrize("row", [row for row in CATEGORIES if row.data is not None], ids=lambda row: row.id)
def test_a_learnt_state_is_arrays_of_numbers(row: Row, tmp_path: Path) -> None:
    layer, params, state = made(row)
    assert all(leaf.dtype.kind in "iuf" for leaf in tree.leaves(state))
    fnet.checkpoint.save(tmp_path / "state", state)
    assert tree.all_equal(fnet.checkpoint.load(tmp_path / "state", state), state)
    if not isinstance(row.data, list) and row.id != "bins-learnt":
        split = fnet.adapt(layer, params, state, fnet.data.batches(row.data, 2))
        assert tree.all_equal(split, state)


@given(st.lists(st.lists(st.sampled_from(TOKENS), max_size=5), min_size=1, max_size=6))
def test_a_vocabulary_is_what_was_seen_by_frequency(documents: list[list[str]]) -> None:
    layer = TextVectorization(standardize=None, output_mode="tf_idf")
    state = fnet.adapt(layer, *layer.init(KEY, ()), [" ".join(words) for words in documents])
    counts = Counter(word for words in documents for word in words if word != "[UNK]")
    expected = sorted(counts, key=lambda word: (counts[word], word.encode()), reverse=True)
    told = TextVectorization(standardize=None, vocabulary=expected or ["x"])
    found, _ = told.apply({}, told.init(KEY, ())[1], [" ".join(expected)])
    assert found.tolist() == [list(range(2, len(expected) + 2))]
    in_documents = [sum(word in words for words in documents) for word in expected]
    idf = np.log1p(len(documents) / (1 + np.array(in_documents, float)))
    np.testing.assert_allclose(state["idf_weights"][1:], idf, rtol=1e-6)
    assert state["ends"].shape == (len(expected),)


@given(st.lists(st.sampled_from(["", "a", "é", "😀", "\udcff", "a\0b", "a\nb"]), unique=True, min_size=1))
def test_inverting_gives_the_texts_back(tokens: list[str]) -> None:
    forth, back = StringLookup(vocabulary=tokens), StringLookup(vocabulary=tokens, invert=True)
    ids, _ = forth.apply({}, forth.init(KEY, ())[1], np.array(tokens, object))
    assert back.apply({}, back.init(KEY, ())[1], ids)[0].tolist() == tokens


@given(st.lists(st.integers(-(2**40), 2**40), unique=True, min_size=1, max_size=5))
def test_inverting_gives_the_integers_back(tokens: list[int]) -> None:
    forth, back = IntegerLookup(vocabulary=tokens, oov_token=3), IntegerLookup(vocabulary=tokens, invert=True)
    ids, _ = forth.apply({}, forth.init(KEY, ())[1], np.array(tokens))
    assert sorted(ids.tolist()) == list(range(1, len(tokens) + 1))
    assert back.apply({}, back.init(KEY, ())[1], ids)[0].tolist() == tokens


def test_bytes_arrays_of_fixed_width_and_lists_are_the_same_texts() -> None:
    layer = StringLookup()
    states = [
        fnet.adapt(layer, *layer.init(KEY, ()), given)
        for given in (SEEN, SEEN.astype(str), np.char.encode(SEEN.astype(str)), iter([SEEN[:1], SEEN[1:]]))
    ]
    assert all(tree.all_equal(state, states[0]) for state in states)


def test_texts_go_through_a_network_into_a_trainer() -> None:
    net = fnet.serial(TextVectorization(output_sequence_length=4), Embedding(8, 3), fnet.layers.Flatten(), Dense(1))
    params, state = net.init(KEY, ())
    state = fnet.adapt(net, params, state, list(TEXTS))
    y, _ = net.apply(params, state, TEXTS)
    first, *rest = net.children
    ids, _ = first.apply({}, state["text_vectorization"], TEXTS)
    np.testing.assert_array_equal(fnet.serial(*rest).apply(params, {}, ids)[0], y)
    assert net.out_shape(()) == (1,)


def test_rows_of_texts_may_have_any_length_in_a_network() -> None:
    vectorize = TextVectorization(vocabulary=["the", "cat"])
    net = fnet.serial(vectorize, Embedding(4, 2, mask_zero=True), fnet.layers.GlobalAveragePooling1D(), Dense(1))
    params, state = net.init(KEY, ())
    assert vectorize.out_shape(()) == (None,) and net.out_shape(()) == (1,)
    assert net.children[1].out_shape(vectorize.out_shape(())) == (None, 2)
    one, _ = net.apply(params, state, TEXTS[:1])
    np.testing.assert_allclose(one, net.apply(params, state, TEXTS)[0][:1], rtol=1e-6)


def test_a_vocabulary_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("é\nb\n\n", "utf-8")
    layer = StringLookup(vocabulary=tmp_path / "words.txt")
    assert layer.apply({}, layer.init(KEY, ())[1], WORDS)[0].tolist() == [[2, 0], [0, 2], [1, 0], [2, 0]]


def test_functions_of_ones_own_prepare_and_split() -> None:
    layer = TextVectorization(
        standardize=lambda texts: np.char.upper(texts.astype(str)),
        split=lambda texts: [text.split("T") for text in texts],
        vocabulary=["HE CA", " SA"],
    )
    assert layer.apply({}, layer.init(KEY, ())[1], TEXTS[:1])[0].tolist() == [[0, 2, 3, 1]]


def test_ragged_rows_keep_their_lengths() -> None:
    layer = TextVectorization(vocabulary=["the"], ragged=True, output_sequence_length=3)
    rows, _ = layer.apply({}, layer.init(KEY, ())[1], TEXTS)
    assert [row.tolist() for row in rows] == [[2, 1, 1], [2, 1, 2], []]


def told(layer: Any, x: Any) -> Any:
    return layer.apply({}, layer.init(KEY, ())[1], x)


ERRORS = {
    "a single text": (
        lambda: told(TextVectorization(vocabulary=["a"]), np.array("a b", object)),
        r"^TextVectorization: expected texts \(N,\) or \(N, 1\), received a single one\. Give a list of it",
    ),
    "sparse": (
        lambda: StringLookup(sparse=True),  # type: ignore[call-arg]
        r"^StringLookup\(\) got an unexpected argument 'sparse'\. All arrays are dense: leave it out\.$",
    ),
    "outside": (
        lambda: told(CategoryEncoding(3), np.array([[3]])),
        r"^CategoryEncoding: expected integers from 0 to 2, received 3\. Give a larger num_tokens, or "
        r"number the categories by IntegerLookup\.$",
    ),
    "weights": (
        lambda: told(CategoryEncoding(3), (np.array([[1]]), np.array([[1.0]]))),
        r"^CategoryEncoding: weights are for output_mode='count' and one input, received 2 inputs with "
        r"'multi_hot'\.$",
    ),
    "weights' shape": (
        lambda: told(CategoryEncoding(3, "count"), (np.array([[1]]), np.ones((1, 2)))),
        r"^CategoryEncoding: expected count_weights shaped like the ids, \(1, 1\), received \(1, 2\)\.$",
    ),
    "no boundaries": (lambda: Discretization(), r"^Discretization: give bin_boundaries, or num_bins and learn them"),
    "falling": (lambda: Discretization([1.0, 0.0]), r"^Discretization: bin_boundaries rise, received \[1\.0, 0\.0\]"),
    "salt": (
        lambda: Hashing(3, salt=[1, 2, 3]),
        r"^Hashing: salt is an integer or two of them, received \[1, 2, 3\]\.$",
    ),
    "one of a cross": (
        lambda: told(HashedCrossing(3), np.array([1])),
        r"^HashedCrossing: expected a tuple of at least two inputs, received ndarray",
    ),
    "shapes of a cross": (
        lambda: told(HashedCrossing(3), (np.array([1]), np.array([1, 2]))),
        r"^HashedCrossing: expected inputs that are all \(N,\) or all \(N, 1\), received \(1,\), \(2,\)\.$",
    ),
    "floats of a cross": (
        lambda: told(HashedCrossing(3), (np.array([1.0]), np.array([1]))),
        r"^HashedCrossing: expected texts or integers, received dtype float64\.$",
    ),
    "unknown": (
        lambda: told(StringLookup(num_oov_indices=0, vocabulary=["a"]), ["b"]),
        r"^StringLookup: 'b' is not in the vocabulary of 1 tokens\. Give num_oov_indices=1, a number for "
        r"what is unknown\.$",
    ),
    "unknown integer": (
        lambda: told(IntegerLookup(num_oov_indices=0, vocabulary=[1]), np.array([2])),
        r"^IntegerLookup: 2 "
        r"is not in the vocabulary of 1 tokens\. Give num_oov_indices=1",
    ),
    "numbers": (
        lambda: told(StringLookup(vocabulary=["a"]), np.array([1])),
        r"^StringLookup: expected texts, received int 1\. Convert them: x\.astype\(str\)\.$",
    ),
    "twice": (lambda: StringLookup(vocabulary=["a", "a"]), r"^StringLookup: the vocabulary has 'a' twice\. Give each "),
    "empty": (lambda: StringLookup(vocabulary=[]), r"^StringLookup: the vocabulary is empty\. Give at least one token"),
    "mask within": (
        lambda: StringLookup(mask_token="m", vocabulary=["a", "m"]),
        r"^StringLookup: the mask token 'm' is in the vocabulary\. Leave it out, or put it first",
    ),
    "too many": (
        lambda: StringLookup(2, vocabulary=["a", "b"]),
        r"^StringLookup: a vocabulary of 2 tokens with 1 numbers before it is larger than max_tokens=2\.$",
    ),
    "no room": (
        lambda: TextVectorization(2),
        r"^TextVectorization: max_tokens=2 leaves no room for a token beside 2 numbers for the mask and "
        r"what is unknown\. Give at least 3\.$",
    ),
    "no size to pad to": (
        lambda: StringLookup(pad_to_max_tokens=True),
        r"^StringLookup: pad_to_max_tokens=True needs max",
    ),
    "vectors back": (
        lambda: StringLookup(invert=True, output_mode="count"),
        r"^StringLookup: invert gives tokens for int",
    ),
    "idf alone": (
        lambda: StringLookup(idf_weights=[1.0], output_mode="tf_idf"),
        r"^StringLookup: idf_weights is given without vocabulary\. Give both, or none and learn them\.$",
    ),
    "idf of counts": (
        lambda: StringLookup(vocabulary=["a"], idf_weights=[1.0]),
        r"^StringLookup: idf_weights are for outp",
    ),
    "idf of others": (
        lambda: StringLookup(vocabulary=["a"], idf_weights=[1.0] * 4, output_mode="tf_idf"),
        r"^StringLookup: expected 1 idf_weights, one for each token, received 4\.$",
    ),
    "salt without hash": (
        lambda: IntegerLookup(salt=3),
        r"^IntegerLookup: salt is for oov_method='farmhash', received ",
    ),
    "no file": (
        lambda: StringLookup(vocabulary="/does/not/exist"),
        r"^StringLookup: the vocabulary /does/not/exist cannot be read: ",
    ),
    "length of counts": (
        lambda: TextVectorization(output_mode="count", output_sequence_length=3),
        r"^TextVectorization: output_sequence_length is for output_mode='int', received 'count'\. Leave "
        r"it out\.$",
    ),
    "columns of texts": (
        lambda: told(TextVectorization(vocabulary=["a"]), WORDS),
        r"^TextVectorization: expected texts \(N,\) or \(N, 1\), received \(4, 2\)\. For tokens: "
        r"split=None\.$",
    ),
    "ngrams": (
        lambda: TextVectorization(ngrams=0),
        r"^TextVectorization: ngrams is a positive integer or several, receiv",
    ),
    "another vocabulary": (
        lambda: StringLookup().apply({}, {"characters": np.zeros(3, "uint8"), "ends": np.array([9])}, ["a"]),
        r"^StringLookup: expected 'characters' and 'ends' of one vocabulary, received the shapes \(3,\) "
        r"and \(1,\)",
    ),
    "another order": (
        lambda: IntegerLookup().apply({}, {"vocabulary": np.zeros(3, int), "order": np.zeros(2, int)}, np.array([1])),
        r"^IntegerLookup: expected 'vocabulary' and 'order' of the shape \(tokens,\), received \(3,\) and ",
    ),
    "edges": (
        lambda: Discretization([0.0]).apply({}, {"bin_boundaries": np.zeros((1, 1))}, np.ones(1)),
        r"^Discretization: expected 'bin_boundaries' of shape \(boundaries,\), received \(1, 1\)\.",
    ),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors(case: str) -> None:
    attempt, text = ERRORS[case]
    with pytest.raises((FnetError, TypeError), match=text) as caught:
        attempt()
    assert len(str(caught.value).splitlines()) <= 3
