"""Reductions that pass over elements that are NaN, as NumPy's functions of these names do."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.ops import accumulate, arithmetic, maths, reduce, sorting, summation
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.shape import ravel
from fnet.ops.summation import Axes

where = arithmetic.where


def nan_to_num(x: Any, copy: bool = True, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """x with numbers in the place of NaN and the infinities, by default 0 and the largest finite numbers.

    >>> nan_to_num(np.array([1.0, np.nan]))
    array([1., 0.])
    """
    x = lift(x)
    if x.dtype.kind != "f":
        return x
    largest = float(np.finfo(x.dtype).max)
    high, low = (largest if posinf is None else posinf), (-largest if neginf is None else neginf)
    x = where(maths.isnan(x), nan, x)
    return where(arithmetic.equal(x, np.inf), high, where(arithmetic.equal(x, -np.inf), low, x))


def nansum(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The sum of what is not NaN.

    >>> float(nansum(np.array([1.0, np.nan, 2.0])))
    3.0
    """
    return summation.sum(_filled(x, 0), axis, keepdims)


def nanprod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The product of what is not NaN."""
    return reduce.prod(_filled(x, 1), axis, keepdims)


def nanmean(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The mean of what is not NaN; NaN where there is nothing."""
    (x,) = promote(x, floating=True)
    return arithmetic.divide(nansum(x, axis, keepdims), _count(x, axis, keepdims))


def nanvar(x: Any, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The variance of what is not NaN, in two passes; NaN where there is nothing."""
    (x,) = promote(x, floating=True)
    off = where(maths.isnan(x), 0, arithmetic.subtract(_filled(x, 0), nanmean(x, axis, True)))
    left = arithmetic.subtract(_count(x, axis, keepdims), ddof)
    squares = summation.sum(maths.square(off), axis, keepdims)
    return where(arithmetic.greater(left, 0), arithmetic.divide(squares, arithmetic.maximum(left, 1)), np.nan)


def nanstd(x: Any, axis: Axes = None, ddof: int = 0, keepdims: bool = False) -> Any:
    """The square root of `nanvar`."""
    return maths.sqrt(nanvar(x, axis, ddof, keepdims))


def nanmax(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The largest of what is not NaN; NaN where there is nothing."""
    return _extreme(x, axis, keepdims, -np.inf, reduce.max)


def nanmin(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The smallest of what is not NaN; NaN where there is nothing."""
    return _extreme(x, axis, keepdims, np.inf, reduce.min)


def nanargmax(x: Any, axis: int | None = None) -> Any:
    """Where the largest of what is not NaN is; 0 where there is nothing."""
    return reduce.argmax(_filled(x, -np.inf), axis)


def nanargmin(x: Any, axis: int | None = None) -> Any:
    """Where the smallest of what is not NaN is; 0 where there is nothing."""
    return reduce.argmin(_filled(x, np.inf), axis)


def nancumsum(x: Any, axis: int | None = None) -> Any:
    """Sums up to each element, NaN counting nothing."""
    x = _filled(x, 0)
    return accumulate.cumsum(ravel(x), 0) if axis is None else accumulate.cumsum(x, axis)


def nanmedian(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """The median of what is not NaN; NaN where there is nothing."""
    return nanquantile(x, 0.5, axis, keepdims)


def nanquantile(x: Any, q: float, axis: Axes = None, keepdims: bool = False) -> Any:
    """The quantile of what is not NaN, interpolated between neighbours; NaN where there is nothing."""
    return sorting.quantile_of_present(x, q, axis, keepdims)


def nanpercentile(x: Any, q: float, axis: Axes = None, keepdims: bool = False) -> Any:
    """`nanquantile` with q in percent."""
    return nanquantile(x, q / 100, axis, keepdims)


def _filled(x: Any, value: float) -> Any:
    """x with a number in the place of NaN."""
    x = lift(x)
    return where(maths.isnan(x), np.asarray(value, x.dtype), x) if x.dtype.kind == "f" else x


def _count(x: Any, axis: Axes, keepdims: bool) -> Any:
    """How many elements are not NaN, in the dtype of x."""
    return astype(summation.sum(arithmetic.logical_not(maths.isnan(x)), axis, keepdims), x.dtype)


def _extreme(x: Any, axis: Axes, keepdims: bool, worst: float, fold: Any) -> Any:
    x = lift(x)
    if x.dtype.kind != "f":
        return fold(x, axis, keepdims)
    found = fold(_filled(x, worst), axis, keepdims)
    present = reduce.any(arithmetic.logical_not(maths.isnan(x)), axis, keepdims)
    return where(present, found, np.asarray(np.nan, x.dtype))
