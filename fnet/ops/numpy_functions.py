"""What answers NumPy's less frequent functions on traced values and arrays of devices; loaded when one is called."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet.ops import (
    arrange,
    bits,
    composed,
    decompositions,
    diagonals,
    differences,
    inverse,
    maths,
    missing,
    shape,
    sorting,
    statistics,
    systems,
)
from fnet.ops.index import take
from fnet.ops.promotion import lift
from fnet.ops.summation import Axes
from fnet.transforms.operand import beside


def _sort(x: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Any:
    return sorting.sort(x, axis)


def _argsort(x: Any, axis: int | None = -1, kind: str | None = None, *, stable: bool | None = None) -> Any:
    return sorting.argsort(x, axis)


def _quantile(x: Any, q: Any, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    return sorting.quantile(x, q, axis, method, keepdims)


def _percentile(x: Any, q: Any, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Any:
    return sorting.percentile(x, q, axis, method, keepdims)


def _cov(x: Any, *, rowvar: bool = True, bias: bool = False, ddof: int | None = None) -> Any:
    return statistics.cov(x, rowvar, bias, ddof)


def _delete(x: Any, positions: Any, axis: int | None = None) -> Any:
    x = shape.ravel(x) if axis is None else lift(x)
    kept = np.delete(np.arange(x.shape[axis or 0]), positions)
    return take(x, beside(kept, x), axis or 0)


def _at_least(ndim: int) -> Callable:
    def function(*arrays: Any) -> Any:
        made = [arrange.at_least(a, ndim) for a in arrays]
        return made[0] if len(made) == 1 else made

    return function


def _split_along(axis: int) -> Callable:
    def function(x: Any, sections: int | Sequence[int]) -> Any:
        return shape.split(x, sections, 0 if axis == 1 and lift(x).ndim == 1 else axis)

    return function


def _same(x: Any) -> Any:
    return lift(x)


UFUNCS: dict[str, Callable] = {
    **{
        name: getattr(inverse, name)
        for name in ("arcsin", "arccos", "arctan2", "arcsinh", "arccosh", "arctanh", "hypot", "cbrt")
    },
    **{
        name: getattr(composed, name)
        for name in (
            "fmod", "fmax", "fmin", "copysign", "signbit", "heaviside", "exp2", "logaddexp2", "deg2rad", "rad2deg",
        )
    },
    **{
        name: getattr(bits, name)
        for name in (
            "bitwise_and", "bitwise_or", "bitwise_xor", "logical_xor", "left_shift", "right_shift", "gcd", "lcm",
        )
    },
    "invert": bits.bitwise_not,
    "degrees": composed.rad2deg,
    "radians": composed.deg2rad,
    "conjugate": _same,
}  # fmt: skip

FUNCTIONS: dict[str, Callable] = {
    **{
        name: getattr(arrange, name)
        for name in (
            "roll", "repeat", "tile", "rot90", "unstack", "array_split", "vstack", "hstack", "dstack", "column_stack",
            "append", "meshgrid", "kron", "broadcast_arrays",
        )
    },
    **{name: getattr(diagonals, name) for name in ("diag", "diagflat", "diagonal", "trace", "tril", "triu")},
    **{
        name: getattr(missing, name)
        for name in (
            "nan_to_num", "nansum", "nanprod", "nanmean", "nanvar", "nanstd", "nanmax", "nanmin", "nanargmax",
            "nanargmin", "nancumsum", "nanmedian", "nanquantile", "nanpercentile",
        )
    },
    **{
        name: getattr(differences, name)
        for name in ("diff", "trapezoid", "gradient", "interp", "correlate", "convolve", "vander", "polyval")
    },
    **{
        name: getattr(composed, name)
        for name in ("sinc", "select", "isclose", "allclose", "array_equal", "isin", "isposinf", "isneginf")
    },
    **{
        name: getattr(statistics, name)
        for name in (
            "average", "ptp", "count_nonzero", "corrcoef", "digitize", "histogram", "cumprod", "inner", "vdot", "cross",
        )
    },
    "sort": _sort,
    "argsort": _argsort,
    "take_along_axis": sorting.take_along_axis,
    "median": sorting.median,
    "quantile": _quantile,
    "percentile": _percentile,
    "cov": _cov,
    "delete": _delete,
    "fliplr": lambda x: shape.flip(x, 1),
    "flipud": lambda x: shape.flip(x, 0),
    "atleast_1d": _at_least(1),
    "atleast_2d": _at_least(2),
    "atleast_3d": _at_least(3),
    "vsplit": _split_along(0),
    "hsplit": _split_along(1),
    "dsplit": _split_along(2),
    "fix": maths.trunc,
    "around": lambda x, decimals=0: np.round(x, decimals),
    "real": _same,
    "copy": _same,
    "trapz": differences.trapezoid,
}  # fmt: skip

LINALG: dict[str, Callable] = {
    **{name: getattr(systems, name) for name in ("solve", "inv", "det", "slogdet", "cholesky")},
    **{name: getattr(decompositions, name) for name in ("eigh", "qr")},
}

TABLE: dict[Any, Callable] = {
    getattr(np, name): function for name, function in {**UFUNCS, **FUNCTIONS}.items() if hasattr(np, name)
} | {getattr(np.linalg, name): function for name, function in LINALG.items()}
