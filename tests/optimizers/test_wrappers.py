"""Optimizers around optimizers: freeze, partition, accumulate, ema, lookahead, apply_if_finite."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import optimizers as optim
from fnet import tree
from tests.optimizers.running import a_tree, run, updates_of


def bits(params):
    return tree.map(lambda x: x.view(np.uint32), params)


ODD = np.array([-0.0, 0.0, np.nan, -np.inf, 1e-42], np.float32)
WHICH = [lambda path, leaf: path.startswith("body"), {"body": True, "head": False}]


@pytest.mark.parametrize("which", WHICH, ids=["predicate", "mask"])
@pytest.mark.parametrize("compiled", [False, True])
def test_freeze_keeps_every_bit_and_moves_the_rest_as_alone(which, compiled):
    rng = np.random.default_rng(0)
    params = {"body": {"w": ODD, "b": np.ones(2, np.float32)}, "head": a_tree(rng)}
    gradients = [tree.map(lambda x: np.float32(rng.normal(size=x.shape)), params) for _ in range(3)]
    opt = optim.freeze(which, optim.adamw(0.1))

    def step(params, state, g):
        updates, state = opt.update(g, state, params)
        return optim.apply_updates(params, updates), state

    move = fnet.jit(step, executor="walk") if compiled else step
    state, moved = opt.init(params), params
    for g in gradients:
        moved, state = move(moved, state, g)
    assert tree.all_equal(bits(moved["body"]), bits(params["body"]))
    alone, _ = run(optim.adamw(0.1), params["head"], [g["head"] for g in gradients])
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), moved["head"], alone[-1])
    assert state["trained"]["momentum"]["body"] == {"w": None, "b": None}


def test_freeze_ends_a_chain():
    params = {"body": np.ones(2), "head": np.ones(2)}
    opt = optim.chain(optim.sgd(0.5), optim.freeze({"body": True, "head": False}))
    updates = updates_of(opt, params, params)
    assert np.all(updates["body"] == 0) and np.all(updates["head"] == -0.5)


def test_a_frozen_leaf_costs_nothing_under_jit():
    """Neither its gradient nor its update is in the plan: the leaf is passed through."""
    params = {"body": np.ones((4, 4), np.float32), "head": np.ones((4, 4), np.float32)}
    x = np.ones((2, 4), np.float32)
    opt = optim.freeze(WHICH[0], optim.adam())

    def step(params, state, x):
        g = fnet.grad(lambda p: np.sum(np.tanh(x @ p["body"]) @ p["head"]))(params)
        updates, state = opt.update(g, state, params)
        return optim.apply_updates(params, updates), state

    plan = fnet.jit(step, donate=("params", "state")).plan(params, opt.init(params), x)
    assert str(plan).count("matmul") == 2  # forward through the body, the gradient of the head
    loops = [call for call in plan.calls if call.label.startswith("subtract")]
    assert len(loops) == 1  # the update of the head
    assert not any(slot.buffer is plan.state[0] for call in loops for slot in call.slots)


def test_partition_gives_each_leaf_its_optimizer():
    rng = np.random.default_rng(1)
    params, gradients = {"a": a_tree(rng), "b": a_tree(rng)}, [{"a": a_tree(rng), "b": a_tree(rng)} for _ in range(3)]
    makers = {"slow": optim.sgd(0.01, momentum=0.9), "fast": optim.adam(0.1)}
    for labels in ({"a": "slow", "b": "fast"}, lambda path, leaf: "slow" if path.startswith("a") else "fast"):
        path, state = run(optim.partition(makers, labels), params, gradients)
        for name, label in (("a", "slow"), ("b", "fast")):
            alone, _ = run(makers[label], params[name], [g[name] for g in gradients])
            assert tree.all_equal([w[name] for w in path], alone)
        assert set(state) == {"slow", "fast"}


@pytest.mark.parametrize("optimizer", [optim.adam(0.1), optim.chain(optim.clip_by_global_norm(1.0), optim.sgd(0.1))])
def test_accumulate_leaves_parameters_between_updates(optimizer):
    rng = np.random.default_rng(2)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(4)]
    path, state = run(optim.accumulate(optimizer, 2), params, gradients)
    assert tree.all_equal(bits(path[0]), bits(params)) and tree.all_equal(bits(path[2]), bits(path[1]))
    assert int(state["step"]) == 4
    assert tree.all_equal(
        run(optim.accumulate(optimizer, 1), params, gradients)[0], run(optimizer, params, gradients)[0]
    )


def test_ema_of_any_optimizer_is_found_in_the_state():
    w = np.array([1.0])
    opt = optim.chain(optim.clip_by_value(1.0), optim.ema(optim.sgd(1.0), momentum=0.5))
    path, state = run(opt, w, [np.array([2.0]), np.array([-3.0])])
    np.testing.assert_array_equal(np.ravel(path), [0.0, 1.0])
    np.testing.assert_array_equal(optim.averaged_params(state), [0.5])


def test_lookahead_is_the_formula():
    rng = np.random.default_rng(3)
    fast = slow = rng.normal(size=3)
    start, gradients = fast, rng.normal(size=(7, 3))
    path, _ = run(optim.lookahead(optim.sgd(0.1), period=3, slow_step=0.25), start, gradients)
    for step, (got, g) in enumerate(zip(path, gradients, strict=True), start=1):
        fast = fast - 0.1 * g
        if step % 3 == 0:
            fast = slow = slow + 0.25 * (fast - slow)
        np.testing.assert_allclose(got, fast, rtol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_steps_that_are_not_finite_are_left_out(bad):
    rng = np.random.default_rng(4)
    params, good = a_tree(rng), [a_tree(rng) for _ in range(3)]
    broken = a_tree(rng)
    broken["dense"]["bias"][1] = bad
    opt = optim.apply_if_finite(optim.adam(0.1))
    path, state = run(opt, params, [good[0], broken, *good[1:]])
    assert tree.all_equal(bits(path[1]), bits(path[0]))
    assert tree.all_equal(path[-1], run(optim.adam(0.1), params, good)[0][-1])
    assert int(state["skipped"]) == 1
    assert updates_of(opt, {}, {}) == {}


@pytest.mark.parametrize(
    "opt",
    [
        optim.accumulate(optim.adam(0.1), 2),
        optim.ema(optim.adam(0.1), overwrite_frequency=2),
        optim.lookahead(optim.adam(0.1), period=2),
        optim.apply_if_finite(optim.adam(0.1)),
        optim.partition({"x": optim.adam(0.1), "y": optim.sgd(0.1)}, lambda path, x: "x" if x.ndim == 2 else "y"),
    ],
    ids=lambda opt: opt.name,
)
def test_compiled_and_eager_agree_and_nothing_is_changed(opt):
    rng = np.random.default_rng(5)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(4)]
    for leaf in tree.leaves((params, gradients)):
        leaf.flags.writeable = False
    eager = run(opt, params, gradients)
    compiled = run(opt, params, gradients, fnet.jit(opt.update, executor="walk"))
    assert tree.structure(compiled) == tree.structure(eager)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), compiled, eager)
    assert {x.dtype for x in tree.leaves(compiled[0])} == {np.dtype(np.float32)}
