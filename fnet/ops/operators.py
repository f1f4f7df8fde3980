"""Traced values and arrays of devices behave like NumPy's: operators, methods, indexing, and plain NumPy functions.

NumPy hands a call with such an argument over through ``__array_ufunc__`` and ``__array_function__``; the tables
below say which operation answers. Importing this module attaches everything to `Tracer` and `DeviceArray`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from fnet.device_array import DeviceArray
from fnet.errors import DeviceError, FnetError, TracingError
from fnet.ops import arithmetic as ar
from fnet.ops import bits, maths, powers, reduce
from fnet.ops import linalg as la
from fnet.ops import shape as sh
from fnet.ops.accumulate import cumsum
from fnet.ops.index import getitem, take
from fnet.ops.padding import pad_with_itself
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.search import searchsorted
from fnet.ops.summation import Axes, normalize_axes
from fnet.ops.summation import sum as sum_
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import spec_of
from fnet.transforms.tracer import Tracer

_matmul: Callable = partial(la.matmul, floating=False)


def _float_power(a: Any, b: Any) -> Any:
    return powers.power(*(astype(lift(x), np.float64) for x in (a, b)))


def _fabs(x: Any) -> Any:
    return maths.absolute(*promote(x, floating=True))


UFUNCS: dict[Any, Callable] = {
    np.add: ar.add,
    np.subtract: ar.subtract,
    np.multiply: ar.multiply,
    np.divide: ar.divide,
    np.floor_divide: ar.floor_divide,
    np.remainder: ar.remainder,
    np.power: powers.power,
    np.float_power: _float_power,
    np.negative: ar.negative,
    np.positive: lift,
    np.maximum: ar.maximum,
    np.minimum: ar.minimum,
    np.logaddexp: powers.logaddexp,
    np.equal: ar.equal,
    np.not_equal: ar.not_equal,
    np.less: ar.less,
    np.less_equal: ar.less_equal,
    np.greater: ar.greater,
    np.greater_equal: ar.greater_equal,
    np.logical_and: ar.logical_and,
    np.logical_or: ar.logical_or,
    np.logical_not: ar.logical_not,
    np.absolute: maths.absolute,
    np.fabs: _fabs,
    np.sign: maths.sign,
    np.exp: maths.exp,
    np.expm1: maths.expm1,
    np.log: maths.log,
    np.log1p: maths.log1p,
    np.log2: maths.log2,
    np.log10: maths.log10,
    np.sqrt: maths.sqrt,
    np.square: maths.square,
    np.reciprocal: maths.reciprocal,
    np.sin: maths.sin,
    np.cos: maths.cos,
    np.tan: maths.tan,
    np.arctan: maths.arctan,
    np.sinh: maths.sinh,
    np.cosh: maths.cosh,
    np.tanh: maths.tanh,
    np.floor: maths.floor,
    np.ceil: maths.ceil,
    np.rint: maths.round,
    np.trunc: maths.trunc,
    np.isnan: maths.isnan,
    np.isinf: maths.isinf,
    np.isfinite: maths.isfinite,
    np.matmul: _matmul,
}


def _where(condition: Any, *choices: Any) -> Any:
    if len(choices) != 2:
        raise TracingError("np.where(condition) alone has a result of unknown size; give both choices.")
    return ar.where(condition, *choices)


def _take(x: Any, index: Any, axis: int | None = None) -> Any:
    return take(sh.ravel(x), index) if axis is None else take(x, index, axis)


def _flip(x: Any, axis: Axes = None) -> Any:
    for a in normalize_axes(axis, x.ndim, "flip"):
        x = sh.flip(x, a)
    return x


def _concatenate(arrays: Any, axis: int | None = 0) -> Any:
    return sh.concatenate([sh.ravel(a) for a in arrays] if axis is None else arrays, axis or 0)


def _clip(x: Any, a_min: Any = None, a_max: Any = None, *, min: Any = None, max: Any = None) -> Any:
    return ar.clip(x, min if a_min is None else a_min, max if a_max is None else a_max)


def _full_like(x: Any, value: Any, dtype: Any = None) -> Any:
    if not is_known(value):
        return sh.broadcast_to(astype(value, dtype or x.dtype), x.shape)
    return beside(np.full(x.shape, value, dtype or x.dtype), x)


def _cumsum(x: Any, axis: int | None = None) -> Any:
    return cumsum(sh.ravel(x), 0) if axis is None else cumsum(x, axis)


def _pad(x: Any, pad_width: Any, mode: str = "constant", *, constant_values: float = 0.0) -> Any:
    if np.ndim(constant_values):
        raise TracingError(
            f"np.pad on traced values takes one number as constant_values, received {constant_values!r}. "
            f"Pad axis by axis, or use np.concatenate."
        )
    ndim = x.ndim
    if np.shape(pad_width) not in ((), (1,), (2,), (1, 2), (ndim, 2)):
        raise TracingError(
            f"np.pad expected pad_width as a number, (before, after), or one such pair for each of the {ndim} axes; "
            f"received {pad_width!r}."
        )
    widths = [(int(before), int(after)) for before, after in np.broadcast_to(np.asarray(pad_width), (ndim, 2))]
    return sh.pad(x, widths, constant_values) if mode == "constant" else pad_with_itself(x, widths, mode)


def _round(x: Any, decimals: int = 0) -> Any:
    scale = 10.0**decimals
    return (
        maths.round(x) if decimals == 0 or x.dtype.kind != "f" else ar.divide(maths.round(ar.multiply(x, scale)), scale)
    )


def _norm(x: Any, ord: Any = None, axis: Axes = None, keepdims: bool = False) -> Any:
    axes = len(normalize_axes(axis, x.ndim, "norm"))
    if not (ord is None or (ord == 2 and axes == 1) or (ord == "fro" and axes == 2)):
        raise TracingError(f"np.linalg.norm on traced values is the Euclidean one, received ord={ord!r}.")
    return reduce.norm(x, axis, keepdims)


FUNCTIONS: dict[Any, Callable] = {
    np.sum: sum_,
    np.mean: reduce.mean,
    np.var: reduce.var,
    np.std: reduce.std,
    np.max: reduce.max,
    np.min: reduce.min,
    np.amax: reduce.max,
    np.amin: reduce.min,
    np.prod: reduce.prod,
    np.any: reduce.any,
    np.all: reduce.all,
    np.argmax: reduce.argmax,
    np.argmin: reduce.argmin,
    np.linalg.norm: _norm,
    np.cumsum: _cumsum,
    np.searchsorted: lambda a, v, side="left": searchsorted(a, v, side),
    np.pad: _pad,
    np.where: _where,
    np.clip: _clip,
    np.reshape: sh.reshape,
    np.transpose: sh.transpose,
    np.swapaxes: sh.swapaxes,
    np.moveaxis: sh.moveaxis,
    np.expand_dims: sh.expand_dims,
    np.squeeze: sh.squeeze,
    np.ravel: sh.ravel,
    np.broadcast_to: sh.broadcast_to,
    np.concatenate: _concatenate,
    np.stack: sh.stack,
    np.split: sh.split,
    np.flip: _flip,
    np.take: _take,
    np.dot: partial(la.dot, floating=False),
    np.outer: la.outer,
    np.tensordot: partial(la.tensordot, floating=False),
    np.einsum: partial(la.einsum, floating=False),
    np.round: _round,
    np.shape: lambda x: x.shape,
    np.ndim: lambda x: x.ndim,
    np.size: lambda x: x.size,
    np.zeros_like: lambda x, dtype=None: _full_like(x, 0, dtype),
    np.ones_like: lambda x, dtype=None: _full_like(x, 1, dtype),
    np.full_like: _full_like,
}


_NEAR = {
    "ediff1d": "diff",
    "fftshift": "roll",
    "ifftshift": "roll",
    "lexsort": "argsort",
    "partition": "sort",
    "unique": "sort",
}


def _ufunc(self: Tracer | DeviceArray, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    if method != "__call__":
        raise _refused(self, f"np.{ufunc.__name__}.{method} is not supported on {{}}. Use np.sum, np.max or np.prod.")
    return _answer(self, UFUNCS, ufunc, inputs, kwargs)


def _function(self: Any, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    return _answer(self, FUNCTIONS, function, args, kwargs)


def _answer(x: Any, table: dict[Any, Callable], function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    name = function.__name__
    answer = table.get(function) or _rarer(function)
    if answer is None and "fft" in getattr(function, "__module__", "") and name not in _NEAR:
        raise _refused(x, f"np.fft.{name} gives complex numbers, which {{}} are not. {_of_pairs(name)}")
    if answer is None:
        raise _refused(x, f"np.{name} is not supported on {{}}. {_instead(name)}")
    given = {k: v for k, v in kwargs.items() if v is not np._NoValue and (v is not None or k == "axis")}
    try:
        return answer(*args, **given)
    except FnetError:
        raise
    except TypeError as error:
        one = "a traced value" if isinstance(x, Tracer) else "an array of a device"
        hint = "" if "out" not in given else " An array is not changed in place: write x = x + y, not x += y."
        raise _refused(x, f"np.{name} on {one} does not take these arguments: {error}.{hint}") from error


def _rarer(function: Any) -> Callable | None:
    """What answers a function that is not in the tables here."""
    from fnet.ops.numpy_functions import TABLE

    return TABLE.get(function)


def _refused(x: Any, text: str) -> FnetError:
    """The error for a NumPy function that nothing answers; braces in the text stand for what `x` is one of."""
    if isinstance(x, Tracer):
        return TracingError(text.replace("{}", "traced values"))
    return DeviceError(text.replace("{}", "arrays of a device"))


def _instead(name: str) -> str:
    """What does the work of a NumPy function: the operation of its name, one that is near to it, or the truth."""
    from fnet import ops

    if callable(getattr(ops, name, None)):
        return f"Use fnet.ops.{name}."
    near = f"fnet.ops.{_NEAR[name]} comes near to it" if name in _NEAR else "fnet.ops has nothing of that kind"
    return f"{near}: write it with operations that there are, or make it a primitive with fnet.primitive."


def _of_pairs(name: str) -> str:
    """What does the work of a function of ``np.fft``."""
    near = name if name in ("fft", "ifft", "fft2", "ifft2", "rfft", "irfft") else "fft"
    return f"fnet.ops.{near} has the real and the imaginary part as a pair of arrays."


def _of_numbers(operation: Callable) -> Callable:
    """`operation` as an operator: between Python numbers it gives one, whose type yields to that of any array."""

    def operator(*operands: Any) -> Any:
        result = operation(*operands)
        if not is_known(result) and all(spec_of(x).weak for x in operands):
            result.weak = True
        return result

    return operator


def _swapped(operation: Callable) -> Callable:
    return lambda self, other: operation(other, self)


def _reshape_method(self: Tracer, *shape: Any) -> Any:
    return sh.reshape(self, shape[0] if len(shape) == 1 else shape)


def _unknown_number(self: Tracer) -> Any:
    raise TracingError(
        f"a traced {self.spec} cannot become Python numbers: a value under jit is not known, and elsewhere the numbers "
        f"would have no derivative. Keep the array; return it from the transform to see its elements."
    )


def _missing(self: Tracer | DeviceArray, name: str) -> Any:
    """The error of an attribute that traced values lack; `hasattr` sees an `AttributeError` as usual."""
    if name.startswith("__") or not hasattr(np.ndarray, name):
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
    which = f"a traced {self.spec}" if isinstance(self, Tracer) else f"a {self.spec} on '{self.device}'"
    raise AttributeError(f"{which} has no '{name}', which NumPy's arrays have. {_instead(name)}")


def _transpose_method(self: Tracer, *axes: Any) -> Any:
    if not axes or axes == (None,):
        return sh.transpose(self)
    return sh.transpose(self, axes[0] if len(axes) == 1 and not isinstance(axes[0], int) else axes)


def _as_function(name: str) -> Callable:
    """The method that does what NumPy's function of this name does."""
    return lambda self, *args, **kwargs: getattr(np, name)(self, *args, **kwargs)


_BINARY: dict[str, Callable[..., Any]] = {
    "add": _of_numbers(ar.add),
    "sub": _of_numbers(ar.subtract),
    "mul": _of_numbers(ar.multiply),
    "truediv": _of_numbers(ar.divide),
    "floordiv": _of_numbers(ar.floor_divide),
    "mod": _of_numbers(ar.remainder),
    "pow": _of_numbers(powers.power),
    "matmul": _matmul,
    "and": bits.bitwise_and,
    "or": bits.bitwise_or,
    "xor": bits.bitwise_xor,
    "lshift": bits.left_shift,
    "rshift": bits.right_shift,
}
_COMPARE = {
    "eq": ar.equal,
    "ne": ar.not_equal,
    "lt": ar.less,
    "le": ar.less_equal,
    "gt": ar.greater,
    "ge": ar.greater_equal,
}
_METHODS: dict[str, Callable] = {
    "sum": sum_,
    "mean": reduce.mean,
    "var": reduce.var,
    "std": reduce.std,
    "max": reduce.max,
    "min": reduce.min,
    "prod": reduce.prod,
    "any": reduce.any,
    "all": reduce.all,
    "argmax": reduce.argmax,
    "argmin": reduce.argmin,
    "astype": astype,
    "reshape": _reshape_method,
    "transpose": _transpose_method,
    "swapaxes": sh.swapaxes,
    "squeeze": sh.squeeze,
    "ravel": sh.ravel,
    "flatten": sh.ravel,
    "clip": _clip,
    "item": _unknown_number,
    "tolist": _unknown_number,
    "dot": la.dot,
    "take": _take,
    "copy": lambda self: self,
    **{name: _as_function(name) for name in ("cumsum", "cumprod", "round", "repeat", "trace", "diagonal", "argsort")},
}


def _attach(kind: Any) -> None:
    """Give a class the operators, methods and protocols that it does not have of its own."""
    given: dict[str, Any] = {}
    for name, operation in _BINARY.items():
        given[f"__{name}__"] = lambda self, other, f=operation: f(self, other)
        given[f"__r{name}__"] = _swapped(operation)
    for name, operation in _COMPARE.items():
        given[f"__{name}__"] = lambda self, other, f=operation: f(self, other)
    given |= _METHODS
    for name, unary in {"neg": ar.negative, "pos": lift, "abs": maths.absolute, "invert": bits.bitwise_not}.items():
        given[f"__{name}__"] = _of_numbers(unary)
    for name, attribute in {"T": sh.transpose, "mT": lambda self: sh.swapaxes(self, -1, -2)}.items():
        given[name] = property(attribute)
    protocols = {"getitem": getitem, "getattr": _missing, "array_ufunc": _ufunc, "array_function": _function}
    given |= {f"__{name}__": protocol for name, protocol in protocols.items()}
    for name, value in given.items():
        if name not in vars(kind):
            setattr(kind, name, value)


_attach(Tracer)
_attach(DeviceArray)
