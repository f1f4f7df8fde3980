"""Rates that fall by a power, a polynomial or the inverse of the step."""

from __future__ import annotations

from typing import Any

from fnet.arguments import number
from fnet.configured import configurable
from fnet.ops import powers
from fnet.ops.arithmetic import add, divide, maximum, minimum, multiply, subtract
from fnet.ops.maths import ceil, floor
from fnet.schedules.schedule import SCHEDULES, Schedule


@SCHEDULES.named()
@configurable
def exponential_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    """``initial_learning_rate * decay_rate^(step / decay_steps)``; with `staircase` the exponent is rounded down.

    Raises `ValueRangeError`. Source: Keras ``ExponentialDecay``.

    >>> exponential_decay(0.1, decay_steps=10, decay_rate=0.5)(20)
    array(0.025)
    """
    number("exponential_decay", "decay_steps", decay_steps, "(0, inf]")
    number("exponential_decay", "initial_learning_rate", initial_learning_rate, "[0, inf)")
    number("exponential_decay", "decay_rate", decay_rate, "[0, inf)")

    def schedule(step: Any) -> Any:
        exponent = _periods(step, decay_steps, staircase)
        return multiply(powers.power(float(decay_rate), exponent), initial_learning_rate)

    return schedule


@SCHEDULES.named()
@configurable
def inverse_time_decay(
    initial_learning_rate: float, decay_steps: int, decay_rate: float, staircase: bool = False
) -> Schedule:
    """``initial_learning_rate / (1 + decay_rate step / decay_steps)``; with `staircase` the quotient is rounded down.

    Raises `ValueRangeError`. Source: Keras ``InverseTimeDecay``.

    >>> inverse_time_decay(0.1, decay_steps=10, decay_rate=1.0)(30)
    array(0.025)
    """
    number("inverse_time_decay", "decay_steps", decay_steps, "(0, inf]")
    number("inverse_time_decay", "initial_learning_rate", initial_learning_rate, "[0, inf)")
    number("inverse_time_decay", "decay_rate", decay_rate, "[0, inf)")

    def schedule(step: Any) -> Any:
        periods = _periods(step, decay_steps, staircase)
        return divide(initial_learning_rate, add(multiply(periods, decay_rate), 1.0))

    return schedule


@SCHEDULES.named()
@configurable
def polynomial_decay(
    initial_learning_rate: float,
    decay_steps: int,
    end_learning_rate: float = 0.0001,
    power: float = 1.0,
    cycle: bool = False,
) -> Schedule:
    """``(initial - end) (1 - min(step, n) / n)^power + end`` with n = `decay_steps`; linear by default.

    With `cycle` n is the next multiple of `decay_steps`, so that the rate rises again behind each, less and less.
    Raises `ValueRangeError`. Source: Keras ``PolynomialDecay``.

    >>> polynomial_decay(0.1, decay_steps=10, end_learning_rate=0.0)(5)
    array(0.05)
    """
    number("polynomial_decay", "decay_steps", decay_steps, "(0, inf]")
    number("polynomial_decay", "power", power, "(0, inf]")
    number("polynomial_decay", "initial_learning_rate", initial_learning_rate, "[0, inf)")
    number("polynomial_decay", "end_learning_rate", end_learning_rate, "[0, inf)")

    def schedule(step: Any) -> Any:
        n: Any = decay_steps
        if cycle:
            n = multiply(maximum(ceil(divide(step, decay_steps)), 1.0), decay_steps)
        left = subtract(1.0, divide(minimum(step, n), n))
        return add(multiply(powers.power(left, power), initial_learning_rate - end_learning_rate), end_learning_rate)

    return schedule


def _periods(step: Any, length: int, whole: bool) -> Any:
    periods = divide(step, length)
    return floor(periods) if whole else periods
