"""`fnet.kernels.cpu.product`: products of addresses inside of larger matrices, with B packed once and not."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba.core import config

from fnet.activation_codes import LINEAR, RELU, SIGMOID, TANH
from fnet.kernels.cpu.product import (
    pack_panels,
    packed_size,
    product,
    product_fetching,
    product_packed,
    product_workspace,
)
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tiles import FROM_BIAS, FROM_C, FROM_ZERO
from fnet.kernels.policy import kernel

ACTIVATIONS = {
    LINEAR: lambda x: x,
    RELU: lambda x: np.maximum(x, 0),
    TANH: np.tanh,
    SIGMOID: lambda x: 1 / (1 + np.exp(-x)),
}


@kernel
def call_product(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, c_row, start, act):
    x, y, z, s, w = at(a, 0), at(b, 0), at(c, 0), at(bias, 0), at(work, 0)
    product(x, y, z, s, w, m, n, k, a_row, a_col, b_row, b_col, c_row, start, act)


@kernel
def call_packed(a, b, c, bias, work, m, n, k, a_row, a_col, b_row, b_col, c_row, start, act):
    pack_panels(at(b, 0), at(work, 0), n, k, b_row, b_col)
    product_packed(at(a, 0), at(work, 0), at(c, 0), at(bias, 0), m, n, k, k, a_row, a_col, c_row, start, act)


@kernel
def call_fetching(a, b, c, work, m, n, k, c_row, start, ahead, size):
    pack_panels(at(b, 0), at(work, 0), n, k, n, 1)
    product_fetching(at(a, 0), at(work, 0), at(c, 0), m, n, k, k, k, c_row, start, at(ahead, 0), size)


def spaced(x, transposed, step):
    """A matrix in memory with `step` unused elements behind each row (column): the memory, strides of rows, columns."""
    stored = x.T if transposed else x
    memory = np.full((stored.shape[0], stored.shape[1] + step), np.nan, x.dtype)
    memory[:, : stored.shape[1]] = stored
    strides = (memory.shape[1], 1)
    return memory.ravel(), *(strides[::-1] if transposed else strides)


@settings(deadline=None, max_examples=20 if config.DISABLE_JIT else 150)
@given(
    m=st.sampled_from([0, 1, 2, 5, 6, 7, 8, 13, 16, 17, 33, 120]),
    n=st.sampled_from([0, 1, 2, 8, 9, 16, 17, 31, 32, 33, 70]),
    k=st.sampled_from([0, 1, 7, 16, 33, 300]), a_transposed=st.booleans(), b_transposed=st.booleans(),
    step=st.sampled_from([0, 3]), start=st.sampled_from([FROM_ZERO, FROM_BIAS, FROM_C]),
    act=st.sampled_from(list(ACTIVATIONS)), dtype=st.sampled_from(["float32", "float64"]),
)  # fmt: skip
def test_window_of_a_larger_matrix(m, n, k, a_transposed, b_transposed, step, start, act, dtype):
    rng = np.random.default_rng(m + n + k)
    a, b, bias, before = (rng.standard_normal(s).astype(dtype) for s in [(m, k), (k, n), (n,), (m, n)])
    first = {FROM_ZERO: 0, FROM_BIAS: bias, FROM_C: before}[start]
    exact = a.astype(np.float64) @ b + first
    bound = np.finfo(dtype).eps * ((k + 1) * (np.abs(a).astype(np.float64) @ np.abs(b) + np.abs(first)) + 4)
    (x, a_row, a_col), (y, b_row, b_col) = spaced(a, a_transposed, step), spaced(b, b_transposed, step)
    sizes = {call_product: product_workspace(m, n, k, dtype), call_packed: packed_size(n, k, dtype)}
    results = []
    for call, size in sizes.items():
        memory = np.full(size + 32, 77, dtype)
        c = np.full((m, n + step), 77, dtype)
        c[:, :n] = before
        flat = c.ravel()
        call(x, y, flat, bias, memory[:size], m, n, k, a_row, a_col, b_row, b_col, n + step, start, act)
        c = flat.reshape(m, n + step)
        assert (c[:, n:] == 77).all()
        assert (memory[size:] == 77).all()
        assert (np.abs(c[:, :n] - ACTIVATIONS[act](exact)) <= bound).all()
        results.append(c[:, :n])
    if n > 1:
        np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("call", [call_product, call_packed])
def test_nan_and_infinity_stay_in_their_rows(call):
    a, b = np.ones((20, 9), np.float32), np.ones((9, 40), np.float32)
    a[1, 2], a[3, 4], b[5, 39] = np.nan, np.inf, -np.inf
    c, work = np.empty(800, np.float32), np.empty(4096, np.float32)
    with np.errstate(invalid="ignore"):
        call(a.ravel(), b.ravel(), c, c, work, 20, 40, 9, 9, 1, 40, 1, 40, FROM_ZERO, RELU)
        np.testing.assert_array_equal(c.reshape(20, 40), np.maximum(a @ b, 0))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [0, 5, 4096])
@pytest.mark.parametrize("start", [FROM_ZERO, FROM_C])
def test_what_is_fetched_meanwhile_changes_no_bits(start, size, dtype):
    rng, ahead = np.random.default_rng(size), np.zeros(4096, dtype)
    for m, n, k in itertools.product([0, 1, 8, 17, 32], [0, 1, 31, 64, 70], [0, 1, 37, 900]):
        a, b, before = (rng.standard_normal(shape).astype(dtype) for shape in [(m, k), (k, n), (m, n + 3)])
        work, c, other = np.zeros(packed_size(n, k, dtype), dtype), before.ravel().copy(), before.ravel().copy()
        call_packed(a.ravel(), b.ravel(), c, c, work, m, n, k, k, 1, n, 1, n + 3, start, LINEAR)
        call_fetching(a.ravel(), b.ravel(), other, work, m, n, k, n + 3, start, ahead, size)
        np.testing.assert_array_equal(c, other)
