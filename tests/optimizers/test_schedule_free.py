"""The mean of all steps of schedule-free AdamW, within other optimizers too, and wrong options."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import optimizers as optim
from fnet.errors import StructureError, ValueRangeError

GRADIENTS = np.random.default_rng(0).normal(size=(5, 3))


def test_the_mean_is_that_of_all_steps():
    opt, params = optim.schedule_free_adamw(0.1, beta_1=0.7), {"w": np.array([1.0, -2.0, 0.5])}
    state = opt.init(params)
    steps = []
    for g in GRADIENTS:
        updates, state = opt.update({"w": g}, state, params)
        params = optim.apply_updates(params, updates)
        steps.append(state["momentum"]["w"])
        mean = optim.schedule_free_params(params, state, beta_1=0.7)["w"]
        np.testing.assert_allclose(mean, np.mean(steps, axis=0), rtol=1e-12)
    np.testing.assert_allclose(params["w"], 0.3 * steps[-1] + 0.7 * mean, rtol=1e-12)


def test_the_state_is_found_within_others():
    opt, w = optim.schedule_free_adamw(use_ema=True, gradient_accumulation_steps=2), np.array([1.0, 2.0])
    np.testing.assert_allclose(optim.schedule_free_params(w, opt.init(w)), w, rtol=1e-14)


def test_decay_is_that_of_the_parameters():
    opt, w = optim.schedule_free_adamw(0.1, weight_decay=0.5), np.array([2.0])
    updates, state = opt.update(np.array([0.0]), opt.init(w), w)
    np.testing.assert_allclose(w + updates, 0.1 * 2.0 + 0.9 * 2.0, rtol=1e-14)  # z is not decayed, and x is z at first
    np.testing.assert_array_equal(state["momentum"], w)


def test_errors():
    with pytest.raises(StructureError, match="this is no state of schedule_free_adamw. Train with this optimizer"):
        optim.schedule_free_params(np.ones(2), optim.lion().init(np.ones(2)))
    with pytest.raises(ValueRangeError, match="schedule_free_adamw: expected 0 < beta_1 < 1, received 0"):
        optim.schedule_free_adamw(beta_1=0.0)
    with pytest.raises(ValueRangeError, match="expected warmup_steps to be an integer >= 0, received -1"):
        optim.schedule_free_adamw(warmup_steps=-1)
