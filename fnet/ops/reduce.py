"""Reductions other than the sum: extremes, means, spreads, norms, logical folds and positions of extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.ops.arithmetic import (
    divide,
    equal,
    greater,
    less,
    logical_and,
    logical_or,
    multiply,
    not_equal,
    stop_gradient,
    subtract,
    where,
)
from fnet.ops.maths import absolute, isfinite, sqrt, square
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.shape import basic_slice, moveaxis, normalize_axis, reshape, squeeze, transpose
from fnet.ops.summation import Axes, normalize_axes, sum, widened
from fnet.spec import ArraySpec
from fnet.transforms.jvp import jvp
from fnet.transforms.linear_maps import fold_abstract, keep_axes, part
from fnet.transforms.operand import beside
from fnet.transforms.primitive import Primitive
from fnet.transforms.vjp import pullback


def _extreme_vjp(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    """The cotangent is shared equally by the elements that attain the extreme (by the NaNs, if there are any)."""
    share = _attained(y, x, axes)
    return (multiply(keep_axes(g, x.shape, axes), share),)


def _extreme_jvp(tangents: tuple[Any, ...], y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    return sum(multiply(tangents[0], _attained(y, x, axes)), axis=axes)


def _attained(y: Any, x: Any, axes: tuple[int, ...]) -> Any:
    kept = keep_axes(y, x.shape, axes)
    won = astype(logical_or(equal(x, kept), not_equal(x, x)), x.dtype)
    return divide(won, sum(won, axis=axes, keepdims=True))


def _prod_vjp(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    """Through products of pairs, whose derivatives need no quotient by elements that may be 0."""
    return pullback(lambda v: _prod_of_pairs(v, axes), x)[1](g)


def _prod_jvp(tangents: tuple[Any, ...], y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    return jvp(lambda v: _prod_of_pairs(v, axes), (x,), tangents)[1]


def _prod_of_pairs(x: Any, axes: tuple[int, ...]) -> Any:
    """The product over `axes`: one half of the elements times the other, again and again."""
    shape = x.shape
    kept = [a for a in range(len(shape)) if a not in axes]
    result = [shape[a] for a in kept]
    count = math.prod(shape[a] for a in axes)
    x = reshape(transpose(x, [*axes, *kept]), [count, *result])
    left_over: Any = beside(np.ones(result, x.dtype), x)
    while count > 1:
        half = count // 2
        if count % 2:
            left_over = multiply(left_over, basic_slice(x, (count - 1, *[slice(None)] * len(result))))
        x = multiply(part(x, 0, half, 0), part(x, half, 2 * half, 0))
        count = half
    return multiply(reshape(x, result), left_over) if count else left_over


_max = Primitive("max", fold_abstract, reduction="max", vjp=_extreme_vjp, jvp=_extreme_jvp)
_min = Primitive("min", fold_abstract, reduction="min", vjp=_extreme_vjp, jvp=_extreme_jvp)
_prod = Primitive("prod", fold_abstract, reduction="prod", vjp=_prod_vjp, jvp=_prod_jvp)


def _arg_abstract(x: ArraySpec, *, largest: bool) -> ArraySpec:
    return ArraySpec(x.shape[:-1], np.dtype(np.int64))


_arg = Primitive("argmax", _arg_abstract, lowered="reduce")


def _fold(primitive: Primitive, x: Any, axis: Axes, keepdims: bool, of_nothing: bool = False) -> Any:
    x = lift(x)
    axes = normalize_axes(axis, x.ndim, primitive.name)
    if primitive.name in ("max", "min") and not of_nothing and _count(x, axes) == 0:
        raise ShapeError(f"{primitive.name} of nothing: axes {axes} of shape {x.shape} hold no element.")
    folded = primitive(x, axes=axes) if axes else x
    return keep_axes(folded, x.shape, axes) if keepdims else folded


def _count(x: Any, axes: tuple[int, ...]) -> int:
    """How many elements of x a fold over these axes joins in one."""
    return x.size if len(axes) == x.ndim else math.prod([x.shape[a] for a in axes])


def max(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Largest element over `axis` (all by default); NaN if there is one. Ties share the cotangent equally."""
    return _fold(_max, x, axis, keepdims)


def min(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Smallest element over `axis` (all by default); NaN if there is one. Ties share the cotangent equally."""
    return _fold(_min, x, axis, keepdims)


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Product over `axis` (all by default)."""
    return _fold(_prod, widened(x), axis, keepdims)


def any(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether any element is true (not 0); False of none."""
    return _fold(_max, astype(lift(x), bool), axis, keepdims, of_nothing=True)


def all(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether all elements are true (not 0); True of none."""
    return _fold(_min, astype(lift(x), bool), axis, keepdims, of_nothing=True)


def mean(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Mean over `axis` (all by default); the mean of nothing is NaN.

    >>> import numpy as np
    >>> mean(np.array([1.0, 2.0, 6.0]))
    array(3.)
    """
    x = lift(x)
    if x.dtype.kind != "f":
        x = astype(x, "float64")
    axes = normalize_axes(axis, x.ndim, "mean")
    count, total = _count(x, axes), sum(x, axes, keepdims)
    return multiply(total, 1 / count) if count else divide(total, 0.0)


def var(x: Any, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Variance in two passes, ``sum((x - mean)^2) / (n - ddof)``; never negative.

    What the mean loses by rounding to float32 is the mean of the differences: its square is taken off.
    """
    x = lift(x)
    count = _count(x, normalize_axes(axis, x.ndim, "var"))
    center = mean(astype(x, "float64"), axis, keepdims=True)
    differences = subtract(x, astype(center, x.dtype if x.dtype.kind == "f" else "float64"))
    lost = sum(differences, axis, keepdims)
    squares = subtract(sum(square(differences), axis, keepdims), multiply(lost, divide(lost, float(count))))
    return divide(where(less(squares, 0), 0, squares), float(count - ddof if count > ddof else 0))


def std(x: Any, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Standard deviation; its derivative at 0 is taken as 0."""
    variance = var(x, axis, keepdims, ddof)
    flat = less(variance, np.finfo(variance.dtype).tiny)
    return where(flat, 0, sqrt(where(flat, 1, variance)))


def norm(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Euclidean norm ``sqrt(sum(x^2))`` over `axis` (all by default), without overflow; its derivative at 0 is 0.

    >>> import numpy as np, fnet
    >>> norm(np.array([3.0, 4.0])), fnet.grad(norm)(np.zeros(2))
    (array(5.), array([0., 0.]))
    """
    (x,) = promote(x, floating=True)
    axes = normalize_axes(axis, x.ndim, "norm")
    if x.size == 0:
        return sum(x, axes, keepdims)
    largest = stop_gradient(max(absolute(x), axes, keepdims=True))
    scale = where(logical_and(greater(largest, 0), isfinite(largest)), largest, 1)
    squares = sum(square(divide(x, scale)), axes, keepdims=True)
    is_zero = equal(squares, 0)
    root = multiply(where(is_zero, 0, sqrt(where(is_zero, 1, squares))), scale)
    return root if keepdims else squeeze(root, axes)


def argmax(x: Any, axis: int | None = None) -> Any:
    """Position of the first largest element along `axis` (in the flattened array by default), as int64."""
    return _position(x, axis, largest=True)


def argmin(x: Any, axis: int | None = None) -> Any:
    """Position of the first smallest element along `axis` (in the flattened array by default), as int64."""
    return _position(x, axis, largest=False)


def _position(x: Any, axis: int | None, largest: bool) -> Any:
    x = lift(x)
    if axis is None:
        x, axis = reshape(x, (-1,)), 0
    axis = normalize_axis(axis, x.ndim, "argmax")
    if x.shape[axis] == 0:
        raise ShapeError(f"argmax of nothing: axis {axis} of shape {x.shape} holds no element.")
    return _arg(moveaxis(x, axis, -1), largest=largest)
