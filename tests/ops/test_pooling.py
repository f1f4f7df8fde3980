"""Pooling operations: derivatives of both orders in both modes, the same under jit, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.devices.cpu.lower import pooling
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.kernels.cpu.pooling import TILED
from fnet.ops.window import window_axes
from fnet.testing import check_grads

COVERED = {"max_pool", "average_pool"}
POOLS = [ops.max_pool, ops.average_pool]
CASES: list[Any] = [
    ((2, 7, 3), 3, 2, "same"), ((2, 6, 5, 3), (2, 3), (2, 1), "valid"), ((2, 6, 5, 3), (2, 3), None, "same"),
    ((1, 4, 5, 6, 2), (2, 3, 2), 2, "same"), ((1, 20, 16, 2), (20, 16), None, "valid"),
]  # fmt: skip


def distinct(shape: tuple[int, ...]) -> np.ndarray:
    """Values far enough apart for differences not to change a maximum."""
    return np.random.default_rng(0).permutation(int(np.prod(shape))).reshape(shape) / 7.0


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("pool", POOLS)
def test_derivatives_of_both_orders(pool: Any, case: Any) -> None:
    shape, *arguments = case
    check_grads(lambda x: pool(x, *arguments) ** 2, distinct(shape), order=2)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("pool", POOLS)
def test_jit_gives_the_same_bits(pool: Any, case: Any, dtype: str) -> None:
    shape, *arguments = case
    x = distinct(shape).astype(dtype)

    def both(x: Any) -> Any:
        y, pull = fnet.vjp(lambda x: pool(x, *arguments), x)
        return y, pull(y)

    for eager, compiled in zip(fnet.tree.leaves(both(x)), fnet.tree.leaves(fnet.jit(both)(x)), strict=True):
        assert eager.dtype == compiled.dtype == dtype
        np.testing.assert_array_equal(eager, compiled)


def test_any_memory_layout_and_an_empty_batch() -> None:
    x = distinct((3, 6, 5, 2))
    for pool in POOLS:
        np.testing.assert_array_equal(pool(np.asfortranarray(x), 2), pool(x, 2))
        np.testing.assert_array_equal(pool(x[::-1, ::2], 2), pool(x[::-1, ::2].copy(), 2))
        y, pull = fnet.vjp(lambda x, pool=pool: pool(x, 2), x[:0])
        assert y.shape == (0, 3, 2, 2) and pull(y)[0].shape == (0, 6, 5, 2)


@pytest.mark.parametrize(
    ("sizes", "window", "strides", "padding", "tiled"),
    [
        ((6, 4), (2, 2), 2, "valid", True), ((7, 4), (2, 2), 2, "valid", True), ((6, 5), (2, 2), 2, "valid", False),
        ((6, 5), (2, 2), 2, "same", True), ((6, 4), (2, 2), 1, "valid", False), ((6, 4), (2, 2), 3, "same", False),
    ],
)  # fmt: skip
def test_only_windows_that_cover_an_input_once_are_tiled(sizes, window, strides, padding, tiled):
    axes = window_axes("pool", sizes, window, strides, padding, 1)
    assert pooling._geometry(2, 3, axes)[TILED] == tiled


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda x: ops.max_pool(x[0, 0], 2), ShapeError, r"max_pool: expected \(batch, 1 to 3 axes, channels\), rec"),
        (lambda x: ops.max_pool(x, 7), ShapeError, r"pool_size \(7, 7\) does not fit into the axes .* of sizes \(6, 5"),
        (lambda x: ops.max_pool(x, 2.0), DtypeError, "max_pool: pool_size must be an integer or 2 integers, received"),
        (lambda x: ops.average_pool(x, 2, 0), ValueRangeError, "average_pool: strides must be at least 1, received 0"),
        (lambda x: ops.max_pool(x, 2, padding="causal"), ValueRangeError, "padding is 'valid' or 'same', received 'ca"),
    ],
)
def test_errors(call: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        call(distinct((3, 6, 5, 2)))
