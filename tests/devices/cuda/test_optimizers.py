"""An update of all parameters is one launch on a card, however many arrays there are, and one for the step's number.

So are the norms of all arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, optimizers
from fnet.devices.cuda import loops
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


OF_NORMS = {
    "global_clipnorm": (optimizers.adam(0.1, global_clipnorm=0.1), ["4 x cast+square+sum", "add+add+add", "4 x "]),
    "clipnorm": (optimizers.adam(0.1, clipnorm=0.1), ["4 x cast+square+sum", "4 x sqrt", "add+cast", "4 x "]),
    "lamb": (optimizers.lamb(0.1), ["add+cast", "4 x subtract", "4 x square+sum", "4 x sqrt", "4 x multiply+add"]),
}


def test_adafactor_updates_all_parameters_by_one_launch():
    assert sum("divide+multiply" in label for label in labels(optimizers.adafactor(0.1))) == 1


@pytest.mark.parametrize("name", OF_NORMS)
def test_norms_of_all_arrays_take_one_launch_and_what_needs_them_another(name):
    rule, expected = OF_NORMS[name]
    found = labels(rule)[7:]
    assert len(found) == len(expected)
    assert all(label.startswith(begin) for label, begin in zip(found, expected, strict=True)), found


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in ("global_clipnorm", "clipnorm", "adafactor")]


@pytest.mark.parametrize("name", ["lamb", *SLOW])
def test_rules_with_norms_give_the_results_of_the_cpu(name, monkeypatch):
    rule = OF_NORMS[name][0] if name in OF_NORMS else optimizers.adafactor(0.1)
    monkeypatch.setattr(loops, "CHUNK", 12)  # a segment has several parts
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", Emulated()))
    rng = np.random.default_rng(0)
    params, x = [rng.normal(size=shape).astype(np.float32) for shape in ((7, 5), (5,), (5, 1), (1,))], np.eye(3, 7)

    @fnet.jit(donate=("params", "state"))
    def step(params: Any, state: Any, x: Any) -> Any:
        def loss(p: Any) -> Any:
            return np.sum(np.square(np.tanh(x @ p[0] + p[1]) @ p[2] + p[3] - 1))

        updates, state = rule.update(fnet.grad(loss)(params), state, params)
        return optimizers.apply_updates(params, updates), state

    def trained(place: str) -> Any:
        weights, state, of_x = fnet.to_device((params, rule.init(params), x.astype(np.float32)), place)
        for _ in range(2):
            weights, state = step(weights, state, of_x)
        return fnet.to_host((weights, state))

    for received, expected in zip(*(fnet.tree.leaves(trained(place)) for place in ("cuda", "cpu")), strict=True):
        np.testing.assert_allclose(received, expected, rtol=3e-5, atol=3e-6)
