"""CTC kernels: enumerated alignments, a reference in log space, impossible and unreadable samples, decoding."""

from __future__ import annotations

import itertools
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fnet.kernels.cpu import ctc as k
from fnet.kernels.cpu import ctc_decode
from fnet.kernels.cpu.runtime import threads

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
INF, NAN = np.inf, np.nan
DTYPES = [np.float32, np.float64]


def run(x, labels, label_lengths, input_lengths, blank=0, slots=2):
    """Losses (B,) and the gradient like x of their sum; the loss alone has the same bits."""
    (batch, frames, classes), width = x.shape, labels.shape[1]
    alone, loss, dx = np.full(batch, 7, x.dtype), np.full(batch, 7, x.dtype), np.full_like(x, 7)
    ints = [np.ascontiguousarray(a, np.int64).reshape(-1) for a in (labels, label_lengths, input_lengths)]
    sizes = (batch, frames, classes, width, blank)
    for size, kernel, outputs in zip(
        k.scratch_size(frames, classes, width),
        (k.ctc_loss, k.ctc_loss_and_gradient),
        ([alone], [loss, dx.reshape(-1)]),
        strict=True,
    ):
        scratch = np.full(slots * size + 64, NAN, x.dtype)
        scratch[-64:] = 7
        kernel(x.reshape(-1), *ints, *outputs, scratch, slots, size, *sizes)
        np.testing.assert_array_equal(scratch[-64:], 7)  # nothing is written behind the end
    np.testing.assert_array_equal(loss, alone)
    return loss, dx


def log_softmax(x):
    x = x.astype(np.float64)
    e = x - x.max(-1, keepdims=True)
    return e - np.log(np.exp(e).sum(-1, keepdims=True))


def labelling(path, blank):
    return tuple(c for c, _ in itertools.groupby(path) if c != blank)


def enumerated(logp, blank):
    """The probability of each labelling of one sample (T, C), all paths added up."""
    frames, classes = logp.shape
    total = defaultdict(float)
    for path in itertools.product(range(classes), repeat=frames):
        total[labelling(path, blank)] += np.exp(sum(logp[t, c] for t, c in enumerate(path)))
    return total


def reference(x, labels, blank):
    """Loss and gradient of one sample x (T, C) by the recursion in log space, state after state, in float64."""
    logp, frames = log_softmax(x), len(x)
    states = [blank]
    for label in labels:
        states += [label, blank]

    def arrows(s):
        yield s
        if s >= 1:
            yield s - 1
        if s >= 2 and states[s] not in (blank, states[s - 2]):
            yield s - 2

    ends = [len(states) - 1] + ([len(states) - 2] if labels else [])
    if frames == 0:
        return (0.0 if not labels else INF), np.zeros_like(logp)
    alpha = np.full((frames, len(states)), -INF)
    alpha[0, :2] = logp[0, states[:2]]
    for t in range(1, frames):
        for s in range(len(states)):
            alpha[t, s] = np.logaddexp.reduce([alpha[t - 1, r] for r in arrows(s)]) + logp[t, states[s]]
    beta = np.full((frames, len(states)), -INF)
    beta[-1, ends] = 0
    for t in range(frames - 2, -1, -1):
        for s in range(len(states)):
            for r in arrows(s):
                beta[t, r] = np.logaddexp(beta[t, r], beta[t + 1, s] + logp[t + 1, states[s]])
    total = np.logaddexp.reduce(alpha[-1, ends])
    if total == -INF:
        return INF, np.zeros_like(logp)
    gradient = np.exp(logp)
    for t in range(frames):
        for s, c in enumerate(states):
            gradient[t, c] -= np.exp(alpha[t, s] + beta[t, s] - total)
    return -total, gradient


def padded(rows):
    width = max(map(len, rows))
    return np.array([list(r) + [-9] * (width - len(r)) for r in rows], np.int64).reshape(len(rows), width)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("frames", [1, 3, 5])
def test_loss_is_minus_the_logarithm_of_all_alignments(frames, blank, dtype):
    rng = np.random.default_rng(frames)
    x = rng.normal(size=(frames, 3), scale=2).astype(dtype)
    total = enumerated(log_softmax(x), blank)
    symbols = [c for c in range(3) if c != blank]
    rows = [r for n in range(frames + 2) for r in itertools.product(symbols, repeat=n)][:40]
    batch = np.repeat(x[None], len(rows), 0)
    loss, _ = run(batch, padded(rows), [len(r) for r in rows], [frames] * len(rows), blank)
    expected = np.array([-np.log(total[r]) if r in total else INF for r in rows])
    np.testing.assert_allclose(loss, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)
    # A labelling has an alignment if every label, and a blank between equal neighbours, finds a frame.
    needed = [len(r) + sum(a == b for a, b in itertools.pairwise(r)) for r in rows]
    np.testing.assert_array_equal(np.isinf(loss), np.array(needed) > frames)
    np.testing.assert_allclose(np.exp(-loss[np.isfinite(loss)]).sum(), sum(total[r] for r in rows if r in total), 1e-5)


@settings(max_examples=20)
@given(
    frames=st.integers(0, 12),
    lengths=st.lists(st.integers(0, 7), min_size=1, max_size=4),
    classes=st.sampled_from([2, 3, 7, 40]),
    scale=st.sampled_from([0.1, 3.0, 50.0]),
    dtype=st.sampled_from(DTYPES),
    seed=st.integers(0, 999),
)
def test_loss_and_gradient_are_those_of_the_reference(frames, lengths, classes, scale, dtype, seed):
    rng = np.random.default_rng(seed)
    blank = int(rng.integers(classes))
    x = rng.normal(size=(len(lengths), frames, classes), scale=scale).astype(dtype)
    symbols = [c for c in range(classes) if c != blank][:3]  # few, so that labels repeat
    rows = [[int(c) for c in rng.choice(symbols, n)] for n in lengths]
    used = [int(u) for u in rng.integers(0, frames + 1, len(lengths))]
    loss, dx = run(x, padded(rows), lengths, used, blank)
    tolerance = 2e-5 if dtype == np.float32 else 1e-11
    for i, (row, u) in enumerate(zip(rows, used, strict=True)):
        value, gradient = reference(x[i, :u], row, blank)
        np.testing.assert_allclose(loss[i], value, rtol=tolerance, atol=tolerance)
        np.testing.assert_allclose(dx[i, :u], gradient, rtol=tolerance, atol=tolerance)
        np.testing.assert_array_equal(dx[i, u:], 0)
        np.testing.assert_allclose(dx[i].sum(-1), 0, atol=tolerance * 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [6, 7, 8, 14, 15, 16, 17, 33])
def test_any_number_of_labels_fits_into_vectors(length, dtype):
    rng = np.random.default_rng(length)
    x = rng.normal(size=(1, 2 * length + 1, 5)).astype(dtype)
    row = [int(c) for c in rng.integers(1, 5, length)]
    loss, dx = run(x, padded([row]), [length], [x.shape[1]])
    value, gradient = reference(x[0], row, 0)
    tolerance = 2e-5 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(loss[0], value, rtol=tolerance)
    np.testing.assert_allclose(dx[0], gradient, atol=tolerance)


@pytest.mark.parametrize("dtype", DTYPES)
def test_improbable_paths_are_not_lost(dtype):
    """The only path leads through states that look hopeless for many frames, where linear numbers would underflow."""
    frames = 30
    x = np.zeros((1, frames, 3), dtype)
    x[0, :, 1] = -1000  # the label is never likely ...
    x[0, :, 2] = -2000
    loss, dx = run(x, np.array([[1, 2, 1]]), [3], [frames])
    value, gradient = reference(x[0], [1, 2, 1], 0)
    assert value > 3900
    np.testing.assert_allclose(loss[0], value, rtol=1e-6)
    np.testing.assert_allclose(dx[0], gradient, atol=1e-4)
    x *= dtype(1e6)
    assert run(x, np.array([[1, 2, 1]]), [3], [frames])[0][0] == pytest.approx(4e9, rel=1e-5)


@pytest.mark.parametrize("dtype", DTYPES)
def test_certain_labels_cost_nothing(dtype):
    x = np.full((1, 5, 3), -60, dtype)
    for t, c in enumerate([0, 1, 1, 0, 2]):
        x[0, t, c] = 60
    loss, dx = run(x, np.array([[1, 2]]), [2], [5])
    assert 0 <= loss[0] < 1e-6
    np.testing.assert_allclose(dx, 0, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_impossible_samples_have_infinite_loss_and_no_gradient(dtype):
    x = np.random.default_rng(0).normal(size=(5, 3, 3)).astype(dtype)
    x[3, 1] = -INF  # no class at all in a frame
    x[4, :, 2] = -INF  # never label 2
    labels = np.array([[1, 2, 1, 2], [1, 1, -1, -1], [1, 1, -1, -1], [1, -1, -1, -1], [2, -1, -1, -1]])
    loss, dx = run(x, labels, [4, 2, 2, 1, 1], [3, 3, 2, 3, 3])
    np.testing.assert_array_equal(np.isinf(loss), [True, False, True, True, True])
    assert np.all(loss > 0)
    np.testing.assert_array_equal(dx[[0, 2, 3, 4]], 0)
    assert np.all(np.isfinite(dx[1]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_masked_class_gets_no_gradient_and_others_the_right_one(dtype):
    x = np.random.default_rng(1).normal(size=(1, 4, 4)).astype(dtype)
    x[0, :, 3] = -INF
    loss, dx = run(x, np.array([[1, 2]]), [2], [4])
    value, gradient = reference(x[0, :, :3], [1, 2], 0)
    np.testing.assert_allclose(loss[0], value, rtol=1e-5)
    np.testing.assert_allclose(dx[0, :, :3], gradient, atol=1e-5)
    np.testing.assert_array_equal(dx[0, :, 3], 0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("bad", [NAN, -NAN, INF])
@pytest.mark.parametrize("place", [0, 1, 30])  # the blank, a label, another class
def test_non_finite_logits_show_in_loss_and_gradient(place, bad, dtype):
    x = np.random.default_rng(2).normal(size=(3, 6, 40)).astype(dtype)
    x[0, 2, place] = bad
    x[1, 4, 0] = bad  # behind the last frame that counts
    loss, dx = run(x, np.array([[1, 2]] * 3), [2] * 3, [6, 4, 6])
    np.testing.assert_array_equal(np.isnan(loss), [True, False, False])
    assert np.all(np.isnan(dx[0]))
    assert np.all(np.isfinite(dx[1:]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_what_is_out_of_range_is_nan_and_not_read(dtype):
    x = np.random.default_rng(3).normal(size=(6, 3, 4)).astype(dtype)
    labels = np.array([[1, 4], [1, -1], [1, 2], [1, 2], [1, 2], [1, 2**40]])
    loss, dx = run(x, labels, [2, 2, 3, 1, -1, 1], [3, 3, 3, 4, 3, 3])
    np.testing.assert_array_equal(np.isnan(loss), [True] * 5 + [False])
    np.testing.assert_array_equal(np.isnan(dx).all((1, 2)), [True] * 5 + [False])
    assert np.all(np.isfinite(dx[5]))


def test_nothing_to_do():
    for shape, width in (((0, 3, 2), 2), ((2, 0, 2), 0), ((2, 3, 1), 0)):
        x = np.zeros(shape, np.float32)
        loss, dx = run(x, np.zeros((shape[0], width)), np.zeros(shape[0]), np.full(shape[0], shape[1]))
        np.testing.assert_array_equal(loss, 0)
        np.testing.assert_array_equal(dx, 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_bits_do_not_depend_on_threads_or_scratch(dtype):
    rng = np.random.default_rng(4)
    x = rng.normal(size=(7, 12, 9)).astype(dtype)
    labels, lengths, used = rng.integers(1, 9, (7, 6)), rng.integers(0, 7, 7), rng.integers(6, 13, 7)
    kept, results = threads.thread_count(), []
    try:
        for count, slots in ((1, 1), (1, 7), (2, 3), (4, 7)):
            threads.set_thread_count(count)
            results.append(run(x, labels, lengths, used, slots=slots))
    finally:
        threads.set_thread_count(kept)
    for loss, dx in results[1:]:
        np.testing.assert_array_equal(loss, results[0][0])
        np.testing.assert_array_equal(dx, results[0][1])


# ---------------------------------------------------------------------------------------------------- decoding


def beam(x, lengths, width, paths, blank=0):
    logp, (batch, frames, classes) = np.ascontiguousarray(log_softmax(x)), x.shape
    integers, numbers = ctc_decode.scratch_sizes(frames, classes, width)
    nodes, values = np.full(batch * integers, 77), np.full(batch * numbers, NAN)
    labels, scores = np.full((paths, batch, frames), 77), np.full((batch, paths), NAN)
    ctc_decode.beam_search(
        logp.reshape(-1), np.array(lengths), labels.reshape(-1), scores.reshape(-1), nodes, values,
        integers, numbers, batch, frames, classes, width, paths, blank,
    )  # fmt: skip
    return labels, scores


@pytest.mark.parametrize("blank", [0, 2])
@pytest.mark.parametrize("frames", [1, 4])
def test_a_wide_beam_finds_every_labelling(frames, blank):
    x = np.random.default_rng(frames).normal(size=(2, frames, 3), scale=1.5)
    totals = [enumerated(log_softmax(sample), blank) for sample in x]
    paths = len(totals[0])
    labels, scores = beam(x, [frames, frames], 200, paths + 2, blank)
    for i, total in enumerate(totals):
        expected = sorted(total.items(), key=lambda item: -item[1])
        for p, (row, probability) in enumerate(expected):
            assert tuple(c for c in labels[p, i] if c >= 0) == row
            np.testing.assert_allclose(scores[i, p], np.log(probability), rtol=1e-10)
        np.testing.assert_array_equal(scores[i, paths:], -INF)
        np.testing.assert_array_equal(labels[paths:, i], -1)


def python_beam(logp, width, blank):
    """Prefix beam search over dicts of labellings; the best of the last beam, in order."""
    frontier = {(): (0.0, -INF)}
    for row in logp:
        following = defaultdict(lambda: (-INF, -INF))
        for prefix, (ends_blank, ends_label) in frontier.items():
            total = np.logaddexp(ends_blank, ends_label)
            b, e = following[prefix]
            repeat = ends_label + row[prefix[-1]] if prefix else -INF
            following[prefix] = np.logaddexp(b, total + row[blank]), np.logaddexp(e, repeat)
            for c in range(len(row)):
                if c != blank:
                    b, e = following[(*prefix, c)]
                    new = (ends_blank if prefix and prefix[-1] == c else total) + row[c]
                    following[(*prefix, c)] = b, np.logaddexp(e, new)
        ranked = sorted(following.items(), key=lambda item: -np.logaddexp(*item[1]))
        frontier = dict(ranked[:width])
    return [(prefix, np.logaddexp(*ends)) for prefix, ends in frontier.items() if max(ends) > -INF]


@settings(max_examples=15)
@given(frames=st.integers(0, 9), classes=st.integers(2, 5), width=st.sampled_from([1, 3, 8]), seed=st.integers(0, 999))
def test_a_narrow_beam_is_that_of_plain_python(frames, classes, width, seed):
    x = np.random.default_rng(seed).normal(size=(2, frames, classes), scale=2)
    labels, scores = beam(x, [frames, frames // 2], width, width)
    for i, used in enumerate((frames, frames // 2)):
        expected = python_beam(log_softmax(x[i, :used]), width, 0)
        found = [tuple(c for c in labels[p, i] if c >= 0) for p in range(len(expected))]
        assert found == [prefix for prefix, _ in expected]
        np.testing.assert_allclose(scores[i, : len(expected)], [score for _, score in expected], rtol=1e-9, atol=1e-12)


def test_decoding_of_unreadable_samples():
    x = np.zeros((4, 3, 3))
    x[0, 1, 2] = NAN
    labels, scores = beam(x, [3, 4, -1, 3], 4, 2)
    np.testing.assert_array_equal(np.isnan(scores).all(1), [True, True, True, False])
    np.testing.assert_array_equal(labels[:, :3], -1)
    best, score = np.full((4, 3), 77), np.zeros(4)
    ctc_decode.greedy(x.reshape(-1), np.array([3, 4, -1, 3]), best.reshape(-1), score, 4, 3, 3, 1, 1)
    np.testing.assert_array_equal(np.isnan(score), [True, True, True, False])
    np.testing.assert_array_equal(best, [[0, 2, 0], [-1] * 3, [-1] * 3, [0, -1, -1]])


def test_greedy_merges_repeats_then_drops_blanks():
    x = np.log(np.eye(4) * 0.7 + 0.1)[[[3, 1, 1, 3, 1, 2, 2, 0], [1, 1, 1, 3, 3, 3, 1, 2]]]
    for merge, expected in (
        (1, [[1, 1, 2, 0, -1, -1, -1, -1], [1, 1, -1, -1, -1, -1, -1, -1]]),
        (0, [[1, 1, 1, 2, 2, 0, -1, -1], [1, 1, 1, 1, -1, -1, -1, -1]]),
    ):
        labels, scores = np.full((2, 8), 77), np.zeros(2)
        ctc_decode.greedy(x.reshape(-1), np.array([8, 7]), labels.reshape(-1), scores, 2, 8, 4, 3, merge)
        np.testing.assert_array_equal(labels, expected)
        np.testing.assert_allclose(scores, [8 * np.log(0.8), 7 * np.log(0.8)])
