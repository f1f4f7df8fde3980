"""NumPy's functions on traced values: values are NumPy's, derivatives those of finite differences."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.ops import numpy_functions
from fnet.ops.padding import pad_with_itself
from fnet.testing import check_grads
from tests.ops.table import close

rng = np.random.default_rng(3)
X, Y = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
GAPS = np.where(np.abs(X) < 0.25, np.nan, X)
PLACES = np.argsort(Y, axis=1)


@dataclass(frozen=True)
class Row:
    """name: of NumPy's function; call: of x and y; smooth: whether it has derivatives where X and Y are."""

    name: str
    call: Callable[[Any, Any], Any]
    smooth: bool = True


def _of(name: str, *args: Any, smooth: bool = True, **options: Any) -> Row:
    return Row(name, lambda x, y: getattr(np, name)(x, *args, **options), smooth)


def _both(name: str, smooth: bool = True) -> Row:
    return Row(name, lambda x, y: getattr(np, name)(x, y), smooth)


ROWS = [
    _of("roll", 1), _of("roll", (1, -2), axis=(0, 1)), _of("repeat", 2), _of("repeat", [1, 0, 2], axis=0),
    _of("tile", (2, 1, 2)), _of("rot90"), _of("rot90", 2), _of("rot90", 3, axes=(1, 0)), _of("array_split", 3, axis=1),
    Row("vstack", lambda x, y: np.vstack([x, y])), Row("hstack", lambda x, y: np.hstack([x[0], y[0]])),
    Row("dstack", lambda x, y: np.dstack([x, y])), Row("column_stack", lambda x, y: np.column_stack([x[:, 0], y])),
    Row("append", lambda x, y: np.append(x, y)), Row("append", lambda x, y: np.append(x, y, axis=1)),
    Row("meshgrid", lambda x, y: np.meshgrid(x[0], y[1, :2])), Row("kron", lambda x, y: np.kron(x, y[:2])),
    Row("meshgrid", lambda x, y: np.meshgrid(x[0], y[1, :2], indexing="ij")),
    Row("broadcast_arrays", lambda x, y: list(np.broadcast_arrays(x, y[0]))),
    Row("diag", lambda x, y: np.diag(x[0])), Row("diag", lambda x, y: np.diag(x[0], 2)), _of("diag", -1),
    Row("diag", lambda x, y: np.diag(x[0], -3)), _of("diagflat"), _of("diagonal", 1), _of("diagonal", -2),
    Row("diagonal", lambda x, y: np.diagonal(np.stack([x, y]), 1, 2, 0)), _of("diagonal", 7), _of("trace"),
    _of("tril"), _of("tril", -1), _of("triu", 1), _of("sort"), _of("sort", axis=0), _of("sort", axis=None),
    _of("argsort", smooth=False), _of("argsort", axis=0, kind="stable", smooth=False),
    Row("take_along_axis", lambda x, y: np.take_along_axis(x, PLACES, 1)),
    Row("take_along_axis", lambda x, y: np.take_along_axis(x, -1 - PLACES[:1], -1)),
    _of("median"), _of("median", axis=1), _of("quantile", 0.3), _of("quantile", [0.0, 0.5, 1.0], axis=1),
    _of("quantile", 0.7, axis=0, keepdims=True), _of("quantile", 0.4, method="nearest"), _of("percentile", 40.0),
    *[_of("quantile", 0.4, method=how) for how in ("lower", "higher", "midpoint")],
    _of("nan_to_num", nan=2.0), _of("diff"), _of("diff", 2, axis=0), _of("trapezoid", dx=0.5), _of("trapezoid", axis=0),
    Row("trapezoid", lambda x, y: np.trapezoid(x, np.cumsum(y**2, 1))), _of("gradient"), _of("gradient", 0.5, axis=1),
    Row("interp", lambda x, y: np.interp(x, np.sort(y[0]), y[1])), Row("vander", lambda x, y: np.vander(x[0], 3)),
    Row("interp", lambda x, y: np.interp(x, np.linspace(-1, 1, 4), y[1], left=0.0, right=9.0)),
    *[Row("correlate", lambda x, y, m=m: np.correlate(x.ravel(), y[0], m)) for m in ("valid", "same", "full")],
    *[Row("convolve", lambda x, y, m=m: np.convolve(x[0], y.ravel(), m)) for m in ("valid", "same", "full")],
    Row("correlate", lambda x, y: np.correlate(x[0, :3], y.ravel(), "same")),
    Row("polyval", lambda x, y: np.polyval(x[0], y)), _both("hypot"), _both("arctan2"), _of("cbrt"), _of("arcsinh"),
    Row("arcsin", lambda x, y: np.arcsin(x / 4)), Row("arccos", lambda x, y: np.arccos(x / 4)), _of("sinc"),
    Row("arctanh", lambda x, y: np.arctanh(x / 4)), Row("arccosh", lambda x, y: np.arccosh(2 + x * x)), _of("exp2"),
    _both("fmod"), _both("fmax"), _both("fmin"), _both("copysign"), _both("heaviside"), _both("logaddexp2"),
    _of("signbit", smooth=False), _of("deg2rad"), _of("rad2deg"), _of("degrees"), _of("radians"), _of("fix"),
    Row("select", lambda x, y: np.select([x > 1, x > 0], [x, y], 2.0)), _both("isclose", smooth=False),
    _both("allclose", smooth=False), Row("array_equal", lambda x, y: np.array_equal(x, x), smooth=False),
    Row("isin", lambda x, y: np.isin(x, y[:2]) | np.isin(x, x[:1]), smooth=False), _of("isposinf", smooth=False),
    _of("isneginf", smooth=False), _of("average"), Row("average", lambda x, y: np.average(x, 1, weights=y**2)),
    Row("average", lambda x, y: np.average(x, axis=0, weights=y[:, 0] ** 2)), _of("ptp"), _of("ptp", axis=1),
    Row("count_nonzero", lambda x, y: np.count_nonzero(x > 0, axis=1), smooth=False), _of("cov"),
    _of("cov", rowvar=False, bias=True), Row("cov", lambda x, y: np.cov(x[0])), _of("corrcoef"),
    Row("digitize", lambda x, y: np.digitize(x, [-1.0, 0.0, 1.0]), smooth=False),
    Row("digitize", lambda x, y: np.digitize(x, [1.0, 0.0, -1.0], right=True), smooth=False),
    _of("histogram", smooth=False), _of("histogram", 4, range=(-1.0, 1.0), smooth=False), _of("cumprod"),
    _of("cumprod", axis=1), _both("inner"), _both("vdot"), Row("cross", lambda x, y: np.cross(x[:, 1:], y[:, :3])),
    Row("cross", lambda x, y: np.cross(x, y, axis=0)), _of("delete", 1, axis=0), _of("delete", [0, 3], axis=1),
    _of("fliplr"), _of("flipud"), Row("atleast_2d", lambda x, y: np.atleast_2d(x[0])), _of("atleast_3d"),
    Row("atleast_1d", lambda x, y: np.atleast_1d(x[0, 0])), _of("hsplit", 2), _of("vsplit", [1]), _of("real"),
    Row("dsplit", lambda x, y: np.dsplit(np.stack([x, y], 2), 2)),
    Row("logical_xor", lambda x, y: np.logical_xor(x > 0, y > 0), smooth=False),
    _of("copy"), _of("conjugate"), _of("round", 1), _of("around", 2),
    *[_of("pad", 1, mode=m) for m in ("edge", "symmetric", "wrap")],
    _of("pad", ((1, 2), (0, 3)), mode="reflect"),
]  # fmt: skip
SUMS = ("nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanmedian", "nancumsum")
MISSING = [
    *map(_of, SUMS), *[_of(name, axis=1) for name in ("nansum", "nanmean", "nanvar", "nanmax", "nanmedian")],
    _of("nanvar", axis=0, ddof=1), _of("nanquantile", 0.3), _of("nanpercentile", 60.0, axis=0), _of("nan_to_num"),
    _of("nanargmax", smooth=False), _of("nanargmin", axis=0, smooth=False),
]  # fmt: skip
BITS = ["bitwise_and", "bitwise_or", "bitwise_xor", "left_shift", "right_shift", "gcd", "lcm"]
NEW_NAMES = {"trapezoid", "unstack", "trapz"}  # which not every NumPy has
COVERED = (
    {row.name for row in ROWS + MISSING} | {*BITS, "bitwise_not", "rsqrt", "erfc", "erfinv", "unstack", "divide_no_nan"}
) | {"argpartition"}


def _id(row: Row) -> str:
    return row.name


def _leaves(value: Any) -> list[Any]:
    return [leaf for part in value for leaf in _leaves(part)] if isinstance(value, list | tuple) else [value]


def traced(call: Callable, *args: np.ndarray) -> list[np.ndarray]:
    """What the call gives for traced values, without jit."""
    return _leaves(fnet.vjp(call, *args)[0])


def _skip_missing(row: Row) -> None:
    if not hasattr(np, row.name):
        pytest.skip(f"this NumPy has no {row.name}")


@pytest.mark.parametrize("row", ROWS, ids=_id)
def test_values_are_numpys(row):
    _skip_missing(row)
    for got, expected in zip(traced(row.call, X, Y), _leaves(row.call(X, Y)), strict=True):
        close(np.asarray(got), np.asarray(expected), 5)


@pytest.mark.parametrize("row", MISSING, ids=_id)
def test_values_that_are_missing_are_passed_over_as_in_numpy(row):
    (got,) = traced(lambda x: row.call(x, None), GAPS)
    close(np.asarray(got), np.asarray(row.call(GAPS, None)), 5)


def test_every_function_of_the_table_is_tried():
    names = set(numpy_functions.UFUNCS) | set(numpy_functions.FUNCTIONS)
    assert names - COVERED - NEW_NAMES - {"invert"} == set()


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in ROWS + MISSING if row.smooth], ids=_id)
def test_derivatives_are_those_of_finite_differences(row):
    _skip_missing(row)

    def total(x, y):
        return sum(
            np.sum(np.sin(leaf))
            for leaf in _leaves(row.call(np.where(np.isnan(GAPS), GAPS, x) if row in MISSING else x, y))
        )

    check_grads(total, X, Y)


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.uint64, bool])
def test_bits_are_numpys(name, dtype):
    numbers = np.array([0, 1, 2, 5, 7, 12, 63, 64, 100, 3], np.int64)
    values = numbers.astype(dtype)
    if np.dtype(dtype).kind == "i":
        values = np.concatenate([values, -values])
    a, b = np.meshgrid(values, values)
    if name == "lcm" and a.dtype.itemsize == 1:
        a, b = a[:4], b[:4]  # beyond its dtype NumPy's is another power of 2
    if name in ("left_shift", "right_shift"):
        b = np.abs(b)
    if dtype is bool and name in ("gcd", "lcm"):
        a, b = a.astype(np.int8), b.astype(np.int8)
    close(getattr(ops, name)(a, b), getattr(np, name)(a, b))


def test_operators_on_bits_are_numpys():
    a, b = np.array([6, -1, 12]), np.array([3, 1, 2])

    def f(a, b):
        return [a & b, a | b, a ^ b, ~a, a << b, a >> b, 7 & b, a ^ 1]

    for got, expected in zip(fnet.jit(f)(a, b), f(a, b), strict=True):
        close(got, expected)


def test_order_is_stable_and_puts_what_is_not_a_number_last():
    for dtype in ("f4", "f8", "i4", "u8", "?"):
        for shape in ((0,), (1,), (3, 17), (2, 100)):
            x = (3 * np.random.default_rng(0).normal(size=shape)).round().astype(dtype)
            if dtype[0] == "f" and x.size > 3:
                x.flat[[1, 2]] = -0.0, np.nan
            close(ops.argsort(x), np.argsort(x, axis=-1, kind="stable"))
            falling = np.argsort(~x if dtype[0] in "iu?" else -x, axis=-1, kind="stable")
            close(ops.argsort(x, descending=True), falling)


def test_dtypes_are_those_of_numpy_but_for_half_precision():
    for call in (lambda x: np.fmod(x, 3), lambda x: np.cumprod(x), lambda x: np.vander(x), lambda x: np.sort(x)):
        for dtype in ("i1", "i4", "u1", "f4"):
            x = np.array([3, 1, 2], dtype)
            expected = np.dtype("f4") if dtype == "f4" else call(x).dtype if dtype[0] == "i" else None
            received = fnet.eval_shape(call, x).dtype
            assert expected in (None, received)
    assert fnet.eval_shape(np.deg2rad, np.ones(2, np.int8)).dtype == np.float32


def test_nothing_to_sort():
    for shape in ((0, 3), (3, 0)):
        x = np.zeros(shape)
        close(ops.sort(x, 0), x)
        close(fnet.jit(np.sort)(x), x)


def test_medians_of_infinities_and_of_what_is_not_a_number():
    x = np.array([[1.0, np.inf, np.inf], [np.nan, 1.0, 2.0], [-np.inf, 3.0, np.inf]])
    close(ops.median(x, 1), np.array([np.inf, np.nan, 3.0]))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: ops.roll(X, (1, 2), 0), ShapeError, "expected a shift for each axis of (0,), received (1, 2)"),
        (lambda: ops.repeat(X, [1, 2], 0), ShapeError, "expected one number or 3 of them, received shape (2,)"),
        (lambda: ops.repeat(X, -1), ValueRangeError, "expected 0 or more repeats, received -1"),
        (lambda: ops.tile(X, -1), ValueRangeError, "expected 0 or more repetitions of each axis, received (-1,)"),
        (lambda: ops.rot90(X, 1, (0, -2)), ShapeError, "expected two different axes, received (0, -2)"),
        (lambda: ops.array_split(X, 0), ValueRangeError, "expected 1 or more sections, received 0"),
        (lambda: ops.meshgrid(X[0], indexing="yx"), ValueRangeError, "expected indexing='xy' or 'ij', received 'yx'"),
        (lambda: ops.diagonal(X[0]), ShapeError, "diagonal: expected 2 axes or more, received float64[4]"),
        (lambda: ops.diagonal(X, 0, 1, -1), ShapeError, "expected two different axes, received 1 twice"),
        (lambda: ops.diag(X[None]), ShapeError, "diag: expected a row or a matrix, received float64[1, 3, 4]"),
        (lambda: ops.tril(X[0]), ShapeError, "tril: expected matrices of shape (..., rows, columns), received"),
        (lambda: ops.take_along_axis(X, PLACES[0], 1), ShapeError, "an index with 2 axes, received int64[4]"),
        (lambda: ops.take_along_axis(X, PLACES[:2], 1), ShapeError, "axes of equal sizes, or of size 1, beside axis 1"),
        (lambda: ops.quantile(X, 1.5), ValueRangeError, "expected q within [0, 1], received 1.5"),
        (lambda: ops.quantile(X, 0.5, method="median"), ValueRangeError, "received 'median'"),
        (lambda: ops.quantile(X[:0], 0.5), ShapeError, "expected one element or more, received shape (0, 4)"),
        (lambda: ops.nanquantile(X, 2.0), ValueRangeError, "expected q as one number within [0, 1], received 2.0"),
        (lambda: fnet.grad(lambda x: np.sum(np.pad(x, 1, "mean")))(X), ValueRangeError, "received 'mean'"),
        (lambda: pad_with_itself(X[:, :0], [(0, 0), (1, 1)], "edge"), ShapeError, "[3, 0] has nothing to repeat"),
        (lambda: ops.diff(X, -1), ValueRangeError, "diff: expected n >= 0, received -1"),
        (lambda: ops.gradient(X[:1], axis=0), ShapeError, "expected 2 places or more along axis 0, received"),
        (lambda: ops.gradient(X, 1.0, 2.0, 3.0), ValueRangeError, "expected one number as spacing, or 2 of them"),
        (lambda: ops.interp(X, X[0], X[0, :2]), ShapeError, "points and values of shape (P,), received (4,), (2,)"),
        (lambda: ops.correlate(X, X[0]), ShapeError, "expected two rows that are not empty, received float64[3, 4]"),
        (lambda: ops.select([X > 0], []), ShapeError, "expected a choice for each condition, received 1, 0"),
        (lambda: ops.average(X, weights=X[0]), ShapeError, "expected weights (3, 4), or a row as long as one axis"),
        (lambda: ops.cov(X[None]), ShapeError, "cov: expected a row or a matrix, received float64[1, 3, 4]"),
        (lambda: ops.histogram(X, [0.0, 1.0]), ValueRangeError, "how many bins there are, received [0.0, 1.0]"),
        (lambda: ops.cross(X, X), ShapeError, "expected vectors of 3 elements along axis -1, received (3, 4)"),
        (lambda: ops.bitwise_and(X, 1), DtypeError, "bitwise_and takes integers or booleans, received float64[3, 4]"),
    ],
)  # fmt: skip
def test_errors(call, error, text):
    with pytest.raises(error) as raised:
        call()
    assert text in str(raised.value)
