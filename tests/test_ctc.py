"""The CTC loss and decoding as users call them: recorded values, gradients, laws, defaults, errors by their text."""

from __future__ import annotations

from functools import partial
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import losses, ops
from fnet.errors import DerivativeError, DtypeError, ShapeError, ValueRangeError
from fnet.masking import Masked

KERAS_LOGITS = (np.arange(24).reshape(2, 4, 3) - 12) / 100
KERAS_LABELS = np.array([[1, 2, 1, 0], [1, 2, 0, 2]])


def data(seed=0, batch=3, frames=7, classes=4, width=3, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return rng.integers(1, classes, (batch, width)), rng.normal(size=(batch, frames, classes)).astype(dtype)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def test_values_recorded_from_keras():
    logits, labels = np.array(KERAS_LOGITS), np.array(KERAS_LABELS)
    values = ops.ctc(logits, labels, np.array([3, 3]), np.array([4, 4]))  # Keras takes the blank in sample 1 as a label
    np.testing.assert_allclose(values, [2.442931, 2.454360], rtol=1e-6)
    np.testing.assert_allclose(losses.ctc(labels[:1], logits[:1]), 2.442931, rtol=1e-6)
    logits = [[[0.4, 0.8, 0.4], [0.2, 0.8, 0.3], [0.9, 0.4, 0.5]], [[0.4, 0.8, 0.4], [0.2, 0.3, 0.3], [0.4, 0.3, 0.2]]]
    values = ops.ctc(np.array(logits), np.array([[1, 2, 1], [1, 2, 2]]), np.array([3, 2]), np.array([3, 2]))
    np.testing.assert_allclose(values, [3.4411672, 1.91680186], rtol=1e-6)


@pytest.mark.parametrize("blank", [0, 2, -1])
def test_gradient_is_that_of_differences(blank):
    labels, x = data(batch=4)
    labels = (labels + blank) % 4
    loss = partial(ops.ctc, labels=labels, label_lengths=[3, 2, 0, 3], input_lengths=[7, 5, 4, 6], blank_index=blank)
    fnet.testing.check_grads(loss, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_and_eager_agree(dtype):
    labels, x = data(dtype=dtype)
    lengths, used = np.array([3, 2, 1]), np.array([7, 6, 5])

    def both(x, labels, lengths, used):
        loss = partial(losses.ctc, labels, label_lengths=lengths, input_lengths=used)
        return fnet.value_and_grad(loss)(x)

    for got, expected in zip(fnet.jit(both)(x, labels, lengths, used), both(x, labels, lengths, used), strict=True):
        assert got.dtype == expected.dtype == dtype
        np.testing.assert_array_equal(got, expected)


def test_what_is_out_of_range_is_nan_under_jit():
    labels, x = data()
    f = fnet.jit(lambda x, y, n, t: losses.ctc(y, x, label_lengths=n, input_lengths=t, reduction="none"))
    labels[0, 0] = 4
    values = f(x, labels, np.array([3, 4, 3]), np.array([7, 7, 7]))
    np.testing.assert_array_equal(np.isnan(values), [True, True, False])
    values = f(x, labels, np.array([0, 3, 3]), np.array([7, -1, 8]))
    np.testing.assert_array_equal(np.isnan(values), [False, True, True])


@given(seed=st.integers(0, 2**31), repeats=st.integers(1, 3))
def test_a_frame_that_is_certainly_blank_changes_nothing(seed, repeats):
    labels, x = data(seed)
    certain = np.full((3, repeats, 4), -np.inf)
    certain[..., 0] = 0
    values = losses.ctc(labels, x, reduction="none")
    for longer in (np.concatenate([x, certain], 1), np.concatenate([certain, x], 1)):
        np.testing.assert_allclose(losses.ctc(labels, longer, reduction="none"), values, rtol=1e-12)


@given(seed=st.integers(0, 2**31))
def test_laws(seed):
    labels, x = data(seed)
    values = losses.ctc(labels, x, reduction="none")
    np.testing.assert_allclose(losses.ctc(labels, x + 5.0, reduction="none"), values, rtol=1e-12)
    # Time may run backwards, and classes may be renamed.
    np.testing.assert_allclose(losses.ctc(labels[:, ::-1], x[:, ::-1], reduction="none"), values, rtol=1e-12)
    renamed = np.roll(x, 1, axis=-1)
    kept = losses.ctc((labels + 1) % 4, renamed, label_lengths=[3] * 3, blank_index=1, reduction="none")
    np.testing.assert_allclose(kept, values, rtol=1e-12)
    gradient = fnet.grad(lambda x: losses.ctc(labels, x, reduction="sum"))(x)
    np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-12)


def test_defaults_count_labels_and_frames():
    labels, x = data(width=4)
    labels[0, 2:], labels[1, 3:] = 0, -1
    given_lengths = losses.ctc(labels, x, label_lengths=[2, 3, 4], input_lengths=np.full((3, 1), 7), reduction="none")
    np.testing.assert_array_equal(losses.ctc(labels, x, reduction="none"), given_lengths)
    np.testing.assert_array_equal(losses.ctc(labels.astype(float), x.astype("f4"), reduction="none").dtype, "f4")
    assert losses.get("ctc") is losses.get("CTC") is losses.ctc


def test_probabilities_with_the_blank_at_the_end():
    """The convention of Keras 2: ``ctc_batch_cost(labels, softmax, frames, lengths)``."""
    labels, x = data()
    lengths = np.array([[3], [2], [1]])
    values = losses.ctc(
        labels - 1, softmax(x), label_lengths=lengths, blank_index=-1, from_logits=False, reduction="none"
    )
    logits = np.log(softmax(x) + 1e-7)
    np.testing.assert_allclose(values, ops.ctc(logits, labels - 1, lengths, [7] * 3, blank_index=3), rtol=1e-12)
    with pytest.raises(ValueRangeError, match=r"ctc: expected probabilities in \[0, 1\], received .* from_logits=True"):
        losses.ctc(labels, x, from_logits=False)


def merged(path, blank):
    """The labels of a path of classes: repeats merged, then blanks dropped."""
    kept = [c for c, before in zip(path, (None, *path), strict=False) if c != before]
    return tuple(c for c in kept if c != blank)


@pytest.mark.parametrize("blank", [0, 2])
def test_the_likelihood_is_the_sum_over_all_alignments(blank):
    rows = [(), (1,), (1, 1), (1, 1, 1), (1, 1, 3), (3, 1, 3), (1, 3, 3, 1)]
    rng = np.random.default_rng(0)
    x, used = rng.normal(size=(len(rows), 5, 4)), [3, 5, 4, 5, 5, 3, 5]
    labels = np.array([row + (0,) * (4 - len(row)) for row in rows])
    p = softmax(x)
    total = np.zeros(len(rows))
    for i, (row, t) in enumerate(zip(rows, used, strict=True)):
        for path in product(range(4), repeat=t):
            if merged(path, blank) == row:
                total[i] += np.prod(p[i, np.arange(t), path])
    values = losses.ctc(
        labels, x, label_lengths=[len(r) for r in rows], input_lengths=used, blank_index=blank, reduction="none"
    )
    assert np.all(total > 0)
    np.testing.assert_allclose(values, -np.log(total), rtol=1e-10)


def test_no_labels_means_blanks_alone():
    _, x = data()
    expected = -np.log(softmax(x))[..., 0].sum(1)
    for labels in (np.zeros((3, 2), int), np.zeros((3, 0), int)):
        np.testing.assert_allclose(losses.ctc(labels, x, reduction="none"), expected, rtol=1e-12)
    gradient = fnet.grad(lambda x: losses.ctc(np.zeros((3, 1), int), x, reduction="sum"))(x)
    np.testing.assert_allclose(gradient, softmax(x) - np.eye(4)[0], atol=1e-12)


def test_a_mask_gives_the_frames():
    labels, x = data()
    used = np.array([7, 5, 4])
    mask = np.arange(7) < used[:, None]
    expected = losses.ctc(labels, x, input_lengths=used, reduction="none")
    masked = Masked(x, mask)
    np.testing.assert_array_equal(losses.ctc(labels, masked, reduction="none"), expected)
    np.testing.assert_array_equal(fnet.jit(lambda p: losses.ctc(labels, p, reduction="none"))(masked), expected)
    np.testing.assert_array_equal(losses.ctc(labels, masked, input_lengths=[7] * 3), losses.ctc(labels, x))
    holes = Masked(x, mask[:, ::-1])
    with pytest.raises(ValueRangeError, match="ctc: the mask of sample 1 has frames that count after frames that do"):
        losses.ctc(labels, holes)
    values = fnet.jit(lambda p: losses.ctc(labels, p, reduction="none"))(holes)
    np.testing.assert_array_equal(np.isnan(values), [False, True, True])


def test_the_older_function_for_batches():
    labels, x = data()
    lengths, frames = np.array([[3], [2], [1]]), np.array([[7], [6], [5]])
    values = losses.ctc_batch_cost(labels - 1, softmax(x), frames, lengths)
    options = {"label_lengths": lengths, "input_lengths": frames, "blank_index": 3, "reduction": "none"}
    assert values.shape == (3, 1)
    np.testing.assert_allclose(values[:, 0], losses.ctc(labels - 1, np.log(softmax(x) + 1e-7), **options), rtol=1e-12)
    fnet.testing.check_grads(lambda z: losses.ctc_batch_cost(labels - 1, ops.softmax(z), frames, lengths), x)


def test_impossible_samples():
    x = np.random.default_rng(0).normal(size=(2, 3, 3))
    labels = np.array([[1, 1, 2], [1, 2, 1]])
    values, pull = fnet.vjp(lambda x: losses.ctc(labels, x, reduction="none"), x)
    np.testing.assert_array_equal(np.isinf(values), [True, False])
    for g in (1.0, np.inf, np.nan):
        gradient = pull(np.array([g, 2.0]))[0]
        np.testing.assert_array_equal(gradient[0], 0)
        assert np.all(gradient[1] != 0)
    assert np.isinf(losses.ctc(labels, x))


def test_weights_and_training():
    labels, x = data(dtype=np.float32)
    values = losses.ctc(labels, x, reduction="none")
    weighted = losses.ctc(labels, x, sample_weight=np.array([1.0, 0.0, 2.0]), reduction="none")
    np.testing.assert_allclose(weighted, values * [1, 0, 2], rtol=1e-6)
    loss = fnet.jit(fnet.value_and_grad(lambda x: losses.ctc(labels, x)))
    for _ in range(200):
        value, gradient = loss(x)
        x = x - 2 * gradient
    assert value < 0.1
    decoded, _ = ops.ctc_greedy_decode(x)
    np.testing.assert_array_equal(decoded[:, :3], labels)
    np.testing.assert_array_equal(decoded[:, 3:], -1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_step_runs_the_recursion_once_and_keeps_the_bits_of_the_loss(dtype):
    labels, x = data(dtype=dtype)
    step = fnet.value_and_grad(lambda x: losses.ctc(labels, x))
    kernels = [call.kernel.__name__ for call in fnet.jit(step).plan(x).calls]
    assert [name for name in kernels if name.startswith("ctc")] == ["ctc_loss_and_gradient"]
    assert step(x)[0] == losses.ctc(labels, x)


def test_the_derivative_in_a_direction_is_that_of_the_gradient():
    labels, x = data()
    v = np.random.default_rng(1).normal(size=x.shape)
    value, tangent = fnet.jvp(lambda x: losses.ctc(labels, x), (x,), (v,))
    expected, gradient = fnet.value_and_grad(lambda x: losses.ctc(labels, x))(x)
    assert value == expected
    np.testing.assert_allclose(tangent, np.sum(gradient * v), rtol=1e-12)


def test_there_is_no_second_derivative():
    labels, x = data()
    with pytest.raises(DerivativeError, match="primitive 'ctc_gradient' has no"):
        fnet.grad(lambda x: fnet.jvp(lambda x: losses.ctc(labels, x), (x,), (x,))[1])(x)
    with pytest.raises(DerivativeError, match="primitive 'ctc_gradient' has no"):
        fnet.jvp(lambda x: fnet.jvp(lambda x: losses.ctc(labels, x), (x,), (x,))[1], (x,), (x,))
    with pytest.raises(DerivativeError, match="primitive 'ctc_gradient' has no"):
        fnet.hessian_vector_product(lambda x: losses.ctc(labels, x), x, x)
    with pytest.raises(DerivativeError, match="primitive 'ctc_gradient' has no vjp rule"):
        fnet.grad(lambda x: np.sum(fnet.grad(lambda x: losses.ctc(labels, x))(x) ** 2))(x)


# ---------------------------------------------------------------------------------------------------- decoding


@given(seed=st.integers(0, 2**31))
def test_decoders_agree_with_the_loss(seed):
    _, x = data(seed, batch=2, frames=5, classes=3)
    labels, scores = ops.ctc_beam_search_decode(x, [5, 3], beam_width=300, top_paths=4)
    assert labels.shape == (4, 2, 5)
    assert scores.shape == (2, 4)
    assert np.all(np.diff(scores, axis=1) <= 0)
    for p in range(4):
        lengths = (labels[p] >= 0).sum(1)
        np.testing.assert_allclose(-ops.ctc(x, labels[p], lengths, [5, 3]), scores[:, p], rtol=1e-10)
    best, path = ops.ctc_greedy_decode(x, [5, 3])
    assert np.all(path <= -ops.ctc(x, best, (best >= 0).sum(1), [5, 3]) + 1e-12)
    narrow, _ = ops.ctc_beam_search_decode(x, beam_width=1)
    assert narrow.shape == (1, 2, 5)


def test_decoding_by_strategy():
    _, x = data(batch=2)
    greedy, path = ops.ctc_greedy_decode(x, [7, 4])
    labels, scores = losses.ctc_decode(x, [7, 4])
    np.testing.assert_array_equal(labels, greedy[None])
    np.testing.assert_array_equal(scores, path[:, None])
    options = {"beam_width": 20, "top_paths": 3}
    beams = ops.ctc_beam_search_decode(x, [7, 4], **options)
    for got, expected in zip(losses.ctc_decode(x, [7, 4], strategy="beam_search", **options), beams, strict=True):
        np.testing.assert_array_equal(got, expected)
    last = np.roll(softmax(x), -1, axis=-1)
    labels, _ = losses.ctc_decode(last, [7, 4], blank_index=-1, from_logits=False)
    np.testing.assert_array_equal(labels[0], np.where(greedy < 0, -1, greedy - 1))
    repeated, _ = losses.ctc_decode(x, merge_repeated=False)
    np.testing.assert_array_equal(repeated[0], ops.ctc_greedy_decode(x, merge_repeated=False)[0])


def test_decoders_work_under_jit():
    _, x = data(dtype=np.float32)
    used = np.array([[7], [6], [5]])
    for decode in (ops.ctc_greedy_decode, partial(ops.ctc_beam_search_decode, beam_width=5, top_paths=2)):
        for got, expected in zip(fnet.jit(decode)(x, used), decode(x, used), strict=True):
            np.testing.assert_array_equal(got, expected)


def test_recorded_decoding():
    """Keras' documented rule: repeats are merged before blanks are removed; with merging off they stay."""
    x = np.log(np.eye(3)[[[1, 1, 0, 1, 2, 2, 0]]] * 0.8 + 0.05)
    np.testing.assert_array_equal(ops.ctc_greedy_decode(x)[0], [[1, 1, 2, -1, -1, -1, -1]])
    np.testing.assert_array_equal(ops.ctc_greedy_decode(x, merge_repeated=False)[0], [[1, 1, 1, 2, 2, -1, -1]])
    np.testing.assert_array_equal(ops.ctc_greedy_decode(x, blank_index=1)[0], [[0, 2, 0, -1, -1, -1, -1]])
    np.testing.assert_array_equal(ops.ctc_beam_search_decode(x)[0][0], [[1, 1, 2, -1, -1, -1, -1]])


# ------------------------------------------------------------------------------------------------------ errors

LABELS, X = data()


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: losses.ctc(LABELS, X, input_lengths=[7, 8, 7]),
            ValueRangeError,
            "ctc: input_lengths of sample 1 is 8, expected 0 to 7, the number of frames that the network gives.",
        ),
        (
            lambda: losses.ctc(LABELS, X, label_lengths=[3, 3, 4]),
            ValueRangeError,
            "ctc: label_lengths of sample 2 is 4, expected 0 to 3, the number of columns of labels.",
        ),
        (
            lambda: losses.ctc([[9, 1, 1], [1, 4, 1], [1, 1, 1]], X, label_lengths=[0, 3, 3]),
            ValueRangeError,
            "ctc: label 4 of sample 1 is out of range: expected 0 to 3 for 4 classes, the blank among them. "
            "Check the labels, or give the last layer more units.",
        ),
        (
            lambda: losses.ctc(LABELS, X[0]),
            ShapeError,
            "ctc: expected y_pred of shape (batch, frames, classes), received (7, 4).",
        ),
        (
            lambda: losses.ctc(LABELS[:2], X),
            ShapeError,
            "ctc: expected y_true of shape (3, labels), received (2, 3). Pad the labels of a batch to one length with "
            "0 or -1.",
        ),
        (
            lambda: losses.ctc(LABELS, X, label_lengths=[3, 3]),
            ShapeError,
            "ctc: expected label_lengths of shape (3,), one for each sample, received (2,).",
        ),
        (
            lambda: losses.ctc(LABELS, X, blank_index=4),
            ValueRangeError,
            "ctc: blank_index 4 is none of the 4 classes.",
        ),
        (
            lambda: losses.ctc(LABELS + 0.5, X),
            ValueRangeError,
            "ctc: labels must be whole numbers, received",
        ),
        (
            lambda: losses.ctc_decode(X, strategy="beamsearch"),
            ValueRangeError,
            "ctc_decode: unknown strategy 'beamsearch'. Did you mean 'beam_search'?",
        ),
        (
            lambda: losses.ctc_decode(X, from_logits=False),
            ValueRangeError,
            "ctc_decode: expected probabilities in [0, 1], received",
        ),
        (
            lambda: ops.ctc(X, LABELS, np.full(3, 2.0), [7] * 3),
            DtypeError,
            "ctc: label_lengths must be integers, received float64[3]. Use .astype('int64').",
        ),
        (
            lambda: ops.ctc(X, LABELS.astype(float), [3] * 3, [7] * 3),
            DtypeError,
            "ctc: labels must be integers, received float64[3, 3]. Use .astype('int64').",
        ),
        (
            lambda: ops.ctc(X, LABELS[0], [3] * 3, [7] * 3),
            ShapeError,
            "ctc: expected labels of shape (3, labels) for 3 samples, received (3,).",
        ),
        (
            lambda: ops.ctc_greedy_decode(X[0]),
            ShapeError,
            "ctc: expected logits of shape (batch, frames, classes), received (7, 4).",
        ),
        (
            lambda: ops.ctc_beam_search_decode(X, beam_width=3, top_paths=4),
            ValueRangeError,
            "ctc_beam_search_decode: expected 1 <= top_paths <= beam_width, received top_paths 4 and beam_width 3.",
        ),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value).startswith(text)
    assert len(str(raised.value).splitlines()) <= 3
