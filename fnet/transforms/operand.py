"""What operations work on: arrays, and the traced values that stand for them inside a transform."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import TracingError
from fnet.spec import SUPPORTED, is_array
from fnet.transforms.tracer import Tracer


def is_operand(x: Any) -> bool:
    """Whether `x` is an array or a traced value: it has a shape and a dtype."""
    return is_array(x) or isinstance(x, Tracer)


def is_weak(x: Any) -> bool:
    """Whether `x` stands for a Python number, whose type yields to that of any array beside it."""
    return isinstance(x, Tracer) and x.weak


def is_known(x: Any) -> bool:
    """Whether `x` is a value, not what stands for one inside a transform."""
    return not isinstance(x, Tracer)


def known_value(x: Any) -> Any:
    """The value of `x`, also where a derivative is taken; None where it is not known yet, as under jit."""
    if not isinstance(x, Tracer):
        return x
    try:
        return x.concrete("a check of values")
    except TracingError:
        return None


def in_one_dtype(args: tuple[Any, ...]) -> list[Any] | None:
    """The operands where all arrays among them have one floating dtype, which Python numbers take; None elsewhere."""
    dtype: Any = None
    has_numbers = False
    for x in args:
        if type(x) is np.ndarray or (isinstance(x, Tracer) and not x.weak):
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
