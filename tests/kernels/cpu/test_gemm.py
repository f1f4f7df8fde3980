"""`fnet.kernels.cpu.gemm` against NumPy in float64, over the edges of its tiles and blocks."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fnet.activation_codes import LINEAR, RELU, SIGMOID, TANH
from fnet.kernels.cpu import gemm as kernels
from fnet.kernels.cpu.runtime.threads import set_thread_count, thread_count
from fnet.kernels.cpu.vector import simd
from fnet.kernels.cpu.vector.tiles import FROM_BIAS, FROM_C, FROM_ZERO

JIT = not simd.config.DISABLE_JIT
EXAMPLES = 60 if JIT else 8  # products of NumPy rows are slow
DTYPES = ("float32", "float64")
TRANSPOSED = (False, True)
ACTIVATIONS = {
    LINEAR: lambda x: x,
    RELU: lambda x: np.maximum(x, 0),
    TANH: np.tanh,
    SIGMOID: lambda x: 1 / (1 + np.exp(-x)),
}
# Around the lanes and the two vectors of a tile, its rows, and beyond them.
COLUMNS = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 47, 63, 65, 129, 260])
ROWS = st.sampled_from([0, 1, 2, 4, 5, 6, 7, 8, 13, 14, 15, 18, 29, 113, 130])
INNER = st.sampled_from([0, 1, 2, 3, 8, 15, 16, 17, 40, 255, 256, 257, 520])


def stored(x, transposed):
    """A matrix (or a stack) as a flat array, and its strides of rows and columns."""
    rows, columns = x.shape[-2:]
    if transposed:
        return np.ascontiguousarray(np.swapaxes(x, -1, -2)).ravel(), 1, rows
    return np.ascontiguousarray(x).ravel(), columns, 1


@pytest.fixture(autouse=True)
def same_thread_count():
    before = thread_count()
    yield
    set_thread_count(before)


def sizes_of(*numbers, of=kernels.SIZES):
    return of.array(**dict(zip(of.names, numbers, strict=True)))


def product(a, b, bias=None, act=LINEAR, a_transposed=False, b_transposed=False, onto=None):
    """`gemm` on matrices; the output is surrounded by a border that must stay, the workspace is as small as allowed."""
    (m, k), n, dtype = a.shape, b.shape[1], a.dtype
    x, a_row, a_col = stored(a, a_transposed)
    y, b_row, b_col = stored(b, b_transposed)
    border = np.full(m * n + 64, 77, dtype)
    c, work = border[32 : 32 + m * n], guarded_workspace(m, n, k, dtype)
    bias_array = np.empty(0, dtype) if bias is None else bias
    start = FROM_ZERO if bias is None else FROM_BIAS
    if onto is not None:
        c[:], start = onto.ravel(), FROM_C
    with np.errstate(invalid="ignore"):
        kernels.gemm(x, y, c, bias_array, work[0], sizes_of(m, n, k, a_row, a_col, b_row, b_col, start, act))
    assert (border[:32] == 77).all()
    assert (border[32 + m * n :] == 77).all()
    assert (work[1] == 77).all()
    return c.reshape(m, n)


def guarded_workspace(m, n, k, dtype):
    size = kernels.gemm_workspace(m, n, k, dtype)
    memory = np.full(size + 32, 77, dtype)
    return memory[:size], memory[size:]


def draw(seed, *shape, dtype):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def assert_product(result, a, b, bias=None, act=LINEAR):
    """Within the bound of an inner product of length k: k eps sum |a b|; every activation has a slope of at most 1."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    exact, size = a @ b, np.abs(a) @ np.abs(b)
    if bias is not None:
        exact, size = exact + bias, size + np.abs(bias)
    allowed = np.finfo(result.dtype).eps * ((a.shape[1] + 1) * size + 4)
    assert result.shape == exact.shape
    assert (np.abs(result - ACTIVATIONS[act](exact)) <= allowed).all()


@settings(deadline=None, max_examples=2 * EXAMPLES)
@given(
    m=ROWS, n=COLUMNS, k=INNER, dtype=st.sampled_from(DTYPES), a_transposed=st.booleans(), b_transposed=st.booleans(),
    with_bias=st.booleans(), act=st.sampled_from(list(ACTIVATIONS)), seed=st.integers(0, 99),
)  # fmt: skip
def test_product_of_any_sizes_strides_and_epilogue(m, n, k, dtype, a_transposed, b_transposed, with_bias, act, seed):
    a, b = draw(seed, m, k, dtype=dtype), draw(seed + 1, k, n, dtype=dtype)
    bias = draw(seed + 2, n, dtype=dtype) if with_bias else None
    assert_product(product(a, b, bias, act, a_transposed, b_transposed), a, b, bias, act)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("a_transposed", TRANSPOSED)
@pytest.mark.parametrize("b_transposed", TRANSPOSED)
@pytest.mark.parametrize("m, n", [(130, 230), (1, 300), (300, 1)])
def test_large_product_is_packed_and_blocked(m, n, dtype, a_transposed, b_transposed):
    a, b = draw(0, m, 300, dtype=dtype), draw(1, 300, n, dtype=dtype)
    assert_product(product(a, b, None, RELU, a_transposed, b_transposed), a, b, None, RELU)


@pytest.mark.skipif(not JIT, reason="products of NumPy rows are slow")
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("a_transposed", TRANSPOSED)
@pytest.mark.parametrize("columns", ["few", "many"])
def test_rows_in_tiles_of_every_mix_beside_packing_have_the_bits_of_a_single_row(columns, a_transposed, threads):
    set_thread_count(threads)
    k = 270
    n = kernels.PACK_COLUMNS + 45 if columns == "many" else 77
    a, b = draw(0, 115, k, dtype="float32"), draw(1, k, n, dtype="float32")
    rows = np.concatenate([product(a[i : i + 1], b) for i in range(len(a))])
    for m in (*range(1, 30), *range(56, 72), 85, 113, 114, 115):
        np.testing.assert_array_equal(product(a[:m], b, a_transposed=a_transposed), rows[:m])
    block = kernels.M_TILES * kernels.ROWS  # with many columns, more than one block of rows is packed
    tall = np.tile(a, (block // len(a) + 2, 1))
    for m in (block, block + 1):
        np.testing.assert_array_equal(product(tall[:m], b, a_transposed=a_transposed), np.resize(rows, (m, n)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 5, 40])
def test_operands_without_a_unit_stride(dtype, n):
    a, b = draw(0, 70, 19, dtype=dtype), draw(1, 19, n, dtype=dtype)
    spread = [np.full(2 * x.size, np.nan, dtype) for x in (a, b)]
    for memory, x in zip(spread, (a, b), strict=True):
        memory[::2] = x.ravel()
    c, (work, guard) = np.empty(70 * n, dtype), guarded_workspace(70, n, 19, dtype)
    kernels.gemm(*spread, c, c, work, sizes_of(70, n, 19, 38, 2, 2 * n, 2, 0, LINEAR))
    assert (guard == 77).all()
    assert_product(c.reshape(70, n), a, b)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    n=COLUMNS, k=INNER, dtype=st.sampled_from(DTYPES), a_transposed=st.booleans(), b_transposed=st.booleans(),
    act=st.sampled_from(list(ACTIVATIONS)), first=st.integers(0, 60), count=st.integers(1, 60),
)  # fmt: skip
@example(n=1, k=3, dtype="float32", a_transposed=True, b_transposed=False, act=LINEAR, first=0, count=1)
@example(n=1, k=1, dtype="float32", a_transposed=False, b_transposed=False, act=LINEAR, first=0, count=1)
def test_rows_have_the_same_bits_in_any_grouping(n, k, dtype, a_transposed, b_transposed, act, first, count):
    a, b, bias = draw(3, 120, k, dtype=dtype), draw(4, k, n, dtype=dtype), draw(5, n, dtype=dtype)
    everything = product(a, b, bias, act, a_transposed, b_transposed)
    rows = slice(first, first + count)
    np.testing.assert_array_equal(product(a[rows], b, bias, act, a_transposed, b_transposed), everything[rows])


# Split by columns, by rows, by both; read in place, packed, packed with A (of which no tile may have rows that compete
# for the same lines); several blocks of k; a band of one column.
SHARED = [
    (40, 4200, 300), (1, 3000, 90), (9000, 1, 40), (3000, 40, 30), (130, 300, 400), (700, 545, 420), (700, 1090, 1024),
    (75, 97, 2 * kernels.K_BLOCK + 5), (57, 33, 2 * kernels.K_BLOCK),
]  # fmt: skip


@pytest.mark.skipif(not JIT, reason="only compiled code runs on threads")
@pytest.mark.parametrize("sizes", SHARED, ids=str)
@pytest.mark.parametrize("a_transposed", TRANSPOSED)
@pytest.mark.parametrize("b_transposed", TRANSPOSED)
def test_bits_do_not_depend_on_the_number_of_threads(sizes, a_transposed, b_transposed):
    m, n, k = sizes
    a, b, bias = (draw(i, *shape, dtype="float32") for i, shape in enumerate([(m, k), (k, n), (n,)]))
    results = []
    for threads in (1, 2, 4):
        set_thread_count(threads)
        results.append(product(a, b, bias, TANH, a_transposed, b_transposed))
    assert_product(results[0], a, b, bias, TANH)
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


@pytest.mark.parametrize("sizes", [(32, 16, 16), (16, 1, 32), (1, 20, 7), (70, 33, 40), (0, 3, 2)], ids=str)
def test_small_gemm_is_gemm(sizes):
    m, n, k = sizes
    a, b, bias = (draw(i, *shape, dtype="float32") for i, shape in enumerate([(m, k), (k, n), (n,)]))
    c, (work, guard) = np.empty(m * n, np.float32), guarded_workspace(m, n, k, np.float32)
    kernels.small_gemm(a.ravel(), b.ravel(), c, bias, work, sizes_of(m, n, k, k, 1, n, 1, FROM_BIAS, TANH))
    assert kernels.is_small(m, n, k)
    assert (guard == 77).all()
    np.testing.assert_array_equal(c.reshape(m, n), product(a, b, bias, TANH))


def test_more_threads_than_the_workspace_was_made_for():
    a, b = draw(0, 230, 420, dtype="float32"), draw(1, 420, 545, dtype="float32")
    set_thread_count(1)
    work, guard = guarded_workspace(230, 545, 420, np.float32)
    set_thread_count(4)
    c = np.empty(230 * 545, np.float32)
    sizes = sizes_of(230, 545, 420, 420, 1, 545, 1, FROM_ZERO, LINEAR)
    kernels.gemm(a.ravel(), b.ravel(), c, c, work, sizes)
    assert (guard == 77).all()
    assert_product(c.reshape(230, 545), a, b)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    m=ROWS, n=COLUMNS, k=INNER, dtype=st.sampled_from(DTYPES), a_transposed=st.booleans(), b_transposed=st.booleans(),
    act=st.sampled_from([LINEAR, RELU]), split=st.floats(0, 1),
)  # fmt: skip
def test_accumulation_continues_the_sum(m, n, k, dtype, a_transposed, b_transposed, act, split):
    """The first products of k, then the others on top of them, are all of them, in bits where no lanes are added."""
    a, b, first = draw(3, m, k, dtype=dtype), draw(4, k, n, dtype=dtype), int(split * k)
    begun = product(a[:, :first], b[:first], None, LINEAR, a_transposed, b_transposed)
    result = product(a[:, first:], b[first:], None, act, a_transposed, b_transposed, onto=begun)
    assert_product(result, a, b, None, act)
    if n > 1:
        np.testing.assert_array_equal(result, product(a, b, None, act, a_transposed, b_transposed))


@settings(deadline=None, max_examples=EXAMPLES)
@given(m=ROWS, n=COLUMNS.filter(lambda n: n > 1), k=INNER, dtype=st.sampled_from(DTYPES))
def test_transposed_storage_gives_the_same_bits(m, n, k, dtype):
    a, b = draw(6, m, k, dtype=dtype), draw(7, k, n, dtype=dtype)
    plain = product(a, b)
    for a_transposed in TRANSPOSED:
        for b_transposed in TRANSPOSED:
            np.testing.assert_array_equal(product(a, b, None, LINEAR, a_transposed, b_transposed), plain)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("b_transposed", TRANSPOSED)
@pytest.mark.parametrize("n", [1, 5, 70])
@pytest.mark.parametrize("act", [LINEAR, RELU])
def test_nan_and_infinity_propagate(dtype, b_transposed, n, act):
    a, b = np.ones((20, 9), dtype), np.ones((9, n), dtype)
    a[1, 2], a[3, 4], a[5, 6] = np.nan, np.inf, -np.inf
    b[8, n - 1] = 0  # zero times infinity is NaN, and no zero is skipped
    a[7, 8] = np.inf
    result = product(a, b, None, act, False, b_transposed)
    with np.errstate(invalid="ignore"):
        expected = ACTIVATIONS[act](a @ b)
    np.testing.assert_array_equal(result, expected)
    assert np.isnan(result[7, n - 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("m, n", [(3, 20), (1, 20), (20, 1), (0, 3), (3, 0)])
@pytest.mark.parametrize("act", ACTIVATIONS)
def test_empty_inner_dimension_gives_the_activated_bias(dtype, m, n, act):
    bias = np.linspace(-2, 2, n).astype(dtype)
    expected = ACTIVATIONS[act](np.broadcast_to(bias, (m, n)))
    result = product(np.empty((m, 0), dtype), np.empty((0, n), dtype), bias, act)
    np.testing.assert_allclose(result, expected, rtol=4 * np.finfo(dtype).eps)


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    batch=st.integers(0, 3), m=ROWS, n=COLUMNS, k=st.sampled_from([0, 1, 5, 17]), dtype=st.sampled_from(DTYPES),
    a_transposed=st.booleans(), b_transposed=st.booleans(), shared=st.sampled_from(["", "a", "b", "ab"]),
)  # fmt: skip
def test_batched_product(batch, m, n, k, dtype, a_transposed, b_transposed, shared):
    a = draw(8, 1 if "a" in shared else batch, m, k, dtype=dtype)
    b = draw(9, 1 if "b" in shared else batch, k, n, dtype=dtype)
    x, a_row, a_col = stored(a, a_transposed)
    y, b_row, b_col = stored(b, b_transposed)
    memory = np.full(kernels.batched_workspace(batch, m, n, k, dtype) + 32, 77, dtype)
    c, work, guard = np.empty(batch * m * n, dtype), memory[:-32], memory[-32:]
    a_batch, b_batch = (0 if "a" in shared else m * k), (0 if "b" in shared else k * n)
    sizes = m, n, k, a_row, a_col, b_row, b_col, batch, a_batch, b_batch
    kernels.batched_gemm(x, y, c, work, sizes_of(*sizes, of=kernels.BATCHED_SIZES))
    assert (guard == 77).all()
    for s, result in enumerate(c.reshape(batch, m, n)):
        np.testing.assert_array_equal(
            result,
            product(
                a[0 if "a" in shared else s], b[0 if "b" in shared else s], None, LINEAR, a_transposed, b_transposed
            ),
        )
        assert_product(result, a[0 if "a" in shared else s], b[0 if "b" in shared else s])


def test_batches_have_the_same_bits_on_any_number_of_threads():
    a, b = draw(8, 40, 33, 40, dtype="float32"), draw(9, 40, 40, 50, dtype="float32")
    results = []
    for threads in (1, 2, 4):
        set_thread_count(threads)
        c = np.empty(40 * 33 * 50, np.float32)
        work = np.empty(kernels.batched_workspace(40, 33, 50, 40, np.float32), np.float32)
        sizes = sizes_of(33, 50, 40, 40, 1, 50, 1, 40, 33 * 40, 40 * 50, of=kernels.BATCHED_SIZES)
        kernels.batched_gemm(a.ravel(), b.ravel(), c, work, sizes)
        results.append(c.reshape(40, 33, 50))
    for s in range(40):
        np.testing.assert_array_equal(results[0][s], product(a[s], b[s]))
    np.testing.assert_array_equal(results[1], results[0])
    np.testing.assert_array_equal(results[2], results[0])


def test_operands_may_be_read_only():
    a, b = draw(10, 5, 7, dtype="float32"), draw(11, 7, 1, dtype="float32")
    a.flags.writeable = False
    c, work = np.empty(5, np.float32), guarded_workspace(5, 1, 7, np.float32)[0]
    kernels.gemm(a.ravel(), b.ravel(), c, c, work, sizes_of(5, 1, 7, 7, 1, 1, 1, 0, LINEAR))
    assert_product(c.reshape(5, 1), a, b)


def run_python(code, *arguments, **environment):
    folder = os.path.dirname(__file__)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([folder, *sys.path]), **environment}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


SHAPES = """
import sys
import test_gemm as t
for dtype in sys.argv[1:]:
    for m, n, k in [(3, 5, 4), (15, 70, 3), (9, 1, 20), (1, 140, 2), (2, 3, 0), (7, 33, 270)]:
        for transposed in t.TRANSPOSED:
            for act in t.ACTIVATIONS:
                a, b, bias = t.draw(0, m, k, dtype=dtype), t.draw(1, k, n, dtype=dtype), t.draw(2, n, dtype=dtype)
                t.assert_product(t.product(a, b, bias, act, transposed, transposed), a, b, bias, act)
print(t.simd.INSTRUCTION_SET, t.simd.config.DISABLE_JIT)
"""


def test_without_the_jit_compiler():
    done = run_python(SHAPES, *DTYPES, NUMBA_DISABLE_JIT="1")
    assert done.stdout.split() == [simd.INSTRUCTION_SET, "1"], done.stderr


# The others are slow: each of them compiles all kernels anew.
NARROWER = [pytest.param("avx2", "float32")]
NARROWER += [
    pytest.param(name, dtype, marks=pytest.mark.slow)
    for name, dtype in [("generic", "float32"), ("avx2", "float64"), ("generic", "float64")]
]


@pytest.mark.parametrize(("name", "dtype"), NARROWER)
def test_narrower_vectors(name, dtype):
    done = run_python(SHAPES, dtype, FNET_SIMD=name, NUMBA_DISABLE_JIT="0")
    assert done.stdout.split() == [name, "0"], done.stderr


def test_unknown_vector_width_is_refused():
    done = run_python("import fnet.kernels.cpu.vector.simd", FNET_SIMD="avx1024")
    assert "ValueRangeError: FNET_SIMD is 'avx1024', expected one of: avx512, avx2, generic" in done.stderr


def test_vector_widths_have_separate_caches():
    code = "from fnet.kernels.compiler.cache_folder import cache_directory; print(cache_directory())"
    folders = {run_python(code, FNET_SIMD=name).stdout for name in ("", "avx512", "avx2", "generic")}
    assert len(folders) == 4
