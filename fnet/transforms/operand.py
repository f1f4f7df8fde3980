"""What operations work on: arrays, and the traced values that stand for them inside a transform."""

from __future__ import annotations

from typing import Any

from fnet.errors import TracingError
from fnet.spec import is_array
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
