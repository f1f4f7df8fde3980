"""Which samples are tested in which fold of a cross-validation."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import random
from fnet.arguments import integer
from fnet.data.labels import label_of_each
from fnet.errors import ValueRangeError


def fold_numbers(key: Any, n: int, k: int, classes: Any = None, groups: Any = None, shuffle: bool = True) -> np.ndarray:
    """The fold, from 0 to ``k - 1``, in which each of `n` samples is tested: (n,).

    The sizes of the folds differ by at most one, also those of each class, where `classes` has the class of each
    sample. Samples of one group are in one fold: the largest group that is left goes to the smallest fold. Without
    `shuffle`, samples are dealt out in their order, and folds of neighbours are kept together.
    Raises `ValueRangeError` for more folds than samples, than groups, or than samples of a class.

    >>> fold_numbers(random.key(0), 5, 2, shuffle=False)
    array([0, 0, 0, 1, 1])
    """
    integer("k_fold", "k", k, 2)
    if k > n:
        raise ValueRangeError(f"k_fold: k={k} folds need a sample each, received {n} samples. Choose a smaller k.")
    if classes is not None and groups is not None:
        raise ValueRangeError("k_fold: folds are stratified or grouped, received both. Leave out stratify or groups.")
    order = np.asarray(random.permutation(key, n)) if shuffle else np.arange(n)
    if groups is not None:
        return _by_group(label_of_each("k_fold", "groups", groups, n), order, k)
    numbers = np.empty(n, np.int64)
    if classes is None:
        numbers[order] = np.sort(np.arange(n) % k)
        return numbers
    labels = label_of_each("k_fold", "stratify", classes, n)
    values, of, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if counts.min() < k:
        rare = counts.argmin()
        raise ValueRangeError(
            f"k_fold: class {values[rare].item()!r} has {counts[rare]} samples, so not each of k={k} folds gets one. "
            f"Choose a smaller k, or leave out stratify."
        )
    numbers[order[np.argsort(of[order], kind="stable")]] = np.arange(n) % k
    return numbers


def _by_group(labels: np.ndarray, order: np.ndarray, k: int) -> np.ndarray:
    """The folds of samples that have these groups; groups of one size come in the order of their first samples."""
    _, first, of, counts = np.unique(labels[order], return_index=True, return_inverse=True, return_counts=True)
    if len(counts) < k:
        raise ValueRangeError(
            f"k_fold: k={k} folds need a group each, received {len(counts)} groups. Choose a smaller k."
        )
    sizes, fold_of = np.zeros(k, np.int64), np.empty(len(counts), np.int64)
    for group in np.lexsort((first, -counts)):
        fold_of[group] = sizes.argmin()
        sizes[fold_of[group]] += counts[group]
    numbers = np.empty(len(labels), np.int64)
    numbers[order] = fold_of[of]
    return numbers
