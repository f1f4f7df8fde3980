"""Loops over several arrays with a number for each: what is joined, what is not, and that results stay."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.emulated import Emulated

SHAPES = (5, 3), (4,), (1,)


@pytest.fixture(autouse=True)
def _card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", Emulated(is_checked=True)))


def arrays() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape).astype(np.float32) for shape in SHAPES]


def run(f: Any, *donate: str, given: list[np.ndarray] | None = None) -> list[str]:
    """The labels of the plan on a card, whose results are those of NumPy."""
    jitted = fnet.jit(f, donate=donate)
    given = arrays() if given is None else given
    on_card = fnet.to_device(given, "cuda")
    received, expected = fnet.to_host(jitted(on_card)), f(given)
    for one, other in zip(fnet.tree.leaves(received), fnet.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)
    return [call.label for call in jitted.plan(on_card).calls]


def norm(x: Any) -> Any:
    return np.sqrt(np.sum(np.square(x)))


def test_norms_and_what_is_divided_by_them():
    def f(leaves: Any) -> Any:
        made = [np.tanh(np.cumsum(x, axis=-1)) for x in leaves]
        return {"leaves": [x - y / norm(y) for x, y in zip(leaves, made, strict=True)]}

    labels = [label for label in run(f, "leaves") if label != "cumsum"]
    assert labels == ["3 x tanh+square+sum", "3 x sqrt", "3 x divide+subtract"]


def test_arrays_that_are_seen_in_a_larger_one_in_any_order():
    def f(leaves: Any) -> Any:
        found = np.cumsum(np.concatenate([x.reshape(-1) for x in leaves]))  # 15, 4 and 1 of them
        parts = found[5:].reshape(5, 3), found[1:5], found[:1]
        return {"leaves": [x * 2 - part for x, part in zip(leaves, parts, strict=True)]}

    assert run(f, "leaves")[-2:] == ["cumsum", "3 x multiply+subtract"]


def test_columns_of_a_larger_array_are_not_side_by_side():
    def f(leaves: Any) -> Any:
        found = np.cumsum(np.concatenate([x.reshape(-1) for x in leaves])).reshape(4, 5)
        parts = found[1:].T, found[:, 0], found[:1, 4]
        return {"leaves": [x * 2 - part for x, part in zip(leaves, parts, strict=True)]}

    run(f, "leaves")


def test_arrays_that_are_seen_in_two_larger_ones():
    def f(leaves: Any) -> Any:
        whole = np.concatenate([x.reshape(-1) for x in leaves])
        one, two = np.cumsum(whole), np.cumsum(whole * 3)
        parts = one[5:].reshape(5, 3), one[1:5], two[:1]
        return {"leaves": [x * 2 - part for x, part in zip(leaves, parts, strict=True)]}

    run(f, "leaves")


def test_an_array_that_one_updates_and_another_reads():
    def f(leaves: Any) -> Any:
        one, two = np.cumsum(leaves[0]), np.cumsum(leaves[1])
        return {"leaves": [leaves[0] - one, leaves[0] - two]}

    run(f, "leaves", given=[np.float32([1, 2, 3]), np.float32([4, 5, 6])])


def test_numbers_in_another_order_than_the_arrays():
    def f(leaves: Any) -> Any:
        made = [np.cumsum(x, axis=-1) for x in leaves]
        norms = [norm(x) for x in made]
        return {"leaves": [x + y / n for x, y, n in zip(leaves, made, norms[::-1], strict=True)]}

    run(f, "leaves")


def test_numbers_that_some_arrays_share():
    def f(leaves: Any) -> Any:
        made = [np.cumsum(x, axis=-1) for x in leaves]
        one, two = norm(made[0]), norm(made[1])
        return {"leaves": [x + y / n for x, y, n in zip(leaves, made, (one, one, two), strict=True)]}

    run(f, "leaves")


def test_norms_that_are_results_are_written_where_they_belong():
    assert "copy to output" not in run(lambda leaves: [norm(np.cumsum(x, axis=-1)) for x in leaves])


def test_norms_that_need_each_other_are_not_joined():
    def f(leaves: Any) -> Any:
        total, found = np.float32(0), []
        for x in leaves:
            total = norm(np.cumsum(x, axis=-1) + total)
            found.append(total)
        return found[-1]

    assert not any(" x " in label for label in run(f))


def test_a_fold_that_needs_one_of_its_kind():
    def f(leaves: Any) -> Any:
        one, two = np.cumsum(leaves[0]), np.cumsum(leaves[1])
        return np.exp(np.sum(two * np.sum(one * np.max(leaves[2]))) / 1000)

    assert not any(" x " in label for label in run(f))


def test_norms_of_arrays_that_the_caller_has_are_not_laid_side_by_side():
    assert not any("square" in label and " x " in label for label in run(lambda leaves: [norm(x) for x in leaves]))


def test_an_array_that_two_read_is_not_of_both():
    def f(leaves: Any) -> Any:
        made = np.cumsum(leaves[1])
        return [np.max(made * 2) / 3 + np.max(made * 2), np.min(made)]

    run(f)


def test_single_numbers_that_do_not_need_each_other_are_one_loop():
    def f(leaves: Any) -> Any:
        one, two = np.sum(leaves[0]), np.max(leaves[1])
        return one * 2 + 1, np.exp(two)

    assert run(f) == ["sum", "max", "multiply+add+exp"]


def test_numbers_that_need_each_other_over_something_else_are_not():
    def f(leaves: Any) -> Any:
        one = np.sum(leaves[0]) * 2
        return np.exp(np.max(leaves[1] * one)), one

    labels = run(f)
    assert labels == ["sum", "multiply", "multiply+max", "exp"]


def test_a_loop_of_single_numbers_does_not_grow_without_end():
    def f(leaves: Any) -> Any:
        return [np.exp(np.sum(leaves[0] * k) + k) for k in range(2, 40)]

    plan = fnet.jit(f).plan(fnet.to_device(arrays(), "cuda"))
    assert len(plan.calls) == 38 + 2  # sums, and at most 48 operations in a loop
