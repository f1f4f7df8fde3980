"""Running averages of weights without gradients end at 0: below the least normal number processors are slow."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import optimizers, tree

LEAST = np.finfo(np.float32).tiny
RULES = {
    "adam": optimizers.adam(),
    "amsgrad": optimizers.adam(amsgrad=True),
    "adamax": optimizers.adamax(),
    "nadam": optimizers.nadam(),
    "rmsprop": optimizers.rmsprop(momentum=0.9, centered=True),
    "sgd": optimizers.sgd(momentum=0.9),
}


def after_a_step_without_gradient(optimizer, start):
    """The averages after a step from averages of `start`, float32."""
    params = {"w": np.full(3, 2.0, np.float32)}
    state = optimizer.init(params)
    scalars = ("step", "momentum_product")
    averages = {name: {"w": np.float32(start)} for name in state if name not in scalars}
    _, state = optimizer.update(tree.map(np.zeros_like, params), {**state, **averages}, params)
    return [state[name]["w"] for name in averages if name != "velocity_hat"]


@pytest.mark.parametrize("rule", RULES)
def test_averages_without_gradients_end_at_zero(rule):
    for average in after_a_step_without_gradient(RULES[rule], [LEAST, LEAST / 2, 1e-45]):
        assert average.tolist() == [0, 0, 0]
    for average in after_a_step_without_gradient(RULES[rule], [1.5 * LEAST, 1e-20, 1.0]):
        assert (average > 0).all()


def test_beside_a_small_epsilon_nothing_is_taken_for_zero():
    for average in after_a_step_without_gradient(optimizers.adam(epsilon=1e-20), [LEAST, LEAST / 2, 1e-40]):
        assert (average > 0).all()


def test_what_is_not_finite_stays():
    for average in after_a_step_without_gradient(RULES["adam"], [np.nan, np.inf, -1.0]):
        assert np.isnan(average[0])
        assert average[2] < 0
