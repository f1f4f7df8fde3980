"""Draws against the words they are made from, in plain Python, and against their distributions."""

from __future__ import annotations

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fnet
from fnet import random
from fnet.errors import DtypeError, ShapeError, TracingError, ValueRangeError

KEY = random.key(2024)
SEEDS = st.integers(-(2**63), 2**64 - 1)
QUICK = settings(deadline=None, max_examples=30)


def words64(key: Any, n: int) -> list[int]:
    """The key's stream as n 64-bit integers."""
    words = random.bits(key, (2 * n,)).tolist()
    return [(high << 32) | low for high, low in zip(words[::2], words[1::2], strict=True)]


@given(SEEDS)
@QUICK
def test_a_key_is_the_seed_in_two_words(seed: int) -> None:
    low, high = random.key(seed).tolist()
    assert (high << 32) + low == seed % 2**64
    assert random.key(seed).dtype == np.uint32


@given(SEEDS, st.integers(0, 9))
@QUICK
def test_split_and_fold_in_give_distinct_keys(seed: int, n: int) -> None:
    key = random.key(seed)
    children = [tuple(k.tolist()) for k in random.split(key, n)]
    children += [tuple(random.fold_in(key, i).tolist()) for i in range(-3, n)]
    children += [tuple(key.tolist()), tuple(random.bits(key, (2,)).tolist())]
    assert len(set(children)) == len(children)


def test_fold_in_takes_any_integer() -> None:
    expected = random.fold_in(KEY, 5)
    for data in (np.int64(5), np.uint8(5), np.array(5), np.array([5], "int32"), 5 + 2**64 - 2**64):
        np.testing.assert_array_equal(random.fold_in(KEY, data), expected)
    np.testing.assert_array_equal(random.fold_in(KEY, -1), random.fold_in(KEY, np.uint64(2**64 - 1)))


@given(SEEDS, st.integers(0, 11))
@QUICK
def test_uniform_is_the_leading_bits(seed: int, n: int) -> None:
    key = random.key(seed)
    np.testing.assert_array_equal(random.uniform(key, n), (random.bits(key, n) >> 8) * np.float32(2.0**-24))
    expected = [(w >> 11) * 2.0**-53 for w in words64(key, n)]
    np.testing.assert_array_equal(random.uniform(key, (n,), "float64"), expected)


@given(SEEDS, st.integers(0, 11), st.integers(-(2**63), 2**63 - 1), st.integers(1, 2**63 - 1))
@example(1, 11, -(2**62), 2**63 - 1)
@example(2, 45, -7, 2**40)
@QUICK
def test_randint_is_the_scaled_word(seed: int, n: int, low: int, span: int) -> None:
    key, high = random.key(seed), min(low + span, 2**63)
    drawn = random.randint(key, (n,), low, high)
    assert drawn.dtype == np.int64
    assert drawn.tolist() == [low + (w * (high - low) >> 64) for w in words64(key, n)]


@given(SEEDS, st.integers(0, 12))
@example(1, 2051)
@QUICK
def test_permutation_is_a_shuffle_by_the_words(seed: int, n: int) -> None:
    key = random.key(seed)
    expected = list(range(n))
    for i, w in enumerate(words64(key, n)):
        j = w * (i + 1) >> 64
        expected[i], expected[j] = expected[j], expected[i]
    drawn = random.permutation(key, n)
    assert drawn.dtype == np.int64 and drawn.tolist() == expected
    rows = np.arange(3.0 * n).reshape(n, 3)
    np.testing.assert_array_equal(random.permutation(key, rows), rows[drawn])


def test_permutations_are_equally_likely() -> None:
    counts: dict[tuple, int] = {}
    for child in random.split(KEY, 6000):
        order = tuple(random.permutation(child, 3).tolist())
        counts[order] = counts.get(order, 0) + 1
    assert len(counts) == 6
    assert sum((c - 1000) ** 2 / 1000 for c in counts.values()) < 20.5  # 0.1 % quantile of chi squared, 5 degrees


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("low", "high"), [(-3.0, 5.0), (1.0, 1.0000001), (1e6, 1e6 + 1), (0.0, 0.0)])
def test_uniform_stays_in_its_range(dtype: str, low: float, high: float) -> None:
    x = random.uniform(KEY, (5000,), dtype, low, high)
    low, high = np.array([low, high], dtype)
    assert x.dtype == dtype and np.all(x >= low) and (np.all(x < high) or low == high)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_moments_and_quantiles(dtype: str) -> None:
    n = 20000
    u, z = random.uniform(KEY, n, dtype, -1, 3), random.normal(KEY, n, dtype, 2.0, 0.5)
    assert abs(u.mean() - 1) < 4 * math.sqrt(16 / 12 / n)
    assert abs(z.mean() - 2) < 4 * 0.5 / math.sqrt(n)
    assert abs(z.std() - 0.5) < 4 * 0.5 / math.sqrt(2 * n)
    assert z.dtype == u.dtype == np.dtype(dtype)
    for probability in (0.01, 0.3, 0.9):
        share = np.mean(z < NormalDist(2, 0.5).inv_cdf(probability))
        assert abs(share - probability) < 4 * math.sqrt(probability * (1 - probability) / n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("lower", "upper"), [(-2.0, 2.0), (-1.0, 0.5), (3.0, 4.0), (-40.0, -8.0), (9.0, 50.0)])
def test_truncated_normal_is_the_conditioned_normal(dtype: str, lower: float, upper: float) -> None:
    n = 4000
    x = random.truncated_normal(KEY, n, dtype, lower, upper)
    assert x.dtype == dtype
    assert np.all(x >= lower - 1e-6 * abs(lower)) and np.all(x <= upper + 1e-6 * abs(upper))
    sign = -1.0 if lower > 0 else 1.0  # probabilities of the left tail keep their digits
    mass = [0.5 * math.erfc(-sign * b / math.sqrt(2)) for b in (lower, upper)]
    ranks = np.array(
        [(0.5 * math.erfc(-sign * v / math.sqrt(2)) - mass[0]) / (mass[1] - mass[0]) for v in x.astype(float)]
    )
    distance = np.max(np.abs(np.sort(ranks) - (np.arange(n) + 0.5) / n))
    assert distance < 1.95 / math.sqrt(n)  # Kolmogorov, 0.1 %


def test_bernoulli_has_its_probability() -> None:
    p = np.array([0.0, 0.25, 1.0])
    drawn = random.bernoulli(KEY, p, (4000, 3))
    assert drawn.dtype == bool
    share = drawn.mean(axis=0)
    assert share[0] == 0 and share[2] == 1 and abs(share[1] - 0.25) < 4 * math.sqrt(0.1875 / 4000)
    assert random.bernoulli(KEY, p).shape == (3,) and random.bernoulli(KEY, 1).item() is True


def test_categorical_has_the_probabilities_of_softmax() -> None:
    logits = np.array([1.0, -np.inf, 3.0, 2.0])
    probabilities = np.exp(logits) / np.sum(np.exp(logits))
    n = 8000
    drawn = random.categorical(KEY, np.broadcast_to(logits, (n, 4)))
    assert drawn.dtype == np.int64 and drawn.shape == (n,)
    share = np.bincount(drawn, minlength=4) / n
    assert share[1] == 0
    assert np.all(np.abs(share - probabilities) <= 4 * np.sqrt(probabilities * (1 - probabilities) / n))
    along = random.categorical(KEY, np.tile(logits[:, None].astype("float32"), (1, 5)), axis=0)
    assert along.shape == (5,)


def follows(x: np.ndarray, below: Any) -> None:
    """Whether numbers follow a distribution with this probability of numbers below."""
    ranks = np.sort([below(float(v)) for v in x])
    assert np.max(np.abs(ranks - (np.arange(len(x)) + 0.5) / len(x))) < 1.95 / math.sqrt(len(x))  # Kolmogorov, 0.1 %


def test_gamma_of_whole_numbers_is_a_sum_of_waiting_times() -> None:
    for shape in (1, 4):
        x = random.gamma(KEY, float(shape), 3000, "float64")
        follows(x, lambda v, k=shape: 1 - math.exp(-v) * sum(v**i / math.factorial(i) for i in range(k)))
    half = random.gamma(KEY, 0.5, 3000, "float64")  # half the square of a normal number
    follows(half, lambda v: math.erf(math.sqrt(v)))
    large = random.gamma(KEY, np.full(3000, 1e6))
    assert large.dtype == np.float32 and abs(large.astype("float64").mean() / 1e6 - 1) < 4e-3 / math.sqrt(3000)
    tiny = random.gamma(KEY, 1e-3, 50)  # most are too small for float32
    assert np.isfinite(tiny).all() and np.count_nonzero(tiny) < 25


def test_beta() -> None:
    follows(random.beta(KEY, 1.0, 1.0, 3000, "float64"), lambda v: v)
    follows(random.beta(KEY, 0.5, 0.5, 3000, "float64"), lambda v: 2 / math.pi * math.asin(math.sqrt(v)))
    follows(random.beta(KEY, 3.0, 1.0, 3000, "float64"), lambda v: v**3)
    ends = random.beta(KEY, 1e-3, np.full(400, 1e-3), dtype="float64")
    assert abs(np.mean(ends > 0.5) - 0.5) < 0.1 and np.isfinite(ends).all()


@pytest.mark.parametrize(("count", "p"), [(1, 0.3), (64, 0.9), (65, 0.4), (1000, 0.02)])
def test_binomial(count: int, p: float) -> None:
    n = 12000
    x = random.binomial(KEY, count, p, n).astype(int)
    chances = np.array([math.comb(count, k) * p**k * (1 - p) ** (count - k) for k in range(count + 1)])
    below = np.cumsum(np.bincount(x, minlength=count + 1)) / n
    assert np.max(np.abs(below - np.cumsum(chances))) < 1.95 / math.sqrt(n)
    assert abs(x.mean() - count * p) < 4 * math.sqrt(count * p * (1 - p) / n)


def test_binomial_at_the_ends_and_of_many_trials() -> None:
    x = random.binomial(KEY, np.array([0, 7, 7, 300, 300]), np.array([0.5, 0.0, 1.0, 0.0, 1.0]))
    assert x.tolist() == [0, 0, 7, 0, 300]
    many = random.binomial(KEY, 10**9, 0.25, 500, "float64")
    assert abs(many.mean() - 0.25e9) < 4 * math.sqrt(0.1875e9 / 500)
    assert many.std() == pytest.approx(math.sqrt(0.1875e9), rel=0.15)


@pytest.mark.parametrize("shape", [(4, 4), (6, 3), (3, 6), (2, 3, 4), (1, 5), (5, 1)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_orthogonal(shape: tuple[int, ...], dtype: str) -> None:
    q = random.orthogonal(KEY, shape, 2.0, dtype)
    assert q.shape == shape and q.dtype == dtype
    matrix = q.reshape(-1, shape[-1]).astype("float64") / 2
    product = matrix.T @ matrix if matrix.shape[0] >= matrix.shape[1] else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-6 if dtype == "float32" else 1e-14)


def test_orthogonal_is_the_q_of_a_normal_matrix() -> None:
    columns = random.normal(KEY, (3, 5), "float64")
    q, r = np.linalg.qr(columns.T)
    np.testing.assert_allclose(random.orthogonal(KEY, (5, 3), 1.0, "float64"), q * np.sign(np.diag(r)), atol=1e-13)


DRAWS = {
    "split": lambda k: random.split(k, 3),
    "fold_in": lambda k: random.fold_in(k, 9),
    "bits": lambda k: random.bits(k, (5,)),
    "uniform": lambda k: random.uniform(k, (2, 3), low=-1.0),
    "normal": lambda k: random.normal(k, (2, 3), "float64", 1.0, 2.0),
    "truncated_normal": lambda k: random.truncated_normal(k, (4,), "float64"),
    "bernoulli": lambda k: random.bernoulli(k, 0.5, (7,)),
    "randint": lambda k: random.randint(k, (5,), -3, 9),
    "permutation": lambda k: random.permutation(k, 6),
    "permutation of rows": lambda k: random.permutation(k, np.arange(6.0).reshape(3, 2)),
    "categorical": lambda k: random.categorical(k, np.zeros((4, 3))),
    "orthogonal": lambda k: random.orthogonal(k, (3, 2)),
    "gamma": lambda k: random.gamma(k, np.array([0.5, 2.0])),
    "beta": lambda k: random.beta(k, 2.0, np.array([0.5, 3.0])),
    "binomial": lambda k: random.binomial(k, np.array([100, 70]), 0.5),
}


@pytest.mark.parametrize("draw", DRAWS.values(), ids=DRAWS)
def test_traced_keys_give_the_same_numbers(draw: Any) -> None:
    eager, compiled = draw(KEY), fnet.jit(draw)(KEY)
    assert eager.dtype == compiled.dtype
    if eager.dtype.kind == "f":
        np.testing.assert_allclose(compiled, eager, rtol=1e-6)
    else:
        np.testing.assert_array_equal(compiled, eager)
    spec = fnet.eval_shape(draw, KEY)
    assert (spec.shape, spec.dtype) == (eager.shape, eager.dtype)
    other = draw(random.key(1))
    assert not np.array_equal(eager, other)


def test_a_traced_count_folds_in() -> None:
    np.testing.assert_array_equal(fnet.jit(random.fold_in)(KEY, np.int64(4)), random.fold_in(KEY, 4))


def test_normal_is_differentiable_in_mean_and_deviation() -> None:
    z = random.normal(KEY, (4,), "float64")
    gradient = fnet.grad(lambda m, s: np.sum(random.normal(KEY, (4,), "float64", m, s)), argnums=(0, 1))(1.0, 2.0)
    np.testing.assert_allclose(gradient, [4, z.sum()])


NOT_A_KEY = r"a key is a uint32 array of shape \(2,\), received {}\. Make one with fnet\.random\.key\(seed\)"
ERRORS: list[tuple[Any, type, str]] = [
    (lambda: random.key(1.5), DtypeError, r"a seed is an integer, received float 1\.5"),
    (lambda: random.key("a"), DtypeError, r"a seed is an integer, received str 'a'"),
    (lambda: random.key(True), DtypeError, r"a seed is an integer, received bool True"),
    (lambda: random.key(2**64), ValueRangeError, r"a seed has 64 bits: .*received 18446744073709551616"),
    (lambda: random.uniform(0, (2,)), DtypeError, NOT_A_KEY.format("int 0")),
    (lambda: random.normal(None, (2,)), DtypeError, NOT_A_KEY.format("NoneType None")),
    (lambda: random.bits(np.zeros(2), (2,)), DtypeError, NOT_A_KEY.format(r"float64\[2\]")),
    (lambda: random.split(random.split(KEY)), DtypeError, NOT_A_KEY.format(r"uint32\[2, 2\]")),
    (lambda: random.split(KEY, -1), ShapeError, r"split: sizes must not be negative, received -1"),
    (lambda: random.bits(KEY, (2, -3)), ShapeError, r"shape: sizes must not be negative, received -3"),
    (lambda: random.bits(KEY, (2.5,)), DtypeError, r"shape: expected an integer, received float 2\.5"),
    (lambda: random.permutation(KEY, -1), ShapeError, r"permutation: sizes must not be negative, received -1"),
    (
        lambda: random.permutation(KEY, np.array(1.5)),
        ShapeError,
        r"permutation: expected an integer or an array with an",
    ),
    (lambda: random.fold_in(KEY, 0.5), DtypeError, r"fold_in: data is one integer, received float 0\.5"),
    (lambda: random.fold_in(KEY, np.arange(2)), DtypeError, r"fold_in: data is one integer, received int64\[2\]"),
    (lambda: random.uniform(KEY, (), "int32"), DtypeError, r"uniform: expected float32 or float64, received int32"),
    (lambda: random.normal(KEY, (), "float16"), DtypeError, r"element type float16 is not supported"),
    (
        lambda: random.truncated_normal(KEY, (), lower=2, upper=1),
        ValueRangeError,
        r"expected lower < upper, received 2",
    ),
    (lambda: random.truncated_normal(KEY, (), lower=60, upper=61), ValueRangeError, r"too narrow or too far out"),
    (lambda: random.bernoulli(KEY, 1.5), ValueRangeError, r"bernoulli: p is a probability, .*received 1\.5"),
    (lambda: random.bernoulli(KEY, np.nan), ValueRangeError, r"bernoulli: p is a probability"),
    (lambda: random.randint(KEY, (), 3, 3), ValueRangeError, r"randint: expected low < high, received 3 and 3"),
    (
        lambda: random.randint(KEY, (), 0, 2**63 + 1),
        ValueRangeError,
        r"randint: the range \[0, .*does not fit in int64",
    ),
    (lambda: random.randint(KEY, (), 0, 0.5), DtypeError, r"randint: expected an integer, received float 0\.5"),
    (lambda: random.gamma(KEY, 0.0), ValueRangeError, r"gamma: expected alpha > 0, received 0\.0"),
    (lambda: random.beta(KEY, 1.0, [-1.0]), ValueRangeError, r"beta: expected b > 0, received \[-1\.\]"),
    (lambda: random.binomial(KEY, 2.5, 0.5), ValueRangeError, r"binomial: expected counts as integers >= 0, received"),
    (lambda: random.binomial(KEY, 2, 1.5), ValueRangeError, r"binomial: p is a probability, expected 0 <= p <= 1"),
    (lambda: fnet.jit(lambda n: random.binomial(KEY, n, 0.5))(np.array(2)), TracingError, "counts must be known"),
    (lambda: random.categorical(KEY, 1.0), ShapeError, r"categorical: expected logits with at least one axis"),
    (
        lambda: random.orthogonal(KEY, (3,)),
        ShapeError,
        r"orthogonal: expected a shape with at least two axes, .*\(3,\)",
    ),
    (lambda: fnet.jit(lambda n: random.bits(KEY, (n,)))(3), TracingError, r"sizes and bounds must be static, received"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
