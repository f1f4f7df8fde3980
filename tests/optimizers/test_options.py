"""The keywords that every rule takes: what each does, and that they go together as in Keras."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import optimizers as optim
from fnet import schedules, tree
from tests.optimizers.running import a_tree, run, updates_of

RATE = schedules.exponential_decay(0.1, 2, 0.5)


@pytest.mark.parametrize(
    ("options", "link"),
    [
        ({"clipnorm": 0.5}, optim.clip_by_norm(0.5)),
        ({"clipvalue": 0.5}, optim.clip_by_value(0.5)),
        ({"global_clipnorm": 0.5}, optim.clip_by_global_norm(0.5)),
    ],
    ids=["clipnorm", "clipvalue", "global_clipnorm"],
)
def test_clipping_comes_before_the_rule_and_needs_no_state(options, link):
    rng = np.random.default_rng(0)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(3)]
    path, state = run(optim.adam(0.1, **options), params, gradients)
    expected, (_, plain) = run(optim.chain(link, optim.adam(0.1)), params, gradients)
    assert tree.all_equal(path, expected)
    assert tree.all_equal(state, plain)


@pytest.mark.parametrize(
    "exclude",
    [["bias$", "^dense/b"], "bias", lambda path, leaf: leaf.ndim == 1, {"dense": {"kernel": False, "bias": True}}],
)
def test_weight_decay_is_decoupled_follows_the_rate_and_spares_what_is_excluded(exclude):
    rng = np.random.default_rng(1)
    params, gradients = a_tree(rng, np.float64), [a_tree(rng, np.float64) for _ in range(3)]
    opt = optim.rmsprop(RATE, weight_decay=0.3, exclude_from_weight_decay=exclude)
    path, _ = run(opt, params, gradients)
    plain, state = optim.rmsprop(RATE), optim.rmsprop(RATE).init(params)
    for step, (got, g) in enumerate(zip(path, gradients, strict=True)):
        updates, state = plain.update(g, state, params)
        decayed = {**params["dense"], "kernel": params["dense"]["kernel"] * (1 - 0.3 * float(RATE(step)))}
        params = optim.apply_updates({"dense": decayed}, updates)
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), got, params)


def test_accumulation_is_the_combinator_around_everything_else():
    rng = np.random.default_rng(2)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(6)]
    options = {"clipnorm": 0.5, "weight_decay": 0.1, "use_ema": True}
    path, state = run(optim.adam(RATE, gradient_accumulation_steps=3, **options), params, gradients)
    expected, plain = run(optim.accumulate(optim.adam(RATE, **options), 3), params, gradients)
    assert tree.all_equal(path, expected)
    assert tree.all_equal(state, plain)
    assert (int(state["step"]), int(state["optimizer"]["step"])) == (6, 2)
    assert all(np.all(g == 0) for g in tree.leaves(state["gradients"]))


def test_use_ema_is_the_mean_and_overwrites():
    rng = np.random.default_rng(3)
    params, gradients = rng.normal(size=3), rng.normal(size=(4, 3))
    path, state = run(optim.sgd(0.1, use_ema=True, ema_momentum=0.8), params, gradients)
    average = path[0]
    for w in path[1:]:
        average = 0.8 * average + 0.2 * w
    np.testing.assert_allclose(optim.averaged_params(state), average, rtol=1e-12)
    np.testing.assert_array_equal(path, run(optim.sgd(0.1), params, gradients)[0])
    path, state = run(optim.sgd(0.1, use_ema=True, ema_momentum=0.8, ema_overwrite_frequency=4), params, gradients)
    np.testing.assert_allclose(path[-1], average, rtol=1e-12)
    np.testing.assert_allclose(path[-1], optim.averaged_params(state), rtol=1e-12)


def test_all_together_compiled_and_eager():
    rng = np.random.default_rng(4)
    params, gradients = a_tree(rng), [a_tree(rng) for _ in range(5)]
    opt = optim.adamw(
        RATE,
        global_clipnorm=0.5,
        exclude_from_weight_decay=["bias"],
        gradient_accumulation_steps=2,
        use_ema=True,
        ema_overwrite_frequency=4,
    )
    eager = run(opt, params, gradients)
    compiled = run(opt, params, gradients, fnet.jit(opt.update, executor="walk"))
    assert tree.structure(compiled) == tree.structure(eager)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), compiled, eager)
    assert {x.dtype for x in tree.leaves(eager[0])} == {np.dtype(np.float32)}


def test_muon_decays_matrices_and_the_rest_by_rates_of_their_own():
    params = {"head": np.ones((2, 3)), "bias": np.ones(3)}
    zero = tree.map(np.zeros_like, params)
    opt = optim.muon(1.0, weight_decay=0.5, adam_weight_decay=0.25)
    updates = updates_of(opt, zero, params)
    assert np.all(updates["head"] == -0.5) and np.all(updates["bias"] == -0.25)
    spared = optim.muon(1.0, weight_decay=0.5, adam_weight_decay=0.25, exclude_from_weight_decay="head")
    updates = updates_of(spared, zero, params)
    assert np.all(updates["head"] == 0) and np.all(updates["bias"] == -0.25)


def test_lr_is_a_deprecated_name():
    with pytest.warns(DeprecationWarning, match=r"adam\(lr=\.\.\.\) is deprecated: write learning_rate="):
        opt = optim.Adam(lr=1e-4)
    assert opt.config["learning_rate"] == 1e-4


def test_config_says_what_was_given():
    opt = optim.sgd(0.1, clipnorm=np.float64(1.0))
    assert repr(opt) == "sgd(learning_rate=0.1, momentum=0.0, nesterov=False, clipnorm=1.0)"
