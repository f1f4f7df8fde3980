"""Learning-rate schedules: pure functions ``step -> value`` of the 0-based step, also of a traced one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from fnet.errors import ValueRangeError
from fnet.ops.arithmetic import divide, less_equal, multiply, power, where
from fnet.ops.maths import floor

Schedule = Callable[[Any], Any]


def constant(value: float) -> Schedule:
    """The same value at every step.

    >>> constant(0.1)(7)
    0.1
    """
    return lambda step: value


def exponential_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    """``initial_learning_rate * decay_rate^(step / decay_steps)``; with `staircase` the exponent is rounded down.

    Raises `ValueRangeError` unless ``decay_steps > 0`` and ``decay_rate >= 0``. Source: Keras ``ExponentialDecay``.

    >>> exponential_decay(0.1, decay_steps=10, decay_rate=0.5)(20)
    array(0.025)
    """
    if not decay_steps > 0:
        raise ValueRangeError(f"exponential_decay: expected decay_steps > 0, received {decay_steps}.")
    if not decay_rate >= 0:
        raise ValueRangeError(f"exponential_decay: expected decay_rate >= 0, received {decay_rate}.")

    def schedule(step: Any) -> Any:
        exponent = divide(step, decay_steps)
        return multiply(power(float(decay_rate), floor(exponent) if staircase else exponent), initial_learning_rate)

    return schedule


def piecewise_constant(boundaries: Sequence[int], values: Sequence[float]) -> Schedule:
    """``values[i]`` for ``boundaries[i-1] < step <= boundaries[i]``, and the last value after the last boundary.

    Raises `ValueRangeError` unless the boundaries increase and there is one value more than boundaries.
    Source: Keras ``PiecewiseConstantDecay``.

    >>> schedule = piecewise_constant([10, 20], [0.1, 0.01, 0.001])
    >>> [float(schedule(step)) for step in (10, 11, 21)]
    [0.1, 0.01, 0.001]
    """
    if len(values) != len(boundaries) + 1:
        raise ValueRangeError(
            f"piecewise_constant: expected {len(boundaries) + 1} values for {len(boundaries)} boundaries (one for each "
            f"interval), received {len(values)}."
        )
    if any(a >= b for a, b in pairwise(boundaries)):
        raise ValueRangeError(f"piecewise_constant: boundaries must increase, received {list(boundaries)}.")

    def schedule(step: Any) -> Any:
        value: Any = float(values[-1])
        for boundary, before in zip(reversed(boundaries), reversed(values[:-1]), strict=True):
            value = where(less_equal(step, boundary), float(before), value)
        return value

    return schedule
