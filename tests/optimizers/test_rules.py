"""Every rule of the table: trajectories against plain NumPy on three problems, and the laws all of them keep."""

from __future__ import annotations

import copy
import functools
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import optimizers as optim
from fnet import schedules, tree
from tests.optimizers.running import a_tree, once, run, updates_of
from tests.optimizers.table import RULES

all_rules = pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES])
factored = {"adafactor", "muon"}  # what they do depends on how many axes a leaf has


def quadratic(p):
    return np.sum((p["m"] - 1.0) ** 2 * 3.0) + np.sum((p["v"] + 0.5) ** 2)


def rosenbrock(p):
    a, b = p["x"][:-1], p["x"][1:]
    return np.sum((b - a * a) ** 2 * 100.0 + (1.0 - a) ** 2) * 1e-3


def network(p):
    x = np.linspace(-1, 1, 15).reshape(5, 3)
    y = np.tanh(x @ p["hidden"]["kernel"] + p["hidden"]["bias"]) @ p["out"]["kernel"] + p["out"]["bias"]
    return np.mean((y - x[:, :2] ** 2) ** 2)


SHAPES = {
    quadratic: {"m": (3, 2), "v": (2,)},
    rosenbrock: {"x": (4,)},
    network: {"hidden": {"kernel": (3, 4), "bias": (4,)}, "out": {"kernel": (4, 2), "bias": (2,)}},
}


@functools.cache
def trajectory_gradient(problem):
    return fnet.jit(fnet.grad(problem), executor="walk")


@all_rules
@pytest.mark.parametrize("problem", SHAPES)
def test_trajectory_is_that_of_the_formulas(rule, problem):
    rng, opt = np.random.default_rng(0), rule.make()
    params = tree.map(lambda shape: rng.normal(size=shape), SHAPES[problem], is_leaf=lambda x: type(x) is tuple)
    expected, references = params, tree.map(lambda x: rule.reference(), params)
    tree.map(next, references)
    state = opt.init(params)
    for _ in range(20):
        g = trajectory_gradient(problem)(params)
        updates, state = opt.update(g, state, params)
        params = optim.apply_updates(params, updates)
        expected = tree.map(lambda w, g, r: w + r.send((w, g)), expected, g, references)
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), params, expected)


@all_rules
def test_float32_stays_float32_and_near_the_formulas(rule):
    rng, reference = np.random.default_rng(0), rule.reference()
    next(reference)
    w = rng.normal(size=(2, 3)).astype(np.float32)
    gradients = [rng.normal(size=w.shape, scale=s).astype(np.float32) for s in (1, 1e-3, 10, 1, 0, 1, 1)]
    path, _ = run(rule.make(), w, gradients)
    expected = w.astype(float)
    for got, g in zip(path, gradients, strict=True):
        expected = expected + reference.send((expected, g.astype(float)))
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-6)


@all_rules
def test_compiled_and_eager_agree(rule):
    rng = np.random.default_rng(2)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(3)]
    opt = rule.make()
    path, state = run(opt, params, gradients)
    compiled_path, compiled_state = run(opt, params, gradients, fnet.jit(opt.update, executor="walk"))
    assert tree.structure(compiled_state) == tree.structure(state)
    for got, expected in zip(tree.leaves([compiled_path, compiled_state]), tree.leaves([path, state]), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@all_rules
def test_state_counts_steps_and_has_trees_like_the_parameters(rule):
    params = a_tree(np.random.default_rng(0))
    opt = rule.make()
    state = opt.init(params)
    assert set(state) == {*(["step"] if rule.id != "muon" else []), *rule.slots, *rule.state}
    _, after = run(opt, params, [params] * 3)
    if "step" in state:
        assert (state["step"].dtype, state["step"].shape, int(state["step"])) == (np.int64, (), 0)
        assert int(after["step"]) == 3
    for slot, value in rule.slots.items():
        assert tree.all_equal(state[slot], tree.map(lambda x, value=value: np.full_like(x, value), params))
    assert tree.structure(after) == tree.structure(state)


@all_rules
def test_a_saved_state_goes_on_where_it_was(rule):
    rng = np.random.default_rng(6)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(4)]
    opt = rule.make()
    whole, _ = run(opt, params, gradients)
    half, state = run(opt, params, gradients[:2])
    assert all(type(leaf) is np.ndarray for leaf in tree.leaves(state))
    params, state = pickle.loads(pickle.dumps((half[-1], state)))
    for g in gradients[2:]:
        updates, state = opt.update(g, state, params)
        params = optim.apply_updates(params, updates)
    assert tree.all_equal(params, whole[-1])


@all_rules
def test_no_gradient_no_change(rule):
    params = a_tree(np.random.default_rng(0))
    path, _ = run(rule.make(), params, [tree.map(np.zeros_like, params)] * 2)
    assert tree.all_equal(path[-1], params) == rule.still


@all_rules
def test_a_split_tree_moves_like_the_joint_one(rule):
    rng = np.random.default_rng(3)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(3)]
    opt = rule.make()
    joint, _ = run(opt, params, gradients)
    for name in ("kernel", "bias"):
        alone, _ = run(opt, params["dense"][name], [g["dense"][name] for g in gradients])
        np.testing.assert_array_equal(alone[-1], joint[-1]["dense"][name])
    halves = [tree.partition(t, lambda path, leaf: path.endswith("bias")) for t in (params, *gradients)]
    parts = [run(opt, half[0], half[1:])[0][-1] for half in zip(*halves, strict=True)]
    assert tree.all_equal(tree.combine(*parts), joint[-1])


@all_rules
def test_any_tree_and_mixed_dtypes(rule):
    opt = rule.make()
    assert run(opt, {}, [{}, {}])[0] == [{}, {}]
    shape = (1,) if rule.id in factored else ()
    params = [np.ones(2, np.float32), (np.ones(shape, np.float64), {"empty": np.ones((0, 3), np.float32)}, None)]
    gradients = tree.map(lambda x: np.full(x.shape, 0.5, np.float64), params)
    with np.errstate(all="ignore"):  # means over no elements
        path, state = run(opt, params, [gradients] * 2)
    assert tree.structure(path[-1]) == tree.structure(params)
    assert [x.dtype for x in tree.leaves(path[-1])] == [np.float32, np.float64, np.float32]
    for slot in rule.slots:
        assert [x.dtype for x in tree.leaves(state[slot])] == [np.float32, np.float64, np.float32]
    np.testing.assert_allclose(path[-1][0][0], np.ravel(path[-1][1][0])[0], rtol=1e-6)


@all_rules
def test_arguments_are_not_changed(rule):
    params = a_tree(np.random.default_rng(4))
    opt = rule.make()
    state = opt.init(params)
    _, state = opt.update(params, state, params)
    kept = copy.deepcopy((params, state))
    for leaf in tree.leaves((params, state)):
        leaf.flags.writeable = False
    updates, _ = opt.update(params, state, params)
    optim.apply_updates(params, updates)
    assert tree.all_equal((params, state), kept)


@all_rules
def test_key_order_of_gradients_does_not_matter(rule):
    rng = np.random.default_rng(5)
    params, g = a_tree(rng)["dense"], a_tree(rng)["dense"]
    opt = rule.make()
    updates, state = opt.update(dict(reversed(g.items())), opt.init(params), params)
    assert tree.structure((updates, state)) == tree.structure((params, opt.init(params)))
    assert tree.all_equal(updates, opt.update(g, opt.init(params), params)[0])


@all_rules
def test_parts_of_a_batch_are_the_batch(rule):
    rng = np.random.default_rng(7)
    params = a_tree(rng, np.float64)
    parts = [[a_tree(rng, np.float64) for _ in range(4)] for _ in range(3)]
    batches = [tree.map(lambda *g: sum(g) / 4, *part) for part in parts]
    expected, _ = run(rule.make(), params, batches)
    path, _ = run(optim.accumulate(rule.make(), 4), params, [g for part in parts for g in part])
    for got, whole in zip(path[3::4], expected, strict=True):
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12), got, whole)
    assert tree.all_equal(path[0], params) and tree.all_equal(path[6], path[3])


@pytest.mark.parametrize("rule", [pytest.param(rule, id=rule.id) for rule in RULES if rule.scale_free])
@settings(max_examples=10)
@given(scale=st.floats(-4, 4), seed=st.integers(0, 2**31))
def test_scale_of_gradients_does_not_matter(rule, scale, seed):
    rng = np.random.default_rng(seed)
    w, gradients = rng.normal(size=4), rng.normal(size=(3, 4))
    path, _ = run(rule.scale_free(), w, gradients)
    scaled, _ = run(rule.scale_free(), w, gradients * 10**scale)
    np.testing.assert_allclose(scaled, path, rtol=1e-8, atol=1e-10)


@given(scale=st.floats(-6, 6), seed=st.integers(0, 2**31))
def test_first_step_of_adam_is_the_rate(scale, seed):
    g = np.random.default_rng(seed).uniform(0.5, 1, 4) * [1, -1, 1, -1]
    step = once(optim.adam(0.01, epsilon=1e-30), np.zeros(4), g * 10**scale)
    np.testing.assert_allclose(step, -0.01 * np.sign(g), rtol=1e-9)


@given(seed=st.integers(0, 2**31))
def test_momentum_zero_is_plain_descent(seed):
    rng = np.random.default_rng(seed)
    w, g = rng.normal(size=(2, 3))
    np.testing.assert_array_equal(once(optim.sgd(0.5), w, g), w - 0.5 * g)
    with pytest.warns(UserWarning, match="sgd: nesterov has no effect without momentum"):
        opt = optim.sgd(0.5, nesterov=True)
    np.testing.assert_array_equal(once(opt, w, g), w - 0.5 * g)


def test_centered_rmsprop_of_a_huge_constant_gradient_stays_finite():
    g = np.random.default_rng(0).uniform(5e3, 5e4, 200).astype(np.float32)
    path, _ = run(optim.rmsprop(rho=0.5, centered=True), np.ones(200, np.float32), [g] * 40)
    assert np.all(np.isfinite(path[-1]))


def test_muon_steps_are_orthogonal_and_leave_the_rest_to_adam():
    rng = np.random.default_rng(0)
    params = {"embedding": rng.normal(size=(5, 4)), "head": rng.normal(size=(6, 4)), "bias": rng.normal(size=4)}
    opt = optim.muon(1.0, weight_decay=0.0, adam_weight_decay=0.0, rms_rate=None)
    updates = updates_of(opt, params, params)
    sizes = np.linalg.svd(updates["head"], compute_uv=False)
    assert np.all((sizes > 0.6) & (sizes < 1.3))
    alone = updates_of(optim.adam(1.0), params, params)
    for name in ("embedding", "bias"):
        np.testing.assert_array_equal(updates[name], alone[name])
    chosen = optim.muon(1.0, exclude_embeddings=False, exclude_layers=["^head"])
    state = chosen.init(params)
    assert [path for path, _ in tree.leaves_with_path(state["muon"]["momentum"])] == ["embedding"]


@pytest.mark.parametrize("make", [optim.sgd, optim.adam, optim.rmsprop, optim.scale_by_learning_rate])
def test_a_schedule_gets_the_step_from_zero(make):
    seen = []

    def schedule(step):
        seen.append(int(step))
        return 0.5 * 0.1**step

    opt = make(schedule)
    w, g, state = np.zeros(1), np.ones(1), opt.init(np.zeros(1))
    steps = []
    for _ in range(3):
        updates, state = opt.update(g, state, w)
        steps.append(float(updates[0]))
    assert seen == [0, 1, 2]
    plain = run(make(0.5), w, [g] * 3)[0]
    np.testing.assert_allclose(steps, np.diff([0, *(float(p[0]) for p in plain)]) * [1, 0.1, 0.01], rtol=1e-12)


@all_rules
def test_every_rule_follows_a_schedule(rule):
    if rule.id.startswith(("sgd_", "rmsprop_", "adam_", "amsgrad", "schedule_free_adamw_")):
        pytest.skip("a variant")
    make, w = getattr(optim, rule.id), np.ones((2, 2))
    rates = [float(schedules.exponential_decay(0.1, 2, 0.5)(t)) for t in range(3)]
    path, _ = run(make(schedules.exponential_decay(0.1, 2, 0.5)), w, [np.full((2, 2), 0.3)] * 3)
    state, expected = make(0.1).init(w), [w]
    for rate in rates:
        updates, state = make(rate).update(np.full((2, 2), 0.3), state, expected[-1])
        expected.append(expected[-1] + updates)
    np.testing.assert_allclose(path, expected[1:], rtol=1e-12)


def test_a_schedule_is_followed_under_jit():
    opt = optim.sgd(schedules.piecewise_constant([0, 1], [1.0, 0.1, 0.01]))
    path, _ = run(opt, np.zeros(1, np.float32), [np.ones(1, np.float32)] * 3, fnet.jit(opt.update))
    np.testing.assert_allclose(np.ravel(path), [-1, -1.1, -1.11], rtol=1e-6)


def test_the_learning_rate_may_be_traced():
    step = fnet.jit(lambda rate, g: optim.sgd(rate).update(g, optim.sgd(rate).init(g), g)[0])
    np.testing.assert_allclose(step(np.array(0.25), np.ones(2, np.float32)), [-0.25, -0.25])


def test_numpy_scalars_and_arrays_do_not_promote():
    w, g = np.ones(2, np.float32), np.ones(2, np.float32)
    for rate in (np.float64(0.5), np.array(0.5), 1):
        opt = optim.sgd(rate, momentum=np.float64(0.5))
        updates, state = opt.update(g, opt.init(w), w)
        assert updates.dtype == state["momentum"].dtype == np.float32
        assert updates[0] == -float(rate)
    assert optim.apply_updates(w, np.full(2, 0.25)).dtype == np.float32
