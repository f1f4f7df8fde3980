"""The work of a plan's calls, counted from their operands."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from bench.roofline import multiply_adds
from fnet import ops
from fnet.devices.cpu.lower import recurrent

N, T, D, H = 3, 4, 5, 7
BLOCKS = {"simple_rnn": 1, "lstm": 4, "gru": 3}


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("of_input", [False, True])
@pytest.mark.parametrize("name", BLOCKS)
def test_of_recurrent_layers(name, of_input, apart, monkeypatch):
    if apart:
        monkeypatch.setattr(recurrent, "JOINED_WEIGHTS", 0)
    columns = BLOCKS[name] * H
    shapes = [(N, T, D), (D, columns), (H, columns), (2, columns) if name == "gru" else (columns,)]
    gradient = fnet.grad(lambda *z: ops.sum(getattr(ops, name)(*z)[1]), (0, 1, 2, 3) if of_input else (1, 2, 3))
    plan = fnet.jit(gradient).plan(*(np.ones(shape, np.float32) for shape in shapes))
    # Forward and backward the states, forward the inputs, then the gradients; bias and ones make a row of weights more.
    forward, of_bias = N * T * columns * (D + H), N * T * columns * (2 if name == "gru" else 1)
    wanted = 2 * forward + N * T * columns * H + N * T * columns * D * of_input
    assert wanted <= sum(multiply_adds(plan.calls)) <= wanted + of_bias
