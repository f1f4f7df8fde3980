"""Normalising layers: Keras' formulas, the moving statistics, axes, names of parameters, errors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    RMSNormalization,
    UnitNormalization,
)
from fnet.testing import check_layer

KEY = random.key(3)
RNG = np.random.default_rng(0)
X = RNG.normal(1, 2, size=(4, 3, 2, 6))


def run(layer: Any, x: Any = X, train: bool = False) -> tuple[Any, Any, Any, Any]:
    params, state = layer.init(KEY, x.shape[1:], "float64")
    y, new = layer.apply(params, state, x, train=train)
    return y, new, params, state


def normal(x: Any, axes: Any, epsilon: float = 1e-3) -> Any:
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + epsilon)


def close(got: Any, expected: Any) -> None:
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("axis", [1, 2, 3, -1, -3])
def test_batch_normalization_in_training_uses_and_records_the_batch(axis):
    layer = BatchNormalization(axis, momentum=0.9, epsilon=0.01)
    y, new, params, state = run(layer, train=True)
    others = tuple(a for a in range(4) if a != axis % 4)
    close(y, normal(X, others, 0.01))
    close(new["moving_mean"], 0.1 * X.mean(others))
    close(new["moving_variance"], 0.9 + 0.1 * X.var(others))
    assert list(params) == ["gamma", "beta"] and list(state) == list(new) == ["moving_mean", "moving_variance"]
    assert {v.shape for v in (*params.values(), *new.values())} == {(X.shape[axis],)}


def test_batch_normalization_in_inference_uses_the_moving_statistics():
    make = {"beta_initializer": "normal", "gamma_initializer": "normal", "moving_mean_initializer": "normal"}
    y, new, params, state = run(BatchNormalization(moving_variance_initializer="random_uniform", **make), X)
    state = state | {"moving_variance": np.abs(state["moving_variance"])}
    y, new = BatchNormalization(**make).apply(params, state, X)
    expected = (X - state["moving_mean"]) / np.sqrt(state["moving_variance"] + 1e-3) * params["gamma"] + params["beta"]
    close(y, expected)
    assert new is state


def test_all_initializers_of_batch_normalization_draw_for_themselves():
    drawn = dict.fromkeys((f"{n}_initializer" for n in ("beta", "gamma", "moving_mean", "moving_variance")), "normal")
    params, state = BatchNormalization(**drawn).init(KEY, (5,))
    assert len({tuple(v) for v in (*params.values(), *state.values())}) == 4


@pytest.mark.parametrize(
    ("center", "scale", "names"), [(True, False, ["beta"]), (False, True, ["gamma"]), (False, False, [])]
)
def test_center_and_scale(center, scale, names):
    for make in (BatchNormalization, LayerNormalization, lambda **given: GroupNormalization(2, **given)):
        y, _, params, _ = run(make(center=center, scale=scale), train=True)
        assert list(params) == names
        close(y, run(make(), train=True)[0])


def test_a_batch_of_one_sample_is_its_own_mean():
    y, new, _, _ = run(BatchNormalization(beta_initializer="ones"), X[:1, 0, 0], train=True)
    close(y, np.ones((1, 6)))
    close(new["moving_variance"], np.full(6, 0.99))


def test_training_under_jit_follows_the_batch():
    layer = fnet.serial(BatchNormalization(momentum=0.5), fnet.layers.Activation("relu"))
    params, state = layer.init(KEY, (2,), "float64")
    step = fnet.jit(lambda state, x: layer.apply(params, state, x, train=True), donate=("state",))
    x = RNG.normal(3, 2, size=(64, 2))
    for _ in range(40):
        y, state = step(state, x)
    close(y, np.maximum(normal(x, 0), 0))
    close(state["batch_normalization"]["moving_mean"], x.mean(0))
    np.testing.assert_allclose(layer.apply(params, state, x)[0], y, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("axis", [-1, 1, (1, 2), [3, 1], (-1, -2, -3)])
def test_layer_normalization_over_any_axes(axis):
    places = tuple(sorted(a % 4 for a in np.atleast_1d(axis)))
    y, state, params, _ = run(LayerNormalization(axis, gamma_initializer="normal", beta_initializer="normal"))
    shape = tuple(X.shape[a] for a in places)
    assert params["gamma"].shape == params["beta"].shape == shape and state == {}
    spread = [n if a in places else 1 for a, n in enumerate(X.shape)]
    gamma, beta = (params[n].reshape(spread) for n in ("gamma", "beta"))
    close(y, normal(X, places) * gamma + beta)


@pytest.mark.parametrize(("groups", "axis"), [(1, -1), (2, -1), (3, 1), (-1, -1), (6, 3)])
def test_group_normalization(groups, axis):
    y, _, params, _ = run(GroupNormalization(groups, axis, gamma_initializer="normal"))
    moved = np.moveaxis(X, axis, -1)
    count = moved.shape[-1] if groups == -1 else groups
    split = moved.reshape(*moved.shape[:-1], count, -1)
    expected = normal(split, (1, 2, 4)).reshape(moved.shape) * params["gamma"] + params["beta"]
    close(y, np.moveaxis(expected, -1, axis))


def test_group_normalization_between_layer_and_instance_normalization():
    close(run(GroupNormalization(1))[0], run(LayerNormalization((1, 2, 3)))[0])
    close(run(GroupNormalization(-1))[0], normal(X, (1, 2)))


def test_rms_and_unit_normalization():
    for axis in (-1, (1, 3)):
        y, _, params, _ = run(RMSNormalization(axis))
        close(y, X / np.sqrt((X**2).mean(axis, keepdims=True) + 1e-6))
        assert list(params) == ["scale"]
        close(run(UnitNormalization(axis))[0], X / np.sqrt((X**2).sum(axis, keepdims=True)))
    np.testing.assert_array_equal(run(UnitNormalization(), np.zeros((2, 3)))[0], 0)


def test_normalised_values_do_not_see_an_affine_change_of_the_input():
    for layer in (BatchNormalization(epsilon=0), LayerNormalization(epsilon=0), GroupNormalization(2, epsilon=0)):
        np.testing.assert_allclose(run(layer, 3 * X + 7, True)[0], run(layer, X, True)[0], rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize(
    "layer", [BatchNormalization(), LayerNormalization(), GroupNormalization(2), RMSNormalization()], ids=str
)
def test_second_derivatives(layer):
    check_layer(layer, (2, 4), order=2)


def test_the_input_is_cast_to_the_dtype_of_the_parameters():
    for layer in (BatchNormalization(), LayerNormalization(), GroupNormalization(2), RMSNormalization()):
        params, state = layer.init(KEY, (4,))
        assert layer.apply(params, state, np.ones((2, 4)))[0].dtype == np.float32
        assert layer.apply(params, state, np.ones((2, 4), int), train=True)[0].dtype == np.float32


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: BatchNormalization((1, 2)), DtypeError, r"BatchNormalization: axis is an integer, received \(1, 2\)"),
    (lambda: LayerNormalization("last"), DtypeError, r"LayerNormalization: axis is an integer or several, .*'last'"),
    (lambda: BatchNormalization(0), ValueRangeError, r"axis counts the batch axis 0, name others .* received 0"),
    (lambda: LayerNormalization((1, 1)), ValueRangeError, r"and each once, received \(1, 1\)"),
    (lambda: BatchNormalization(momentum=2), ValueRangeError, r"momentum is a fraction, .* received 2"),
    (lambda: RMSNormalization(epsilon=-1), ValueRangeError, r"RMSNormalization: epsilon must not be negative"),
    (lambda: RMSNormalization(epsilon="a"), DtypeError, r"RMSNormalization: epsilon is a number, received str 'a'"),
    (lambda: GroupNormalization(0), ValueRangeError, r"GroupNormalization: groups is a positive integer, received 0"),
    (lambda: GroupNormalization(4).init(KEY, (6,)), ShapeError, r"4 groups must divide the channels, received 6"),
    (
        lambda: BatchNormalization(2).init(KEY, (6,)),
        ShapeError,
        r"axis 2 is not in an input \(batch, \.\.\.\) with 2 axes",
    ),
    (lambda: BatchNormalization(-2).init(KEY, (6,)), ShapeError, r"or is the batch"),
    (lambda: LayerNormalization((1, -1)).init(KEY, (6,)), ShapeError, r"axis \(1, -1\) is not in an input"),
    (lambda: LayerNormalization().init(KEY, (None,)), ShapeError, r"makes parameters for axis -1, .*known: \(None,\)"),
    (
        lambda: run(BatchNormalization())[0] is BatchNormalization().apply(*BatchNormalization().init(KEY, (3,)), X),
        ShapeError,
        r"expected 3 on axis -1, received 6 in an input of shape \(4, 3, 2, 6\)",
    ),
    (lambda: LayerNormalization().apply({"gamma": X[0, 0, 0]}, {}, X), StructureError, r"missing 'beta', unexp.* none"),
    (lambda: BatchNormalization(scale=False, center=False).apply({}, {}, X), StructureError, r"missing 'moving_mean'"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong, error, text):
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
