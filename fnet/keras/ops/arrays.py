"""Operations that Keras has from NumPy, where its arguments or defaults differ from those of `fnet.ops` or NumPy."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.keras.ops.calls import any_nodes, call, of_arrays
from fnet.ops.padding import pad_with_itself
from fnet.ops.promotion import lift, promote

FLOAT, INTEGER = "float32", "int32"


def _made(function: Callable[..., Any], *args: Any, dtype: Any, **options: Any) -> np.ndarray:
    return function(*args, dtype=dtype or FLOAT, **options)


def zeros(shape: Any, dtype: Any = None) -> np.ndarray:
    """Zeros, of float32 by default."""
    return _made(np.zeros, shape, dtype=dtype)


def ones(shape: Any, dtype: Any = None) -> np.ndarray:
    """Ones, of float32 by default."""
    return _made(np.ones, shape, dtype=dtype)


def empty(shape: Any, dtype: Any = None) -> np.ndarray:
    """An array whose elements are to be written: zeros."""
    return _made(np.zeros, shape, dtype=dtype)


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One value everywhere, of float32 by default."""
    return call(ops.astype, call(ops.broadcast_to, _array(fill_value), shape), dtype or FLOAT)


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:  # noqa: N803  (Keras' names)
    """Ones on the k-th diagonal, zeros elsewhere."""
    return _made(np.eye, N, M, k, dtype=dtype)


def identity(n: int, dtype: Any = None) -> np.ndarray:
    """The identity matrix."""
    return eye(n, dtype=dtype)


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> np.ndarray:  # noqa: N803
    """Ones on the k-th diagonal and below it."""
    return _made(np.tri, N, M, k, dtype=dtype)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> np.ndarray:
    """Numbers from `start` on, by default of int32, or of float32 where one of them is a float."""
    given = [number for number in (start, stop, step) if number is not None]
    is_float = builtins.any(np.asarray(number).dtype.kind == "f" for number in given)
    dtype = dtype or (FLOAT if is_float else INTEGER)
    return np.arange(*(given if stop is not None else given[:1]), dtype=dtype)


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    """Numbers at even distances, of float32 by default."""
    return _made(np.linspace, start, stop, num, endpoint, retstep, dtype=dtype, axis=axis)


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10, dtype: Any = None, axis: int = 0
) -> np.ndarray:
    """Powers of `base` with exponents at even distances."""
    return _made(np.logspace, start, stop, num, endpoint, base, dtype=dtype, axis=axis)


def geomspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0
) -> np.ndarray:
    """Numbers in even proportions."""
    return _made(np.geomspace, start, stop, num, endpoint, dtype=dtype, axis=axis)


def array(x: Any, dtype: Any = None) -> Any:
    """x as an array; Python's floating numbers are float32."""
    made = _array(x)
    return made if dtype is None else call(ops.astype, made, dtype)


def _array(x: Any) -> Any:
    """x, or numbers of Python as an array of float32 or int32."""
    if any_nodes(x) or hasattr(x, "dtype"):
        return x
    made = lift(x)
    if isinstance(made, np.ndarray):
        return made.astype({"f": FLOAT, "i": INTEGER}.get(made.dtype.kind, made.dtype))
    return made


def _reduced(name: str) -> Callable[..., Any]:
    function = getattr(ops, name)

    def reduced(x: Any, axis: Any = None, keepdims: bool = False, initial: Any = None) -> Any:
        found = call(function, x, axis, keepdims)
        other = ops.maximum if name == "max" else ops.minimum
        return found if initial is None else call(other, found, initial)

    reduced.__name__, reduced.__doc__ = name, function.__doc__.partition("\n")[0]
    return reduced


max, min = _reduced("max"), _reduced("min")


def amax(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The largest element."""
    return call(ops.max, x, axis, keepdims)


def amin(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The smallest element."""
    return call(ops.min, x, axis, keepdims)


def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The mean over axes, of integers as float32."""
    kind = np.dtype(x.dtype).kind if hasattr(x, "dtype") else "f"
    return call(ops.mean, call(ops.astype, x, FLOAT) if kind in "iub" else x, axis, keepdims)


def _window(name: str) -> Callable[..., np.ndarray]:
    function = getattr(np, name)

    def window(x: int) -> np.ndarray:
        return function(int(x)).astype(FLOAT)

    window.__name__, window.__doc__ = name, f"The window of this name of x places; see ``numpy.{name}``."
    return window


bartlett, blackman, hamming, hanning = map(_window, ("bartlett", "blackman", "hamming", "hanning"))


def kaiser(x: int, beta: float) -> np.ndarray:
    """Kaiser's window of x places."""
    return np.kaiser(int(x), beta).astype(FLOAT)


def _position(name: str) -> Callable[..., Any]:
    function = getattr(ops, name)

    def position(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        found = call(ops.astype, call(function, x, axis), INTEGER)
        if not keepdims:
            return found
        if axis is None:
            return call(ops.reshape, found, (1,) * np.ndim(x))
        return call(ops.expand_dims, found, axis)

    position.__name__, position.__doc__ = name, function.__doc__.partition("\n")[0]
    return position


argmax, argmin, nanargmax, nanargmin = map(_position, ("argmax", "argmin", "nanargmax", "nanargmin"))


def argsort(x: Any, axis: int | None = -1) -> Any:
    """Positions in rising order: int32."""
    return call(ops.astype, call(ops.argsort, x, axis), INTEGER)


def prod(x: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product over axes."""
    return call(ops.prod, x if dtype is None else call(ops.astype, x, dtype), axis, keepdims)


def _running(name: str) -> Callable[..., Any]:
    function = getattr(ops, name)

    def running(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
        x = x if dtype is None else call(ops.astype, x, dtype)
        return call(function, call(ops.ravel, x), 0) if axis is None else call(function, x, axis)

    running.__name__, running.__doc__ = name, function.__doc__.partition("\n")[0]
    return running


cumsum, cumprod, nancumsum = map(_running, ("cumsum", "cumprod", "nancumsum"))


def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """Products up to each element, NaN counting nothing."""
    return cumprod(call(ops.where, call(ops.isnan, x), 1.0, x), axis, dtype)


def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Elements at positions along an axis; without one, of all elements in a row."""
    return call(ops.take, call(ops.ravel, x), indices, 0) if axis is None else call(ops.take, x, indices, axis)


def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """For each row along an axis the elements at positions of its own."""
    return call(ops.take_along_axis, x, indices, axis)


def flip(x: Any, axis: Any = None) -> Any:
    """Elements in reverse order along an axis, several, or all."""
    axes = range(len(x.shape)) if axis is None else [axis] if isinstance(axis, int) else axis
    for a in axes:
        x = call(ops.flip, x, a)
    return x


def moveaxis(x: Any, source: Any, destination: Any) -> Any:
    """Axes at other places, the rest in their order."""
    if isinstance(source, int):
        return call(ops.moveaxis, x, source, destination)
    ndim = len(x.shape)
    begin, end = [a % ndim for a in source], [a % ndim for a in destination]
    order = [a for a in range(ndim) if a not in begin]
    for place, a in sorted(zip(end, begin, strict=True)):
        order.insert(place, a)
    return call(ops.transpose, x, order)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Any]:
    """The parts of x along an axis, of which there are `num`."""
    return list(call(ops.unstack, x, axis))


def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Any:
    """x with elements around it: a number, its edges, itself mirrored ("reflect", "symmetric") or again ("wrap")."""
    ndim = len(x.shape)
    widths = [tuple(map(int, pair)) for pair in np.broadcast_to(np.asarray(pad_width), (ndim, 2))]
    if mode == "constant":
        return call(ops.pad, x, widths, 0.0 if constant_values is None else constant_values)
    return call(pad_with_itself, x, widths, mode)


def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x within bounds."""
    return call(ops.clip, x, x_min, x_max)


def concatenate(xs: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along an axis."""
    return call(ops.concatenate, list(xs), axis)


def stack(x: Sequence[Any], axis: int = 0) -> Any:
    """Arrays joined along a new axis."""
    return call(ops.stack, list(x), axis)


def tile(x: Any, repeats: Any) -> Any:
    """The whole array several times along each axis."""
    return call(ops.tile, x, repeats)


def reshape(x: Any, newshape: Any) -> Any:
    """The same elements in another shape; one size may be -1."""
    return call(ops.reshape, x, newshape)


def round(x: Any, decimals: int = 0) -> Any:
    """Rounded to so many decimals, halves to even."""
    if not decimals:
        return call(ops.round, x)
    scale = 10.0**decimals
    return call(ops.divide, call(ops.round, call(ops.multiply, x, scale)), scale)


def nan_to_num(x: Any, nan: float = 0.0, posinf: Any = None, neginf: Any = None) -> Any:
    """x with numbers in the place of NaN and infinities."""
    return call(ops.nan_to_num, x, nan=nan, posinf=posinf, neginf=neginf)


def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition is true, else x2; of a condition alone, which is known, the places where it is true."""
    return tuple(np.nonzero(condition)) if x1 is None and x2 is None else call(ops.where, condition, x1, x2)


def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often each integer comes, or the sum of its weights; of rows (N, values) for each row.

    So many columns as the largest integer needs, at least `minlength`; only that where x is traced.
    """
    counted = weights is None
    weights = np.ones(x.shape, FLOAT) if counted else weights
    length = builtins.max(int(np.max(x)) + 1 if isinstance(x, np.ndarray) and x.size else 0, minlength)

    def of_row(row: Any, own: Any) -> Any:
        found = ops.bincount(row, own, length)
        return ops.astype(found, INTEGER) if counted else found

    if len(x.shape) == 1:
        return of_row(x, weights)
    return ops.stack([of_row(x[i], weights[i]) for i in range(x.shape[0])])


def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    """The vector product."""
    a, b, c = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    found = call(ops.cross, call(ops.moveaxis, x1, a, -1), call(ops.moveaxis, x2, b, -1))
    return call(ops.moveaxis, found, -1, c)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    """The Euclidean norm, or by `ord` that of order p, inf, -inf or 0 of vectors, 1, -1, inf or -inf of matrices."""
    axes = tuple(range(len(x.shape))) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
    if ord is None or (ord == 2 and len(axes) == 1) or ord == "fro":
        return call(ops.norm, x, axis, keepdims)
    size = call(ops.absolute, x)
    if len(axes) == 2 and ord in (1, -1, np.inf, -np.inf):
        inner, outer = axes if abs(ord) == 1 else axes[::-1]
        found = (ops.max if ord > 0 else ops.min)(ops.sum(size, inner, True), outer, True)
        return found if keepdims else ops.squeeze(found, axes)
    if len(axes) != 1:
        raise ValueError(f"norm: matrices have the orders None, 'fro', 1, -1, inf and -inf here, received {ord!r}.")
    if ord in (np.inf, -np.inf):
        return call(ops.max if ord > 0 else ops.min, size, axes, keepdims)
    if ord == 0:
        return call(ops.astype, call(ops.count_nonzero, x, axes, keepdims), FLOAT)
    return call(ops.power, call(ops.sum, call(ops.power, size, float(ord)), axes, keepdims), 1.0 / ord)


@of_arrays
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:  # noqa: N803
    """Powers of each element."""
    return ops.vander(x, N, increasing)


@of_arrays
def ldexp(x1: Any, x2: Any) -> Any:
    """``x1 * 2^x2``."""
    (x1,) = promote(x1, floating=True)
    return ops.multiply(x1, ops.exp2(ops.astype(x2, x1.dtype)))


def unique(
    x: Any,
    sorted: bool = True,
    return_index: bool = False,
    return_inverse: bool = False,
    return_counts: bool = False,
    axis: int | None = None,
) -> Any:
    """The different elements of an array whose values are known, in rising order."""
    options: Any = {"return_index": return_index, "return_inverse": return_inverse, "return_counts": return_counts}
    return np.unique(np.asarray(x), axis=axis, **options)


def isreal(x: Any) -> Any:
    """True everywhere: there are no complex numbers."""
    return call(ops.equal, call(ops.astype, x, bool), call(ops.astype, x, bool))


def imag(x: Any) -> Any:
    """Zeros: there are no complex numbers."""
    return call(ops.multiply, x, 0)


def angle(x: Any) -> Any:
    """0, or pi below zero."""
    return call(ops.where, call(ops.less, x, 0), np.float32(np.pi), np.float32(0))


def view(x: Any, dtype: Any = None) -> Any:
    """The same bits as elements of another dtype; of known values."""
    return np.asarray(x).view(dtype)


def mod(x1: Any, x2: Any) -> Any:
    """The remainder, with the sign of x2."""
    return call(ops.remainder, x1, x2)


def abs(x: Any) -> Any:
    """``|x|``."""
    return call(ops.absolute, x)


def true_divide(x1: Any, x2: Any) -> Any:
    """``x1 / x2``."""
    return call(ops.divide, x1, x2)
