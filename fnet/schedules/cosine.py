"""Rates along a cosine: down, down again and again, up and down."""

from __future__ import annotations

import math
from typing import Any

from fnet.arguments import number, warn_without_effect
from fnet.configured import configurable
from fnet.ops.arithmetic import add, divide, less, maximum, minimum, multiply, subtract, where
from fnet.ops.maths import cos, floor, log
from fnet.ops.powers import power
from fnet.schedules.schedule import SCHEDULES, Schedule

# Steps are whole: what is so close below a restart is the restart, rounded.
_ROUNDING = 1e-12


@SCHEDULES.named()
@configurable
def cosine_decay(
    initial_learning_rate: float,
    decay_steps: int,
    alpha: float = 0.0,
    warmup_target: float | None = None,
    warmup_steps: int = 0,
) -> Schedule:
    """``initial ((1 - alpha) (1 + cos(pi step / decay_steps)) / 2 + alpha)``, constant after `decay_steps`.

    With `warmup_target` the rate first rises linearly from the initial one to the target over `warmup_steps`, and falls
    from the target from there on. Warns of one without the other. Raises `ValueRangeError`.
    Source: Keras ``CosineDecay``; Loshchilov and Hutter 2016.

    >>> float(cosine_decay(0.1, decay_steps=10)(5).round(6))
    0.05
    """
    number("cosine_decay", "decay_steps", decay_steps, "(0, inf]")
    number("cosine_decay", "alpha", alpha, "[0, 1]")
    target = initial_learning_rate if warmup_target is None else warmup_target
    number("cosine_decay", "initial_learning_rate", initial_learning_rate, "[0, inf)")
    number("cosine_decay", "warmup_target", target, "[0, inf)")
    number("cosine_decay", "warmup_steps", warmup_steps, "[0, inf)")
    if warmup_target is None and warmup_steps:
        warn_without_effect("cosine_decay", "warmup_steps", "warmup_target")
    if warmup_target is not None and not warmup_steps:
        warn_without_effect("cosine_decay", "warmup_target, which takes the place of the initial rate,", "warmup_steps")
    rising = 0 if warmup_target is None else warmup_steps

    def schedule(step: Any) -> Any:
        part = divide(minimum(maximum(subtract(step, rising), 0), decay_steps), decay_steps)
        falling = multiply(add(multiply(_half_cosine(part), 1 - alpha), alpha), target)
        if not rising:
            return falling
        slope = (target - initial_learning_rate) / rising
        return where(less(step, rising), add(multiply(step, slope), initial_learning_rate), falling)

    return schedule


@SCHEDULES.named()
@configurable
def cosine_decay_restarts(
    initial_learning_rate: float, first_decay_steps: int, t_mul: float = 2.0, m_mul: float = 1.0, alpha: float = 0.0
) -> Schedule:
    """`cosine_decay` that starts anew: each period is `t_mul` times as long, and begins at `m_mul` times the rate.

    Periods that become shorter end at ``first_decay_steps / (1 - t_mul)``; from there on the rate is the least one,
    ``alpha initial``. Raises `ValueRangeError`.
    Source: Keras ``CosineDecayRestarts``; SGDR, Loshchilov and Hutter 2016.

    >>> schedule = cosine_decay_restarts(0.1, first_decay_steps=10)
    >>> [float(schedule(step).round(6)) for step in (0, 5, 10, 20, 30)]
    [0.1, 0.05, 0.1, 0.05, 0.1]
    """
    number("cosine_decay_restarts", "first_decay_steps", first_decay_steps, "(0, inf]")
    number("cosine_decay_restarts", "t_mul", t_mul, "(0, inf]")
    number("cosine_decay_restarts", "initial_learning_rate", initial_learning_rate, "[0, inf)")
    number("cosine_decay_restarts", "m_mul", m_mul, "[0, inf)")
    number("cosine_decay_restarts", "alpha", alpha, "[0, 1]")

    def schedule(step: Any) -> Any:
        done = divide(step, first_decay_steps)
        if t_mul == 1.0:
            period = floor(done)
            part = subtract(done, period)
        else:
            left = subtract(1.0, multiply(done, 1.0 - t_mul))
            over = less(left, _ROUNDING)
            period = floor(add(divide(log(where(over, 1.0, left)), math.log(t_mul)), _ROUNDING))
            length = power(float(t_mul), period)
            before = divide(subtract(1.0, length), 1.0 - t_mul)
            part = where(over, 1.0, divide(subtract(done, before), length))
        height = multiply(_half_cosine(part), power(float(m_mul), period))
        return multiply(add(multiply(height, 1 - alpha), alpha), initial_learning_rate)

    return schedule


@SCHEDULES.named()
@configurable
def one_cycle(
    peak: float, steps: int, rising: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
) -> Schedule:
    """Up from ``peak / div_factor`` along a half cosine, then down to ``peak / div_factor / final_div_factor``.

    The peak is at step ``rising steps - 1``, the end at ``steps - 1`` and after. Raises `ValueRangeError`.
    Source: PyTorch ``OneCycleLR``; Smith and Topin 2017.

    >>> schedule = one_cycle(1.0, steps=100)
    >>> [float(schedule(step).round(6)) for step in (0, 29, 64, 99)]
    [0.04, 1.0, 0.500002, 4e-06]
    """
    number("one_cycle", "peak", peak, "[0, inf)")
    number("one_cycle", "div_factor", div_factor, "(0, inf]")
    number("one_cycle", "final_div_factor", final_div_factor, "(0, inf]")
    top = rising * steps - 1
    number("one_cycle", "rising * steps - 1", top, "(0, inf]")
    number("one_cycle", "(1 - rising) * steps", (1 - rising) * steps, "(0, inf]")
    first, final = peak / div_factor, peak / div_factor / final_div_factor

    def schedule(step: Any) -> Any:
        up = _half_cosine(divide(minimum(step, top), top))
        down = _half_cosine(divide(subtract(minimum(maximum(step, top), steps - 1), top), steps - 1 - top))
        return where(
            less(step, top),
            add(multiply(up, first - peak), peak),
            add(multiply(down, peak - final), final),
        )

    return schedule


def _half_cosine(part: Any) -> Any:
    """``(1 + cos(pi part)) / 2``: from 1 at 0 to 0 at 1."""
    return multiply(add(cos(multiply(part, math.pi)), 1.0), 0.5)
