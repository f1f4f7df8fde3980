"""Operands of tiles that kernels pack as they go, and recurrent layers with them, emulated bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet.kernels.cpu.runtime import threads
from fnet.kernels.cpu.vector import amx
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.cpu.vector.tile_operands import multiply, pack_panels, pack_rows, panels_size, row_size, share
from fnet.kernels.policy import kernel
from tests.kernels.cpu.tile_reference import COMPILED, emulate, reference
from tests.test_precision import CELLS, differentiated, recurrence

pytestmark = COMPILED
SIZES = (33, 4, 31, 64)  # samples, steps, features, units
BOUND = {"high": (1e-7, 1e-5), "medium": (1e-3, 8e-3)}  # of errors, relative to norms


@pytest.fixture(autouse=True)
def emulated(monkeypatch):
    emulate(monkeypatch)


@kernel
def packed_product(a, b, c, left, right, own, state, m, n, k, rows, split, from_c):
    pack_rows(at(a, 0), k, at(left, 0), m, k, split)
    pack_panels(at(b, 0), n, at(right, 0), rows, n, split)
    multiply(at(state, 0), at(own, 0), at(left, 0), k, at(right, 0), at(c, 0), n, m, n, k, rows, split, from_c)


@pytest.mark.parametrize("split", [0, 1])
@pytest.mark.parametrize(("m", "n", "k", "rows"), [(1, 1, 1, 1), (33, 17, 31, 70), (32, 64, 64, 64), (5, 40, 33, 33)])
def test_a_product_of_packed_operands_has_the_bits_of_the_instructions(m, n, k, rows, split):
    rng = np.random.default_rng(m)
    a, b, c = (rng.standard_normal(shape).astype("f4") for shape in ((m, k), (rows, n), (m, n)))
    b[k:] = 0 if k < rows else b[k:]
    kind = np.uint64 if split else np.uint16
    sizes = [size * np.dtype(kind).itemsize // 4 for size in ((m + 32) * row_size(k, kind), panels_size(n, rows, kind))]
    left, right = (np.full(size, 0x7FC07FC0, np.uint32) for size in sizes)
    for from_c, sums in ((0, np.zeros_like(c)), (1, c)):
        have = c.copy()
        own = np.full(2048, np.nan, np.float32)
        packed_product(a, b, have, left, right, own, amx.emulation(1), m, n, k, rows, split, from_c)
        np.testing.assert_array_equal(have, reference(a, b[:k], sums, 3 if split else 1), strict=True)


def test_the_share_of_use_in_whole_blocks():
    assert share(32, 64, 96) == 1 and share(16, 32, 32) == 0.5 and share(0, 1, 1) == 0


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("cell", CELLS)
def test_recurrences_and_their_gradients_keep_the_bound_of_their_level(cell, level):
    f, arrays = recurrence(cell, SIZES)
    exact = differentiated(f, [a.astype("f8") for a in arrays], "highest")
    results = [differentiated(f, arrays, level)]
    low, high = BOUND[level]
    for have, want in zip(results[0], exact, strict=True):
        assert low < np.linalg.norm(have - want) / np.linalg.norm(want) < high
    before = threads.thread_count()
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            results.append(differentiated(f, arrays, level))
    finally:
        threads.set_thread_count(before)
    with fnet.precision(level):
        walked, native = (fnet.jit(f, executor=name)(*arrays) for name in ("walk", "native"))
    for result in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(result, results[0], strict=True))
    np.testing.assert_array_equal(walked, native)
    np.testing.assert_array_equal(walked, results[0][0])


def test_the_step_of_a_recurrence_is_computed_by_tiles():
    f, arrays = recurrence("simple_rnn", SIZES)
    with fnet.precision("high"):
        y = f(*arrays)
    assert 1e-6 < np.linalg.norm(y - f(*arrays)) / np.linalg.norm(y) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_special_values_reach_what_they_reach_in_float32(special, level):
    f, arrays = recurrence("simple_rnn", SIZES)
    arrays[0][1, 2, 3] = special
    with np.errstate(invalid="ignore"):
        want, have = (differentiated(f, arrays, name) for name in ("highest", level))
    for a, b in zip(have, want, strict=True):
        np.testing.assert_array_equal(np.isfinite(a), np.isfinite(b))


@pytest.mark.slow
@pytest.mark.parametrize("level", BOUND)
def test_few_samples_zero_sizes_and_float64_stay_as_they_are(level):
    f, arrays = recurrence("simple_rnn", (3, *SIZES[1:]))
    for a, b in zip(differentiated(f, arrays, level), differentiated(f, arrays, "highest"), strict=True):
        np.testing.assert_array_equal(a, b)
    f, arrays = recurrence("simple_rnn", SIZES)
    doubles = [a.astype("f8") for a in arrays]
    for a, b in zip(differentiated(f, doubles, level), differentiated(f, doubles, "highest"), strict=True):
        np.testing.assert_array_equal(a, b)
    for x in (arrays[0][:0], arrays[0][:, :0]):
        with fnet.precision(level):
            assert f(x, *arrays[1:]).shape == (*x.shape[:2], SIZES[3])
