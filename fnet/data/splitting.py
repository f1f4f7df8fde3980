"""Data in two parts, for training and for tests."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet import random, tree
from fnet.arguments import is_integer, number
from fnet.data.frames import as_plain
from fnet.data.labels import label_of_each
from fnet.errors import ShapeError, ValueRangeError


def train_test_split(
    key: np.ndarray, *data: Any, test_size: float | int = 0.25, stratify: Any = None
) -> tuple[Any, ...]:
    """Samples in random order in two parts: ``x_train, x_test, y_train, y_test`` for ``train_test_split(key, x, y)``.

    data: arrays, or trees of arrays, with the samples first. test_size: a fraction, which is rounded up, or a number of
    samples. stratify: the class of each sample, or its one-hot row; then each part has each class in proportion.
    Raises `ShapeError` for different numbers of samples, `ValueRangeError` for a part without samples.
    Source: scikit-learn ``train_test_split``.

    >>> x_train, x_test = train_test_split(random.key(0), np.arange(4))
    >>> len(x_train), len(x_test)
    (3, 1)
    """
    if not data:
        raise ShapeError(
            "train_test_split: expected arrays behind the key, received none. The key comes first: "
            "train_test_split(fnet.random.key(0), x, y)."
        )
    trees = [tree.map(as_plain, part, is_leaf=lambda leaf: isinstance(leaf, list)) for part in data]
    classes = None if stratify is None else as_plain(stratify)
    n = _count(trees, classes)
    if is_integer(test_size):
        tests = int(test_size)
    else:
        tests = math.ceil(number("train_test_split", "test_size", test_size, "(0, 1)") * n)
    if not 0 < tests < n:
        raise ValueRangeError(
            f"train_test_split: test_size={test_size} of {n} samples leaves {n - tests} for training and {tests} for "
            f"tests; expected at least one of each. Choose another test_size, or pass more samples."
        )
    order = random.permutation(key, n)
    if classes is not None:
        order = _by_class(order, label_of_each("train_test_split", "stratify", classes, n), tests)
    return tuple(
        tree.map(lambda leaf, at=at: leaf[at], part) for part in trees for at in (order[tests:], order[:tests])
    )


def _count(trees: list[Any], classes: np.ndarray | None) -> int:
    leaves = [*tree.leaves(trees), *([] if classes is None else [classes])]
    sizes = {len(leaf) if leaf.ndim else None for leaf in leaves}
    if len(sizes) != 1 or None in sizes:
        shapes = ", ".join(str(leaf.shape) for leaf in leaves) or "none"
        raise ShapeError(f"train_test_split: expected arrays with the same number of samples first, received {shapes}.")
    return len(leaves[0])


def _by_class(order: np.ndarray, classes: np.ndarray, tests: int) -> np.ndarray:
    """The order with test samples first that have each class in proportion, the largest remainders rounded up."""
    _, members, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    if (sizes < 2).any():
        raise ValueRangeError("train_test_split: a class of stratify has one sample, expected at least two of each.")
    exact = sizes * tests / len(order)
    taken = np.floor(exact).astype(int)
    taken[np.argsort(taken - exact, kind="stable")[: tests - taken.sum()]] += 1
    own = members[order]
    for_tests = np.zeros(len(order), bool)
    for kind, count in enumerate(taken):
        for_tests[np.flatnonzero(own == kind)[:count]] = True
    return np.concatenate([order[for_tests], order[~for_tests]])
