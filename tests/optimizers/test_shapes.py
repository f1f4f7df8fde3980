"""Gradients that do not fit their parameters are refused by the path of the leaf, by every rule and combinator."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import Trainer, random
from fnet import optimizers as optim
from fnet.errors import ShapeError, StructureError
from fnet.layers import Dense
from tests.optimizers.table import RULES

PARAMS = {"dense": {"kernel": np.ones((1, 3)), "bias": np.ones(3)}}
AROUND = {
    "chain": lambda: optim.chain(optim.clip_by_global_norm(1.0), optim.scale(2.0), optim.adam()),
    "clip_by_value": lambda: optim.clip_by_value(1.0),
    "clip_by_norm": lambda: optim.clip_by_norm(1.0),
    "add_decayed_weights": lambda: optim.add_decayed_weights(0.1),
    "scale_by_learning_rate": lambda: optim.scale_by_learning_rate(0.1),
    "accumulate": lambda: optim.accumulate(optim.sgd(), 2),
    "ema": lambda: optim.ema(optim.sgd()),
    "lookahead": lambda: optim.lookahead(optim.sgd()),
    "apply_if_finite": lambda: optim.apply_if_finite(optim.sgd()),
    "partition": lambda: optim.partition(
        {"a": optim.sgd(), "b": optim.adam()}, {"dense": {"kernel": "a", "bias": "b"}}
    ),
    "freeze": lambda: optim.freeze(lambda path, leaf: path.endswith("kernel"), optim.sgd()),
    "options": lambda: optim.sgd(
        clipnorm=1.0, weight_decay=0.1, use_ema=True, gradient_accumulation_steps=2, exclude_from_weight_decay=["bias"]
    ),
}
MAKERS = {rule.id: rule.make for rule in RULES} | AROUND


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("shape", [(2, 3), (1, 1), (), (3,), (1, 3, 1), (0, 3)])
def test_a_gradient_of_another_shape(name: str, shape: tuple[int, ...]) -> None:
    opt = MAKERS[name]()
    state = opt.init(PARAMS)
    message = f"optimizer: the gradient at 'dense/kernel' has the shape {shape}, expected that of its parameter, (1, 3)"
    wrong = {"dense": {"kernel": np.ones(shape), "bias": np.ones(3)}}
    with pytest.raises(ShapeError, match=re.escape(message)):
        opt.update(wrong, state, PARAMS)
    with pytest.raises(ShapeError, match=re.escape(message)):
        fnet.eval_shape(opt.update, wrong, state, PARAMS)
    with pytest.raises(StructureError, match="kernel"):
        opt.update({"dense": {"bias": np.ones(3)}}, state, PARAMS)


def test_without_the_parameters_what_was_made_for_them_counts() -> None:
    for opt in (optim.adam(), optim.accumulate(optim.sgd(), 2)):
        with pytest.raises(
            ShapeError, match=r"at 'w' has the shape \(2, 3\), expected that of its parameter, \(1, 3\)"
        ):
            opt.update({"w": np.ones((2, 3))}, opt.init({"w": np.ones((1, 3))}))


def test_a_parameter_alone_and_updates_of_another_shape() -> None:
    with pytest.raises(ShapeError, match="at 'the only leaf' has the shape"):
        optim.sgd().update(np.ones(3), optim.sgd().init(np.ones(1)), np.ones(1))
    with pytest.raises(ShapeError, match="at 'w' has the shape"):
        optim.apply_updates({"w": np.ones((1, 3))}, {"w": np.ones((2, 3))})


@pytest.mark.parametrize("rule", ["ftrl", "adam", "sgd_momentum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("compiled", [False, True])
def test_a_rate_of_zero_moves_nothing(rule: str, dtype: str, compiled: bool) -> None:
    make = {"ftrl": optim.ftrl, "adam": optim.adam, "sgd_momentum": lambda rate: optim.sgd(rate, momentum=0.9)}[rule]
    opt = make(lambda step: np.where(np.equal(step, 1), 0.0, np.where(np.equal(step, 3), 1e-39, 0.1)))
    update = fnet.jit(opt.update) if compiled else opt.update
    params: Any = {"w": np.array([1.0, -2.0], dtype)}
    state = opt.init(params)
    path = []
    for _ in range(5):
        updates, state = update({"w": np.array([0.5, -0.25], dtype)}, state, params)
        params = optim.apply_updates(params, updates)
        path.append(params["w"])
    assert all(np.isfinite(leaf).all() for leaf in fnet.tree.leaves((path, state)))
    if rule == "ftrl":
        still, _ = make(0.1), None
        expected = {"w": np.array([1.0, -2.0], dtype)}
        own = still.init(expected)
        for _ in range(3):
            updates, own = still.update({"w": np.array([0.5, -0.25], dtype)}, own, expected)
            expected = optim.apply_updates(expected, updates)
        np.testing.assert_allclose(path[4], expected["w"], rtol=1e-6)
        assert np.array_equal(path[1], path[0]) and np.array_equal(path[3], path[2])


def test_ftrl_with_a_schedule_that_ends_at_zero_in_a_training() -> None:
    x = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
    trainer = Trainer(Dense(1), "mse", optim.ftrl(fnet.schedules.polynomial_decay(0.5, 8, end_learning_rate=0.0)))
    after, history = trainer.fit(trainer.init(random.key(0), (3,)), x, x[:, :1], batch_size=5, epochs=4, verbose=False)
    assert np.isfinite(history["loss"]).all() and int(after.step) == 16
