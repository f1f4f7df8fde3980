"""Normalisations by CUDA kernels, thread by thread: the results of the CPU, forwards and backwards."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda import grids
from fnet.devices.cuda.lower import normalization as lower
from fnet.ops import normalization
from tests.devices.cuda.unloaded import Unloaded

EPSILON = 1e-3


def check(primitive: Any, *arrays: np.ndarray, size: float = 0, **params: Any) -> list[np.ndarray]:
    """Results to a few roundings of the largest, or of `size`, that of the numbers of which they are differences."""
    received = Unloaded().compute(primitive, *arrays, **params)
    with np.errstate(all="ignore"):
        expected = fnet.device.cpu().compute(primitive, list(arrays), params)
    for got, wanted in zip(received, expected, strict=True):
        eps = np.finfo(wanted.dtype).eps
        scale = np.max(np.abs(wanted[np.isfinite(wanted)]), initial=size)
        np.testing.assert_allclose(got, wanted, rtol=16 * eps, atol=32 * eps * scale, err_msg=primitive.name)
    return expected


def operands(shape: Sequence[int], dtype: str, mean: float = 0.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(0)
    x, g = mean + 2 * rng.normal(size=shape), rng.normal(size=shape)
    gamma, beta = rng.normal(size=(2, shape[-1]))
    return tuple(value.astype(dtype) for value in (x, gamma, beta, g))


def largest(*factors: np.ndarray) -> float:
    """The product of the largest elements."""
    return math.prod(float(np.max(np.abs(factor[np.isfinite(factor)]), initial=0)) for factor in factors)


def check_batch(shape: Sequence[int], dtype: str = "float32", mean: float = 0.0) -> None:
    x, gamma, beta, g = operands(shape, dtype, mean)
    for more in ({}, {"activation": "relu"}):
        _, *moments = check(normalization._batch, x, gamma, beta, epsilon=EPSILON, **more)
        inverse = 1 / np.sqrt(moments[1] + EPSILON)
        check(
            normalization._batch_gradient,
            x,
            gamma,
            beta,
            *moments,
            g,
            epsilon=EPSILON,
            size=largest(gamma * inverse, g),
            **more,
        )


def check_rows(shape: Sequence[int], dtype: str = "float32", mean: float = 0.0) -> None:
    x, gamma, beta, g = operands(shape, dtype, mean)
    for centered in (True, False):
        _, *moments = check(normalization._rows, x, gamma, beta, epsilon=EPSILON, centered=centered)
        check(
            normalization._rows_gradient, x, gamma, *moments, g, centered=centered, size=largest(gamma, moments[1], g)
        )


def check_groups(shape: Sequence[int], groups: int, dtype: str = "float32") -> None:
    x, gamma, beta, g = operands(shape, dtype, 3.0)
    _, *moments = check(normalization._groups, x, gamma, beta, epsilon=EPSILON, groups=groups)
    check(normalization._groups_gradient, x, gamma, *moments, g, groups=groups, size=largest(gamma, moments[1], g))


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (3, 7, 4), (300, 1), (9, 31), (9, 32), (9, 33), (5, 68)], ids=str)
def test_batches(shape):
    check_batch(shape)


def test_batches_in_parts(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grids, "BLOCKS", 2)
    monkeypatch.setattr(lower, "BLOCKS", 2)
    monkeypatch.setattr(lower, "THREADS", 12)
    monkeypatch.setattr(lower, "COLUMNS", 4)
    monkeypatch.setattr(lower, "_ROWS", 1)
    for columns in (4, 5):
        check_batch((130, columns), mean=1000.0)


def test_columns_with_nan_and_infinities():
    x, gamma, beta, _ = operands((6, 4), "float32")
    x[2, 0], x[0, 1], x[3, 2] = np.nan, np.inf, -np.inf
    check(normalization._batch, x, gamma, beta, epsilon=EPSILON)


@pytest.mark.parametrize("columns", [1, 2, 8, 31, 33, 65, 132])
def test_rows_of_a_warp(columns):
    check_rows((3, 3, columns))


@pytest.mark.parametrize("columns", [260, 261])
def test_rows_of_a_block(columns):
    check_rows((2, columns), mean=10.0)


@pytest.mark.parametrize("columns", [132, 133])
def test_rows_that_registers_do_not_hold(columns, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grids, "WARP", 4)
    monkeypatch.setattr(grids.held, "THREADS", 32)
    check_rows((3, columns))
    monkeypatch.setattr(grids.held, "THREADS", 4)
    check_rows((3, columns), mean=-10.0)


def test_rows_and_groups_with_nan_and_infinities():
    x, gamma, beta, _ = operands((6, 8), "float32")
    x[2, 0], x[0, 0], x[3, 2], x[4, 5] = np.nan, np.inf, -np.inf, np.nan
    for centered in (True, False):
        check(normalization._rows, x, gamma, beta, epsilon=EPSILON, centered=centered)
    x[np.isinf(x)] = np.nan
    check(normalization._groups, x, gamma, beta, epsilon=EPSILON, groups=2)


@pytest.mark.parametrize(
    ("shape", "groups"), [((2, 4), 2), ((2, 3, 6), 3), ((2, 5, 7, 2), 1), ((3, 2, 33), 11)], ids=str
)
def test_groups(shape, groups):
    check_groups(shape, groups)


def test_groups_of_a_block(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grids, "LONG", 16)
    monkeypatch.setattr(grids, "THREADS", 64)
    check_groups((2, 30, 10), 2)


def test_float64():
    check_batch((9, 5), "float64", mean=5.0)
    check_rows((5, 9), "float64")
    check_groups((2, 5, 4), 2, "float64")


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_nothing(shape):
    check_batch(shape)
    check_rows(shape)


def test_no_samples():
    check_groups((0, 3, 4), 2)
