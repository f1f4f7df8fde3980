"""Operations that pass over NaN, and membership, with Keras' order of arguments."""

from __future__ import annotations

from typing import Any

from fnet import ops
from fnet.errors import ValueRangeError
from fnet.keras.ops.calls import call


def nanvar(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The variance of what is not NaN."""
    return call(ops.nanvar, x, axis, 0, keepdims)


def nanstd(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """The standard deviation of what is not NaN."""
    return call(ops.nanstd, x, axis, 0, keepdims)


def nanquantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantile of what is not NaN, between neighbours."""
    if method != "linear":
        raise ValueRangeError(f"nanquantile: expected method 'linear', received {method!r}. quantile has others.")
    return call(ops.nanquantile, x, q, axis, keepdims)


def nanpercentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Any:
    """`nanquantile` with q in percent."""
    return nanquantile(x, q / 100, axis, method, keepdims)


def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """True for each element of x1 that is among those of x2."""
    return call(ops.isin, x1, x2, invert)
