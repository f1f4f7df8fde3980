"""What operations work on: arrays, of the host or of a device, and the traced values that stand for them."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.device_array import DeviceArray
from fnet.errors import TracingError
from fnet.spec import SUPPORTED, is_array
from fnet.transforms.tracer import Tracer


class Holder:
    """An object that stands for the array, or the traced value, in its `value`: operations take that."""

    value: Any


def is_operand(x: Any) -> bool:
    """Whether `x` is an array or a traced value: it has a shape and a dtype."""
    return is_array(x) or not is_known(x)


def is_weak(x: Any) -> bool:
    """Whether `x` stands for a Python number, whose type yields to that of any array beside it."""
    return isinstance(x, Tracer) and x.weak


def is_known(x: Any) -> bool:
    """Whether `x` is a value on the host; not an array of a device, nor what stands for one inside a transform."""
    return not isinstance(x, Tracer | DeviceArray)


def known_value(x: Any) -> Any:
    """The value of `x`, also where a derivative is taken; None where it is not known, as under jit or on a device."""
    if isinstance(x, Tracer):
        try:
            x = x.concrete("a check of values")
        except TracingError:
            return None
    return x if is_known(x) else None


def in_one_dtype(args: tuple[Any, ...]) -> list[Any] | None:
    """The operands where all arrays among them have one floating dtype, which Python numbers take; None elsewhere."""
    dtype: Any = None
    has_numbers = False
    for x in args:
        if type(x) is np.ndarray or (isinstance(x, Tracer | DeviceArray) and not x.weak):
            if dtype is not None and x.dtype != dtype:
                return None
            dtype = x.dtype
        elif type(x) is float or (type(x) is int and -(2**63) <= x < 2**64):
            has_numbers = True
        else:
            return None
    if dtype is None or dtype.kind != "f" or dtype not in SUPPORTED:
        return None
    if not has_numbers:
        return list(args)
    return [np.asarray(x, dtype) if type(x) is float or type(x) is int else x for x in args]


def is_only_shape(x: Any) -> bool:
    """Whether nothing will be computed of `x`: somebody asks for shapes, for which constants need no memory."""
    return isinstance(x, Tracer) and getattr(x.trace, "shapes_only", False)


def array_behind(x: Any) -> Any:
    """The array that `x` stands for inside a derivative, or `x`; None where there is none, as under jit."""
    while isinstance(x, Tracer):
        x = getattr(x, "primal", None)
    return x


def beside(x: Any, like: Any) -> Any:
    """`x` on the device of `like`, which may stand for an array there: there an operation of `x` alone runs, too."""
    like = array_behind(like)
    return like.home.operand(x) if isinstance(like, DeviceArray) and is_known(x) else x
