"""The table of layers that make numbers of categories and texts: one row each, for the tests of all of them.

What comes out is what Keras' layers give: `tests/keras/test_category_layers.py` compares.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.layers import (
    CategoryEncoding,
    Discretization,
    HashedCrossing,
    Hashing,
    IntegerLookup,
    StringLookup,
    TextVectorization,
)
from fnet.networks.layer import Layer

WORDS = np.array([["b", "a"], ["c", "b"], ["é", ""], ["b", "[UNK]"]], object)
SEEN = np.array([["b", "a"], ["b", "é"], ["b", "c"]], object)
TEXTS = np.array(["The cat sat.", "the DOG, the cat", ""], object)
INTEGERS = np.array([[4, 2], [9, 4], [-1, 0], [2, 2]])
NUMBERS = np.array([[-1.0, 0.5], [0.0, 3.0], [np.inf, -0.0]], np.float32)


@dataclass(frozen=True)
class Row:
    """How to make a layer, what it takes, what teaches it (None for a layer that learns nothing), what comes out."""

    id: str
    make: Callable[[], Layer]
    x: Any
    y: Any
    data: Any = None
    compiles: bool = False  # also runs under jit, with the same result


def _vectors(*rows: str) -> list[list[float]]:
    return [[float(digit) for digit in row] for row in rows]


CATEGORIES = [
    Row(
        "multi-hot", lambda: CategoryEncoding(5), np.array([[0, 1], [4, 4]]), _vectors("11000", "00001"), compiles=True
    ),
    Row("one-hot", lambda: CategoryEncoding(3, "one_hot"), np.array([[2], [0]]), _vectors("001", "100"), compiles=True),
    Row(
        "count", lambda: CategoryEncoding(3, "count"), np.array([[2, 2], [0, 1]]), _vectors("002", "110"), compiles=True
    ),
    Row(
        "count-weights",
        lambda: CategoryEncoding(3, "count"),
        (np.array([[2, 2], [0, 1]]), np.array([[0.5, 1.0], [2.0, 0.0]], np.float32)),
        [[0.0, 0.0, 1.5], [2.0, 0.0, 0.0]],
        compiles=True,
    ),
    Row("bins", lambda: Discretization([0.0, 1.0]), NUMBERS, [[0, 1], [1, 2], [2, 1]], compiles=True),
    Row(
        "bins-learnt",
        lambda: Discretization(num_bins=2, output_mode="multi_hot"),
        np.array([[0.0, 4.0], [9.0, 8.0]], np.float32),
        _vectors("11", "01"),
        np.arange(10.0),
        compiles=True,
    ),
    Row("hash", lambda: Hashing(3), np.array([["A"], ["B"], ["E"]], object), [[1], [0], [2]]),
    Row("hash-mask", lambda: Hashing(4, mask_value=4, salt=3), INTEGERS, [[0, 3], [3, 0], [1, 2], [3, 3]]),
    Row("cross", lambda: HashedCrossing(5), (np.array(["A", "B", "A"], object), np.array([101, 101, 102])), [1, 4, 3]),
    Row(
        "cross-one-hot",
        lambda: HashedCrossing(3, "one_hot"),
        (np.array([["A"], ["B"]], object), np.array([["x"], ["y"]], object)),
        _vectors("010", "100"),
    ),
    Row("strings", lambda: StringLookup(), WORDS, [[1, 4], [3, 1], [2, 0], [1, 0]], SEEN),
    Row(
        "strings-mask",
        lambda: StringLookup(mask_token="", vocabulary=["a", "b"]),
        WORDS,
        [[3, 2], [1, 3], [1, 0], [3, 1]],
    ),
    Row("strings-most", lambda: StringLookup(3), WORDS, [[1, 0], [0, 1], [2, 0], [1, 0]], SEEN),
    Row(
        "strings-count",
        lambda: StringLookup(5, output_mode="count", pad_to_max_tokens=True, vocabulary=["a", "b"]),
        WORDS,
        _vectors("01100", "10100", "20000", "10100"),
    ),
    Row(
        "strings-hashed",
        lambda: StringLookup(num_oov_indices=3, vocabulary=["a", "b"]),
        WORDS,
        [[4, 3], [1, 4], [1, 2], [4, 0]],
    ),
    Row(
        "strings-idf",
        lambda: StringLookup(vocabulary=["a", "b"], idf_weights=[1.0, 3.0], output_mode="tf_idf"),
        WORDS,
        [[0.0, 1.0, 3.0], [2.0, 0.0, 3.0], [4.0, 0.0, 0.0], [2.0, 0.0, 3.0]],
    ),
    Row("texts-of-ids", lambda: StringLookup(vocabulary=["a"], invert=True), np.array([[1], [0]]), [["a"], ["[UNK]"]]),
    Row("integers", lambda: IntegerLookup(), INTEGERS, [[1, 2], [0, 1], [0, 0], [2, 2]], np.array([2, 4, 4]), True),
    Row(
        "integers-mask",
        lambda: IntegerLookup(mask_token=4, num_oov_indices=2, vocabulary=[2, 9]),
        INTEGERS,
        [[0, 3], [4, 0], [2, 1], [3, 3]],
        compiles=True,
    ),
    Row(
        "integers-multi-hot",
        lambda: IntegerLookup(mask_token=4, output_mode="multi_hot", vocabulary=[2, 9]),
        INTEGERS,
        _vectors("010", "001", "100", "010"),
        compiles=True,
    ),
    Row(
        "integers-back",
        lambda: IntegerLookup(vocabulary=[7, 5], invert=True),
        np.array([[1, 2], [0, 3]]),
        [[7, 5], [-1, -1]],
        compiles=True,
    ),
    Row(
        "tokens",
        lambda: TextVectorization(output_sequence_length=3),
        TEXTS,
        [[2, 4, 3], [2, 5, 2], [0, 0, 0]],
        ["the cat the cat", "the sat, sat dog!"],
    ),
    Row("tokens-longest", lambda: TextVectorization(vocabulary=["the"]), TEXTS, [[2, 1, 1, 0], [2, 1, 2, 1], [0] * 4]),
    Row(
        "characters",
        lambda: TextVectorization(split="character", standardize="lower", vocabulary=["t", "."], output_mode="count"),
        TEXTS,
        [[8.0, 3.0, 1.0], [13.0, 3.0, 0.0], [0.0, 0.0, 0.0]],
    ),
    Row(
        "pairs",
        lambda: TextVectorization(ngrams=(2,), vocabulary=["the cat"], output_mode="multi_hot"),
        TEXTS,
        _vectors("11", "11", "00"),
    ),
    Row(
        "split-before",
        lambda: TextVectorization(split=None, standardize=None, vocabulary=["b"], output_sequence_length=3),
        WORDS,
        [[2, 1, 0], [1, 2, 0], [1, 0, 0], [2, 1, 0]],
    ),
]
