"""Attention by AMX tiles, emulated: the output and all gradients."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.kernels.cpu.runtime import threads
from tests.kernels.cpu.tile_reference import COMPILED, emulate
from tests.test_precision import attention, differentiated

BOUND = {"high": (1e-7, 1e-5), "medium": (1e-3, 8e-3)}  # of errors, relative to norms
MASK = np.random.default_rng(2).random((2, 1, 70, 165)) < 0.7
# Odd sizes, several blocks of keys and of queries, what is hidden, and dropout.
CASES = {
    "odd": ((70, 165, 33, 17), {}),
    "causal": ((165, 165, 32, 32), {"causal": True}),
    "fewer queries": ((64, 257, 16, 64), {"causal": True}),
    "dropout and a mask": ((70, 165, 33, 17), {"rate": 0.3, "mask": MASK}),
}

pytestmark = COMPILED


@pytest.fixture(autouse=True)
def emulated(monkeypatch):
    emulate(monkeypatch)


def errors(have, want):
    return [np.linalg.norm(a - b) / np.linalg.norm(b) for a, b in zip(have, want, strict=True)]


def test_the_output_is_computed_by_tiles():
    f, arrays = attention(CASES["odd"][0])
    with fnet.precision("high"):
        y = f(*arrays)
    assert 1e-6 < errors([y], [f(*arrays)])[0] < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_output_and_gradients_keep_the_bound_of_their_level(name):
    sizes, arguments = CASES[name]
    f, arrays = attention(sizes, **arguments)
    exact = differentiated(f, [a.astype("f8") for a in arrays], "highest")
    for level, (low, high) in BOUND.items():
        found = errors(differentiated(f, arrays, level), exact)
        assert low < min(found) and max(found) < high


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
def test_bits_depend_neither_on_threads_nor_on_the_executor(level):
    f, arrays = attention((130, 257, 32, 32), causal=True)
    before, results = threads.thread_count(), []
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            results.append(differentiated(f, arrays, level))
    finally:
        threads.set_thread_count(before)
    for result in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(result, results[0], strict=True))
    with fnet.precision(level):
        for executor in ("walk", "native"):
            np.testing.assert_array_equal(fnet.jit(f, executor=executor)(*arrays), results[0][0])


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("special", [np.nan, np.inf])
@pytest.mark.parametrize("operand", range(3))
def test_special_values_reach_what_they_reach_in_float32(operand, special, level):
    f, arrays = attention((70, 165, 33, 17))
    arrays[operand][1, 3, 0, 5] = special
    with np.errstate(invalid="ignore"):
        want, have = (differentiated(f, arrays, name) for name in ("highest", level))
    for a, b in zip(have, want, strict=True):
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
def test_a_query_that_sees_no_key_gives_zeros(level):
    f, arrays = attention((70, 165, 33, 17), mask=MASK & (np.arange(70) != 9)[:, None])
    results = differentiated(f, arrays, level)
    assert all(np.isfinite(x).all() for x in results)
    assert not results[0][:, 9].any() and not results[1][:, 9].any()


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
def test_few_queries_zero_sizes_strides_and_float64(level):
    f, arrays = attention((70, 165, 33, 17))
    want = differentiated(f, arrays, level)
    strided = [np.swapaxes(np.ascontiguousarray(np.swapaxes(a, 1, 2)), 1, 2) for a in arrays]
    for a, b in zip(differentiated(f, strided, level), want, strict=True):
        np.testing.assert_array_equal(a, b)
    doubles = [a.astype("f8") for a in arrays]
    for a, b in zip(differentiated(f, doubles, level), differentiated(f, doubles, "highest"), strict=True):
        np.testing.assert_array_equal(a, b)
    q, k, v = arrays
    with fnet.precision(level):
        np.testing.assert_array_equal(ops.dot_product_attention(q[:0], k[:0], v[:0]), q[:0, ..., :17])
        assert not ops.dot_product_attention(q, k[:, :0], v[:, :0]).any()
        few = ops.dot_product_attention(q[:, :3], k, v)
    np.testing.assert_array_equal(few, ops.dot_product_attention(q[:, :3], k, v))
