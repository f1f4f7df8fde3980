"""Constant rates, one after the other, and a linear way up to any schedule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from fnet.arguments import number, sequence
from fnet.configured import configurable
from fnet.errors import ValueRangeError
from fnet.ops.arithmetic import add, divide, less, less_equal, maximum, multiply, subtract, where
from fnet.schedules.schedule import SCHEDULES, Schedule


@SCHEDULES.named()
@configurable
def constant(value: float) -> Schedule:
    """The same value at every step.

    >>> constant(0.1)(7)
    0.1
    """
    number("constant", "value", value, "[0, inf)")
    return lambda step: value


@SCHEDULES.named()
@configurable
def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    """``values[i]`` for ``boundaries[i-1] < step <= boundaries[i]``, and the last value after the last boundary.

    Raises `ValueRangeError` unless the boundaries increase and there is one value more than boundaries.
    Source: Keras ``PiecewiseConstantDecay``.

    >>> schedule = piecewise_constant([10, 20], [0.1, 0.01, 0.001])
    >>> [float(schedule(step)) for step in (10, 11, 21)]
    [0.1, 0.01, 0.001]
    """
    values = sequence("piecewise_constant", "values", values)
    for i, boundary in enumerate(sequence("piecewise_constant", "boundaries", boundaries)):
        number("piecewise_constant", f"boundaries[{i}]", boundary)
    if len(values) != len(boundaries) + 1:
        raise ValueRangeError(
            f"piecewise_constant: expected {len(boundaries) + 1} values for {len(boundaries)} boundaries (one for each "
            f"interval), received {len(values)}."
        )
    if any(a >= b for a, b in pairwise(boundaries)):
        raise ValueRangeError(f"piecewise_constant: boundaries must increase, received {list(boundaries)}.")

    for i, value in enumerate(values):
        number("piecewise_constant", f"values[{i}]", value, "[0, inf)")

    def schedule(step: Any) -> Any:
        value: Any = float(values[-1])
        for boundary, before in zip(reversed(boundaries), reversed(values[:-1]), strict=True):
            value = where(less_equal(step, boundary), float(before), value)
        return value

    return schedule


@SCHEDULES.named()
@configurable
def warmup(schedule: Schedule | float, steps: int, initial: float = 0.0) -> Schedule:
    """From `initial` linearly to the first value of `schedule` over `steps`, then `schedule` from its step 0 on.

    schedule: a schedule, or a number for a constant one. Raises `ValueRangeError`.

    >>> from fnet.schedules import exponential_decay
    >>> schedule = warmup(exponential_decay(0.1, 10, 0.5), steps=4)
    >>> [round(float(schedule(step)), 6) for step in (0, 2, 4, 14)]
    [0.0, 0.05, 0.1, 0.05]
    """
    number("warmup", "steps", steps, "(0, inf]")
    number("warmup", "initial", initial, "[0, inf)")
    then = schedule if callable(schedule) else constant(schedule)

    def warmed(step: Any) -> Any:
        top = then(0)
        rising = add(multiply(divide(step, steps), subtract(top, initial)), initial)
        return where(less(step, steps), rising, then(maximum(subtract(step, steps), 0)))

    return warmed
