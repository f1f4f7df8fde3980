"""An update of all parameters is one launch on a card, however many arrays there are, and one for the step's number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, optimizers
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.emulated import Emulated

SHAPES = (300, 200), (200,), (200, 3), (3,)  # one of more than the bytes that a loop on the CPU updates with others
RULES = {
    "sgd": optimizers.sgd(0.1),
    "momentum": optimizers.sgd(0.1, momentum=0.9),
    "adam": optimizers.adam(0.1),
    "adamw": optimizers.adamw(0.1),
    "adamax": optimizers.adamax(0.1),
    "nadam": optimizers.nadam(0.1),
    "rmsprop": optimizers.rmsprop(0.1),
    "adagrad": optimizers.adagrad(0.1),
    "adadelta": optimizers.adadelta(0.1),
    "ftrl": optimizers.ftrl(0.1),
}


def labels(rule: Any) -> list[str]:
    """Of the calls of a step, which is planned and not run."""
    params = [np.ones(shape, np.float32) for shape in SHAPES]

    def step(params: Any, state: Any, x: Any) -> Any:
        def loss(p: Any) -> Any:
            return np.sum(np.tanh(np.tanh(x @ p[0] + p[1]) @ p[2] + p[3]))

        updates, state = rule.update(fnet.grad(loss)(params), state, params)
        return optimizers.apply_updates(params, updates), state

    operands = fnet.to_device((params, rule.init(params), np.ones((2, 300), np.float32)), "cuda")
    return [call.label for call in fnet.jit(step, donate=("params", "state")).plan(*operands).calls]


@pytest.fixture(autouse=True)
def _card(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", Emulated()))


@pytest.mark.parametrize("name", RULES)
def test_all_parameters_are_updated_by_one_launch(name):
    *gradients, _, update = labels(RULES[name])
    assert update.startswith("4 x ")
    assert len(gradients) == 7


def test_lion_updates_parameters_and_moments_by_a_launch_each():
    assert [label[:4] for label in labels(optimizers.lion(0.1))[-2:]] == ["4 x ", "4 x "]


def test_clipping_by_the_global_norm_needs_sums_of_each_array_and_of_them_all():
    without, clipping = labels(RULES["adam"]), labels(optimizers.adam(0.1, global_clipnorm=1.0))
    assert len(clipping) == len(without) + len(SHAPES) + 1
    assert clipping[-1].startswith("4 x ")
