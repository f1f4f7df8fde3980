"""Losses of networks with several outputs, and sample weights from weights of classes."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.masking import Masked

NAMES = ("price", "kind", "tags")


def data(seed=0):
    rng = np.random.default_rng(seed)
    y = {"price": rng.normal(size=(4, 1)), "kind": rng.integers(0, 3, 4), "tags": rng.integers(0, 2, (4, 2)) * 1.0}
    p = {name: rng.normal(size=(4, n)) for name, n in zip(NAMES, (1, 3, 2), strict=True)}
    return y, p


LOSSES = {
    "price": "mse",
    "kind": losses.SparseCategoricalCrossentropy(from_logits=True),
    "tags": lambda y, p: np.maximum(p, 0) * y,
}


def parts(y, p, weight=None):
    values = {"price": losses.mse(y["price"], p["price"], sample_weight=weight)}
    values["kind"] = LOSSES["kind"](y["kind"], p["kind"], sample_weight=weight)
    each = (np.maximum(p["tags"], 0) * y["tags"]) * (1 if weight is None else np.reshape(weight, (-1, 1)))
    return {**values, "tags": each.mean()}


def as_list(tree):
    return [tree[name] for name in NAMES]


def test_named_outputs():
    y, p = data()
    loss = losses.combine(LOSSES, weights={"kind": 0.5, "tags": 2})
    expected = parts(y, p)
    values = loss.values(y, p)
    assert list(values) == list(NAMES)
    for name in NAMES:
        np.testing.assert_allclose(values[name], expected[name], rtol=1e-12)
    total = expected["price"] + 0.5 * expected["kind"] + 2 * expected["tags"]
    np.testing.assert_allclose(loss(y, p), total, rtol=1e-12)
    assert loss(y, p) == loss.total(values)
    np.testing.assert_allclose(loss(as_list(y), p), total, rtol=1e-12)


def test_outputs_in_a_list():
    y, p = data()
    expected = parts(y, p)
    loss = losses.combine(as_list(LOSSES), weights=[1, 0.5, 2])
    values = loss.values(as_list(y), tuple(as_list(p)))
    assert list(values) == [0, 1, 2]
    total = expected["price"] + 0.5 * expected["kind"] + 2 * expected["tags"]
    np.testing.assert_allclose(loss(as_list(y), as_list(p)), total, rtol=1e-12)
    for named in (
        losses.combine(LOSSES, weights=[1, 0.5, 2], names=NAMES),
        losses.combine(as_list(LOSSES), weights={"kind": 0.5, "tags": 2}, names=NAMES),
    ):
        assert list(named.values(as_list(y), as_list(p))) == list(NAMES)
        np.testing.assert_allclose(named(as_list(y), as_list(p)), total, rtol=1e-12)
        np.testing.assert_allclose(named(y, p), total, rtol=1e-12)


def test_sample_weights_for_all_or_for_each():
    y, p = data()
    w = np.array([1.0, 0.0, 2.0, 0.5])
    loss = losses.combine(LOSSES)
    np.testing.assert_allclose(loss(y, p, sample_weight=w), sum(parts(y, p, w).values()), rtol=1e-12)
    some = parts(y, p)["price"] + parts(y, p, w)["kind"] + parts(y, p)["tags"]
    np.testing.assert_allclose(loss(y, p, sample_weight={"kind": w}), some, rtol=1e-12)
    listed = losses.combine(as_list(LOSSES))
    np.testing.assert_allclose(listed(as_list(y), as_list(p), sample_weight=[None, w, None]), some, rtol=1e-12)


def test_an_output_without_a_loss():
    y, p = data()
    for given in ({**LOSSES, "kind": None}, {name: LOSSES[name] for name in ("price", "tags")}):
        loss = losses.combine(given, weights={"kind": 7})
        assert list(loss.values(y, p)) == ["price", "tags"]
        assert loss({name: y[name] for name in ("price", "tags")}, p) == loss(y, p)
    loss = losses.combine(["mse", None, None])
    assert loss([y["price"], None, None], as_list(p)) == losses.mse(y["price"], p["price"])


def test_the_losses_of_named_outputs():
    kind = LOSSES["kind"]
    assert losses.combine({"kind": kind}).losses_of(("price", "kind")) == {"price": None, "kind": kind}
    assert losses.combine("mse", names=NAMES).losses_of(NAMES) == dict.fromkeys(NAMES, losses.mse)
    assert losses.combine("mse").losses_of(()) == {}


def test_one_loss_for_all_outputs():
    y, p = data()
    pair, outputs = [y["price"], y["tags"]], [p["price"], p["tags"]]
    expected = [losses.mse(a, b) for a, b in zip(pair, outputs, strict=True)]
    np.testing.assert_allclose(losses.combine("mse")(pair, outputs), sum(expected), rtol=1e-12)
    np.testing.assert_allclose(losses.combine("mse", weights=[0, 3])(pair, outputs), 3 * expected[1], rtol=1e-12)
    np.testing.assert_allclose(losses.combine("mse", weights=0.5)(pair, outputs), sum(expected) / 2, rtol=1e-12)
    assert losses.combine("mse")(y["price"], p["price"]) == expected[0]
    assert losses.combine(["mse"], names=["price"]).values(y["price"], p["price"]) == {"price": expected[0]}


def test_gradients_jit_and_masks():
    y, p = data()
    mask = np.array([True, False, True, True])
    loss = losses.combine(LOSSES, weights={"tags": 0.25})

    def f(p, y, mask):
        return loss(y, {**p, "tags": Masked(p["tags"], mask)})

    value, gradient = fnet.value_and_grad(f)(p, y, mask)
    masked = (np.maximum(p["tags"], 0) * y["tags"])[mask].mean()
    expected = parts(y, p)
    np.testing.assert_allclose(value, expected["price"] + expected["kind"] + 0.25 * masked, rtol=1e-12)
    compiled = fnet.jit(fnet.value_and_grad(f))(p, y, mask)
    np.testing.assert_allclose(compiled[0], value, rtol=1e-12)
    for name in NAMES:
        np.testing.assert_allclose(compiled[1][name], gradient[name], rtol=1e-12)


Y, P = data()


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (
            lambda: losses.combine({"prize": "mse"})(Y, P),
            "combine: losses has an entry for 'prize', which is no output. Did you mean 'price'?",
        ),
        (
            lambda: losses.combine("mse", weights={"prize": 1.0})(Y, P),
            "combine: weights has an entry for 'prize', which is no output. Did you mean 'price'?",
        ),
        (lambda: losses.combine({"prize": "mse"}, names=NAMES), "which is no output. Did you mean 'price'?"),
        (
            lambda: losses.combine(["mse", "mae"])(as_list(Y), as_list(P)),
            "combine: expected 3 entries in losses, one for each output, received 2.",
        ),
        (
            lambda: losses.combine("mse", weights=[1.0], names=NAMES),
            "combine: expected 3 entries in weights, one for each output, received 1.",
        ),
        (
            lambda: losses.combine(LOSSES)(as_list(Y), as_list(P)),
            "combine: losses are given by name, but the outputs have no names. Give a list, 3 for as many outputs, or "
            "name the outputs with names=.",
        ),
        (
            lambda: losses.combine(["mse"] * 3)(Y, P),
            "combine: the outputs are named. Give the losses by name: {'price': ..., 'kind': ..., 'tags': ...}.",
        ),
        (
            lambda: losses.combine(LOSSES)({"price": Y["price"]}, P),
            "combine: output 'kind' has a loss, but y_true has no entry for it.",
        ),
        (
            lambda: losses.combine(LOSSES)(Y["price"], P),
            "combine: expected y_true as a list or dict with an entry for each of 3 outputs, received one array of "
            "shape (4, 1).",
        ),
        (
            lambda: losses.combine(LOSSES)(Y, P, sample_weight={"prize": 1.0}),
            "combine: sample_weight has an entry for 'prize'",
        ),
        (lambda: losses.combine([None, None])([Y, Y], [P, P]), "combine: no output has a loss."),
    ],
)
def test_errors(call, text):
    with pytest.raises(StructureError) as caught:
        call()
    assert text in str(caught.value)


def test_errors_of_a_part_name_the_loss():
    with pytest.raises(ValueRangeError, match="unknown loss 'msse': expected a name or a function. Did you mean 'mse'"):
        losses.combine({"price": "msse"})
    with pytest.raises(ShapeError, match="in 'output price': mean_squared_error: expected y_true shaped like y_pred"):
        losses.combine({"price": "mse"})({"price": np.ones((3, 2))}, {"price": np.ones((3, 4))})


# ------------------------------------------------------------------------------------------------- class weights


def test_weights_of_classes():
    weights = {0: 0.5, 2: 4.0}
    labels = np.array([0, 1, 2, 2, 5])
    expected = [0.5, 1, 4, 4, 1]
    for y in (labels, labels[:, None], labels.astype(float), labels[:, None].astype("f4"), np.eye(6)[labels]):
        np.testing.assert_array_equal(losses.class_weights(weights, y), expected)
        np.testing.assert_array_equal(fnet.jit(lambda y: losses.class_weights(weights, y))(y), expected)
    np.testing.assert_array_equal(losses.class_weights({-1: 3.0, 1: 0.5}, np.array([-1, 1, 0, -2])), [3, 0.5, 1, 1])
    np.testing.assert_array_equal(losses.class_weights({np.int64(1): 2}, np.eye(3)[[[0, 1]]]), [[1, 2]])
    np.testing.assert_array_equal(losses.class_weights({}, labels), np.ones(5))
    soft = np.eye(6, dtype=np.float32)[labels] * np.float32(0.7) + np.float32(0.05)
    np.testing.assert_array_equal(losses.class_weights(weights, soft), expected)
    for dtype in ("uint8", "int8", "uint64", "bool"):
        np.testing.assert_array_equal(losses.class_weights({1: 3.0}, np.array([0, 1, 1], dtype)), [1, 3, 3])


def test_weights_of_classes_of_steps():
    """Rows of labels are no one-hot rows, though they have more than one column."""
    weights, y = {0: 1.0, 1: 5.0, 2: 10.0}, np.array([[1, 2, 0], [0, 0, 2]])
    for labels in (y, y.astype(float), y[..., None]):
        np.testing.assert_array_equal(losses.class_weights(weights, labels), [[5, 10, 1], [1, 1, 10]])
    np.testing.assert_array_equal(losses.class_weights(weights, np.eye(3)[y]), [[5, 10, 1], [1, 1, 10]])
    with pytest.raises(ValueRangeError, match=r"under jit integers \(2, 3\) may be one-hot or labels of steps. Pass"):
        fnet.jit(lambda y: losses.class_weights(weights, y))(y)
    assert losses.class_weights(weights, y[:0]).shape == (0, 3)
    assert losses.class_weights(weights, y[:0, 0]).shape == (0,)


def test_weights_of_classes_reach_the_loss():
    y, p = np.array([0, 1, 1]), np.random.default_rng(0).normal(size=(3, 2)).astype(np.float32)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True)
    values = loss(y, p, reduction="none")
    weighted = loss(y, p, sample_weight=losses.class_weights({1: 3.0}, y))
    assert weighted.dtype == np.float32
    np.testing.assert_allclose(weighted, (values * [1, 3, 3]).mean(), rtol=1e-6)


@pytest.mark.parametrize("weights", ["a", float("nan"), {"price": "a"}, [1.0, float("inf")], {"kind": True}])
def test_weights_of_losses_are_finite_numbers(weights):
    with pytest.raises(ValueRangeError, match="combine: expected finite numbers as weights of losses, received "):
        losses.combine("mse", weights=weights)


@pytest.mark.parametrize(
    ("weights", "y", "error", "text"),
    [
        ({"a": 1.0}, [0], ValueRangeError, "class_weight: expected whole numbers as classes, received 'a'."),
        ([1.0, 2.0], [0], StructureError, "class_weight: expected a dict of weights by class"),
        ({1: "a"}, [0], ValueRangeError, "class_weight: expected weights of at least 0, received 'a' for class 1."),
        ({10**10: 1.0}, [0], ValueRangeError, "class_weight: expected classes of at most 16777216, received 1000000"),
        ({1: -1.0}, [0], ValueRangeError, "class_weight: expected weights of at least 0, received -1.0 for class 1."),
        ({1: np.nan}, [0], ValueRangeError, "class_weight: expected weights of at least 0, received nan for class 1."),
        ({1: 1.0}, 0, ShapeError, "class_weight: expected targets with a batch axis, received a scalar."),
        ({1: 2.0}, [0.0, 1.5], ValueRangeError, "expected the class of each target, received 1.5 in sample 1. For reg"),
        ({1: 2.0}, [[0.5], [np.nan]], ValueRangeError, "the class of each target, received 0.5 in sample 0."),
        ({1: 2.0}, [[0.0, 2.5], [1.0, 3.0]], ValueRangeError, "the class of each target, received 2.5 in sample 0."),
        ({1: 2.0}, [[1, 0, 0], [1, 0, 1]], ValueRangeError, "with none or several 1s, first in sample 1, belong to no"),
        (
            {1: 2.0},
            [[0.0, 0.0], [0.0, 1.0]],
            ValueRangeError,
            "none or several 1s, first in sample 0, belong to no cla",
        ),
    ],
)
def test_errors_of_class_weights(weights, y, error, text):
    with pytest.raises(error) as caught:
        losses.class_weights(weights, y)
    assert text in str(caught.value)
