"""Reductions other than the sum: extremes, means, spreads, logical folds and positions of extremes."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.errors import ShapeError
from fnet.ops.arithmetic import divide, equal, less, logical_or, multiply, not_equal, subtract, where
from fnet.ops.maths import sqrt, square
from fnet.ops.promotion import astype, lift
from fnet.ops.shape import moveaxis, normalize_axis, reshape
from fnet.ops.summation import Axes, fold_abstract, keep_axes, normalize_axes, sum, widened
from fnet.spec import ArraySpec
from fnet.transforms.primitive import Primitive, spec_of


def _extreme_vjp(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    """The cotangent is shared equally by the elements that attain the extreme (by the NaNs, if there are any)."""
    share = _attained(y, x, axes)
    return (multiply(keep_axes(g, spec_of(x).shape, axes), share),)


def _extreme_jvp(tangents: tuple[Any, ...], y: Any, x: Any, *, axes: tuple[int, ...]) -> Any:
    return sum(multiply(tangents[0], _attained(y, x, axes)), axis=axes)


def _attained(y: Any, x: Any, axes: tuple[int, ...]) -> Any:
    kept = keep_axes(y, spec_of(x).shape, axes)
    won = astype(logical_or(equal(x, kept), not_equal(x, x)), spec_of(x).dtype)
    return divide(won, sum(won, axis=axes, keepdims=True))


def _prod_vjp(g: Any, y: Any, x: Any, *, axes: tuple[int, ...]) -> tuple[Any]:
    shape = spec_of(x).shape
    return (divide(multiply(keep_axes(g, shape, axes), keep_axes(y, shape, axes)), x),)


_max = Primitive("max", fold_abstract, reduction="max", vjp=_extreme_vjp, jvp=_extreme_jvp)
_min = Primitive("min", fold_abstract, reduction="min", vjp=_extreme_vjp, jvp=_extreme_jvp)
_prod = Primitive("prod", fold_abstract, reduction="prod", vjp=_prod_vjp)


def _arg_abstract(x: ArraySpec, *, largest: bool) -> ArraySpec:
    return ArraySpec(x.shape[:-1], np.dtype(np.int64))


def _arg_lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, largest: bool) -> None:
    from fnet.kernels import cpu

    rows, columns = outputs[0].size, inputs[0].shape[-1]
    emit.call(cpu.reduce.argmax if largest else cpu.reduce.argmin, inputs[0], outputs[0], rows, columns)


_arg = Primitive("argmax", _arg_abstract, lower=_arg_lower)


def _fold(primitive: Primitive, x: Any, axis: Axes, keepdims: bool) -> Any:
    x = lift(x)
    spec = spec_of(x)
    axes = normalize_axes(axis, spec.ndim, primitive.name)
    if primitive.name in ("max", "min") and math.prod(spec.shape[a] for a in axes) == 0:
        raise ShapeError(f"{primitive.name} of nothing: axes {axes} of shape {spec.shape} hold no element.")
    folded = primitive(x, axes=axes) if axes else x
    return keep_axes(folded, spec.shape, axes) if keepdims else folded


def max(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Largest element over `axis` (all by default); NaN if there is one. Ties share the cotangent equally."""
    return _fold(_max, x, axis, keepdims)


def min(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Smallest element over `axis` (all by default); NaN if there is one. Ties share the cotangent equally."""
    return _fold(_min, x, axis, keepdims)


def prod(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Product over `axis` (all by default); the derivative needs elements that are not 0."""
    return _fold(_prod, widened(x), axis, keepdims)


def any(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether any element is true (not 0)."""
    return _fold(_max, astype(lift(x), bool), axis, keepdims)


def all(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Whether all elements are true (not 0)."""
    return _fold(_min, astype(lift(x), bool), axis, keepdims)


def mean(x: Any, axis: Axes = None, keepdims: bool = False) -> Any:
    """Mean over `axis` (all by default); the mean of nothing is NaN.

    >>> import numpy as np
    >>> mean(np.array([1.0, 2.0, 6.0]))
    array(3.)
    """
    x = lift(x)
    spec = spec_of(x)
    if not spec.differentiable:
        x = astype(x, "float64")
    count = math.prod(spec.shape[a] for a in normalize_axes(axis, spec.ndim, "mean"))
    total = sum(x, axis, keepdims)
    return multiply(total, 1 / count) if count else divide(total, 0.0)


def var(x: Any, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Variance in two passes, ``sum((x - mean)^2) / (n - ddof)``; never negative."""
    x = lift(x)
    spec = spec_of(x)
    count = math.prod(spec.shape[a] for a in normalize_axes(axis, spec.ndim, "var"))
    squares = sum(square(subtract(x, mean(x, axis, keepdims=True))), axis, keepdims)
    return divide(squares, float(count - ddof))


def std(x: Any, axis: Axes = None, keepdims: bool = False, ddof: int = 0) -> Any:
    """Standard deviation; its derivative at 0 is taken as 0."""
    variance = var(x, axis, keepdims, ddof)
    flat = less(variance, np.finfo(spec_of(variance).dtype).tiny)
    return where(flat, 0, sqrt(where(flat, 1, variance)))


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
    axis = normalize_axis(axis, spec_of(x).ndim, "argmax")
    if spec_of(x).shape[axis] == 0:
        raise ShapeError(f"argmax of nothing: axis {axis} of shape {spec_of(x).shape} holds no element.")
    return _arg(moveaxis(x, axis, -1), largest=largest)
