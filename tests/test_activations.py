"""Activations against NumPy formulas and Keras' values, at the edges, and their first and second derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

import fnet
from fnet import activations
from fnet.activations import ACTIVATIONS, get
from fnet.errors import DtypeError, ShapeError, ValueRangeError

INF, NAN = math.inf, math.nan
QUICK = settings(deadline=None, max_examples=15)


def sigmoid(x: Any) -> Any:
    return np.exp(-np.logaddexp(0, -x))


def erf(x: Any) -> Any:
    return np.vectorize(math.erf, otypes=[float])(x)


def exp(x: Any) -> Any:
    return np.exp(np.minimum(x, 700))


def softmax(x: Any) -> Any:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def sparsemax(x: Any) -> Any:
    """By sorting, as in the paper."""
    z = np.sort(x, -1)[..., ::-1]
    sums = np.cumsum(z, -1)
    k = np.arange(1, x.shape[-1] + 1)
    size = np.sum(1 + k * z > sums, -1, keepdims=True)
    return np.maximum(x - (np.take_along_axis(sums, size - 1, -1) - 1) / size, 0)


def elu(x: Any, a: float = 1.0) -> Any:
    return np.where(x >= 0, x, a * np.expm1(np.minimum(x, 0)))


FORMULAS: dict[str, Callable[[Any], Any]] = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.minimum(np.maximum(x, 0), 6),
    "leaky_relu": lambda x: np.maximum(x, 0.2 * x),
    "sigmoid": sigmoid,
    "log_sigmoid": lambda x: -np.logaddexp(0, -x),
    "hard_sigmoid": lambda x: np.clip(x / 6 + 0.5, 0, 1),
    "sparse_sigmoid": lambda x: np.clip((x + 1) / 2, 0, 1),
    "tanh": np.tanh,
    "tanh_shrink": lambda x: x - np.tanh(x),
    "hard_tanh": lambda x: np.clip(x, -1, 1),
    "softmax": softmax,
    "log_softmax": lambda x: np.log(softmax(x)),
    "elu": elu,
    "selu": lambda x: 1.0507009873554805 * elu(x, 1.6732632423543772),
    "celu": lambda x: np.maximum(x, 0) + np.expm1(np.minimum(x, 0)),
    "gelu": lambda x: x * 0.5 * (1 + erf(x / math.sqrt(2))),
    "softplus": lambda x: np.logaddexp(x, 0),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "silu": lambda x: x * sigmoid(x),
    "swish": lambda x: x * sigmoid(x),
    "hard_silu": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "hard_swish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "mish": lambda x: x * np.tanh(np.logaddexp(x, 0)),
    "exponential": exp,
    "glu": lambda x: np.split(x, 2, -1)[0] * sigmoid(np.split(x, 2, -1)[1]),
    "soft_shrink": lambda x: np.sign(x) * np.maximum(np.abs(x) - 0.5, 0),
    "hard_shrink": lambda x: np.where(np.abs(x) > 0.5, x, 0),
    "threshold": lambda x: np.where(x > 0, x, 0),
    "sparse_plus": lambda x: np.where(x <= -1, 0, np.where(x < 1, (x + 1) ** 2 / 4, x)),
    "squareplus": lambda x: (x + np.sqrt(x * x + 4)) / 2,
    "sparsemax": sparsemax,
    "binary_step": lambda x: np.where(x >= 0, 1.0, 0.0),
}
ROWWISE = {"softmax", "log_softmax", "glu", "sparsemax"}
EACH = pytest.mark.parametrize("name", FORMULAS)
POINTWISE = pytest.mark.parametrize("name", sorted(set(FORMULAS) - ROWWISE))

# name -> limits at -Inf and Inf
LIMITS = {
    "linear": (-INF, INF),
    "relu": (0, INF),
    "relu6": (0, 6),
    "leaky_relu": (-INF, INF),
    "sigmoid": (0, 1),
    "log_sigmoid": (-INF, 0),
    "hard_sigmoid": (0, 1),
    "sparse_sigmoid": (0, 1),
    "tanh": (-1, 1),
    "tanh_shrink": (-INF, INF),
    "hard_tanh": (-1, 1),
    "elu": (-1, INF),
    "selu": (-1.0507009873554805 * 1.6732632423543772, INF),
    "celu": (-1, INF),
    "gelu": (0, INF),
    "softplus": (0, INF),
    "softsign": (-1, 1),
    "silu": (0, INF),
    "swish": (0, INF),
    "hard_silu": (0, INF),
    "hard_swish": (0, INF),
    "mish": (0, INF),
    "exponential": (0, INF),
    "soft_shrink": (-INF, INF),
    "hard_shrink": (-INF, INF),
    "threshold": (0, INF),
    "sparse_plus": (0, INF),
    "squareplus": (0, INF),
    "binary_step": (0, 1),
}
# Where a pointwise function is not differentiable, or not twice.
KINKS = {0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 6.0}


def test_the_table_is_complete() -> None:
    assert set(FORMULAS) == set(ACTIVATIONS)
    assert set(LIMITS) == set(FORMULAS) - ROWWISE


@EACH
@given(
    arrays(
        np.float64,
        array_shapes(min_dims=2, max_dims=3, max_side=3).map(lambda s: (*s[:-1], 4)),
        elements=st.floats(-30, 30),
    )
)
@QUICK
def test_formula(name: str, x: Any) -> None:
    y = ACTIVATIONS[name](x)
    np.testing.assert_allclose(y, FORMULAS[name](x), rtol=1e-11, atol=1e-13)
    single = ACTIVATIONS[name](x.astype("float32"))
    assert single.dtype == np.float32 and y.dtype == np.float64
    np.testing.assert_allclose(single, FORMULAS[name](x.astype("float32").astype("float64")), rtol=2e-5, atol=2e-6)


CHECKS = {
    "gelu": [-0.0040497, -0.1586553, -0.1542688, 0, 0.3457312, 0.8413447, 2.9959503],
    "selu": [-1.6705687, -1.1113307, -0.6917582, 0, 0.5253505, 1.050701, 3.152103],
    "mish": [-0.1456475, -0.3034015, -0.2207438, 0, 0.3752452, 0.8650984, 2.986535],
    "silu": [-0.1422776, -0.2689414, -0.1887703, 0, 0.3112297, 0.7310586, 2.8577224],
    "hard_sigmoid": [0, 0.333333, 0.4166667, 0.5, 0.5833333, 0.6666667, 1],
}


@pytest.mark.parametrize(("name", "values"), CHECKS.items())
def test_values_of_keras(name: str, values: list[float]) -> None:
    x = np.array([-3, -1, -0.5, 0, 0.5, 1, 3], "float32")
    np.testing.assert_allclose(ACTIVATIONS[name](x), values, atol=6e-7)


def test_options() -> None:
    x = np.array([-3, -1, -0.5, 0, 0.5, 1, 3, 8])
    np.testing.assert_allclose(
        activations.gelu(x[:-1], approximate=True),
        [-0.0036374, -0.158808, -0.154286, 0, 0.345714, 0.841192, 2.9963626],
        atol=6e-7,
    )
    np.testing.assert_allclose(activations.relu(x, 0.1, 6.0, 1.0), [-0.4, -0.2, -0.15, -0.1, -0.05, 0, 3, 6])
    np.testing.assert_allclose(activations.relu(x, threshold=0.75), [0, 0, 0, 0, 0, 1, 3, 8])
    np.testing.assert_allclose(activations.relu(x, max_value=2), [0, 0, 0, 0, 0.5, 1, 2, 2])
    np.testing.assert_allclose(activations.leaky_relu(x, 0.5), np.maximum(x, 0.5 * x))
    np.testing.assert_allclose(activations.elu(x, 2.0), elu(x, 2.0))
    np.testing.assert_allclose(activations.celu(x, 2.0), np.maximum(x, 0) + 2 * np.expm1(np.minimum(x, 0) / 2))
    np.testing.assert_allclose(activations.threshold(x, 0.5, -7.0), [-7, -7, -7, -7, -7, 1, 3, 8])
    np.testing.assert_allclose(activations.soft_shrink(x, 1.0), [-2, 0, 0, 0, 0, 0, 2, 7])
    np.testing.assert_allclose(activations.hard_shrink(x, 1.0), [-3, 0, 0, 0, 0, 0, 3, 8])
    np.testing.assert_allclose(activations.squareplus(x, 1.0), (x + np.sqrt(x * x + 1)) / 2)
    for name in sorted(ROWWISE):
        columns = x.reshape(4, 2)
        np.testing.assert_allclose(ACTIVATIONS[name](columns, axis=0), FORMULAS[name](columns.T).T, atol=1e-15)


@POINTWISE
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_limits_and_nan(name: str, dtype: str) -> None:
    function = ACTIVATIONS[name]
    np.testing.assert_allclose(function(np.array([-INF, INF], dtype)), LIMITS[name], rtol=1e-6)
    big = np.array([-1e15, 1e15], dtype)
    assert not np.any(np.isnan(function(big)))
    assert np.isnan(function(np.array([NAN, 0.0], dtype)))[0]
    with np.errstate(all="ignore"):
        slope = fnet.grad(lambda x: np.sum(function(x)))(big)
    assert not np.any(np.isnan(slope))


@pytest.mark.parametrize("name", sorted(ROWWISE))
def test_nan_fills_its_row_only(name: str) -> None:
    y = ACTIVATIONS[name](np.array([[NAN, 1.0, 2.0, NAN], [0.0, 1.0, 2.0, 3.0]]))
    assert np.all(np.isnan(y[0])) and np.all(np.isfinite(y[1]))


@POINTWISE
@given(arrays(np.float64, 3, elements=st.floats(-5, 5).filter(lambda v: all(abs(v - k) > 1e-3 for k in KINKS))))
@settings(deadline=None, max_examples=4)
def test_two_derivatives_of_pointwise_functions(name: str, x: Any) -> None:
    function = ACTIVATIONS[name]

    def slope(x: Any) -> Any:
        return fnet.grad(lambda x: np.sum(function(x)))(x)

    h = 1e-6
    np.testing.assert_allclose(slope(x), (FORMULAS[name](x + h) - FORMULAS[name](x - h)) / (2 * h), atol=1e-8)
    ones = np.ones_like(x)
    np.testing.assert_allclose(fnet.jvp(function, (x,), (ones,))[1], slope(x), atol=1e-12)
    curvature = fnet.hessian_vector_product(lambda x: np.sum(function(x)), x, ones)
    np.testing.assert_allclose(curvature, (slope(x + h) - slope(x - h)) / (2 * h), atol=1e-8)


@pytest.mark.parametrize("name", sorted(ROWWISE))
@given(st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=10)
def test_two_derivatives_of_rowwise_functions(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, t, c = rng.normal(size=(2, 4)), rng.normal(size=(2, 4)), rng.normal(size=(2, 2 if name == "glu" else 4))

    def loss(x: Any) -> Any:
        return np.sum(ACTIVATIONS[name](x) * c)

    h = 1e-6
    if name == "sparsemax":  # piecewise linear: stay away from a change of support
        values = [np.asarray(ACTIVATIONS[name](x + s * t)) > 0 for s in (-h, h)]
        if np.any(values[0] != values[1]):
            return
    numeric = (np.sum(FORMULAS[name](x + h * t) * c) - np.sum(FORMULAS[name](x - h * t) * c)) / (2 * h)
    assert np.sum(fnet.grad(loss)(x) * t) == pytest.approx(numeric, rel=1e-6, abs=1e-8)
    difference = (fnet.grad(loss)(x + h * t) - fnet.grad(loss)(x - h * t)) / (2 * h)
    np.testing.assert_allclose(fnet.hessian_vector_product(loss, x, t), difference, rtol=1e-5, atol=1e-8)


def test_slopes_at_the_kinks() -> None:
    def slope(name: str, x: float) -> float:
        return float(fnet.grad(ACTIVATIONS[name])(np.float64(x)))

    assert [slope("relu", 0), slope("relu6", 0), slope("relu6", 6), slope("elu", 0), slope("binary_step", 0)] == [
        0,
        0,
        0,
        1,
        0,
    ]
    assert slope("squareplus", 0) == 0.5 and slope("sparse_plus", -1) == 0 and slope("soft_shrink", 0.2) == 0


@given(arrays(np.float64, (3, 5), elements=st.floats(-1e6, 1e6) | st.sampled_from([0.0, 1.0, -INF])))
@QUICK
def test_sparsemax_is_on_the_simplex(x: Any) -> None:
    x[:, 0] = np.where(np.isinf(x[:, 0]), 0, x[:, 0])  # a row of -Inf has no nearest point
    for dtype in ("float32", "float64"):
        y = activations.sparsemax(x.astype(dtype))
        assert np.all(y >= 0)
        np.testing.assert_allclose(y.sum(-1), 1, rtol=1e-6)
        np.testing.assert_allclose(activations.sparsemax(x.astype(dtype)[:, ::-1])[:, ::-1], y, atol=1e-6)


def test_integers_become_floating() -> None:
    for name in sorted(set(ACTIVATIONS) - {"linear"}):
        y = ACTIVATIONS[name](np.array([[1, 2, -1, 0]]))
        np.testing.assert_allclose(y, FORMULAS[name](np.array([[1.0, 2, -1, 0]])), rtol=1e-6)
        assert y.dtype.kind == "f"


def test_get() -> None:
    assert get(None) is activations.linear and get("gelu") is activations.gelu and get(np.tanh) is np.tanh
    with pytest.raises(ValueRangeError, match=r"unknown activation 'ReLU'\. Did you mean 'relu'\?"):
        get("ReLU")
    with pytest.raises(ValueRangeError, match=r"unknown activation 'zzz'\. Known: binary_step, celu"):
        get("zzz")
    with pytest.raises(DtypeError, match=r"an activation is a name or a function, received int 3"):
        get(3)
    with pytest.raises(
        ShapeError, match=r"glu: axis -1 is cut in halves, so its size must be even, received shape \(2, 3\)"
    ):
        activations.glu(np.ones((2, 3)))


def test_squareplus_far_out():
    x = np.array([3e19, -3e19, 1e30, -INF, INF], np.float32)
    y, pull = fnet.vjp(activations.squareplus, x)
    np.testing.assert_allclose(y, [3e19, 1 / 3e19, 1e30, 0, INF], rtol=1e-6)
    np.testing.assert_allclose(pull(np.ones_like(x))[0], [1, 0, 1, 0, 1], atol=1e-30)
    near = np.linspace(-50, 50, 101, dtype=np.float32)
    for b in (1e-6, 4.0, 1e6):
        exact = (near + np.sqrt(near.astype(float) ** 2 + b)) / 2
        np.testing.assert_allclose(activations.squareplus(near, b), exact, rtol=1e-5, atol=1e-7 * math.sqrt(b))
