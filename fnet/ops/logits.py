"""The logits behind probabilities: what the softmax or sigmoid that made them was given.

A traced value leads back to the call that made it. Arrays are looked up among the results that are still alive; they
are believed only where the activation of the logits still gives the same numbers, so that an array which was edited in
place, or whose logits were, counts as any other.
"""

from __future__ import annotations

import weakref
from typing import Any, NamedTuple

import numpy as np

from fnet.transforms.operand import is_known
from fnet.transforms.primitive import Primitive
from fnet.transforms.tracer import Origin

_MOST = 256
"""So many results are remembered at a time, the latest ones; their logits take as much memory as they do."""


class _Result(NamedTuple):
    """An activation's result, held weakly, and what it was given."""

    values: weakref.ref[np.ndarray]
    logits: np.ndarray
    primitive: Primitive


# By the identity of the array. Each access is one operation on a dict, which threads and forks cannot see half done.
_results: dict[int, _Result] = {}


def activated(primitive: Primitive, x: Any) -> Any:
    """``primitive(x)``, a softmax over the last axis or a sigmoid, which remembers `x` for `logits_behind`."""
    y = primitive(x)
    if isinstance(y, np.ndarray):
        key = id(y)
        _results[key] = _Result(weakref.ref(y, lambda ref: _forget(key, ref)), np.asarray(x, order="C"), primitive)
        if len(_results) > _MOST:
            _results.pop(next(iter(_results.copy())), None)
    return y


def logits_behind(primitive: Primitive, p: Any) -> Any:
    """What `primitive` was given to make `p`, shaped like `p`; None where `p` was not made so.

    Between them may be reshapes, transposes, slices, broadcasts and casts; for rows, a softmax, those that keep every
    row whole and on the last axis. `p` itself made by arithmetic (clipped, scaled, averaged), copied or given is None.
    """
    if is_known(p):
        return _remembered(primitive, p)
    calls: list[Origin] = []
    while not is_known(p):
        origin = p.origin()
        if origin is None:
            return None
        if origin[0] is primitive:
            return _replayed(origin[1][0], calls, rows=primitive.template is None)
        if not origin[0].seen_through or p.dtype.kind != "f":
            return None
        calls.append(origin)
        p = origin[1][0]
    return None


def _replayed(z: Any, calls: list[Origin], rows: bool) -> Any:
    """The logits after the calls that the probabilities went through; None where they take rows apart."""
    axis = z.ndim - 1
    for primitive, _, params in reversed(calls):
        before = z.shape
        z = primitive(z, **params)
        if not rows:
            continue
        moved = _moved(primitive.name, axis, before, z.shape, params)
        if moved is None:
            return None
        axis = moved
    return z if not rows or axis == z.ndim - 1 else None


def _moved(name: str, axis: int, before: tuple[int, ...], after: tuple[int, ...], params: dict[str, Any]) -> int | None:
    """Where a view takes an axis; None where it does not keep it whole."""
    if name == "cast":
        return axis
    if name == "transpose":
        return list(params["axes"]).index(axis)
    if name == "reshape":
        return len(after) - 1 if axis == len(before) - 1 and after[-1:] == before[-1:] else None
    if name == "broadcast_to":
        return axis + len(after) - len(before)
    if name == "slice":
        return _sliced(axis, params["index"])
    return None


def _sliced(axis: int, index: tuple[Any, ...]) -> int | None:
    old = new = 0
    for part in index:
        if old == axis and part is not None:
            return new if isinstance(part, tuple) and part[:2] == (None, None) and part[2] in (None, 1, -1) else None
        old += part is not None
        new += part is None or isinstance(part, tuple)
    return new + axis - old


def _remembered(primitive: Primitive, p: Any) -> np.ndarray | None:
    """The logits of an array that is a remembered result, or a view of one."""
    if not isinstance(p, np.ndarray):
        return None
    for owner in (p, p.base):
        result = _results.get(id(owner))
        if result is not None and result.primitive is primitive and result.values() is owner and owner is not None:
            z = _same_view(owner, p, result.logits, rows=primitive.template is None)
            return z if z is not None and np.array_equal(primitive(result.logits), owner, equal_nan=True) else None
    return None


def _same_view(owner: np.ndarray, p: np.ndarray, z: np.ndarray, rows: bool) -> np.ndarray | None:
    """Of `z`, the elements that `p` shows of its owner, both contiguous; None where `p` shows parts of rows."""
    if p is owner:
        return z
    item, offset = owner.itemsize, p.ctypes.data - owner.ctypes.data
    if p.dtype != owner.dtype or not owner.flags.c_contiguous or not 0 <= offset < max(owner.nbytes, 1):
        return None
    if rows:
        width = owner.shape[-1]
        others = [s for s, n in zip(p.strides[:-1], p.shape[:-1], strict=True) if n > 1]
        whole = p.shape[-1:] == (width,) and (width == 1 or p.strides[-1] == item)
        if not whole or any(step % (width * item) for step in (*others, offset)):
            return None
    return np.lib.stride_tricks.as_strided(z.reshape(-1)[offset // item :], p.shape, p.strides)


def _forget(key: int, ref: weakref.ref[np.ndarray]) -> None:
    """Drop a result that is gone, unless another array has taken its identity."""
    result = _results.pop(key, None)
    if result is not None and result.values is not ref:
        _results.setdefault(key, result)
