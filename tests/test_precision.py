"""The precision level: a setting, a context manager, and part of what jit compiles for."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import ValueRangeError
from fnet.kernels.cpu.runtime import threads, ways
from fnet.kernels.cpu.vector import simd

BOUND = {"highest": 2e-7, "high": 5e-6, "medium": 8e-3}  # of one product of two numbers
SPLIT = 5e-5  # of one product at "high" where tiles compute it; 5e-6 is what that comes to in a norm
SHAPES = [(33, 40, 32), (64, 70, 65), (100, 33, 801), (32, 512, 33), (130, 600, 200), (5, 7, 3), (1, 300, 784)]


@pytest.fixture(autouse=True)
def restore():
    """The level of before, afterwards; in between "medium" takes pairs wherever they are, even if they are slow."""
    before = fnet.current_precision()
    with ways.selected(**({"medium": "pairs"} if simd.HAS_BFLOAT16 else {})):
        yield
    fnet.precision(before)


def test_it_is_a_setting_and_a_context_manager():
    assert fnet.current_precision() == "highest"
    fnet.precision("high")
    assert fnet.current_precision() == "high"
    medium = fnet.precision("medium")
    with medium:
        with medium, fnet.precision("highest"):
            assert fnet.current_precision() == "highest"
        assert fnet.current_precision() == "medium"
    assert fnet.current_precision() == "high"
    with medium:
        assert fnet.current_precision() == "medium"
    assert fnet.current_precision() == "high"


def test_it_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), fnet.precision("medium"):
        1 / 0  # noqa: B018
    assert fnet.current_precision() == "highest"


def test_an_unknown_level_is_refused():
    with pytest.raises(ValueRangeError, match="precision 'hihg' is unknown. Did you mean 'high'?"):
        fnet.precision("hihg")


def test_jit_traces_once_for_each_level():
    traced = []

    @fnet.jit
    def f(x):
        traced.append(fnet.current_precision())
        return x * 2

    x = np.ones(3)
    for level in ("highest", "medium", "highest", "medium", "medium"):
        with fnet.precision(level):
            f(x)
            f(x)
    assert traced == ["highest", "medium"]


def rounding(level):
    """The bound of one product, here and with a sum in float32 behind it."""
    return (SPLIT if level == "high" and ways.takes_tiles(level) else BOUND[level]) + 1e-6


def draw(*shapes, dtype="float32"):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("transposed", [(False, False), (True, False), (False, True), (True, True)], ids=str)
@pytest.mark.parametrize("sizes", SHAPES, ids=str)
def test_a_product_keeps_the_error_bound_of_its_level(sizes, transposed, level):
    m, n, k = sizes
    a, b = draw((k, m) if transposed[0] else (m, k), (n, k) if transposed[1] else (k, n))
    a, b = (x.T if t else x for x, t in zip((a, b), transposed, strict=True))
    exact = a.astype("f8") @ b.astype("f8")
    with fnet.precision(level):
        y = ops.matmul(a, b)
    sums = np.abs(a).astype("f8") @ np.abs(b) * rounding(level)
    assert (np.abs(y - exact) <= sums).all()


@pytest.mark.skipif(not simd.HAS_BFLOAT16, reason="needs a processor with bfloat16")
def test_medium_rounds_the_operands_to_bfloat16_and_nothing_else():
    a, b, bias = draw((64, 65), (65, 48), 48)
    rounded = [(x.view(np.uint32) & np.uint32(0xFFFF0000)).view(np.float32) for x in (a, b)]
    with fnet.precision("medium"):
        y = fnet.jit(lambda a, b, bias: ops.tanh(ops.matmul(a, b) + bias))(*rounded, bias)
        assert not np.array_equal(ops.matmul(a, b), a @ b)
    np.testing.assert_allclose(y, np.tanh(rounded[0] @ rounded[1] + bias), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("level", ["high", "medium"])
def test_float64_is_always_exact(level):
    a, b = draw((64, 64), (64, 64), dtype="float64")
    want = ops.matmul(a, b)
    with fnet.precision(level):
        np.testing.assert_array_equal(ops.matmul(a, b), want)


def test_derivatives_keep_the_level_of_their_product():
    a, b = draw((64, 48), (48, 40))
    with fnet.precision("medium"):
        y, pull = fnet.vjp(ops.matmul, a, b)
        (wanted,) = (pull(y),)
    for have, want in zip(pull(y), wanted, strict=True):
        np.testing.assert_array_equal(have, want)
    exact = (y.astype("f8") @ b.T.astype("f8"), a.T.astype("f8") @ y.astype("f8"))
    for have, want in zip(wanted, exact, strict=True):
        assert np.linalg.norm(have - want) <= 4e-3 * np.linalg.norm(want)


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_special_values_pass_through_medium(special):
    a, b = draw((64, 64), (64, 64))
    a[3, 5] = special
    with fnet.precision("medium"), np.errstate(invalid="ignore"):
        y = ops.matmul(a, b)
    assert not np.isfinite(y[3]).any()
    assert np.isfinite(np.delete(y, 3, axis=0)).all()


def test_medium_does_not_depend_on_threads_or_jit():
    a, b = draw((300, 200), (200, 600))
    before, results = threads.thread_count(), []
    for count in (1, 2, 4):
        threads.set_thread_count(count)
        with fnet.precision("medium"):
            results += [ops.matmul(a, b), fnet.jit(ops.matmul)(a, b)]
    threads.set_thread_count(before)
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("samples", [1, 2, 5])
@pytest.mark.parametrize(("channels", "filters", "strides"), [(32, 34, 1), (34, 32, 2), (33, 32, 1), (3, 40, 1)])
def test_a_convolution_and_its_gradients_keep_the_bound_of_their_level(channels, filters, strides, samples, level):
    x, w = draw((samples, 9, 8, channels), (3, 2, channels, filters))

    def sums(x, w):
        return fnet.vjp(lambda x, w: ops.conv(x, w, strides, "same"), x, w)

    exact, pull_exact = sums(x.astype("f8"), w.astype("f8"))
    total, pull_total = sums(np.abs(x).astype("f8"), np.abs(w).astype("f8"))
    (g,) = draw(exact.shape)
    with fnet.precision(level):
        y, pull = sums(x, w)
        gradients = pull(g)
    assert (np.abs(y - exact) <= total * rounding(level)).all()
    for have, want, bound in zip(
        gradients, pull_exact(g.astype("f8")), pull_total(np.abs(g).astype("f8")), strict=True
    ):
        assert (np.abs(have - want) <= bound * rounding(level)).all()


@pytest.mark.skipif(not simd.HAS_BFLOAT16, reason="needs a processor with bfloat16")
@pytest.mark.parametrize("samples", [2, 3])
def test_medium_reaches_convolutions_and_both_gradients(samples):
    def run(level):
        x, w, g = draw((samples, 8, 8, 32), (3, 3, 32, 32), (samples, 6, 6, 32))
        with fnet.precision(level):
            y, pull = fnet.vjp(ops.conv, x, w)
            return y, *pull(g)

    for exact, rounded in zip(run("highest"), run("medium"), strict=True):
        error = np.linalg.norm(rounded - exact) / np.linalg.norm(exact)
        assert 1e-4 < error < 4e-3


def differentiated(f, arrays, level):
    """The result of f and its gradients for a fixed cotangent."""
    with fnet.precision(level):
        y, pull = fnet.vjp(f, *arrays)
        return y, *pull(np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype))


def assert_kept(f, arrays, level, smallest=0.0):
    """The errors of result and gradients, relative to their norms, lie below the bound of the level.

    Where a result has several products behind each other, split numbers come to 1e-5.
    """
    bound = 1e-5 if level == "high" and ways.takes_tiles(level) else BOUND[level] + 2e-6
    exact = differentiated(f, [a.astype("f8") for a in arrays], "highest")
    for have, want in zip(differentiated(f, arrays, level), exact, strict=True):
        error = np.linalg.norm(have - want) / np.linalg.norm(want)
        assert smallest < error < bound


CELLS = {"simple_rnn": 1, "lstm": 4, "gru": 3}
RECURRENCES = [(3, 5, 33, 64), (17, 6, 30, 65), (2, 3, 4, 8)]
ATTENTIONS = [(70, 65, 33, 17), (64, 64, 8, 8), (130, 257, 32, 32), (5, 9, 4, 4)]


def recurrence(cell, sizes, backwards=False):
    (n, steps, features, units), blocks = sizes, CELLS[cell]
    bias = (2, blocks * units) if cell == "gru" else blocks * units
    arrays = draw((n, steps, features), (features, blocks * units), (units, blocks * units), bias)
    x, kernel, recurrent, bias = (a / np.sqrt(len(a), dtype="f4") if a.ndim == 2 else a for a in arrays)
    return lambda *a: getattr(ops, cell)(*a, backwards=backwards)[0], [x, kernel, recurrent, bias]


def attention(sizes, causal=False, rate=0.0, mask=None):
    queries, keys, depth, value_depth = sizes
    arrays = draw((2, queries, 3, depth), (2, keys, 3, depth), (2, keys, 3, value_depth))
    key = fnet.random.key(3) if rate else None
    return lambda *a: ops.dot_product_attention(*a, mask, causal=causal, rate=rate, key=key), arrays


@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("sizes", RECURRENCES, ids=str)
@pytest.mark.parametrize("cell", CELLS)
def test_recurrences_keep_the_error_bound_of_their_level(cell, sizes, level):
    assert_kept(*recurrence(cell, sizes), level)
    assert_kept(*recurrence(cell, sizes, backwards=True), level)


@pytest.mark.parametrize("cell", CELLS)
def test_a_level_in_float32_computes_recurrences_and_their_gradients_as_the_highest_does(cell):
    f, arrays = recurrence(cell, RECURRENCES[0])
    with ways.selected(high="float32", medium="float32"):
        for level in ("high", "medium"):
            for a, b in zip(differentiated(f, arrays, level), differentiated(f, arrays, "highest"), strict=True):
                np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("level", BOUND)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("sizes", ATTENTIONS, ids=str)
def test_attention_keeps_the_error_bound_of_its_level(sizes, causal, level):
    assert_kept(*attention(sizes, causal), level)


@pytest.mark.skipif(not simd.HAS_BFLOAT16, reason="needs a processor with bfloat16")
def test_medium_reaches_the_steps_of_recurrences_and_the_core_of_attention():
    for cell in CELLS:
        assert_kept(*recurrence(cell, RECURRENCES[0]), "medium", smallest=5e-4)
    assert_kept(*attention(ATTENTIONS[0]), "medium", smallest=5e-4)
    mask = np.random.default_rng(2).random((2, 1, 70, 65)) < 0.7
    assert_kept(*attention(ATTENTIONS[0], rate=0.3, mask=mask), "medium", smallest=5e-4)


@pytest.mark.parametrize("call", [*(recurrence(cell, (37, 5, 40, 72)) for cell in CELLS), attention(ATTENTIONS[2])])
def test_medium_keeps_its_bits_for_any_number_of_threads(call):
    before, results = threads.thread_count(), []
    try:
        for count in (1, 2, 4, 4):
            threads.set_thread_count(count)
            results.append(differentiated(*call, "medium"))
    finally:
        threads.set_thread_count(before)
    for result in results[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(result, results[0], strict=True))


@pytest.mark.parametrize("level", ["high", "medium"])
@pytest.mark.parametrize(
    "call", [recurrence("lstm", RECURRENCES[0]), attention(ATTENTIONS[0])], ids=["lstm", "attention"]
)
def test_recurrences_and_attention_of_float64_are_always_exact(call, level):
    f, arrays = call
    arrays = [a.astype("f8") for a in arrays]
    for a, b in zip(differentiated(f, arrays, level), differentiated(f, arrays, "highest"), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("special", [np.nan, np.inf])
def test_special_values_pass_through_recurrences_and_attention_at_medium(special):
    f, arrays = recurrence("lstm", RECURRENCES[0])
    arrays[0][1, 2, 3] = special
    with fnet.precision("medium"), np.errstate(invalid="ignore"):
        y = f(*arrays)
    assert np.isfinite(np.delete(y, 1, 0)).all()
    assert np.isfinite(y[1, :2]).all()
    assert special == np.inf or np.isnan(y[1, 2:]).all()
    f, arrays = attention(ATTENTIONS[0])
    arrays[2][1, 3, 0, 5] = special
    with fnet.precision("medium"), np.errstate(invalid="ignore"):
        y = f(*arrays)
    assert not np.isfinite(y[1, :, 0, 5]).any()
    assert np.isfinite(y).sum() == y.size - y.shape[1]


def test_derivatives_of_recurrences_and_attention_keep_their_level():
    for f, arrays in (recurrence("gru", RECURRENCES[0]), attention(ATTENTIONS[0])):
        with fnet.precision("medium"):
            y, pull = fnet.vjp(f, *arrays)
            inside = pull(y)
        for a, b in zip(inside, pull(y), strict=True):
            np.testing.assert_array_equal(a, b)


def test_every_thread_has_its_own_level():
    first, second = threading.Event(), threading.Event()
    seen = []

    def outer():
        with fnet.precision("medium"):
            first.set()
            second.wait(10)
            seen.append(fnet.current_precision())

    def inner():
        first.wait(10)
        seen.append(fnet.current_precision())
        with fnet.precision("high"):
            seen.append(fnet.current_precision())
            second.set()
            workers[0].join(10)
        seen.append(fnet.current_precision())

    workers = [threading.Thread(target=work) for work in (outer, inner)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(10)
    assert seen == ["highest", "high", "medium", "highest"]
    assert fnet.current_precision() == "highest"


def test_every_task_has_its_own_level_and_the_programs_of_it():
    traced = []

    @fnet.jit
    def f(x):
        traced.append(fnet.current_precision())
        return x + 1.0

    async def work(level):
        with fnet.precision(level):
            for _ in range(3):
                f(np.ones(2))
                await asyncio.sleep(0)
                assert fnet.current_precision() == level

    async def both():
        await asyncio.gather(work("medium"), work("high"))

    asyncio.run(both())
    assert traced == ["medium", "high"]
    assert fnet.current_precision() == "highest"
