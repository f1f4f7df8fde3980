"""Elementwise operations against NumPy: values, dtypes, broadcasting, layouts, NaN and Inf, derivatives."""

from __future__ import annotations

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import fnet
from fnet import ops
from fnet.errors import DtypeError
from fnet.ops.promotion import common_dtype
from fnet.spec import SUPPORTED
from fnet.testing import check_complex_step, check_grads
from fnet.testing.strategies import arrays
from tests.ops.table import ANALYTIC, BY_NAME, OPS, SMOOTH, Op, close, laid_out, layouts

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
FLOATS = [np.float32, np.float64]
SPECIAL = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -1.0, 1e-3, 30.0, -30.0])
DTYPES = sorted(SUPPORTED, key=str)
INTEGERS = [d for d in DTYPES if d.kind in "iu"]
FAMILIES = [
    "accumulate", "attention", "conv", "decompositions", "fourier", "index", "linalg", "nn", "normalization",
    "numpy_functions", "pooling", "recurrent", "positive_systems", "reduce", "search", "shape", "systems",
]  # fmt: skip


def test_the_table_is_complete():
    listed = {op.name for op in OPS}
    elsewhere = {"operators", "stop_gradient", "astype", "binary_crossentropy_with_logits", "dropout", "l2_normalize"}
    elsewhere |= {"ctc", "ctc_beam_search_decode", "ctc_greedy_decode"}
    for family in FAMILIES:
        elsewhere |= importlib.import_module(f"tests.ops.test_{family}").COVERED
    public = {name for name in vars(ops) if not name.startswith("_") and callable(getattr(ops, name))}
    assert public - listed - elsewhere == set()


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", OPS, ids=str)
def test_values_are_numpys(op: Op, dtype):
    operands = op.operands((3, 5), dtype)
    expected = op.reference(*(x.astype(np.float64) for x in operands))
    close(op.function(*operands), expected if expected.dtype == bool else expected.astype(dtype))


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", OPS, ids=str)
def test_nan_and_inf_travel_as_in_numpy(op: Op, dtype):
    grid = [g.ravel() for g in np.meshgrid(*[SPECIAL.astype(dtype)] * min(op.arity, 2))]
    if op.name == "clip":
        grid = [grid[0], np.asarray(-1, dtype), np.asarray(1, dtype)]
    elif op.arity == 3:
        grid = [*grid, grid[0]]
    expected = op.reference(*grid)
    close(op.function(*grid), np.asarray(expected, bool if expected.dtype == bool else dtype), scale=4)


@pytest.mark.parametrize(
    ("op", "dtype"),
    [(op, d) for op in OPS for d in (np.int64, np.uint8, bool) if op.booleans or d is not bool],
    ids=str,
)
def test_integers_and_booleans(op: Op, dtype):
    """As in NumPy, but float32 where NumPy gives float16, or float64 for a quotient of 8 bits."""
    values = np.array([0, 1, 2, 3, 5, 4], np.int64).astype(dtype)
    operands = [values, np.roll(values, 1).astype(dtype), np.roll(values, 2).astype(dtype)][: op.arity]
    if op.name == "clip":
        operands[1:] = [dtype(1), dtype(4)]
    got = op.function(*operands)
    if op.floating:
        floating = np.result_type(dtype, np.float32)
        expected = np.asarray(op.reference(*(x.astype(np.float64) for x in operands)), floating)
    else:
        expected = op.reference(*operands)
        if expected.dtype == np.float16:  # steps of booleans: unchanged here
            expected = expected.astype(dtype)
    close(got, expected)


@pytest.mark.parametrize("executor", ["walk", "native"])
def test_powers_of_integers(executor):
    for dtype in INTEGERS if executor == "walk" else [np.int8, np.uint64]:
        x = np.arange(6).astype(dtype)
        got = fnet.jit(lambda x: (x**2, x**3, ops.power(x, x)), executor=executor)(x)
        for value, expected in zip(got, (x**2, x**3, x**x), strict=True):
            close(value, expected)
        close(ops.power(x, 11), x**11)  # beyond narrow types, modulo their range
    x = np.arange(3)
    for negative in (lambda x: ops.power(x, -1), lambda x: ops.power(2, np.array([1, -2]))):
        with pytest.raises(ValueError, match="integers have no negative integer powers, received the exponent -"):
            negative(x)
    with pytest.raises(ValueError, match="received the exponent -1"):
        fnet.jit(lambda x: x**-1)(x)
    np.testing.assert_array_equal(fnet.jit(lambda x, n: x**n)(x, np.array([2, -1, 2])), [0, 0, 4])


def test_quotients_of_integers():
    for dtype in INTEGERS:
        limits = np.iinfo(dtype)
        numbers = np.unique(np.array([limits.min, limits.min // 2, limits.max, 0, 1, 3, 7], dtype))
        numbers = np.concatenate([numbers, np.array([0, 0 - numbers[1]], dtype)])
        a, b = np.meshgrid(numbers, numbers)
        for f, reference in ((ops.floor_divide, np.floor_divide), (ops.remainder, np.remainder)):
            close(f(a, b), reference(a, b))
            close(fnet.jit(f)(a, b), reference(a, b))


def test_comparisons_with_numbers_beyond_the_dtype():
    for dtype in (np.int8, np.uint8, np.uint64):
        x = np.array([0, 1, np.iinfo(dtype).max], dtype)
        for number in (-1, 300, 2**70):
            for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal"):
                f, reference = getattr(ops, name), getattr(np, name)
                close(f(x, number), reference(x, number))
                close(f(number, x), reference(number, x))
    smaller = fnet.jit(ops.less)
    close(smaller(np.array([0, 2**63], np.uint64), -1), np.array([False, False]))
    close(smaller(300, np.array([0, 200], np.uint8)), np.array([False, False]))


def test_booleans_have_no_sign_and_no_difference():
    x = np.array([True, False])
    for f, text in ((ops.negative, "negative"), (ops.sign, "sign"), (lambda x: ops.subtract(x, x), "subtract")):
        with pytest.raises(DtypeError, match=f"{text}: booleans have no"):
            f(x)
    close(ops.square(x), np.square(x))
    close(ops.power(x, x), np.power(x, x))
    close(ops.floor_divide(x, True), np.floor_divide(x, True))


def test_corners():
    close(fnet.jit(np.sign)(np.array([200, 0], np.uint8)), np.array([1, 0], np.uint8))
    for low in (np.nan, np.array([np.nan, 0.0])):
        close(ops.clip(np.ones(2), low, 3.0), np.clip(np.ones(2), low, 3.0))
        close(fnet.jit(lambda x, low: ops.clip(x, low, 3.0))(np.ones(2), low), np.clip(np.ones(2), low, 3.0))
    x = np.array([89.0, -89.0, 1e-30, 5.0, 12.0, np.inf], np.float32)
    close(ops.sinh(x), np.sinh(x.astype(float)).astype(np.float32))
    close(ops.cosh(x), np.cosh(x.astype(float)).astype(np.float32))
    np.testing.assert_array_equal(fnet.vjp(ops.cosh, x[2:3])[1](np.ones(1, np.float32))[0], x[2:3])
    quotient = fnet.jit(lambda x: x / np.array([0.0, -0.0]))(np.ones(2))
    np.testing.assert_array_equal(quotient, [np.inf, -np.inf])
    for dtype in (np.float32, np.float64):
        zeros = np.array([0.0, -0.0], dtype)
        for f, reference in ((ops.sign, np.sign), (ops.log1p, np.log1p)):
            for way in (f, fnet.jit(f)):
                np.testing.assert_array_equal(np.signbit(way(zeros)), np.signbit(reference(zeros)))


@pytest.mark.parametrize(("dtype", "low", "high"), [("uint8", -3, 300), ("int8", -1000, 5), ("uint64", -1, 2**70)])
def test_integers_are_not_clipped_by_bounds_that_they_cannot_reach(dtype, low, high):
    x = np.array([0, 7, np.iinfo(dtype).max], dtype)
    for found in (ops.clip(x, low, high), fnet.jit(lambda x: np.clip(x, low, high))(x)):
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, np.clip(x, low, high))


@pytest.mark.parametrize(
    ("array", "text"),
    [(np.ma.array([1.0, 2.0], mask=[0, 1]), "masked array"), (np.ones((1, 2)).view(np.matrix), "np.matrix")],
)
def test_arrays_that_mean_something_else_are_refused(array, text):
    for f in (lambda: ops.exp(array), lambda: ops.add(1.0, array), lambda: fnet.jit(ops.exp)(array)):
        with pytest.raises(DtypeError, match=f"{text} is not supported"):
            f()


@given(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=3), st.sampled_from([None, 2, 2.5, True]))
def test_dtypes_combine_as_in_numpy(dtypes, number):
    operands = [np.ones(2, d) for d in dtypes] + ([] if number is None else [number])
    assert common_dtype(*operands) == np.result_type(*operands)
    scalars = [d.type(1) for d in dtypes]
    assert common_dtype(*scalars) == np.result_type(*scalars)


def test_python_numbers_yield_to_arrays():
    x = np.ones(3, np.float32)
    for y in (
        x * 2.5,
        ops.multiply(x, 2.5),
        ops.add(x, 1),
        ops.power(x, 2),
        ops.power(x, 2.5),
        ops.where(x > 0, 1.0, x),
    ):
        assert y.dtype == np.float32
    assert ops.multiply(x, np.float64(2)).dtype == np.float64
    assert ops.power(x, np.float64(2)).dtype == np.float64
    assert ops.add(np.ones(3, np.int32), 2).dtype == np.int32
    assert ops.add(np.ones(3, np.int32), 2.0).dtype == np.float64


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=4), st.integers(0, 99))
def test_two_operands_broadcast_as_in_numpy(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=s) for s in shapes.input_shapes)
    close(ops.subtract(a, b), np.subtract(a, b))


@given(hnp.mutually_broadcastable_shapes(num_shapes=3, max_dims=2, max_side=3), st.integers(0, 99))
def test_three_operands_broadcast_as_in_numpy(shapes, seed):
    rng = np.random.default_rng(seed)
    c, a, b = (rng.normal(size=s) for s in shapes.input_shapes)
    close(ops.where(c > 0, a, b), np.where(c > 0, a, b))


@given(arrays(), layouts(), layouts())
def test_any_memory_layout(x, one, other):
    a, b = laid_out(x, one), laid_out(2 * x, other)
    close(ops.subtract(a, b), x - 2 * x)
    close(ops.exp(a), np.exp(x))


def test_broadcast_views_and_overlapping_views():
    row = np.broadcast_to(np.arange(4.0), (3, 4))
    close(ops.multiply(row, row.T.copy().T), row * row)
    windows = np.lib.stride_tricks.sliding_window_view(np.arange(6.0), 3)
    close(ops.exp(windows), np.exp(windows))


@pytest.mark.parametrize("op", SMOOTH, ids=str)
def test_derivatives_of_both_orders(op: Op):
    check_grads(op.function, *op.operands((2, 3)), order=2, rtol=2e-6)


@pytest.mark.parametrize("op", ANALYTIC, ids=str)
def test_first_derivatives_to_the_last_digits(op: Op):
    check_complex_step(op.function, op.reference, *op.operands((2, 3), seed=1), rtol=1e-12)


@pytest.mark.parametrize("name", ["add", "multiply", "divide", "power", "maximum", "where"])
def test_derivatives_of_broadcast_operands(name):
    op = BY_NAME[name]
    shapes = [(2, 1, 3), (4, 1), (3,)][: op.arity]
    operands = [op.operands(s, seed=i)[i] for i, s in enumerate(shapes)]
    check_grads(op.function, *operands)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3), st.integers(0, 99))
def test_a_cotangent_has_the_shape_of_its_operand(shapes, seed):
    rng = np.random.default_rng(seed)
    a, b = (rng.normal(size=s) for s in shapes.input_shapes)
    y, pull = fnet.vjp(ops.multiply, a, b)
    g = rng.normal(size=y.shape)
    da, db = pull(g)
    assert (da.shape, db.shape) == (a.shape, b.shape)
    np.testing.assert_allclose(np.sum(da * a), np.sum(g * a * b), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(np.sum(db * b), np.sum(g * a * b), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("op", SMOOTH, ids=str)
def test_gradients_keep_the_dtype(op: Op, dtype):
    operands = op.operands((3, 5), dtype)
    y, pull = fnet.vjp(op.function, *operands)
    assert all(g.dtype == dtype for g in pull(np.ones_like(y)))


@pytest.mark.parametrize(
    ("function", "at", "expected"),
    [
        (ops.relu, 0.0, 0.0),
        (ops.absolute, 0.0, 0.0),
        (ops.sign, 0.0, 0.0),
        (ops.leaky_relu, 0.0, 1.0),
        (lambda x: ops.maximum(x, 1.0), 1.0, 0.5),
        (lambda x: ops.minimum(x, 1.0), 1.0, 0.5),
        (lambda x: ops.maximum(x, x), 1.0, 1.0),
        (lambda x: ops.clip(x, 0.0, 1.0), 1.0, 1.0),
        (lambda x: ops.clip(x, 0.0, 1.0), 1.5, 0.0),
        (ops.sinh, 0.0, 1.0),
        (lambda x: ops.power(x, 0), 0.0, 0.0),
        (lambda x: ops.power(x, 1.0), 0.0, 1.0),
        (lambda x: ops.power(x, 2), 0.0, 0.0),
        (lambda x: ops.power(x, 3), -2.0, 12.0),
        (lambda x: ops.power(x, 4), -2.0, -32.0),
        (lambda x: ops.power(2.0, x), 0.0, np.log(2)),
        (lambda x: ops.power(0.0, x), 2.0, 0.0),
        (ops.sqrt, 0.0, np.inf),
        (ops.round, 0.5, 0.0),
    ],
)
def test_conventions_at_kinks(function, at, expected):
    np.testing.assert_allclose(fnet.grad(function)(np.float64(at)), expected)
    np.testing.assert_allclose(fnet.jvp(function, (np.float64(at),), (1.0,))[1], expected)


@pytest.mark.parametrize("name", ["relu", "absolute", "maximum", "minimum", "exp", "tanh", "softplus", "sigmoid"])
def test_nan_reaches_the_gradient(name):
    op = BY_NAME[name]
    operands = [np.full(3, np.nan)] * op.arity
    y, pull = fnet.vjp(op.function, *operands)
    assert np.isnan(y).all()
    if name != "relu":  # its derivative is a choice between g and 0, and NaN is not positive
        assert all(np.isnan(g).all() or np.array_equal(g, np.ones(3)) for g in pull(np.ones(3)))


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "expm1", "logaddexp", "erf"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_no_overflow_far_out(name, dtype):
    op = BY_NAME[name]
    x = np.array([-80.0, -40.0, 0.0, 40.0, 80.0], dtype)
    operands = [x, -x][: op.arity]
    y, pull = fnet.vjp(op.function, *operands)
    assert np.isfinite(y).all()
    assert all(np.isfinite(g).all() for g in pull(np.ones_like(y)))
    close(y, op.reference(*(v.astype(np.float64) for v in operands)).astype(dtype), scale=4)


@pytest.mark.parametrize("value", [-np.inf, 0.0, np.inf])
def test_logaddexp_of_equal_values_shares_the_cotangent(value):
    x = np.array(value)
    assert [float(g) for g in fnet.grad(ops.logaddexp, argnums=(0, 1))(x, x)] == [0.5, 0.5]
    if np.isfinite(value):
        check_grads(ops.logaddexp, x, x, order=2)
