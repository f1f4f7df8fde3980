"""Step lengths: the strong Wolfe conditions as a law on drawn functions, and what happens where none can hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet.optimizers.second_order.line_search import Line, backtracking, strong_wolfe
from fnet.optimizers.second_order.objective import FlatObjective, Point


def line_of(f, slope_of, x=0.0):
    """The function of one number along +1 from x, in plain Python."""

    def evaluate(x):
        return f(float(x[0])), np.array([slope_of(float(x[0]))])

    def along(x, p, t):
        moved = x + t * p
        value, gradient = evaluate(moved)
        return value, gradient[0] * p[0], moved, gradient

    x = np.array([x])
    value, gradient = evaluate(x)
    flat = FlatObjective(lambda v: v, evaluate, along, lambda x, v: v)
    return Line(flat, Point(x, value, gradient), np.ones(1), float(gradient[0]))


def waves(a, b, w):
    """A bowl with waves on it, going down at 0."""
    sign = -1.0 if b * w > 0 else 1.0  # of the waves: they, too, go down at 0
    return (
        lambda x: a * x * x - x + sign * b * math.sin(w * x),
        lambda x: 2 * a * x - 1 + sign * b * w * math.cos(w * x),
    )


numbers = st.floats(0.01, 5.0)


@given(numbers, numbers, numbers, st.floats(1e-3, 1e3), st.sampled_from([(1e-4, 0.9), (1e-4, 0.1), (0.1, 0.11)]))
def test_the_strong_wolfe_conditions_hold(a, b, w, first, constants):
    line = line_of(*waves(a, b, w))
    found = strong_wolfe(line, first, *constants)
    c1, c2 = constants
    start, trial = line.start, found.trial
    assert found.wolfe
    assert trial.value <= start.value + c1 * trial.step * start.slope + line.noise
    assert abs(trial.slope) <= c2 * abs(start.slope)
    assert found.evaluations == line.evaluations <= 40


@given(numbers, numbers, numbers, st.floats(1e-3, 1e3))
def test_backtracking_decreases_enough_and_never_exceeds_the_first_step(a, b, w, first):
    line = line_of(*waves(a, b, w))
    trial = backtracking(line, first).trial
    assert 0 < trial.step <= first
    assert trial.value <= line.start.value + 1e-4 * trial.step * line.start.slope + line.noise


def test_a_parabola_is_met_at_once_by_interpolation():
    line = line_of(lambda x: (x - 3.0) ** 2, lambda x: 2 * (x - 3.0))
    assert strong_wolfe(line, 10.0, 1e-4, 0.1).trial.step == pytest.approx(3.0)
    assert strong_wolfe(line, 3.0).evaluations == line.evaluations


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_shorten_the_step(bad):
    line = line_of(lambda x: -x if x < 0.01 else bad, lambda x: -1.0 if x < 0.01 else math.nan)
    for search in (strong_wolfe, backtracking):
        trial = search(line).trial
        assert 0 < trial.step < 0.01


def test_no_decrease_is_found_uphill_or_nowhere():
    uphill = line_of(lambda x: x, lambda x: -1.0)  # the slope lies
    nowhere = line_of(lambda x: math.nan if x else 0.0, lambda x: -1.0)
    for line in (uphill, nowhere):
        for search in (strong_wolfe, backtracking):
            line.evaluations = 0
            found = search(line)
            assert found.trial is None and not found.wolfe
            assert found.evaluations <= 40


def test_a_function_without_bound_gives_the_farthest_trial_that_decreased_it():
    found = strong_wolfe(line_of(lambda x: -x, lambda x: -1.0))
    assert not found.wolfe
    assert found.trial.step > 1e6


def test_below_rounding_the_slope_decides():
    line = line_of(lambda x: 1e8 + 1e-9 * (x - 1.0) ** 2, lambda x: 2e-9 * (x - 1.0))
    found = strong_wolfe(line, 8.0, 1e-4, 0.1)
    assert found.wolfe
    assert found.trial.step == pytest.approx(1.0, abs=0.1)
