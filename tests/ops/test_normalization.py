"""Normalisations as operations: derivatives of both orders, all results, fusion with relu, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.testing import check_complex_step, check_grads
from tests.ops.table import close

COVERED = {"batch_normalization", "layer_normalization", "rms_normalization", "group_normalization"}
RNG = np.random.default_rng(0)
X, GAMMA, BETA = RNG.normal(size=(3, 2, 4)), RNG.normal(size=4), RNG.normal(size=4)
CALLS = {
    "batch": ops.batch_normalization,
    "layer": ops.layer_normalization,
    "rms": lambda x, gamma, beta: ops.rms_normalization(x, gamma) + beta,
    "group": lambda x, gamma, beta: ops.group_normalization(x, gamma, beta, 2),
}


def formula(name: str, x: Any, epsilon: float) -> Any:
    """The normalised x, without scale and offset."""
    if name == "group":
        return formula("all but the first", x.reshape(3, 2, 2, 2), epsilon).reshape(x.shape)
    axes = {"batch": (0, 1), "all but the first": (1, 3)}.get(name, (-1,))
    mean = 0 if name == "rms" else x.mean(axes, keepdims=True)
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(axes, keepdims=True) + epsilon)


@pytest.mark.parametrize("name", CALLS)
def test_values_and_first_derivatives_to_the_last_digits(name):
    def value(x: Any) -> Any:
        y = CALLS[name](x, GAMMA, BETA)
        return y[0] if name == "batch" else y

    epsilon = 1e-6 if name == "rms" else 1e-3
    close(value(X), formula(name, X, epsilon) * GAMMA + BETA)
    check_complex_step(value, lambda x: formula(name, x, epsilon) * GAMMA + BETA, X)


@pytest.mark.parametrize("name", CALLS)
def test_derivatives_of_both_orders(name):
    check_grads(CALLS[name], X, GAMMA, BETA, order=2)


@pytest.mark.parametrize("name", CALLS)
def test_jit_gives_what_eager_gives(name):
    def both(*args: Any) -> Any:
        y, pull = fnet.vjp(CALLS[name], *args)
        return y, pull(fnet.tree.map(np.cos, y))

    for got, wanted in zip(
        fnet.tree.leaves(fnet.jit(both)(X, GAMMA, BETA)), fnet.tree.leaves(both(X, GAMMA, BETA)), strict=True
    ):
        close(got, wanted)


def test_statistics_of_batch_normalization():
    _, mean, variance = ops.batch_normalization(X, GAMMA, BETA)
    close(mean, X.mean((0, 1)))
    close(variance, X.var((0, 1)))
    _, mean, variance = ops.batch_normalization(X[:1, 0], GAMMA, BETA)
    close(mean, X[0, 0])
    np.testing.assert_array_equal(variance, 0)


def test_operands_in_one_dtype():
    y, mean, variance = ops.batch_normalization(X.astype(np.float32), GAMMA.astype(np.float32), BETA.astype("f4"))
    assert {y.dtype, mean.dtype, variance.dtype} == {np.dtype(np.float32)}
    close(ops.layer_normalization([[1, 3]], [1.0, 1.0], [0.0, 0.0], epsilon=0), np.array([[-1.0, 1.0]]))


def norm_and_relu(x: Any, gamma: Any, beta: Any) -> Any:
    return ops.relu(ops.batch_normalization(x, gamma, beta)[0])


@pytest.mark.parametrize("shape", [(6, 5, 3), (40, 64)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_relu_joins_batch_normalization_and_its_gradient_bit_by_bit(shape, dtype):
    rng = np.random.default_rng(1)
    x, w = (rng.normal(size=shape).astype(dtype) for _ in range(2))
    gamma, beta = (rng.normal(size=shape[-1]).astype(dtype) for _ in range(2))

    def pulled(x: Any, gamma: Any, beta: Any) -> Any:
        y, pull = fnet.vjp(norm_and_relu, x, gamma, beta)
        return y, pull(w)

    compiled = fnet.jit(pulled)
    assert [call.kernel.__name__ for call in compiled.plan(x, gamma, beta).calls] == ["batch_norm", "batch_norm_vjp"]
    results = fnet.tree.leaves(compiled(x, gamma, beta))
    for got, wanted in zip(results, fnet.tree.leaves(pulled(x, gamma, beta)), strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert np.any(results[0] == 0) and np.any(results[0] > 0)


def test_what_else_reads_the_result_keeps_relu_apart():
    def f(x: Any) -> Any:
        y, mean, variance = ops.batch_normalization(x, GAMMA, BETA)
        return ops.relu(y) + y, ops.relu(y) * mean, variance

    for got, wanted in zip(fnet.jit(f)(X), f(X), strict=True):
        close(got, wanted)


def test_statistics_are_kept_where_relu_joins():
    def f(x: Any) -> Any:
        y, mean, variance = ops.batch_normalization(x, GAMMA, BETA)
        return ops.relu(y), mean, variance

    for got, wanted in zip(fnet.jit(f)(X), f(X), strict=True):
        close(got, wanted)


def test_a_row_added_to_batch_normalization_stays_outside():
    f = lambda x, b: ops.relu(ops.batch_normalization(x, GAMMA, BETA)[0] + b)  # noqa: E731
    close(fnet.jit(f)(X, GAMMA), f(X, GAMMA))


@pytest.mark.parametrize(("limit", "rest"), [(0, 0), (0, 0.5), (1, 0)])
@pytest.mark.parametrize("own", [False, True])
def test_another_mask_is_not_taken_for_that_of_relu(own, limit, rest):
    def f(x: Any, other: Any, w: Any) -> Any:
        y, pull = fnet.vjp(lambda x: ops.batch_normalization(x, GAMMA, BETA)[0], x)
        mask = ops.relu(y if own else ops.batch_normalization(x, GAMMA, other)[0])
        return pull(ops.where(ops.greater(mask, limit), w, rest))[0]

    args = X, GAMMA, np.cos(X)
    close(fnet.jit(f)(*args), f(*args))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.batch_normalization(X, GAMMA[:3], BETA), ShapeError, r"shape \(4,\) for an input \(3, 2, 4\), r"),
        (lambda: ops.layer_normalization(X, GAMMA, X), ShapeError, r"layer_normalization: .*received \(3, 2, 4\)"),
        (lambda: ops.rms_normalization(1.0, GAMMA), ShapeError, r"expected an input \(\.\.\., C\), received a scalar"),
        (
            lambda: ops.layer_normalization(X, GAMMA, BETA, -1),
            ValueRangeError,
            r"epsilon must not be negative, rec.*-1",
        ),
        (lambda: ops.layer_normalization(X, GAMMA, BETA, "a"), DtypeError, r"epsilon is a number, received str"),
        (lambda: ops.group_normalization(X, GAMMA, BETA, 3), ShapeError, r"C a multiple of 3, received \(3, 2, 4\)"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize("shape", [(1000, 3), (300, 64), (5, 7, 3)], ids=str)
def test_statistics_of_a_batch_far_from_zero(shape):
    x = (1e7 + np.random.default_rng(0).normal(size=shape)).astype(np.float32)
    gamma, beta = np.ones(shape[-1], np.float32), np.zeros(shape[-1], np.float32)
    axes = tuple(range(len(shape) - 1))
    _, mean, variance = ops.batch_normalization(x, gamma, beta, 1e-3)
    np.testing.assert_allclose(mean, x.astype(float).mean(axes), rtol=1e-7)
    np.testing.assert_allclose(variance, x.astype(float).var(axes), rtol=1e-5)
    for value in (1e30, -3e38):
        y, mean, variance = ops.batch_normalization(np.full(shape, value, np.float32), gamma, beta, 1e-3)
        np.testing.assert_array_equal(y, 0)
        np.testing.assert_array_equal(mean, np.float32(value))
        np.testing.assert_array_equal(variance, 0)
