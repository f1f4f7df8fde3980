"""Softmax and its kin, cross-entropies, dropout: formulas, laws, masked rows, derivatives of both orders."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.testing import check_complex_step, check_grads
from tests.ops.table import close

COVERED = {"softmax", "log_softmax", "logsumexp", "sparse_crossentropy", "categorical_crossentropy"}
RNG = np.random.default_rng(0)
Z = RNG.normal(size=(2, 3, 4)) * 2
LABELS = np.array([[0, 3, 1], [2, 2, 0]])
TARGETS = special.softmax(RNG.normal(size=Z.shape), -1)
ALONG = ["softmax", "log_softmax", "logsumexp"]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("name", ALONG)
def test_values_along_any_axis(name, axis, dtype):
    z = Z.astype(dtype)
    close(getattr(ops, name)(z, axis), getattr(special, name)(Z, axis).astype(dtype), 3)


@pytest.mark.parametrize("axis", [0, -1])
@pytest.mark.parametrize("name", ALONG)
def test_derivatives_of_both_orders(name, axis):
    check_grads(lambda z: getattr(ops, name)(z, axis), Z[0], order=2)


def test_first_derivatives_to_the_last_digits():
    check_complex_step(ops.softmax, lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True), Z)
    check_complex_step(ops.logsumexp, lambda z: np.log(np.exp(z).sum(-1)), Z)


@pytest.mark.parametrize("name", ALONG)
def test_rows_of_minus_infinity_and_huge_values(name):
    inf = np.inf
    z = np.array([[-inf, -inf], [0.0, -inf], [1e300, 1e300], [-1e300, 0.0]])
    y = getattr(ops, name)(z)
    assert not np.isnan(y[1:]).any()
    if name == "softmax":
        np.testing.assert_array_equal(y, [[0, 0], [1, 0], [0.5, 0.5], [0, 1]])
    if name == "logsumexp":
        np.testing.assert_array_equal(y, [-inf, 0, 1e300, 0])


def test_a_masked_row_of_softmax_has_gradient_zero():
    z = np.array([[-np.inf, -np.inf], [0.5, -np.inf]])
    _, pull = fnet.vjp(ops.softmax, z)
    np.testing.assert_array_equal(pull(np.ones((2, 2)))[0], np.zeros((2, 2)))


def test_nan_stays_in_its_row():
    z = Z[0].copy()
    z[1, 2] = np.nan
    for name in ALONG:
        assert np.isnan(getattr(ops, name)(z)).reshape(3, -1).any(axis=1).tolist() == [False, True, False]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_crossentropies(dtype):
    z = Z.astype(dtype)
    log_p = special.log_softmax(Z, -1)
    expected = -np.take_along_axis(log_p, LABELS[..., None], -1)[..., 0]
    close(ops.sparse_crossentropy(z, LABELS), expected.astype(dtype), 3)
    close(ops.categorical_crossentropy(z, TARGETS.astype(dtype)), -(TARGETS * log_p).sum(-1).astype(dtype), 3)
    t = TARGETS.astype(dtype)
    loss = -TARGETS * np.log(special.expit(Z)) - (1 - TARGETS) * np.log(special.expit(-Z))
    close(ops.binary_crossentropy_with_logits(z, t), loss.astype(dtype), 3)


def test_crossentropies_of_both_orders():
    check_grads(lambda z: ops.sparse_crossentropy(z, LABELS), Z, order=2)
    check_grads(ops.categorical_crossentropy, Z[0], TARGETS[0], order=2)
    check_grads(ops.binary_crossentropy_with_logits, Z[0], TARGETS[0], order=2)


def test_sparse_and_categorical_agree():
    close(ops.sparse_crossentropy(Z, LABELS), ops.categorical_crossentropy(Z, np.eye(4)[LABELS]))


def test_binary_crossentropy_far_out():
    z = np.array([-1e4, 1e4, 1e4])
    np.testing.assert_array_equal(ops.binary_crossentropy_with_logits(z, np.array([0.0, 1.0, 0.0])), [0, 0, 1e4])


def test_l2_normalize():
    close(ops.l2_normalize(Z, 1), Z / np.linalg.norm(Z, axis=1, keepdims=True))
    check_grads(ops.l2_normalize, Z[0], order=2)
    g = fnet.grad(lambda x: ops.sum(ops.l2_normalize(x)))(np.zeros(3))
    assert np.isfinite(g).all()


def test_dropout_is_a_function_of_its_key():
    x = np.ones((40, 50))
    key = np.array([3, 0], np.uint32)
    y = ops.dropout(x, key, 0.25)
    close(ops.dropout(x, key, 0.25), y)
    assert not np.array_equal(ops.dropout(x, np.array([4, 0], np.uint32), 0.25), y)
    np.testing.assert_allclose(np.unique(y), [0, 4 / 3])
    assert abs(np.mean(y == 0) - 0.25) < 0.04
    close(ops.dropout(x, key, 0.0), x)
    assert not ops.dropout(x, key, 1.0).any()


def test_dropout_uses_one_mask_forwards_and_backwards():
    key = np.array([3, 0], np.uint32)
    check_grads(lambda x: ops.dropout(x, key, 0.4) ** 2, Z, order=2)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.softmax(np.float64(1)), ShapeError, "softmax: axis -1 is out of range for an array with 0 axes"),
        (lambda: ops.sparse_crossentropy(Z, LABELS[0]), ShapeError, r"expected \(2, 3\), received \(3,\)"),
        (lambda: ops.sparse_crossentropy(Z, LABELS * 1.0), DtypeError, "labels must be integers"),
        (
            lambda: ops.sparse_crossentropy(Z, LABELS + 1),
            ValueRangeError,
            "label 4 of sample 0 is out of range: expected 0 to 3",
        ),
        (lambda: ops.sparse_crossentropy(Z, LABELS - 1), ValueRangeError, "label -1 of sample 0"),
        (lambda: ops.categorical_crossentropy(Z, TARGETS[0]), ShapeError, "For integer labels use the sparse form"),
        (lambda: ops.dropout(Z, np.zeros(2, np.uint32), 1.5), ValueRangeError, "0 <= rate <= 1, received 1.5"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
