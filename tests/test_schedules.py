"""Schedules: Keras' formulas at Python, array and traced steps, and their errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import schedules
from fnet.errors import ValueRangeError

CASES = {
    "constant": (schedules.constant(0.1), lambda s: 0.1),
    "exponential": (schedules.exponential_decay(0.1, 10, 0.5), lambda s: 0.1 * 0.5 ** (s / 10)),
    "staircase": (schedules.exponential_decay(0.1, 10, 0.5, staircase=True), lambda s: 0.1 * 0.5 ** (s // 10)),
    "piecewise": (
        schedules.piecewise_constant([3, 7], [1, 0.5, 0.25]),
        lambda s: 1 if s <= 3 else 0.5 if s <= 7 else 0.25,
    ),
}


@pytest.mark.parametrize("name", CASES)
@given(step=st.integers(0, 50))
def test_values_are_those_of_the_formula(name, step):
    schedule, formula = CASES[name]
    for given_step in (step, np.array(step)):
        np.testing.assert_allclose(schedule(given_step), formula(step), rtol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_a_traced_step_gives_the_same_value(name):
    schedule, _ = CASES[name]
    compiled = fnet.jit(lambda step: schedule(step) * np.ones(2))
    for step in (0, 3, 4, 20):
        np.testing.assert_allclose(compiled(np.array(step)), schedule(step) * np.ones(2), rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: schedules.exponential_decay(0.1, 0, 0.5), "expected decay_steps > 0, received 0"),
        (lambda: schedules.exponential_decay(0.1, 10, -0.5), "expected decay_rate >= 0, received -0.5"),
        (lambda: schedules.piecewise_constant([1, 2], [0.1, 0.2]), "expected 3 values for 2 boundaries"),
        (lambda: schedules.piecewise_constant([2, 2], [1, 2, 3]), "boundaries must increase, received [2, 2]"),
    ],
)
def test_errors_say_what_was_meant(call, text):
    with pytest.raises(ValueRangeError) as caught:
        call()
    assert text in str(caught.value)
