"""Which samples are in which fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.model_selection import KFold

from fnet import random
from fnet.errors import ArgumentError, ShapeError, ValueRangeError
from fnet.train.folds import fold_numbers

KEY = random.key(3)


@pytest.mark.parametrize(("n", "k"), [(2, 2), (10, 3), (23, 5), (9, 9)])
def test_sizes_differ_by_at_most_one(n, k):
    for classes in (None, np.zeros(n)):
        sizes = np.bincount(fold_numbers(KEY, n, k, classes), minlength=k)
        assert sizes.sum() == n and sizes.max() - sizes.min() <= 1


def test_without_shuffling_folds_are_those_of_scikit_learn():
    numbers = fold_numbers(KEY, 11, 3, shuffle=False)
    assert [np.flatnonzero(numbers == i).tolist() for i in range(3)] == [
        test.tolist() for _, test in KFold(3).split(np.zeros(11))
    ]


def test_a_key_decides():
    first, again, other = (fold_numbers(random.key(seed), 40, 4) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("form", ["labels", "words", "one-hot", "column"])
def test_strata_have_the_same_share_in_every_fold(form, shuffle):
    labels = np.array([0] * 13 + [1] * 5 + [2] * 4)
    given = {"labels": labels, "words": np.array(list("abc"))[labels], "one-hot": np.eye(3)[labels]}
    numbers = fold_numbers(KEY, 22, 4, given.get(form, labels[:, None]), shuffle=shuffle)
    for label in range(3):
        counts = np.bincount(numbers[labels == label], minlength=4)
        assert counts.min() >= 1 and counts.max() - counts.min() <= 1
    assert np.ptp(np.bincount(numbers)) <= 1


def test_groups_stay_together():
    groups = np.array(list("aaaaaabbbbccccddee"))
    numbers = fold_numbers(KEY, 18, 3, groups=groups)
    assert all(len(set(numbers[groups == group])) == 1 for group in "abcde")
    assert sorted(np.bincount(numbers)) == [6, 6, 6]
    assert len({tuple(fold_numbers(random.key(seed), 18, 3, groups=groups)) for seed in range(8)}) > 1


@pytest.mark.parametrize(
    ("error", "text", "arguments"),
    [
        (ArgumentError, "expected k to be an integer >= 2, received 2.0", {"k": 2.0}),
        (ValueRangeError, "expected k to be an integer >= 2, received 1", {"k": 1}),
        (ValueRangeError, "k=7 folds need a sample each, received 6 samples. Choose a smaller k", {"k": 7}),
        (ValueRangeError, "folds are stratified or grouped, received both", {"classes": [0] * 6, "groups": [0] * 6}),
        (ValueRangeError, "k=2 folds need a group each, received 1 groups", {"groups": [0] * 6}),
        (ValueRangeError, "class 1 has 1 samples, so not each of k=2 folds gets one", {"classes": [0, 0, 1, 0, 0, 0]}),
        (ShapeError, "groups has one label for each of 6 samples, received the shape (5,)", {"groups": [0] * 5}),
        (ShapeError, "stratify has one label for each of 6 samples, received the shape ()", {"classes": "y"}),
    ],
)
def test_mistakes_are_told(error, text, arguments):
    with pytest.raises(error) as caught:
        fold_numbers(KEY, 6, **{"k": 2, **arguments})
    assert text in str(caught.value) and str(caught.value).startswith("k_fold: ")
