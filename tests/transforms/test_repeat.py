"""Many calls in a row that pass back what they return: the function that is written for them, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops, tree
from fnet.errors import StructureError
from fnet.kernels.cpu.runtime.guarded_call import entries
from fnet.transforms import specialised

X = np.arange(6, dtype=np.float32).reshape(2, 3)
EXECUTORS = pytest.mark.parametrize("executor", ["walk", "native"])


@pytest.fixture(autouse=True)
def written_at_once(monkeypatch) -> None:
    if entries() is None:
        pytest.skip("no machine code looks at arrays here")
    monkeypatch.setattr(specialised, "MANY", 0)


def summing(executor: str) -> Any:
    """``f(total, x) -> (total with x added, the sum of the total)``, and the total after some calls of `repeat`."""
    f = fnet.jit(lambda total, x: ({"sum": total["sum"] + x}, ops.sum(total["sum"])), donate="total", executor=executor)
    total, _ = f.repeat(2, {"sum": np.zeros((2, 3), np.float32)}, X)
    for _ in range(2):
        total, _ = f.repeat(2, total, X)
    assert f.compiled(total, X).fast_repeat is not None
    return f, total


@EXECUTORS
def test_calls_are_counted_and_work_in_place(executor):
    f, total = summing(executor)
    address = total["sum"].__array_interface__["data"]
    for count in (1, 3, 10):
        before = total["sum"].copy()
        result, value = f.repeat(count, total, X)
        assert result is total and total["sum"].__array_interface__["data"] == address
        np.testing.assert_array_equal(total["sum"], before + count * X)
        assert value == (before + (count - 1) * X).sum()


@EXECUTORS
def test_what_a_call_returned_beside_is_its_own(executor):
    f, total = summing(executor)
    kept = [f.repeat(2, total, X)[1] for _ in range(4)]
    assert [float(value) for value in kept] == [15.0 * n for n in (7, 9, 11, 13)]


@EXECUTORS
def test_arguments_of_another_kind_are_noticed(executor):
    f, total = summing(executor)
    expected = total["sum"].copy()
    for given in (X.astype(np.int8), np.asfortranarray(X), X[:, ::-1], X[:1], X):
        total, _ = f.repeat(2, total, given)
        expected += 2 * given
        np.testing.assert_array_equal(total["sum"], expected)


@EXECUTORS
def test_a_tree_that_was_edited_is_noticed(executor):
    f, total = summing(executor)
    total["sum"] = np.ones((2, 3), np.float32)
    given = total["sum"]
    result, _ = f.repeat(2, total, X)
    np.testing.assert_array_equal(result["sum"], 1 + 2 * X)
    np.testing.assert_array_equal(given, 1)


@EXECUTORS
def test_an_array_that_is_donated_and_read_is_refused(executor):
    f, total = summing(executor)
    before = total["sum"].copy()
    with pytest.raises(StructureError, match=r"argument 'x' shares memory with the donated argument 'total'"):
        f.repeat(2, total, total["sum"])
    np.testing.assert_array_equal(total["sum"], before)


@EXECUTORS
def test_a_function_that_was_cleared_begins_anew(executor):
    f, total = summing(executor)
    compiled = f.compiled(total, X)
    fast, before = compiled.fast_repeat, total["sum"].copy()
    f.clear()
    assert compiled.fast_repeat is None and fast((total, X), 2) is None
    result, _ = f.repeat(2, total, X)
    np.testing.assert_array_equal(result["sum"], before + 2 * X)
    np.testing.assert_array_equal(total["sum"], before)


def test_another_level_of_precision_is_another_program():
    f = fnet.jit(lambda w, x: w + x @ w, donate="w")
    w, x = np.full((2, 2), 0.1, np.float32), np.full((2, 2), 0.3, np.float32)
    for _ in range(3):
        w = f.repeat(2, w, x)
    own = w.copy()
    with fnet.precision("high"):
        other = f.repeat(2, w, x)
        assert f.compiled(w, x) is not None
    np.testing.assert_array_equal(w, own)
    np.testing.assert_allclose(other, f.repeat(2, w, x), rtol=1e-4)


@EXECUTORS
def test_calls_one_by_one_may_come_between(executor):
    f, total = summing(executor)
    expected = total["sum"].copy()
    for n in (1, 3, 1, 1, 2, 1):
        total, _ = f(total, X) if n == 1 else f.repeat(n, total, X)
        expected += n * X
        np.testing.assert_array_equal(total["sum"], expected)
    compiled = f.compiled(total, X)
    assert compiled.fast is not None and compiled.fast_repeat is not None


def test_few_calls_write_nothing(monkeypatch):
    monkeypatch.setattr(specialised, "MANY", 3)
    f = fnet.jit(lambda s: s + 1, donate="s")
    s = f.repeat(2, np.zeros(3))
    found = []
    for _ in range(5):
        s = f.repeat(2, s)
        found.append(f.compiled(s).fast_repeat is not None)
    assert found == [False, False, False, True, True] and tree.all_equal(s, np.full(3, 12.0))


def test_another_tree_is_to_pay_anew(monkeypatch):
    monkeypatch.setattr(specialised, "MANY", 3)
    f = fnet.jit(lambda s: s + 1, donate="s")
    for _ in range(3):
        s = np.zeros(3)
        for _ in range(4):
            s = f.repeat(2, s)
        assert f.compiled(s).fast_repeat is None
