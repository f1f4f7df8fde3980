"""The cipher against published vectors and NumPy's own Philox; the distributions against their definitions."""

from __future__ import annotations

from itertools import product
from statistics import NormalDist
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fnet.kernels.cpu import philox as kernels
from fnet.kernels.cpu.scalars import normal_of_word_f32, normal_of_words_f64, philox4x32, truncated_quantile_f64
from fnet.kernels.cpu.vector.cipher import store_words
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel

STREAMS = {"bits": 0, "split": 1, "fold": 2}
# multipliers and key increments by word size (Random123, philox.h)
CONSTANTS = {
    32: (0xD2511F53, 0xCD9E8D57, 0x9E3779B9, 0xBB67AE85),
    64: (0xD2E7470EE14C6C93, 0xCA5A826395121157, 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B),
}
# counter, key, result (Random123, kat_vectors, philox4x32 with 10 rounds)
KNOWN_ANSWERS = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000", "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff", "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0", "d16cfe09 94fdcceb 5001e420 24126ea1"),
]
WORD = st.integers(0, 2**32 - 1) | st.sampled_from([0, 1, 2**31, 2**32 - 1])
KEYS = st.tuples(WORD, WORD)
SIZES = st.integers(0, 21) | st.sampled_from([32, 47, 70])  # numbers of one block, of several, of vectors of them
DTYPES = [np.float32, np.float64]


def reference(counter: Any, key: Any, bits: int = 32) -> tuple[int, int, int, int]:
    """Philox4x`bits` with ten rounds, in Python integers."""
    m0, m1, w0, w1 = CONSTANTS[bits]
    low = (1 << bits) - 1
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p, q = m0 * c0, m1 * c2
        c0, c1, c2, c3 = (q >> bits) ^ c1 ^ k0, q & low, (p >> bits) ^ c3 ^ k1, p & low
        k0, k1 = (k0 + w0) & low, (k1 + w1) & low
    return c0, c1, c2, c3


def words(key: Any, n: int, stream: str = "bits") -> list[int]:
    """The first n words of a stream."""
    blocks = [reference((b, 0, 0, STREAMS[stream]), key) for b in range((n + 3) // 4)]
    return [word for one in blocks for word in one][:n]


@kernel
def cipher(counter, key, out):
    c0, c1, c2, c3 = np.uint64(counter[0]), np.uint64(counter[1]), np.uint64(counter[2]), np.uint64(counter[3])
    w = philox4x32(c0, c1, c2, c3, np.uint64(key[0]), np.uint64(key[1]))
    out[0], out[1], out[2], out[3] = w[0], w[1], w[2], w[3]


def u32(values: Any) -> np.ndarray:
    return np.array(values, np.uint32)


def draw(name: str, key: Any, n: int, *more: Any) -> np.ndarray:
    """n numbers of kernel `name`, written before a sentinel that must survive."""
    dtype = {"bits": np.uint32, "f32": np.float32, "f64": np.float64}[name.rsplit("_", 1)[1]]
    out = np.full(n + 1, 77, dtype)
    with np.errstate(divide="ignore", invalid="ignore"):  # warned about where the kernel runs as plain Python
        getattr(kernels, name)(u32(key), out, n, *more)
    assert out[n] == 77
    return out[:n]


def probability(x: float) -> np.ndarray:
    return np.array([NormalDist().cdf(x)])


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN_ANSWERS)
def test_known_answers(counter: str, key: str, expected: str) -> None:
    c, k, e = ([int(word, 16) for word in text.split()] for text in (counter, key, expected))
    out = np.zeros(4, np.uint32)
    cipher(u32(c), u32(k), out)
    assert out.tolist() == e == list(reference(c, k))


@given(st.tuples(*[st.integers(0, 2**64 - 1)] * 2), st.integers(0, 2**256 - 2))
def test_the_reference_with_64_bits_is_numpys_philox(key: tuple[int, int], counter: int) -> None:
    raw = np.random.Philox(counter=counter, key=key[0] | key[1] << 64).random_raw(4)
    following = [(counter + 1) >> (64 * i) & (2**64 - 1) for i in range(4)]
    assert raw.tolist() == list(reference(following, key, bits=64))


@settings(deadline=None)
@given(st.tuples(*[WORD] * 4), KEYS)
def test_the_cipher_is_the_reference(counter: tuple, key: tuple) -> None:
    out = np.zeros(4, np.uint32)
    cipher(u32(counter), u32(key), out)
    assert out.tolist() == list(reference(counter, key))


@settings(deadline=None)
@given(KEYS, SIZES)
def test_random_bits(key: tuple, n: int) -> None:
    assert draw("random_bits", key, n).tolist() == words(key, n)


@kernel
def late_words(first, out, n):
    store_words(at(out, 0), first, n, 1, 2)


@pytest.mark.parametrize("first", [0, 5, 2**32 - 3])
def test_words_from_a_block_on(first: int) -> None:
    out = np.full(71, 77, np.uint32)
    late_words(first, out, 70)
    blocks = [reference((b & (2**32 - 1), b >> 32, 0, 0), (1, 2)) for b in range(first, first + 18)]
    assert out.tolist() == [*[word for one in blocks for word in one][:70], 77]


@settings(deadline=None)
@given(KEYS, SIZES)
def test_split(key: tuple, n: int) -> None:
    out = np.full(2 * n + 1, 77, np.uint32)
    kernels.split(u32(key), out, n)
    expected = [word for j in range(n) for word in reference((j, 0, 0, STREAMS["split"]), key)[:2]]
    assert out.tolist() == [*expected, 77]


@settings(deadline=None)
@given(KEYS, st.integers(-(2**63), 2**63 - 1))
@example((1, 2), -1)
@example((1, 2), 2**32)
def test_fold_in(key: tuple, data: int) -> None:
    out = np.zeros(2, np.uint32)
    kernels.fold_in(u32(key), np.array([data]), out)
    low, high = data & (2**32 - 1), data >> 32 & (2**32 - 1)
    assert out.tolist() == list(reference((low, high, 0, STREAMS["fold"]), key)[:2])
    if 0 <= data < 2**32:
        again = np.zeros(2, np.uint32)
        kernels.fold_in(u32(key), u32([data]), again)
        assert again.tolist() == out.tolist()


def test_streams_and_children_do_not_meet() -> None:
    """Over many counters, no 64-bit pair occurs twice in drawn bits, split children and folded children."""
    key, n = u32([3, 4]), 3000
    bits, children, folded = draw("random_bits", key, 2 * n), np.zeros(2 * n, np.uint32), np.zeros((n, 2), np.uint32)
    kernels.split(key, children, n)
    for j in range(n):
        kernels.fold_in(key, np.array([j]), folded[j])
    pairs = np.concatenate([bits.reshape(n, 2), children.reshape(n, 2), folded])
    assert len(np.unique(pairs, axis=0)) == 3 * n


@settings(deadline=None)
@given(KEYS, SIZES)
def test_uniform(key: tuple, n: int) -> None:
    w = words(key, 2 * n)
    assert draw("uniform_f32", key, n).tolist() == [(word >> 8) / 2**24 for word in w[:n]]
    pairs = zip(w[::2], w[1::2], strict=True)
    assert draw("uniform_f64", key, n).tolist() == [(high << 21 | low >> 11) / 2**53 for high, low in pairs]


def normal_quantile(integer: int, bits: int) -> float:
    """The normal quantile of (integer + 1/2) / 2**bits, mirrored where that is not a float64."""
    half = 1 << (bits - 1)
    if integer >= half:
        return -normal_quantile(2 * half - 1 - integer, bits)
    return NormalDist().inv_cdf((integer + 0.5) / (2 * half))


@settings(deadline=None)
@given(KEYS, SIZES)
def test_normal(key: tuple, n: int) -> None:
    w = words(key, 2 * n)
    single = [normal_quantile(word, 32) for word in w[:n]]
    np.testing.assert_allclose(draw("normal_f32", key, n), single, rtol=2e-6, atol=2e-7)
    double = [normal_quantile(high << 21 | low >> 11, 53) for high, low in zip(w[::2], w[1::2], strict=True)]
    np.testing.assert_allclose(draw("normal_f64", key, n), double, rtol=1e-12, atol=1e-14)


@kernel
def normal_of(high, low, single, double, n):
    for i in range(n):
        single[i] = normal_of_word_f32(high[i])
        double[i] = normal_of_words_f64(high[i], low[i])


@settings(deadline=None)
@given(st.lists(KEYS, min_size=1, max_size=8))
@example([(0, 0), (2**31 - 1, 2**32 - 1)])
def test_normal_is_symmetric_and_finite(pairs: list) -> None:
    """Complementary words give opposite numbers, also the extreme words, where the uniform would round to 0 or 1."""
    w, n = u32(pairs), len(pairs)
    results = []
    for bits in (w, ~w):
        results.append((np.zeros(n, np.float32), np.zeros(n)))
        normal_of(bits[:, 0].copy(), bits[:, 1].copy(), *results[-1], n)
    for x, y in zip(*results, strict=True):
        assert np.isfinite(x).all()
        np.testing.assert_array_equal(x, -y)


def test_normal_reaches_both_tails() -> None:
    w, single, double = u32([0, 2**32 - 1]), np.zeros(2, np.float32), np.zeros(2)
    normal_of(w, w, single, double, 2)
    tail_32, tail_64 = NormalDist().inv_cdf(2.0**-33), NormalDist().inv_cdf(2.0**-54)
    np.testing.assert_allclose(single, [tail_32, -tail_32], rtol=1e-6)
    np.testing.assert_allclose(double, [tail_64, -tail_64], rtol=1e-13)


@settings(deadline=None)
@given(KEYS, SIZES, st.floats(-3, 2), st.floats(0.01, 1))
def test_truncated_normal(key: tuple, n: int, low: float, width: float) -> None:
    high = low + width
    lower, upper = probability(low), probability(high)
    w, normal = words(key, 2 * n), NormalDist()
    pairs = zip(w[::2], w[1::2], strict=True)
    uniform_32 = [(word + 0.5) / 2**32 for word in w[:n]]
    uniform_64 = [((hi << 20 | lo >> 12) + 0.5) / 2**52 for hi, lo in pairs]
    for name, uniform, rtol in (("f32", uniform_32, 1e-6), ("f64", uniform_64, 1e-11)):
        x = draw(f"truncated_normal_{name}", key, n, lower, upper)
        expected = [normal.inv_cdf(lower[0] + (upper[0] - lower[0]) * u) for u in uniform]
        np.testing.assert_allclose(x, expected, rtol=rtol, atol=rtol)
        assert (x >= low - 1e-6).all()
        assert (x <= high + 1e-6).all()


@kernel
def truncated_quantile(u, bounds, out, n):
    for i in range(n):
        out[i] = truncated_quantile_f64(u[i], bounds[0], bounds[1], bounds[2], bounds[3])


def test_truncated_normal_is_clipped_where_rounding_leaves_the_interval() -> None:
    """A uniform just outside [0, 1] stands for the rounding of the probability."""
    bounds, out = np.array([0.25, 0.5, -0.6, 0.1]), np.zeros(4)
    truncated_quantile(np.array([-1e-1, 0.5, 1.0, 1.5]), bounds, out, 4)
    np.testing.assert_allclose(out, [-0.6, NormalDist().inv_cdf(0.375), 0.0, 0.1], atol=1e-12)


@pytest.mark.parametrize("name", ["truncated_normal_f32", "truncated_normal_f64"])
def test_truncated_normal_without_room_or_without_bounds(name: str) -> None:
    point = draw(name, (5, 6), 50, probability(1.5), probability(1.5))
    np.testing.assert_allclose(point, 1.5, rtol=1e-6)
    free = draw(name, (5, 6), 50, np.array([0.0]), np.array([1.0]))
    np.testing.assert_allclose(free, draw(name.replace("truncated_", ""), (5, 6), 50), rtol=1e-5, atol=1e-6)


FAMILIES = ("uniform", "normal", "truncated_normal")
DRAWS = ["random_bits", *(f"{name}_{size}" for name, size in product(FAMILIES, ("f32", "f64")))]


@pytest.mark.parametrize("name", DRAWS)
def test_a_shorter_draw_is_a_prefix_of_a_longer_one(name: str) -> None:
    """Long enough for the vectorised loop: every cut leaves another remainder."""
    more = (probability(-2), probability(2)) if "truncated" in name else ()
    whole = draw(name, (8, 9), 203, *more)
    for n in (0, 1, 2, 3, 64, 101, 198):
        np.testing.assert_array_equal(draw(name, (8, 9), n, *more), whole[:n])


def kolmogorov_smirnov(x: np.ndarray, cdf: Any) -> float:
    """sqrt(n) times the largest distance of x's empirical distribution from `cdf`; above 1.95 in 1 of 1000 draws."""
    p, n = np.array([cdf(v) for v in np.sort(x.astype(float))]), x.size
    steps = np.arange(n + 1) / n
    return float(np.sqrt(n) * max((steps[1:] - p).max(), (p - steps[:-1]).max()))


def truncated_cdf(x: float) -> float:
    low, high = NormalDist().cdf(-2), NormalDist().cdf(2)
    return (NormalDist().cdf(x) - low) / (high - low)


# mean, variance and distribution function of each family
LAWS = {
    "uniform": (0.5, 1 / 12, lambda x: x),
    "normal": (0.0, 1.0, NormalDist().cdf),
    "truncated_normal": (0.0, 0.7737413, truncated_cdf),
}


@pytest.mark.parametrize(("family", "size", "seed"), list(product(LAWS, ("f32", "f64"), (0, 1))))
def test_distribution(family: str, size: str, seed: int) -> None:
    """Moments within four standard errors, the Kolmogorov-Smirnov bound, neighbours uncorrelated."""
    n = 20_000
    mean, variance, cdf = LAWS[family]
    more = (probability(-2), probability(2)) if family == "truncated_normal" else ()
    x = draw(f"{family}_{size}", (seed, 2024), n, *more).astype(float)
    assert abs(x.mean() - mean) < 4 * np.sqrt(variance / n)
    assert abs(x.var() - variance) < 4 * variance * np.sqrt(2 / n)
    assert kolmogorov_smirnov(x, cdf) < 1.95
    for lag in (1, 2, 3, 4):
        assert abs(np.corrcoef(x[:-lag], x[lag:])[0, 1]) < 4 / np.sqrt(n)


def test_neighbouring_keys_are_uncorrelated() -> None:
    x = [draw("uniform_f64", key, 20_000) for key in ((0, 0), (1, 0), (0, 1), (2**31, 0))]
    correlation = np.corrcoef(x) - np.eye(4)
    assert np.abs(correlation).max() < 4 / np.sqrt(20_000)
