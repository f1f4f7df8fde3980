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


def run(f: Any, *donate: str) -> list[str]:
    """The labels of the plan on a card, whose results are those of NumPy."""
    jitted = fnet.jit(f, donate=donate)
    on_card = fnet.to_device(arrays(), "cuda")
    received, expected = fnet.to_host(jitted(on_card)), f(arrays())
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


def test_norms_that_need_each_other_are_not_joined():
    def f(leaves: Any) -> Any:
        total, found = np.float32(0), []
        for x in leaves:
            total = norm(np.cumsum(x, axis=-1) + total)
            found.append(total)
        return found[-1]

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
