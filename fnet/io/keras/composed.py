"""Operations of Keras that fnet has by several of its own, as functions of nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import FileError, FnetError, StructureError, plain
from fnet.io.keras.config import FLAG, INTEGER, NUMBER, ValueKind, either, integers, optional, several, word
from fnet.layers import Identity
from fnet.networks.node import SymbolicNode, operation_call

_AXIS = integers(-100)
_AXES = optional(either(_AXIS, several(_AXIS, 0, 100)))
_EPSILON = 1e-7  # of Keras
_MOST_COPIES = 10_000


@dataclass(frozen=True)
class Composed:
    """An operation of Keras that several of fnet make.

    make: the function of nodes. options: the kinds of Keras' fields, by its parameters. keywords: those of Keras' call
    that are constants.
    """

    make: Callable[..., Any]
    options: Mapping[str, ValueKind] = field(default_factory=dict)
    keywords: tuple[str, ...] = ()


def called(function: str, *args: Any, label: str | None = None, **kwargs: Any) -> Any:
    """The outputs of a function of `fnet.ops` for nodes among its arguments; `label` is the name of its layer.

    Where floats meet integers the result has Keras' dtype, float32, and not NumPy's.
    """
    made = _called(function, args, kwargs, label)
    wide = any(node.dtype == np.float64 for node in tree.leaves(made))
    if wide and "float64" not in kwargs.values() and not any(_is_wide(part) for part in tree.leaves(args)):
        made = _called(function, tree.map(_as_floats, args), kwargs, label)
    return made


@contextmanager
def errors_of_file(path: str) -> Iterator[None]:
    """What functions of nodes raise for the arguments that a file says becomes a `FileError`."""
    try:
        yield
    except FileError:
        raise
    except (FnetError, TypeError, ValueError, AttributeError, LookupError, OverflowError) as error:
        raise FileError(f"{path}: it cannot be called on its inputs. {plain(str(error), 300)}") from None


def _called(function: str, args: Any, kwargs: Any, label: str | None) -> Any:
    layer, inputs = operation_call(function, args, kwargs)
    return (layer if label is None else layer.relabel(label.replace("/", "_"), named=True))(inputs)


def _is_wide(part: Any) -> bool:
    return isinstance(part, SymbolicNode | np.ndarray) and part.dtype == np.float64


def _as_floats(part: Any) -> Any:
    is_integer = isinstance(part, SymbolicNode | np.ndarray) and part.dtype.kind != "f"
    return called("astype", part, "float32") if is_integer and isinstance(part, SymbolicNode) else part


def axis_of(x: SymbolicNode, axis: int, size: bool = False) -> int:
    """The axis counted from 0, which is not that of the batch, and has a known size if this is asked for."""
    own = axis + x.ndim if axis < 0 else axis
    if not 0 < own < x.ndim:
        raise StructureError(f"axis {axis} of {x} is none, or that of the batch, which operations leave as it is.")
    if size and x.shape[own] is None:
        raise StructureError(f"axis {axis} of {x} has any size, and the operation needs one.")
    return own


def repeat(x: Any, repeats: int, axis: int | None = None) -> Any:
    """Each element along an axis several times in a row."""
    if axis is None or repeats > _MOST_COPIES:
        raise StructureError(f"it repeats {repeats} times along the axis {axis}: expected an axis, and few times.")
    own = axis_of(x, axis, size=True)
    return called("take", x, np.repeat(np.arange(x.shape[own]), repeats), axis=own)


def tile(x: Any, repeats: int | Sequence[int]) -> Any:
    """The array several times along each axis."""
    counts = (repeats,) if isinstance(repeats, int) else tuple(repeats)
    counts = (1,) * (x.ndim - len(counts)) + counts
    if len(counts) > x.ndim or counts[0] != 1 or max(counts) > _MOST_COPIES:
        raise StructureError(f"it tiles {x} by {counts}: expected 1 for the batch, and few times for each axis.")
    for axis, count in enumerate(counts):
        x = called("concatenate", [x] * count, axis=axis) if count > 1 else x
    return x


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``."""
    return called("divide", 1.0, called("sqrt", x))


def normalized(x: Any, axis: Any = -1, order: float = 2, epsilon: float | None = None) -> Any:
    """``x / max(|x|, epsilon)`` with the norm of an order along axes."""
    if order == 2:
        norm = called("sqrt", called("sum", called("square", x), axis=axis, keepdims=True))
    elif order == 1:
        norm = called("sum", called("absolute", x), axis=axis, keepdims=True)
    else:
        raise StructureError(f"it normalises by the norm of order {order!r:.40}: expected 1 or 2.")
    return x / called("maximum", norm, _EPSILON if epsilon is None else epsilon)


def average(x: Any, axis: Any = None, weights: Any = None) -> Any:
    """The mean along axes, weighted along one."""
    if weights is None:
        return called("mean", x, axis=axis)
    if not isinstance(axis, int) or weights.ndim != 1:
        raise StructureError("it averages with weights that are no list for one axis.")
    own = axis_of(x, axis)
    shares = (weights / weights.sum()).astype("float32").reshape((-1,) + (1,) * (x.ndim - 1 - own))
    return called("sum", x * shares, axis=own)


def count_nonzero(x: Any, axis: Any = None) -> Any:
    """How many elements along axes are not 0."""
    return called("astype", called("sum", called("astype", called("not_equal", x, 0), "int32"), axis=axis), "int32")


def diff(x: Any, n: int = 1, axis: int = -1) -> Any:
    """Differences of neighbours along an axis, n times."""
    own = axis_of(x, axis)
    for _ in range(min(n, 100)):
        x = x[_along(own, slice(1, None))] - x[_along(own, slice(None, -1))]
    return x


def roll(x: Any, shift: int, axis: int | None = None) -> Any:
    """The array, turned along an axis."""
    if axis is None:
        raise StructureError("it rolls over all axes, expected one.")
    own = axis_of(x, axis, size=True)
    by = shift % x.shape[own]
    if by == 0:
        return x
    return called("concatenate", [x[_along(own, slice(-by, None))], x[_along(own, slice(None, -by))]], axis=own)


def moments(x: Any, axes: Any, keepdims: bool = False) -> Any:
    """Mean and variance along axes."""
    return called("mean", x, axis=axes, keepdims=keepdims), called("var", x, axis=axes, keepdims=keepdims)


def full_like(x: Any, value: Any) -> Any:
    """The value in the shape and dtype of x."""
    return called("astype", called("zeros_like", x) + value, x.dtype.name)


def triangle(x: Any, k: int = 0, upper: bool = False) -> Any:
    """The array with zeros below or above a diagonal of its last two axes."""
    rows, columns = (x.shape[axis_of(x, axis, size=True)] for axis in (-2, -1))
    if x.ndim < 3 or rows * columns > 1 << 24:
        raise StructureError(f"it takes a triangle of {x}: expected matrices of a moderate size.")
    kept = (np.triu if upper else np.tril)(np.ones((rows, columns), bool), k)
    return called("where", np.broadcast_to(kept, (1,) * (x.ndim - 2) + kept.shape).copy(), x, 0.0)


def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """The array with numbers for NaN and infinities."""
    most = float(np.finfo(x.dtype).max) if x.dtype.kind == "f" else None
    if most is None:
        return x
    y = called("where", called("isnan", x), nan, x)
    y = called("where", called("equal", y, np.inf), most if posinf is None else posinf, y)
    return called("where", called("equal", y, -np.inf), -most if neginf is None else neginf, y)


def unstack(x: Any, num: int | None = None, axis: int = 0) -> Any:
    """The parts along an axis, one by one."""
    own = axis_of(x, axis, size=True)
    if x.shape[own] > _MOST_COPIES:
        raise StructureError(f"it takes {x.shape[own]} parts of {x}, expected at most {_MOST_COPIES}.")
    return tuple(x[_along(own, i)] for i in range(x.shape[own]))


def _along(axis: int, index: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, index)


def same(x: Any) -> Any:
    """The array."""
    return Identity()(x)


def _as_given(x: Any, dtype: str | None = None) -> Any:
    return same(x) if dtype is None or x.dtype.name == dtype else called("astype", x, dtype)


def _inner(a: Any, b: Any) -> Any:
    return called("tensordot", a, b, axes=((-1,), (-1,)))


_FLOAT = optional(word("float32", "float64"))

COMPOSED: Mapping[str, Composed] = {
    "Repeat": Composed(repeat, {"repeats": INTEGER, "axis": optional(_AXIS)}),
    "Tile": Composed(tile, {"repeats": either(INTEGER, several(INTEGER, 0, 100))}),
    "Rsqrt": Composed(rsqrt),
    "Normalize": Composed(normalized, {"axis": _AXES, "order": NUMBER, "epsilon": optional(NUMBER)}),
    "Average": Composed(average, {"axis": _AXES}, keywords=("weights",)),
    "CountNonzero": Composed(count_nonzero, {"axis": _AXES}),
    "Diff": Composed(diff, {"n": INTEGER, "axis": _AXIS}),
    "Roll": Composed(roll, {"shift": _AXIS, "axis": optional(_AXIS)}),
    "Moments": Composed(moments, {"axes": _AXES, "keepdims": FLAG}),
    "FullLike": Composed(full_like),
    "Triu": Composed(lambda x, k=0: triangle(x, k, upper=True), {"k": _AXIS}),
    "Tril": Composed(triangle, {"k": _AXIS}),
    "NanToNum": Composed(nan_to_num, {"nan": NUMBER, "posinf": optional(NUMBER), "neginf": optional(NUMBER)}),
    "Unstack": Composed(unstack, {"num": optional(INTEGER), "axis": _AXIS}),
    "ConvertToTensor": Composed(_as_given, {"dtype": _FLOAT}),
    "Hstack": Composed(lambda parts: called("concatenate", parts, axis=1)),
    "LogicalXor": Composed(lambda a, b: called("not_equal", called("not_equal", a, 0), called("not_equal", b, 0))),
    "Signbit": Composed(lambda x: called("less", x, 0)),
    "Exp2": Composed(lambda x: called("power", 2.0, x)),
    "Inner": Composed(_inner),
}
"""By the names of Keras' classes."""
