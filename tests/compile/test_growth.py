"""The first call of a deep network: its cost grows with the number of operations, whatever they are."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import fnet
from bench.growth import GROWTHS, dense, first_call, power, recurrent, transformer
from fnet import optimizers

SMALL: dict[str, Any] = {"dense": (dense, (16,)), "transformer": (transformer, (8, 16)), "lstm": (recurrent, None)}


def calls_to_plan(name: str, size: int) -> int:
    """How many functions Python calls to plan a training step."""
    network, shape = SMALL[name]
    net, shape, adam = network(size), shape or (size, 4), optimizers.adam(0.1)
    params, state = net.init(fnet.random.key(0), shape)

    def step(params: Any, opt_state: Any, x: Any) -> Any:
        gradients = fnet.grad(lambda p: np.mean(net.apply(p, state, x, train=True, key=key)[0] ** 2))(params)
        updates, opt_state = adam.update(gradients, opt_state, params)
        return optimizers.apply_updates(params, updates), opt_state

    key, count = fnet.random.key(1), 0

    def counted(frame: Any, event: str, argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    arguments = params, adam.init(params), np.zeros((2, *shape), np.float32)
    sys.setprofile(counted)
    try:
        fnet.jit(step, donate=(0, 1)).plan(*arguments)
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    ("name", "size"), [("dense", 8), ("lstm", 6), pytest.param("transformer", 3, marks=pytest.mark.slow)]
)
def test_planning_takes_calls_in_proportion_to_the_operations(name, size):
    calls_to_plan(name, 2)  # what is made once
    first, second, third = (calls_to_plan(name, n) for n in (size, 2 * size, 4 * size))
    assert third - second < 2.2 * (second - first)


@pytest.mark.slow
@pytest.mark.parametrize("growth", GROWTHS, ids=lambda growth: growth.size)
def test_the_first_call_of_a_deep_network_stays_within_its_target(growth):
    seconds = [first_call(growth, size, 1) for size in growth.sizes]
    assert seconds[-1] < growth.target
    assert power(growth.sizes, seconds) < 1.3  # 1.15 on a quiet machine


def test_the_power_of_growth_is_that_of_the_sizes():
    assert power((1, 2, 4), [3.0, 12.0, 48.0]) == pytest.approx(2)
