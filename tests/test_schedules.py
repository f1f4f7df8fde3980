"""Schedules: values against their formulas, traced steps, and errors by their text."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import schedules
from fnet.errors import ValueRangeError


def half_cosine(part):
    return (1 + math.cos(math.pi * part)) / 2


def polynomial_in_cycles(s):
    n = 10 * max(1, math.ceil(s / 10))
    return 0.09 * (1 - min(s, n) / n) ** 2 + 0.01


def restarts(s):
    """Periods of 5, 10, 20, ... steps, each from half the rate of the one before."""
    start, length, rate = 0, 5, 1.0
    while s >= start + length:
        start, length, rate = start + length, 2 * length, rate / 2
    return 0.1 * (0.9 * rate * half_cosine((s - start) / length) + 0.1)


def one_cycle(s):
    if s < 14:
        return 0.02 + 0.48 * (1 - half_cosine(s / 14))
    return 2e-6 + (0.5 - 2e-6) * half_cosine(min(s - 14, 35) / 35)


def shorter_and_shorter(s):
    """Periods of 8, 4, 2, 1, ... steps, each from twice the rate of the one before; 0.1 from step 16 on."""
    start, length, rate = 0, 8, 1.0
    while length >= 1 and s >= start + length:
        start, length, rate = start + length, length / 2, 2 * rate
    return 0.1 * rate * half_cosine((s - start) / length) * 0.9 + 0.01 if s < 16 else 0.01


CASES = {
    "constant": (schedules.constant(0.1), lambda s: 0.1),
    "exponential": (schedules.exponential_decay(0.1, 10, 0.5), lambda s: 0.1 * 0.5 ** (s / 10)),
    "staircase": (schedules.exponential_decay(0.1, 10, 0.5, staircase=True), lambda s: 0.1 * 0.5 ** (s // 10)),
    "inverse_time": (schedules.inverse_time_decay(0.1, 10, 0.5), lambda s: 0.1 / (1 + 0.5 * s / 10)),
    "inverse_time_stairs": (schedules.InverseTimeDecay(0.1, 10, 0.5, True), lambda s: 0.1 / (1 + 0.5 * (s // 10))),
    "polynomial": (
        schedules.polynomial_decay(0.1, 10, 0.01, 2.0),
        lambda s: 0.09 * (1 - min(s, 10) / 10) ** 2 + 0.01,
    ),
    "polynomial_cycle": (schedules.polynomial_decay(0.1, 10, 0.01, 2.0, cycle=True), polynomial_in_cycles),
    "cosine": (
        schedules.cosine_decay(0.1, 20, alpha=0.2),
        lambda s: 0.1 * (0.8 * half_cosine(min(s, 20) / 20) + 0.2),
    ),
    "cosine_warm": (
        schedules.cosine_decay(0.1, 20, 0.0, warmup_target=0.5, warmup_steps=5),
        lambda s: 0.1 + 0.4 * s / 5 if s < 5 else 0.5 * half_cosine(min(s - 5, 20) / 20),
    ),
    "restarts": (schedules.cosine_decay_restarts(0.1, 5, 2.0, 0.5, 0.1), restarts),
    "restarts_equal": (
        schedules.cosine_decay_restarts(0.1, 5, t_mul=1.0),
        lambda s: 0.1 * half_cosine(s % 5 / 5),
    ),
    "restarts_shorter": (schedules.cosine_decay_restarts(0.1, 8, 0.5, 2.0, 0.1), shorter_and_shorter),
    "one_cycle": (schedules.one_cycle(0.5, 50), one_cycle),
    "piecewise": (
        schedules.piecewise_constant([3, 7], [1, 0.5, 0.25]),
        lambda s: 1 if s <= 3 else 0.5 if s <= 7 else 0.25,
    ),
    "warmup": (
        schedules.warmup(schedules.exponential_decay(0.1, 10, 0.5), 8, initial=0.02),
        lambda s: 0.02 + 0.08 * s / 8 if s < 8 else 0.1 * 0.5 ** ((s - 8) / 10),
    ),
    "warmup_constant": (schedules.warmup(0.1, 8), lambda s: 0.1 * min(s, 8) / 8),
}


@pytest.mark.parametrize("name", CASES)
@given(step=st.integers(0, 300))
def test_values_are_those_of_the_formula(name, step):
    schedule, formula = CASES[name]
    for given_step in (step, np.array(step)):
        np.testing.assert_allclose(schedule(given_step), formula(step), rtol=1e-9, atol=1e-12)


def test_every_schedule_has_a_row():
    assert {make.__name__ for make in schedules.SCHEDULES.values()} == {schedule.name for schedule, _ in CASES.values()}


def test_a_restart_is_not_missed_by_rounding():
    """At the step of a restart the rate is whole again, whatever the logarithm of the step is rounded to."""
    for t_mul in (1.1, 1.5, 2.0, 3.0):
        schedule = schedules.cosine_decay_restarts(1.0, 1000, t_mul)
        for period in range(12):
            start = 1000 * (t_mul**period - 1) / (t_mul - 1)
            assert schedule(start) > 0.999
    assert schedules.cosine_decay_restarts(1.0, 10**6)(10**6 - 1) < 1e-9


@pytest.mark.parametrize("name", CASES)
def test_a_traced_step_gives_the_same_value(name):
    schedule, _ = CASES[name]
    compiled = fnet.jit(lambda step: schedule(step) * np.ones(2), executor="walk")
    for step in (0, 3, 4, 20):
        np.testing.assert_allclose(compiled(np.array(step)), schedule(step) * np.ones(2), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: schedules.constant(-1.0), "constant: expected value >= 0 and finite, received -1.0"),
        (lambda: schedules.exponential_decay(0.1, 0, 0.5), "expected decay_steps > 0, received 0"),
        (lambda: schedules.exponential_decay(0.1, 10, -0.5), "expected decay_rate >= 0 and finite, received -0.5"),
        (
            lambda: schedules.inverse_time_decay(-0.1, 10, 0.5),
            "inverse_time_decay: expected initial_learning_rate >= 0",
        ),
        (lambda: schedules.polynomial_decay(0.1, 10, power=0.0), "polynomial_decay: expected power > 0, received 0.0"),
        (lambda: schedules.cosine_decay(0.1, 10, alpha=2.0), "cosine_decay: expected 0 <= alpha <= 1, received 2.0"),
        (
            lambda: schedules.cosine_decay(0.1, 10, 0.0, math.nan, 3),
            "expected warmup_target >= 0 and finite, received nan",
        ),
        (lambda: schedules.cosine_decay_restarts(0.1, 10, t_mul=0.0), "expected t_mul > 0, received 0.0"),
        (lambda: schedules.one_cycle(0.1, 3), "one_cycle: expected rising * steps - 1 > 0, received"),
        (lambda: schedules.warmup(0.1, 0), "warmup: expected steps > 0, received 0"),
        (lambda: schedules.piecewise_constant([1, 2], [0.1, 0.2]), "expected 3 values for 2 boundaries"),
        (lambda: schedules.piecewise_constant([2, 2], [1, 2, 3]), "boundaries must increase, received [2, 2]"),
        (lambda: schedules.piecewise_constant([2], [1, math.inf]), "expected values[1] >= 0 and finite, received inf"),
    ],
)
def test_errors_say_what_was_meant(call, text):
    with pytest.raises(ValueRangeError) as caught:
        call()
    assert text in str(caught.value)


@given(
    first=st.integers(1, 10**6),
    t_mul=st.floats(0.01, 3.0),
    alpha=st.sampled_from([0.0, 0.1, 1.0]),
    step=st.integers(0, 10**7),
)
def test_restarts_stay_between_the_least_and_the_first_rate(first, t_mul, alpha, step):
    rate = float(schedules.cosine_decay_restarts(0.5, first, t_mul, alpha=alpha)(step))
    assert 0.5 * alpha * (1 - 1e-12) <= rate <= 0.5 * (1 + 1e-12)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (
            lambda: schedules.cosine_decay(0.1, 20, warmup_steps=5),
            "cosine_decay: warmup_steps has no effect without warmup_target",
        ),
        (
            lambda: schedules.CosineDecay(0.1, 20, warmup_target=0.5),
            "cosine_decay: warmup_target, which takes the place of the initial rate, has no effect without warmup",
        ),
    ],
)
def test_options_without_an_effect_are_told(make, text):
    with pytest.warns(UserWarning, match=text) as told:
        make()
    assert told[0].filename == __file__
