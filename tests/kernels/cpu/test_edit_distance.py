"""The edit distance against its definition, its laws, padding anywhere, bits on threads."""

from __future__ import annotations

import functools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fnet.kernels.cpu import edit_distance as k
from fnet.kernels.cpu.runtime import threads

ROWS = st.lists(st.integers(-1, 3), max_size=6)


def run(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    distances = np.full(len(a), -7, np.int64)
    size = k.scratch_size(len(a), b.shape[1])
    scratch = np.full(size + 8, -7, np.int64)
    k.edit_distance(a.reshape(-1), b.reshape(-1), distances, scratch, len(a), a.shape[1], b.shape[1])
    assert (scratch[size:] == -7).all()
    return distances


def of_rows(a: list[int], b: list[int]) -> int:
    return int(run(np.array([a], np.int64).reshape(1, -1), np.array([b], np.int64).reshape(1, -1))[0])


@functools.cache
def defined(a: tuple[int, ...], b: tuple[int, ...]) -> int:
    if not a or not b:
        return len(a) + len(b)
    return min(defined(a[1:], b) + 1, defined(a, b[1:]) + 1, defined(a[1:], b[1:]) + (a[0] != b[0]))


def labels(row: list[int]) -> tuple[int, ...]:
    return tuple(c for c in row if c >= 0)


@given(ROWS, ROWS)
def test_the_distance_is_that_of_the_definition(a, b):
    assert of_rows(a, b) == defined(labels(a), labels(b)) == of_rows(b, a)


@given(ROWS, ROWS, ROWS)
def test_it_is_a_metric(a, b, c):
    assert (of_rows(a, b) == 0) == (labels(a) == labels(b))
    assert of_rows(a, c) <= of_rows(a, b) + of_rows(b, c)


def test_rows_of_a_batch_and_threads():
    rng = np.random.default_rng(0)
    a, b = rng.integers(-1, 4, (40, 12)), rng.integers(-1, 4, (40, 15))
    expected = [defined(labels(x), labels(y)) for x, y in zip(a.tolist(), b.tolist(), strict=True)]
    kept = threads.thread_count()
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            assert run(a, b).tolist() == expected
    finally:
        threads.set_thread_count(kept)


def test_no_rows_and_no_labels():
    assert run(np.zeros((0, 3), np.int64), np.zeros((0, 2), np.int64)).shape == (0,)
    assert run(np.zeros((2, 0), np.int64), np.array([[1, 2], [1, -1]])).tolist() == [2, 1]
    assert run(np.array([[1, 2], [1, -1]]), np.zeros((2, 0), np.int64)).tolist() == [2, 1]
