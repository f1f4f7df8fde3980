"""`fnet.kernels.cpu.attention` against the formula with the matrix of weights, in float64, around its blocks."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numba.core import config

from fnet.kernels.cpu import attention as kernels
from fnet.kernels.cpu import attention_operands, philox
from fnet.kernels.cpu.runtime import threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
DTYPES = [np.float32, np.float64]
INF, NAN = np.inf, np.nan
KEY = np.array([7, 11], np.uint32)
INTERPRETED = bool(config.DISABLE_JIT)
# Around a vector and a panel of queries, a block of queries, a block of keys.
QUERIES = [0, 1, 2, 3, 16, 17, 33] if INTERPRETED else [0, 1, 2, 3, 8, 16, 17, 32, 33, 63, 64, 65, 130]
KEYS = [0, 1, 5, 33] if INTERPRETED else [0, 1, 5, 28, 64, 127, 128, 129, 300]
DEPTHS = [1, 8, 17, 32, 33]
MASKS = ["none", "keys", "heads", "all"]
# Several blocks of each kind, and the smallest that a causal mask matters for.
LARGE = {"b": 1, "t": QUERIES[-1], "s": KEYS[-1], "h": 2, "d": 33, "e": 17, "seed": 0}
SMALL = {**LARGE, "t": 2, "s": 2, "mask": "none", "rate": 0.0, "causal": True}


class Problem:
    """Random inputs, and the kernels' results for them."""

    def __init__(self, b=1, t=1, s=1, h=1, d=4, e=4, dtype=np.float64, causal=False, mask="none", rate=0.0, seed=0):
        rng = np.random.default_rng(seed)
        self.causal, self.rate, self.scale = causal, rate, 1 / math.sqrt(d)
        shapes = {"q": (b, t, h, d), "k": (b, s, h, d), "v": (b, s, h, e), "g": (b, t, h, e)}
        self.q, self.k, self.v, self.g = (rng.normal(size=shape).astype(dtype) for shape in shapes.values())
        sizes = {"none": None, "keys": (b, 1, 1, s), "heads": (1, h, 1, s), "all": (b, h, t, s)}[mask]
        self.mask = None if sizes is None else rng.random(sizes) < 0.6

    @property
    def sizes(self):
        (b, t, h, d), s, e = self.q.shape, self.k.shape[1], self.v.shape[3]
        return b, h, t, s, d, e

    def layout(self, slot, tasks=7):
        b, h, t, s, d, e = self.sizes
        mask, steps = np.ones((1, 1, 1, 1), bool) if self.mask is None else self.mask, {}
        for name, x in (("q", self.q), ("k", self.k), ("v", self.v)):
            steps |= {f"{name}_{axis}": x.strides[i] // x.itemsize for i, axis in enumerate(("batch", "time", "head"))}
        for i, axis in enumerate(("batch", "head", "query", "key")):
            steps[f"mask_{axis}"] = 0 if self.mask is None else np.broadcast_to(mask, (b, h, t, s)).strides[i]
        layout = attention_operands.LAYOUT.array(
            batch=b, heads=h, queries=t, keys=s, depth=d, value_depth=e, causal=self.causal, tasks=tasks, slot=slot,
            masked=self.mask is not None, dropped=self.rate > 0, shared_words=0, own_words=0, **steps,
        )  # fmt: skip
        numbers = np.array([self.scale * math.log2(math.e), self.scale, self.rate, math.log2(math.e)], self.q.dtype)
        return [flat(x) for x in (self.q, self.k, self.v)] + [mask.ravel(), KEY, numbers], layout

    def forward(self):
        b, h, t, s, d, e = self.sizes
        slot = attention_operands.forward_slot(t, s, d, self.q.dtype)
        arguments, layout = self.layout(slot)
        o, logsum, scratch = (Guarded(n, self.q.dtype) for n in (b * t * h * e, b * h * t, 7 * slot))
        kernels.attention(*arguments, o.array, logsum.array, scratch.array, np.zeros(1, self.q.dtype), layout)
        return o.checked((b, t, h, e)), logsum.checked((b, h, t)), scratch.checked(-1)

    def backward(self):
        b, h, t, s, d, e = self.sizes
        o, logsum, _ = self.forward()
        slot = attention_operands.backward_slot(d, e, self.q.dtype)
        arguments, layout = self.layout(slot)
        sizes = (b * t * h * d, b * s * h * d, b * s * h * e, 7 * slot)
        dq, dk, dv, scratch = (Guarded(n, self.q.dtype) for n in sizes)
        rest = (dq.array, dk.array, dv.array, scratch.array, np.zeros(1, self.q.dtype))
        kernels.attention_vjp(*arguments, o.ravel(), logsum.ravel(), self.g.ravel(), *rest, layout)
        scratch.checked(-1)
        return dq.checked((b, t, h, d)), dk.checked((b, s, h, d)), dv.checked((b, s, h, e))

    def kept(self):
        """What dropout multiplies weights by: from words of the key's stream, keys counted up to a multiple of 4."""
        b, h, t, s, _, _ = self.sizes
        words = np.empty(b * h * t * -(-s // 4) * 4, np.uint32)
        philox.random_bits(KEY, words, words.size)
        uniform = (words >> 8).astype(np.float64) / 2**24
        keep = np.where(uniform < np.float32(self.rate), 0, 1 / max(1 - self.rate, 1e-9))
        return keep.reshape(b, h, t, -(-s // 4) * 4)[..., :s]

    def reference(self):
        """Output, log-sum-exp to base 2, and gradients, in float64."""
        b, h, t, s, _, _ = self.sizes
        q, k, v, g = (x.astype(np.float64) for x in (self.q, self.k, self.v, self.g))
        visible = np.ones((b, h, t, s), bool) if self.mask is None else np.broadcast_to(self.mask, (b, h, t, s))
        visible = visible & np.tri(t, s, dtype=bool) if self.causal else visible
        scores = np.where(visible, np.einsum("bthd,bshd->bhts", q, k) * self.scale, -INF)
        top = scores.max(-1, keepdims=True, initial=-INF)
        e = np.exp(scores - np.where(np.isinf(top), 0, top))
        total = e.sum(-1, keepdims=True)
        w, kept = e / np.where(total == 0, 1, total), self.kept() if self.rate else 1.0
        o = np.einsum("bhts,bshe->bthe", w * kept, v)
        slopes = np.einsum("bthe,bshe->bhts", g, v) * kept
        slopes = w * (slopes - (slopes * w).sum(-1, keepdims=True)) * self.scale
        gradients = (
            np.einsum("bhts,bshd->bthd", slopes, k),
            np.einsum("bhts,bthd->bshd", slopes, q),
            np.einsum("bhts,bthe->bshe", w * kept, g),
        )
        logsum = (np.where(np.isinf(top), 0, top) + np.log(total))[..., 0] * math.log2(math.e)
        return o, logsum, gradients


class Guarded:
    """A flat array between elements that must stay as they are."""

    def __init__(self, size, dtype):
        self.memory = np.full(size + 128, 77, dtype)
        self.array = self.memory[64 : 64 + size]

    def checked(self, shape):
        assert (self.memory[:64] == 77).all()
        assert (self.memory[64 + self.array.size :] == 77).all()
        return self.array.reshape(shape)


def flat(x):
    """The memory that a view of rows strides through, from its first element on."""
    if x.flags.c_contiguous or x.size == 0:
        return x.ravel()
    extent = 1 + sum((n - 1) * s // x.itemsize for n, s in zip(x.shape, x.strides, strict=True))
    return np.lib.stride_tricks.as_strided(x, (extent,), (x.itemsize,))


def assert_close(result, expected, terms=1):
    """`terms`: how many products of unit size a result sums, which may cancel."""
    eps = np.finfo(result.dtype).eps
    np.testing.assert_allclose(result, expected, rtol=200 * eps, atol=(60 + 8 * terms) * eps)


@settings(deadline=None, max_examples=40 if INTERPRETED else 150)
@given(
    b=st.integers(1, 2), t=st.sampled_from(QUERIES), s=st.sampled_from(KEYS), h=st.integers(1, 3),
    d=st.sampled_from(DEPTHS), e=st.sampled_from(DEPTHS), dtype=st.sampled_from(DTYPES), causal=st.booleans(),
    mask=st.sampled_from(MASKS), rate=st.sampled_from([0.0, 0.0, 0.4, 1.0]), seed=st.integers(0, 99),
)  # fmt: skip
@example(**LARGE, dtype=np.float32, causal=False, mask="all", rate=0.0)
@example(**LARGE, dtype=np.float64, causal=True, mask="none", rate=0.4)
@example(**SMALL, dtype=np.float32)
def test_output_and_gradients_are_those_of_the_formula(b, t, s, h, d, e, dtype, causal, mask, rate, seed):
    problem = Problem(b, t, s, h, d, e, dtype, causal, mask, rate, seed)
    o, logsum, gradients = problem.reference()
    result, sums, _ = problem.forward()
    assert_close(result, o)
    assert_close(sums, logsum)
    for got, expected in zip(problem.backward(), gradients, strict=True):
        assert_close(got, expected, d + e)


@pytest.mark.parametrize("dtype", DTYPES)
def test_operands_may_be_slices_of_one_array(dtype):
    problem = Problem(2, 20, 20, 2, 8, 8, dtype, causal=True)
    expected = (problem.forward()[0], *problem.backward())
    packed = np.stack([problem.q, problem.k, problem.v], axis=2)
    problem.q, problem.k, problem.v = (packed[:, :, i] for i in range(3))
    for got, wanted in zip((problem.forward()[0], *problem.backward()), expected, strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("causal", [False, True])
def test_bits_do_not_depend_on_the_number_of_threads(dtype, causal):
    size = (2, 40, 40, 3, 8, 8) if INTERPRETED else (3, 130, 150, 5, 32, 32)
    problem, before, results = Problem(*size, dtype, causal, rate=0.2), threads.thread_count(), []
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            results.append((problem.forward()[0], *problem.backward()))
    finally:
        threads.set_thread_count(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("dtype", DTYPES)
def test_laws(dtype):
    one = Problem(2, 5, 1, 2, 8, 3, dtype)
    np.testing.assert_array_equal(one.forward()[0], np.broadcast_to(one.v, (2, 5, 2, 3)))
    problem = Problem(1, 40, 37, 2, 8, 8, dtype)
    o, order = problem.forward()[0], np.random.default_rng(1).permutation(40)
    problem.q = np.ascontiguousarray(problem.q[:, order])
    np.testing.assert_array_equal(problem.forward()[0], o[:, order])
    shuffled = np.random.default_rng(2).permutation(37)
    problem.k, problem.v = (np.ascontiguousarray(x[:, shuffled]) for x in (problem.k, problem.v))
    assert_close(problem.forward()[0], o[:, order])


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_future_changes_no_bit_of_the_past(dtype):
    problem, later = Problem(1, 40, 40, 1, 8, 8, dtype, causal=True), Problem(1, 40, 40, 1, 8, 8, dtype, seed=1)
    before = problem.forward()[0]
    problem.k[:, 21:], problem.v[:, 21:] = later.k[:, 21:], later.v[:, 21:]
    after = problem.forward()[0]
    np.testing.assert_array_equal(after[:, :21], before[:, :21])
    assert (after[:, 21:] != before[:, 21:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_query_that_sees_nothing_gives_zeros(dtype):
    problem = Problem(1, 5, 130, 1, 8, 8, dtype, mask="all")
    problem.mask[0, 0, 2] = False
    problem.mask[0, 0, 3, :129] = False  # only the second block of keys is seen
    problem.mask[0, 0, 3, 129] = True
    o, logsum, _ = problem.forward()
    np.testing.assert_array_equal(o[0, 2], 0)
    np.testing.assert_array_equal(o[0, 3], problem.v[0, 129])
    assert logsum[0, 0, 2] == -INF
    for got, expected in zip(problem.backward(), problem.reference()[2], strict=True):
        assert_close(got, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_extreme_scores(dtype):
    problem = Problem(1, 4, 3, 1, 1, 2, dtype)
    problem.q[0, :, 0, 0] = [1e4, -1e4, 0, np.finfo(dtype).max / 4]
    problem.k[0, :, 0, 0] = [1, -1, 0.5]
    o = problem.forward()[0]
    np.testing.assert_array_equal(o[0, [0, 1, 3]], problem.v[0, [0, 1, 0]])
    assert_close(o, problem.reference()[0])
    assert all(np.isfinite(x).all() for x in problem.backward())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [NAN, INF])
def test_what_is_not_finite_stays_in_sight_and_in_its_row(dtype, bad):
    clean = Problem(2, 5, 6, 2, 4, 3, dtype)
    for name, where in (("q", (1, 2, 0, 1)), ("k", (1, 3, 0, 1)), ("v", (1, 3, 0, 1))):
        problem = Problem(2, 5, 6, 2, 4, 3, dtype)
        getattr(problem, name)[where] = bad
        o, expected = problem.forward()[0], clean.forward()[0]
        touched = np.zeros(o.shape, bool)
        touched[{"q": (1, 2, 0), "k": (1, slice(None), 0), "v": (1, slice(None), 0, 1)}[name]] = True
        np.testing.assert_array_equal(o[~touched], expected[~touched])
        assert (~np.isfinite(o[touched])).any() if bad == INF else np.isnan(o[touched]).all()
        assert any(np.isnan(x).any() for x in problem.backward()) or bad == INF


@pytest.mark.parametrize("dtype", DTYPES)
def test_weights_are_accurate(dtype):
    """One-hot values make the output the weights themselves."""
    problem = Problem(1, 16, 24, 1, 1, 24, dtype)
    problem.q[0, :, 0, 0] = np.linspace(-4, 4, 16)
    problem.k[0, :, 0, 0] = np.linspace(-20, 20, 24)
    problem.v[0, :, 0] = np.eye(24)
    weights = problem.forward()[0][0, :, 0]
    expected, eps = problem.reference()[0][0, :, 0], np.finfo(dtype).eps
    scores = np.abs(np.outer(problem.q, problem.k))  # whose rounding a weight shows as a relative error
    allowed = 2 * eps * (4 + scores + scores.max(-1, keepdims=True)) * expected + np.finfo(dtype).tiny
    assert (np.abs(weights - expected) <= allowed).all()
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=8 * eps)
