"""EinsumDense: Keras' examples of equations and shapes, against NumPy's einsum; errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet import random
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers import Dense, EinsumDense

KEY = random.key(4)
RNG = np.random.default_rng(1)

# equation, bias_axes, shape, output_shape -> shapes of kernel and bias, of the output: from Keras' tests.
CASES: list[tuple[str, str | None, Any, Any, Any, Any, Any]] = [
    ("ab,bc->ac", None, (32,), 64, (32, 64), None, (64,)),
    ("ab,bc->ac", "c", (32,), (64,), (32, 64), (64,), (64,)),
    ("abc,cd->abd", "d", (24, 8), (None, 16), (8, 16), (16,), (24, 16)),
    ("abc,cd->abd", "b", (24, 8), (24, 16), (8, 16), (24, 1), (24, 16)),
    ("abc,cde->abde", "de", (5, 6), (5, 7, 8), (6, 7, 8), (7, 8), (5, 7, 8)),
    ("abc,cde->abde", "d", (5, 6), (None, 7, 8), (6, 7, 8), (7, 1), (5, 7, 8)),
    ("abc,cde->abde", "e", (5, 6), (None, 7, 8), (6, 7, 8), (8,), (5, 7, 8)),
    ("abc,cd->adb", "d", (5, 6), (7, 5), (6, 7), (7, 1), (7, 5)),
    ("...x,xy->...y", "y", (4, 5, 6), 3, (6, 3), (3,), (4, 5, 3)),
    ("...bc,cd->...bd", None, (2, 3, 4), (3, 5), (4, 5), None, (2, 3, 5)),
    ("ab...,bc->ac...", "c", (4, 2, 3), 5, (4, 5), (5, 1, 1), (5, 2, 3)),
    ("abc...,cd->abd...", "b", (4, 5, 2), (4, 3), (5, 3), (4, 1, 1), (4, 3, 2)),
    ("abc,bcd->ad", "d", (4, 5), 3, (4, 5, 3), (3,), (3,)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c[0]} {c[1]}")
def test_shapes_and_values(case: Any) -> None:
    equation, bias_axes, shape, output_shape, kernel, bias, out = case
    layer = EinsumDense(equation, output_shape, "tanh", bias_axes, bias_initializer="normal")
    params, state = layer.init(KEY, shape, "float64")
    assert params["kernel"].shape == kernel
    assert (params["bias"].shape if bias else params.get("bias")) == bias
    assert layer.out_shape(shape) == out
    x = RNG.normal(size=(3, *shape))
    y, _ = layer.apply(params, state, x)
    expected = np.einsum(equation, x, params["kernel"]) + params.get("bias", 0)
    np.testing.assert_allclose(y, np.tanh(expected), rtol=1e-12, atol=1e-14)


def test_it_is_dense_for_the_equation_of_dense() -> None:
    layer, dense = EinsumDense("...c,cd->...d", 5, "relu", "d"), Dense(5, "relu")
    x = RNG.normal(size=(2, 3, 4)).astype("float32")
    params, _ = dense.init(KEY, (3, 4))
    assert all(np.array_equal(a, b) for a, b in zip(layer.init(KEY, (3, 4))[0].values(), params.values(), strict=True))
    np.testing.assert_allclose(layer.apply(params, {}, x)[0], dense.apply(params, {}, x)[0], rtol=1e-6)


def test_variable_axes() -> None:
    assert EinsumDense("abc,cd->abd", (None, 6), bias_axes="d").out_shape((None, 4)) == (None, 6)
    assert EinsumDense("...c,cd->...d", 6).out_shape((None, None, 4)) == (None, None, 6)


def run(equation: str, output_shape: Any, shape: Any, x: Any, **given: Any) -> Any:
    layer = EinsumDense(equation, output_shape, **given)
    return layer.apply(*layer.init(KEY, shape), x)


X = np.ones((2, 3, 4), "float32")
ERRORS: list[tuple[Any, type, str]] = [
    (lambda: EinsumDense(3, 2), DtypeError, "EinsumDense: equation is a string, received int 3"),
    (lambda: EinsumDense("abc->ab", 2), ValueRangeError, r"equation is like 'abc,cd->abd', .* received 'abc->ab'"),
    (lambda: EinsumDense("a...b,bc->a...c", 2), ValueRangeError, "equation is like"),
    (lambda: EinsumDense("...ab,bc->ac...", 2), ValueRangeError, "stands on the same side of input and output"),
    (lambda: EinsumDense("aab,bc->ac", 2), ValueRangeError, "a letter is twice in 'aab'"),
    (lambda: EinsumDense("abc,cx->abd", 2), ValueRangeError, "axis 'x' of 'abc,cx->abd' is neither in input nor in"),
    (
        lambda: EinsumDense("ab,bc->ca", 2),
        ValueRangeError,
        "the batch 'a' must be first in the output, too: 'ab,bc->ca'",
    ),
    (lambda: EinsumDense("ab,bc->ac", 2, bias_axes="d"), ValueRangeError, "bias_axes are axes of the output 'ac', rec"),
    (
        lambda: EinsumDense("ab,bc->ac", 0),
        ValueRangeError,
        "EinsumDense: output_shape is a positive integer, received 0",
    ),
    (lambda: run("abc,cd->abd", 5, (3, 4), X), ShapeError, r"has a size for each of 'bd', received \(5,\)"),
    (
        lambda: run("abc,cd->abd", (2, 5), (3, 4), X),
        ShapeError,
        r"axis 'b' of .* is 3 in an input of .* and 2 in output",
    ),
    (lambda: run("abc,cd->abd", (3, None), (3, 4), X), ShapeError, r"size of axis 'd' of the kernel .* must be known"),
    (
        lambda: run("abc,cd->abd", (None, 5), (3, 4), X[0]),
        ShapeError,
        r"takes an input with 3 axes, the batch included, ",
    ),
    (
        lambda: run("abc,cd->abd", (None, 5), (3, 4), X[..., :3]),
        ShapeError,
        r"'kernel' of shape \(3, 5\), received \(4, 5\)",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
