"""The checks themselves: sound functions and layers pass, each kind of fault is found and named."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.errors import DerivativeError, ValueRangeError
from fnet.networks.layer import Layer
from fnet.testing import check_complex_step, check_grads, check_layer
from fnet.testing.strategies import arrays, layouts, shapes

X = np.array([0.5, -1.0, 2.0])
counter = {"calls": 0}


def init(key, shape, dtype):
    return {"factor": np.full(shape, 2, dtype)}, {"steps": np.zeros((), np.int64)}


def layer(apply=None, init=init):
    def scale(params, state, x, key=None, train=False):
        return x * params["factor"], {"steps": state["steps"] + 1} if train else state

    return Layer(init, apply or scale, name="scale")


def test_trees_integers_and_none_are_accepted():
    def f(p, n, x):
        return {"y": ops.sin(p["w"]) * x, "n": n, "none": p["none"]}

    check_grads(f, {"w": X.astype(np.float32), "none": None}, np.arange(3), 2.0, order=2)


def test_jumps_and_poles_are_found():
    with pytest.raises(AssertionError, match="central difference"):
        check_grads(ops.floor, np.array([1.0]))
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match="not finite around the arguments"):
        check_grads(ops.log, np.array([0.0]))


def test_the_checker_needs_something_to_check():
    with pytest.raises(DerivativeError, match="at least one floating-point argument"):
        check_grads(lambda n: n, np.arange(3))
    with pytest.raises(ValueRangeError, match="modes must be some of"):
        check_grads(ops.exp, X, modes=("reverse",))


def test_complex_steps_find_an_error_in_the_last_digits():
    check_complex_step(lambda x: ops.exp(ops.sin(x)), lambda x: np.exp(np.sin(x)), X)
    with pytest.raises(AssertionError, match="complex step"):
        check_complex_step(lambda x: ops.exp(x), lambda x: np.exp(x * (1 + 1e-9)), X)


def test_sound_layers_pass():
    check_layer(layer(), (3,), order=2)
    check_layer(layer(), (2, 3))


def test_several_inputs_integers_and_randomness():
    def pair(params, state, x, key=None, train=False):
        return x[0] * params["w"], state

    def table(params, state, x, key=None, train=False):
        return ops.take(params["w"], x), state

    def noisy(params, state, x, key=None, train=False):
        return (ops.dropout(x, key, 0.5) if train else x), state

    check_layer(Layer(lambda key, shape, dtype: ({"w": np.ones(shape[0], dtype)}, {}), pair), ((3,), (None,)))
    ids = np.array([[0, 1], [2, 0], [1, 1]])
    weights = Layer(lambda key, shape, dtype: ({"w": fnet.random.normal(key, (3, 2), dtype)}, {}), table)
    check_layer(weights, (2,), inputs=ids)
    check_layer(layer(noisy, lambda key, shape, dtype: ({}, {})), (5,))


def writes_params(params, state, x, key=None, train=False):
    y = x * params["factor"]
    if isinstance(params["factor"], np.ndarray):
        params["factor"] += 1
    return y, state


def writes_inputs(params, state, x, key=None, train=False):
    if isinstance(x, np.ndarray):
        x *= 2
    return x * params["factor"], state


def writes_state(params, state, x, key=None, train=False):
    state["steps"] = state["steps"] + 1
    return x * params["factor"], state


def changes_every_time(params, state, x, key=None, train=False):
    counter["calls"] += 1
    return x * params["factor"] * float(counter["calls"]), state


def learns_in_inference(params, state, x, key=None, train=False):
    return x * params["factor"], {"steps": state["steps"] + 1}


def changes_the_state(params, state, x, key=None, train=False):
    return x * params["factor"], {"steps": state["steps"] + 1.5} if train else state


def turns_double(params, state, x, key=None, train=False):
    return x * params["factor"] * np.ones(1), state


def mixes_samples(params, state, x, key=None, train=False):
    return x * params["factor"] - ops.mean(x, axis=0), state


def knows_its_batch(params, state, x, key=None, train=False):
    return x * params["factor"] + np.arange(x.shape[0])[:, None] * 1.0, state


WRONG_SLOPE = fnet.primitive(
    "double", shape=lambda x: x, kernel=lambda x, y: np.multiply(x, 2, out=y), vjp=lambda g, y, x: (g * 2.002,)
)


def wrong_slope(params, state, x, key=None, train=False):
    return WRONG_SLOPE(x * params["factor"]), state


@pytest.mark.parametrize(
    ("apply", "text"),
    [
        (writes_params, "scale: apply with train=False wrote to its params"),
        (writes_inputs, "scale: apply with train=False wrote to its inputs"),
        (writes_state, "scale: apply with train=False wrote to its state"),
        (changes_every_time, "scale: apply with train=False gave different results for the same arguments"),
        (learns_in_inference, "scale: apply with train=False changed the state"),
        (changes_the_state, "scale: apply changed the structure, a shape or a dtype of the state"),
        (turns_double, "scale: apply with train=False turned float32 into float64"),
        (mixes_samples, "scale: a sample's output depends on the rest of the batch"),
        (knows_its_batch, "scale: (a sample's output depends on its place|apply with train=False turned)"),
    ],
)
def test_layers_that_break_the_contract_are_found(apply, text):
    with pytest.raises(AssertionError, match=text):
        check_layer(layer(apply), (3,))


def test_a_wrong_gradient_of_a_layer_is_found():
    with pytest.raises(AssertionError, match=r"(?s)scale: gradients with train=False.*'0/factor' against the central"):
        check_layer(layer(wrong_slope), (3,))


def test_a_random_init_is_found():
    def unseeded(key, shape, dtype):
        counter["calls"] += 1
        return {"factor": np.full(shape, counter["calls"], dtype)}, {}

    with pytest.raises(AssertionError, match="init with the same key gave different parameters"):
        check_layer(layer(init=unseeded), (3,))
    with pytest.raises(AssertionError, match=r"init\(dtype=float32\) gave parameter 'factor' as float64"):
        check_layer(layer(init=lambda key, shape, dtype: ({"factor": np.ones(shape)}, {})), (3,))


def test_layers_whose_samples_may_mix():
    check_layer(layer(mixes_samples), (3,), batch_independent=False)


@given(st.data(), shapes())
def test_arrays_keep_off_the_kinks(data, shape):
    x = data.draw(arrays(shape, low=-1, high=1, kinks=(0.0,), margin=0.1))
    assert x.shape == shape and x.dtype == np.float64
    assert np.all(np.abs(x) >= 0.1) and np.all(np.abs(x) <= 1)


@given(st.sampled_from([np.float32, np.int64, np.uint8, bool]), st.data(), layouts())
def test_arrays_of_any_dtype_and_layout(dtype, data, layout):
    x = data.draw(arrays(dtype=dtype))
    moved = layout(x)
    assert moved.dtype == x.dtype == dtype and moved.shape == x.shape
    np.testing.assert_array_equal(moved, x)


def test_hypothesis_is_imported_on_demand_only():
    code = (
        "import sys, fnet.testing as t; assert 'hypothesis' not in sys.modules; "
        "t.strategies.arrays; assert 'hypothesis' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        fnet.testing.nothing  # noqa: B018
