"""Optimizers: trajectories against plain NumPy and PyTorch, laws, Keras' recorded values, trees, errors."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import optimizers as optim
from fnet import schedules, tree
from fnet.errors import DtypeError, StructureError, ValueRangeError
from tests.objective_tables import OPTIMIZERS

DTYPES = [np.float32, np.float64]
all_cases = pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in OPTIMIZERS])


def run(opt, params, gradients, update=None):
    """The parameters after each of the gradients, and the last state."""
    state, path = opt.init(params), []
    for g in gradients:
        updates, state = (update or opt.update)(g, state, params)
        params = optim.apply_updates(params, updates)
        path.append(params)
    return path, state


def once(opt, w, g):
    return run(opt, np.asarray(w, float), [np.asarray(g, float)])[0][0]


def a_tree(rng, dtype=np.float32):
    return {"dense": {"kernel": rng.normal(size=(2, 3)).astype(dtype), "bias": rng.normal(size=3).astype(dtype)}}


# Trajectories and laws.


@all_cases
@pytest.mark.parametrize("dtype", DTYPES)
def test_trajectory_is_that_of_the_formulas(case, dtype):
    rng, reference = np.random.default_rng(0), case.reference()
    next(reference)
    w = rng.normal(size=4).astype(dtype)
    gradients = [rng.normal(size=4, scale=s).astype(dtype) for s in (1, 1e-3, 10, 1, 0, 1, 1)]
    path, _ = run(case.make(), w, gradients)
    expected = w.astype(float)
    for got, g in zip(path, gradients, strict=True):
        expected = expected + reference.send(g.astype(float))
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=1e-12 if dtype == np.float64 else 1e-5, atol=1e-12)


@all_cases
def test_trajectory_is_that_of_torch(case):
    """PyTorch adds epsilon outside the root and after the correction, so both get one near zero."""
    torch = pytest.importorskip("torch")
    if case.torch is None:
        pytest.skip("no counterpart with these options")
    name, arguments = case.torch
    rng = np.random.default_rng(1)
    start, gradients = rng.normal(size=5), rng.normal(size=(6, 5))
    w = torch.tensor(start.copy(), requires_grad=True)
    theirs = getattr(torch.optim, name)([w], **arguments)
    path, _ = run(case.make(), start, list(gradients))
    for got, g in zip(path, gradients, strict=True):
        w.grad = torch.tensor(g)
        theirs.step()
        np.testing.assert_allclose(got, w.detach().numpy(), atol=1e-6)


@all_cases
def test_compiled_and_eager_agree(case):
    rng = np.random.default_rng(2)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(3)]
    opt = case.make()
    path, state = run(opt, params, gradients)
    compiled_path, compiled_state = run(opt, params, gradients, fnet.jit(opt.update))
    assert tree.structure(compiled_state) == tree.structure(state)
    for got, expected in zip(tree.leaves([compiled_path, compiled_state]), tree.leaves([path, state]), strict=True):
        assert got.dtype == expected.dtype
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-6)


@all_cases
def test_state_counts_steps_and_has_trees_like_the_parameters(case):
    params = a_tree(np.random.default_rng(0))
    opt = case.make()
    state = opt.init(params)
    assert set(state) == {"step", *case.slots}
    assert (state["step"].dtype, state["step"].shape, int(state["step"])) == (np.int64, (), 0)
    _, after = run(opt, params, [params] * 3)
    assert int(after["step"]) == 3
    for slot in case.slots:
        assert tree.all_equal(state[slot], tree.map(np.zeros_like, params))
    assert tree.structure(after) == tree.structure(state)


@all_cases
def test_no_gradient_no_change(case):
    params = a_tree(np.random.default_rng(0))
    path, _ = run(case.make(), params, [tree.map(np.zeros_like, params)] * 2)
    assert tree.all_equal(path[-1], params)


@all_cases
def test_a_split_tree_moves_like_the_joint_one(case):
    rng = np.random.default_rng(3)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(3)]
    opt = case.make()
    joint, _ = run(opt, params, gradients)
    for name in ("kernel", "bias"):
        alone, _ = run(opt, params["dense"][name], [g["dense"][name] for g in gradients])
        np.testing.assert_array_equal(alone[-1], joint[-1]["dense"][name])
    halves = [tree.partition(t, lambda path, leaf: path.endswith("bias")) for t in (params, *gradients)]
    parts = [run(opt, half[0], half[1:])[0][-1] for half in zip(*halves, strict=True)]
    assert tree.all_equal(tree.combine(*parts), joint[-1])


@all_cases
def test_any_tree_and_mixed_dtypes(case):
    opt = case.make()
    assert run(opt, {}, [{}, {}])[0] == [{}, {}]
    params = [np.ones(2, np.float32), (np.ones((), np.float64), {"empty": np.ones((0, 3), np.float32)}, None)]
    gradients = tree.map(lambda x: np.full(x.shape, 0.5, np.float64), params)
    path, state = run(opt, params, [gradients] * 2)
    assert tree.structure(path[-1]) == tree.structure(params)
    assert [x.dtype for x in tree.leaves(path[-1])] == [np.float32, np.float64, np.float32]
    for slot in case.slots:
        assert [x.dtype for x in tree.leaves(state[slot])] == [np.float32, np.float64, np.float32]
    np.testing.assert_allclose(path[-1][0], path[-1][1][0], rtol=1e-6)


@all_cases
def test_arguments_are_not_changed(case):
    params = a_tree(np.random.default_rng(4))
    opt = case.make()
    state = opt.init(params)
    _, state = opt.update(params, state, params)
    kept = copy.deepcopy((params, state))
    for leaf in tree.leaves((params, state)):
        leaf.flags.writeable = False
    updates, _ = opt.update(params, state, params)
    optim.apply_updates(params, updates)
    assert tree.all_equal((params, state), kept)


@all_cases
def test_key_order_of_gradients_does_not_matter(case):
    rng = np.random.default_rng(5)
    params, g = a_tree(rng)["dense"], a_tree(rng)["dense"]
    opt = case.make()
    updates, state = opt.update(dict(reversed(g.items())), opt.init(params), params)
    assert tree.structure((updates, state)) == tree.structure((params, opt.init(params)))
    assert tree.all_equal(updates, opt.update(g, opt.init(params), params)[0])


@given(scale=st.floats(-6, 6), seed=st.integers(0, 2**31))
def test_first_step_of_adam_does_not_depend_on_the_scale(scale, seed):
    g = np.random.default_rng(seed).uniform(0.5, 1, 4) * [1, -1, 1, -1]
    step = once(optim.adam(0.01, epsilon=1e-30), np.zeros(4), g * 10**scale)
    np.testing.assert_allclose(step, -0.01 * np.sign(g), rtol=1e-9)


@given(seed=st.integers(0, 2**31))
def test_momentum_zero_is_plain_descent(seed):
    rng = np.random.default_rng(seed)
    w, g = rng.normal(size=(2, 3))
    np.testing.assert_array_equal(once(optim.sgd(0.5), w, g), w - 0.5 * g)
    np.testing.assert_array_equal(once(optim.sgd(0.5, nesterov=True), w, g), w - 0.5 * g)


def test_centered_rmsprop_of_a_huge_constant_gradient_stays_finite():
    g = np.random.default_rng(0).uniform(5e3, 5e4, 200).astype(np.float32)
    path, _ = run(optim.rmsprop(rho=0.5, centered=True), np.ones(200, np.float32), [g] * 40)
    assert np.all(np.isfinite(path[-1]))


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


def test_a_schedule_is_followed_under_jit():
    opt = optim.sgd(schedules.piecewise_constant([0, 1], [1.0, 0.1, 0.01]))
    path, _ = run(opt, np.zeros(1, np.float32), [np.ones(1, np.float32)] * 3, fnet.jit(opt.update))
    np.testing.assert_allclose(np.ravel(path), [-1, -1.1, -1.11], rtol=1e-6)


# Values recorded from Keras.


@pytest.mark.parametrize(
    ("opt", "expected", "tolerance"),
    [
        (optim.sgd(nesterov=True), [0.9999, 0.9989, 0.9979, 0.9969, 0.9959], 5e-5),
        (optim.rmsprop(centered=True), [0.9967, 0.9933, 0.9908, 0.9885, 0.9864], 1e-4),
        (optim.adam(), [0.999, 0.9982, 0.9974, 0.9965, 0.9955], 5e-4),
    ],
)
def test_trajectories_recorded_from_keras(opt, expected, tolerance):
    ramp = np.arange(1, 11) / 10
    path, _ = run(opt, np.ones(10), [np.full(10, 0.01), *[ramp] * 4])
    np.testing.assert_allclose([w[0] for w in path], expected, atol=tolerance)


@pytest.mark.parametrize(
    ("opt", "expected"),
    [
        (optim.sgd(0.5), [0.5, -1, -0.5, 3]),
        (optim.rmsprop(0.5), [-0.5811, 0.4189, 1.4189, 2.4189]),
        (optim.adam(0.5), [0.5, 1.5, 2.5, 3.5]),
    ],
)
def test_steps_recorded_from_keras(opt, expected):
    np.testing.assert_allclose(once(opt, [1, 2, 3, 4], [1, 6, 7, 2]), expected, atol=1e-4)


@pytest.mark.parametrize(("nesterov", "expected"), [(False, 0.439), (True, 0.1951)])
def test_momentum_recorded_from_keras(nesterov, expected):
    path, _ = run(optim.sgd(0.1, momentum=0.9, nesterov=nesterov), np.ones(1), [np.ones(1)] * 3)
    np.testing.assert_allclose(path[-1], expected, rtol=1e-12)


def test_weight_decay_recorded_from_keras():
    opt = optim.chain(optim.add_decayed_weights(0.004), optim.scale_by_learning_rate(1.0))
    path, _ = run(opt, np.array([2.0]), [np.zeros(1)] * 3)
    np.testing.assert_allclose(path[-1], 1.9760959, rtol=1e-7)


# Chains and their links.


def updates_of(opt, grads, params=None):
    return opt.update(grads, opt.init(grads), params)[0]


def test_chain_feeds_each_transform_with_the_updates_before():
    g = {"w": np.array([3.0, -4.0])}
    opt = optim.chain(optim.clip_by_value(1.0), optim.scale(2.0), optim.scale_by_learning_rate(0.1))
    np.testing.assert_allclose(updates_of(opt, g)["w"], [-0.2, 0.2])
    assert tree.all_equal(updates_of(optim.chain(), g), g)
    clipped = optim.chain(optim.clip_by_global_norm(1.0), optim.adam(0.1))
    expected = updates_of(optim.adam(0.1), tree.map(lambda x: x / 5, g), g)
    np.testing.assert_allclose(updates_of(clipped, g, g)["w"], expected["w"], rtol=1e-9)


def test_chain_is_associative():
    links = optim.scale(3.0), optim.clip_by_value(1.0), optim.sgd(0.1, momentum=0.9)
    gradients = [np.array([0.1, 5.0]), np.array([-1.0, 0.2])]
    flat, _ = run(optim.chain(*links), np.zeros(2), gradients)
    nested, _ = run(optim.chain(links[0], optim.chain(*links[1:])), np.zeros(2), gradients)
    np.testing.assert_array_equal(flat, nested)


@given(seed=st.integers(0, 2**31), limit=st.floats(0.1, 10))
def test_clipping_by_norms(seed, limit):
    g = tree.map(np.float64, a_tree(np.random.default_rng(seed)))
    whole = np.sqrt(sum(np.sum(x**2) for x in tree.leaves(g)))
    for got, x in zip(tree.leaves(updates_of(optim.clip_by_global_norm(limit), g)), tree.leaves(g), strict=True):
        np.testing.assert_allclose(got, x * min(1, limit / whole), rtol=1e-12)
    for got, x in zip(tree.leaves(updates_of(optim.clip_by_norm(limit), g)), tree.leaves(g), strict=True):
        np.testing.assert_allclose(got, x * limit / max(limit, np.linalg.norm(x)), rtol=1e-12)


def test_clipping_leaves_small_gradients_alone():
    g = a_tree(np.random.default_rng(0))
    for clip in (optim.clip_by_norm(100.0), optim.clip_by_global_norm(100.0), optim.clip_by_value(100.0)):
        assert tree.all_equal(updates_of(clip, g), g)
    assert updates_of(optim.clip_by_global_norm(1.0), {}) == {}


@pytest.mark.parametrize("clip", [optim.clip_by_norm, optim.clip_by_global_norm])
def test_norms_neither_overflow_nor_hide_what_is_not_finite(clip):
    np.testing.assert_allclose(updates_of(clip(1.0), np.array([100.0, 100.0])), [0.70711, 0.70711], atol=1e-5)
    huge = np.full(2, 1e30, np.float32)
    got = updates_of(clip(1.0), huge)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.sqrt(0.5), rtol=1e-6)
    np.testing.assert_array_equal(updates_of(clip(1.0), np.zeros(2)), 0)
    for bad in (np.inf, np.nan):
        assert np.all(np.isnan(updates_of(clip(1.0), np.array([bad, 1.0]))))


def test_clip_by_value_keeps_nan():
    np.testing.assert_array_equal(
        updates_of(optim.clip_by_value(1.0), np.array([-5.0, np.nan, 0.5])), [-1, np.nan, 0.5]
    )


def test_decay_before_the_rate_is_decoupled_and_before_the_rule_is_a_penalty():
    w, g = np.array([2.0]), np.array([1.0])
    np.testing.assert_allclose(updates_of(optim.chain(optim.add_decayed_weights(0.5), optim.sgd(0.1)), g, w), [-0.2])


# The object, names, errors.


def test_an_optimizer_is_the_pair_and_says_how_it_was_made():
    opt = optim.adam(0.01, beta_1=np.float64(0.8))
    init, update = opt
    assert (init, update) == (opt.init, opt.update)
    assert opt.name == "adam"
    assert dict(opt.config) == {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.999, "epsilon": 1e-7}
    assert repr(opt) == "adam(learning_rate=0.01, beta_1=0.8, beta_2=0.999, epsilon=1e-07)"
    assert copy.deepcopy(opt) == opt
    with pytest.raises(AttributeError, match="immutable"):
        opt.name = "other"
    with pytest.raises(TypeError):
        opt.config["learning_rate"] = 1.0


def test_numpy_scalars_and_arrays_do_not_promote():
    w, g = np.ones(2, np.float32), np.ones(2, np.float32)
    for rate in (np.float64(0.5), np.array(0.5), 1):
        opt = optim.sgd(rate, momentum=np.float64(0.5))
        updates, state = opt.update(g, opt.init(w), w)
        assert updates.dtype == state["momentum"].dtype == np.float32
        assert updates[0] == -float(rate)
    assert optim.apply_updates(w, np.full(2, 0.25)).dtype == np.float32


def test_the_learning_rate_may_be_traced():
    step = fnet.jit(lambda rate, g: optim.sgd(rate).update(g, optim.sgd(rate).init(g), g)[0])
    np.testing.assert_allclose(step(np.array(0.25), np.ones(2, np.float32)), [-0.25, -0.25])


def test_get():
    opt = optim.sgd(0.3)
    assert optim.get(opt) is opt
    for name in ("adam", "Adam", "SGD", "RMSprop"):
        assert optim.get(name).name == name.lower()
    assert optim.get(optim.rmsprop).name == optim.get(lambda: optim.rmsprop()).name == "rmsprop"


W = {"w": np.ones(2)}
ERRORS = [
    (lambda: optim.sgd(lr=0.1), TypeError, "sgd() got an unexpected argument 'lr'. Did you mean 'learning_rate'?"),
    (lambda: optim.adam(beta1=0.1), TypeError, "unexpected argument 'beta1'. Did you mean 'beta_1'?"),
    (lambda: optim.adam(amsgrd=True), TypeError, "adam() got an unexpected argument 'amsgrd'. Known: beta_1"),
    (lambda: optim.sgd(-0.1), ValueRangeError, "sgd: expected learning_rate >= 0, or a schedule"),
    (lambda: optim.adam("fast"), ValueRangeError, "received 'fast'"),
    (lambda: optim.adam(None), ValueRangeError, "adam: expected learning_rate >= 0"),
    (lambda: optim.sgd(momentum=1.5), ValueRangeError, "sgd: expected 0 <= momentum <= 1, received 1.5"),
    (lambda: optim.adam(beta_2=1.0), ValueRangeError, "adam: expected 0 <= beta_2 < 1, received 1.0"),
    (lambda: optim.rmsprop(epsilon=0.0), ValueRangeError, "rmsprop: expected epsilon > 0, received 0.0"),
    (lambda: optim.clip_by_norm(0.0), ValueRangeError, "clip_by_norm: expected limit > 0"),
    (lambda: optim.add_decayed_weights(-1.0), ValueRangeError, "expected weight_decay >= 0"),
    (lambda: optim.scale(float("nan")), ValueRangeError, "expected a finite factor"),
    (lambda: optim.get("adm"), ValueRangeError, "unknown optimizer 'adm': expected a name"),
    (lambda: optim.get("adm"), ValueRangeError, "Did you mean 'adam'?"),
    (lambda: optim.get(dict), ValueRangeError, "a function that makes one"),
    (
        lambda: optim.chain(optim.sgd(), "adam"),
        StructureError,
        "chain: argument 1 is 'adam', expected an (init, update) pair",
    ),
    (
        lambda: optim.add_decayed_weights(0.1).update(W, {}),
        StructureError,
        "needs the parameters: call update(grads, opt_state, params)",
    ),
    (
        lambda: optim.adam().init({"a": {"ids": np.arange(3)}}),
        DtypeError,
        "parameter 'a/ids' is int64[3], expected float32",
    ),
    (lambda: optim.sgd().update({"v": np.ones(2)}, optim.sgd().init(W), W), StructureError, "w"),
    (lambda: optim.apply_updates(W, {"v": np.ones(2)}), StructureError, "w"),
]


@pytest.mark.parametrize(("call", "error", "text"), ERRORS)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert str(caught.value).count("\n") < 3
