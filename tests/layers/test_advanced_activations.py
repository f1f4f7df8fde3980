"""Activation layers with parameters or options: Keras' formulas, shared parameters, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet import random
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import ELU, LeakyReLU, PReLU, ReLU, Softmax

KEY = random.key(3)
X = np.random.default_rng(0).normal(scale=3, size=(4, 3, 2, 5))
SPECIAL = np.array([[np.nan, np.inf, 0.0, -0.0, 1e-3, 30.0, -30.0]])


def run(layer: Any, x: Any = X) -> np.ndarray:
    return layer.apply(*layer.init(KEY, x.shape[1:], "float64"), x)[0]


@pytest.mark.parametrize("x", [X, SPECIAL])
def test_formulas(x):
    close = np.testing.assert_allclose
    close(run(ReLU(), x), np.maximum(x, 0))
    expected = np.where(x >= 2, 2, np.where(x > 0.5, x, 0.1 * (x - 0.5)))
    close(run(ReLU(2, 0.1, 0.5), x), np.where(np.isnan(x), x, expected))
    close(run(LeakyReLU(), x), np.where(x < 0, 0.3 * x, x))
    close(run(ELU(0.7), x), np.where(x < 0, 0.7 * np.expm1(x), x), rtol=1e-12)
    close(run(PReLU(), x), np.maximum(x, 0))
    close(run(PReLU("ones"), x), x)


@pytest.mark.parametrize(
    ("shared", "shape"),
    [(None, (3, 2, 5)), (1, (1, 2, 5)), ((1, 2), (1, 1, 5)), ([-1, 1], (1, 2, 1)), ((1, 2, 3), (1, 1, 1))],
)
def test_prelu_shares_its_slopes(shared, shape):
    layer = PReLU("normal", shared)
    params, _ = layer.init(KEY, X.shape[1:], "float64")
    assert params["alpha"].shape == shape
    np.testing.assert_allclose(run(layer), np.where(X > 0, X, params["alpha"] * X))


def test_prelu_shares_over_an_axis_of_variable_size():
    params, _ = PReLU(shared_axes=1).init(KEY, (None, 5))
    assert params["alpha"].shape == (1, 5)
    assert PReLU(shared_axes=1).out_shape((None, 5)) == (None, 5)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), [3, 2]])
def test_softmax_over_any_axes(axis):
    axes = tuple(np.atleast_1d(axis))
    e = np.exp(X)
    np.testing.assert_allclose(run(Softmax(axis)), e / e.sum(axes, keepdims=True), rtol=1e-12)


def test_names():
    layers = [ReLU(), LeakyReLU(), ELU(), PReLU(), Softmax()]
    assert [layer.name for layer in layers] == ["re_lu", "leaky_re_lu", "elu", "p_re_lu", "softmax"]
    assert [f(name="n").name for f in (ReLU, LeakyReLU, ELU, PReLU, Softmax)] == ["n"] * 5
    assert dict(LeakyReLU(0.1).config) == {"negative_slope": 0.1}


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: ReLU(max_value=-1), ValueRangeError, r"ReLU: max_value must not be negative, received -1"),
    (lambda: ReLU(threshold=None), DtypeError, r"ReLU: threshold is a number, received NoneType None"),
    (lambda: LeakyReLU(-0.1), ValueRangeError, r"LeakyReLU: negative_slope must not be negative, received -0\.1"),
    (lambda: ELU("a"), DtypeError, r"ELU: alpha is a number, received str 'a'"),
    (lambda: PReLU(shared_axes=0), ValueRangeError, r"PReLU: axis counts the batch axis 0"),
    (
        lambda: PReLU().init(KEY, (None, 2)),
        ShapeError,
        r"PReLU makes parameters for axis \(1, 2\), .*known: \(None, 2\)",
    ),
    (lambda: PReLU().apply({}, {}, X), StructureError, r"PReLU: .*missing 'alpha'"),
    (lambda: run(PReLU(shared_axes=7)), ShapeError, r"PReLU: axis 7 is not in an input \(batch, \.\.\.\) with 4 axes"),
    (lambda: Softmax(0), ValueRangeError, r"Softmax: axis counts the batch axis 0"),
    (lambda: run(Softmax(5)), ShapeError, r"Softmax: axis 5 is not in an input \(batch, \.\.\.\) with 4 axes"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong, error, text):
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
