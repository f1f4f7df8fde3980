"""A loss of probabilities that a softmax or sigmoid just made is the loss of their logits, value and gradient."""

from __future__ import annotations

import copy
import gc
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import losses, ops
from fnet.layers import Activation, Dense, Reshape
from fnet.masking import Masked
from fnet.ops import logits, nn
from fnet.ops.promotion import astype

RNG = np.random.default_rng(0)
Z = (RNG.normal(size=(4, 6)) * 60).astype(np.float32)  # far beyond +-17, where probabilities in float32 are 0 and 1
LABELS = np.array([0, 3, 5, 3])
ONE_HOT = np.eye(6, dtype=np.float32)[LABELS]
BITS = (Z < 0).astype(np.float32)  # all wrong
SOFT = np.float32(0.5) * ONE_HOT + np.float32(0.5 / 6)
LOSSES = [
    (losses.BinaryCrossentropy(), "sigmoid", BITS),
    (losses.BinaryCrossentropy(label_smoothing=0.1), "sigmoid", BITS),
    (losses.BinaryFocalCrossentropy(True, gamma=1.5), "sigmoid", BITS),
    (losses.CategoricalCrossentropy(label_smoothing=0.1), "softmax", ONE_HOT),
    (losses.CategoricalFocalCrossentropy(), "softmax", ONE_HOT),
    (losses.SparseCategoricalCrossentropy(ignore_class=5), "softmax", LABELS),
    (losses.crossentropy, "softmax", LABELS),
    (losses.KLDivergence(), "softmax", SOFT),
]
IDS = [f"{loss.kind}-{i}" for i, (loss, _, _) in enumerate(LOSSES)]


def from_logits(loss):
    return loss.configured(from_logits=True)


@pytest.mark.parametrize(("loss", "activation", "y"), LOSSES, ids=IDS)
@pytest.mark.parametrize("weight", [None, np.array([1.0, 0.0, 2.0, 0.5], np.float32)])
def test_value_and_gradient_are_those_of_the_logits(loss, activation, y, weight):
    activate = getattr(ops, activation)

    def of_probabilities(z):
        return loss(y, activate(z), sample_weight=weight)

    value, gradient = fnet.value_and_grad(lambda z: from_logits(loss)(y, z, sample_weight=weight))(Z)
    assert np.any(gradient != 0)
    assert of_probabilities(Z) == value
    found_by = [fnet.value_and_grad(of_probabilities)]
    if weight is None or loss.kind.startswith("sparse"):  # each compiled program takes its time
        found_by.append(fnet.jit(found_by[0]))
    for f in found_by:
        found, slope = f(Z)
        np.testing.assert_allclose(found, value, rtol=1e-6)
        np.testing.assert_allclose(slope, gradient, rtol=1e-6, atol=1e-9)
    assert fnet.jvp(of_probabilities, (Z,), (Z,))[0] == value


@pytest.mark.parametrize(("loss", "activation", "y"), LOSSES, ids=IDS)
def test_under_a_mask(loss, activation, y):
    z, y, mask = Z.reshape(2, 2, 6), y.reshape(2, 2, *y.shape[1:]), np.array([[True, False], [True, True]])

    def of(loss, predictions):
        return fnet.value_and_grad(lambda z: loss(y, Masked(predictions(z), mask)))(z)

    value, gradient = of(from_logits(loss), lambda z: z)
    found, slope = of(loss, getattr(ops, activation))
    assert (found, np.any(slope != 0)) == (value, True)
    np.testing.assert_array_equal(slope, gradient)


VIEWS = {
    "itself": lambda p: p,
    "reshape": lambda p: ops.reshape(p, (2, 2, 6)),
    "rows": lambda p: p[1:3],
    "a row": lambda p: p[2:3],
    "turned": lambda p: p[::-1],
    "axis": lambda p: p[:, None],
    "transpose": lambda p: ops.transpose(ops.reshape(p, (2, 2, 6)), (1, 0, 2)),
    "broadcast": lambda p: ops.broadcast_to(p, (3, 4, 6)),
}
PARTS = {
    "columns": lambda p: p[:, :3],
    "flat": lambda p: ops.reshape(p, (-1,)),
    "other rows": lambda p: ops.reshape(p, (3, 8)),
    "columns first": lambda p: ops.transpose(p),
}
OTHERS = {
    "scaled": lambda p: p * 1.0,
    "clipped": lambda p: ops.clip(p, 1e-3, 1 - 1e-3),
    "averaged": lambda p: (p + p) / 2,
    "selected": lambda p: ops.where(p > 0.5, p, p),
    "without a slope": ops.stop_gradient,
}


def found_by(activation, view):
    """What is found behind views of probabilities: eagerly, and in a derivative, forward or backward, and a plan."""
    found = []

    def f(z):
        behind = nn.logits_of(activation, view(getattr(ops, activation)(z)))
        found.append(None if behind is None else fnet.tree.map(lambda x: x.shape, behind))
        return ops.sum(z if behind is None else behind)

    total = f(Z)
    fnet.grad(f)(Z), fnet.jvp(f, (Z,), (Z,)), fnet.eval_shape(f, Z), fnet.eval_shape(fnet.grad(f), Z)
    return found, total


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_views_between_activation_and_loss(activation):
    rows = activation == "softmax"
    for view in (VIEWS if rows else VIEWS | PARTS).values():
        found, total = found_by(activation, view)
        assert found == [view(Z).shape] * 5
        np.testing.assert_allclose(total, view(Z).sum(), rtol=1e-5)
        np.testing.assert_array_equal(nn.logits_of(activation, view(kept := getattr(ops, activation)(Z))), view(Z))
        del kept
    for view in (OTHERS | PARTS if rows else OTHERS).values():
        assert found_by(activation, view)[0] == [None] * 5


def test_a_cast_in_a_derivative():
    def f(z):
        return losses.binary_crossentropy(BITS, astype(ops.sigmoid(z), np.float64))

    value, gradient = fnet.value_and_grad(f)(Z)
    expected = losses.binary_crossentropy(BITS, Z.astype(np.float64), from_logits=True)
    np.testing.assert_allclose(value, expected, rtol=1e-12)
    assert np.all(gradient != 0)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_what_is_found_are_always_logits_of_the_probabilities(data):
    """Whatever views are drawn, the activation of what is found gives the probabilities."""
    activation = data.draw(st.sampled_from(["softmax", "sigmoid"]))
    views = data.draw(st.lists(st.sampled_from([*VIEWS, *PARTS, *OTHERS]), max_size=3))
    p = getattr(ops, activation)(Z / 60)

    def viewed(x):
        for name in views:
            x = (VIEWS | PARTS | OTHERS)[name](x)
        return x

    try:
        shown = viewed(p)
    except (fnet.errors.ShapeError, ValueError, IndexError, AttributeError):
        return  # views that do not follow each other
    behind = nn.logits_of(activation, shown)
    if behind is not None:
        np.testing.assert_array_equal(getattr(ops, activation)(behind.copy()), shown)
    elif not {*views} & {*OTHERS, *PARTS}:
        raise AssertionError(f"nothing was found behind {views}")


def test_the_classes_must_be_on_the_axis_of_the_loss():
    y = np.eye(4, dtype=np.float32)
    z = Z[:, :4]
    over_columns = losses.CategoricalCrossentropy(axis=0)(y, ops.softmax(z, axis=0))
    assert over_columns == losses.categorical_crossentropy(y.T, z.T, from_logits=True)
    p = ops.softmax(z, axis=0)
    assert losses.categorical_crossentropy(y, p) == losses.categorical_crossentropy(y, p.copy())
    assert losses.categorical_crossentropy(y, s := ops.sigmoid(z)) == losses.categorical_crossentropy(y, s.copy())
    assert losses.binary_crossentropy(y, s := ops.softmax(z)) == losses.binary_crossentropy(y, s.copy())


def test_what_was_edited_in_place_is_taken_as_it_is():
    p = ops.sigmoid(Z)
    p[0, 0] = 0.25
    assert losses.binary_crossentropy(BITS, p) == losses.binary_crossentropy(BITS, p.copy())
    z = Z.copy()
    p = ops.sigmoid(z)
    z += 1
    assert losses.binary_crossentropy(BITS, p) == losses.binary_crossentropy(BITS, p.copy())
    q = ops.softmax(Z)
    for other in (copy.copy(q), copy.deepcopy(q), pickle.loads(pickle.dumps(q)), np.array(q)):
        assert nn.logits_of("softmax", other) is None
        assert (
            losses.sparse_categorical_crossentropy(LABELS, other)
            < 17
            < losses.sparse_categorical_crossentropy(LABELS, q)
        )


def test_results_are_forgotten_when_they_are_gone():
    gc.collect()
    before = len(logits._results)
    kept = [ops.sigmoid(Z) for _ in range(3)]
    assert len(logits._results) == before + 3
    kept.clear()
    gc.collect()
    assert len(logits._results) == before
    kept = [ops.sigmoid(Z) for _ in range(logits._MOST + 10)]
    assert len(logits._results) == logits._MOST
    assert nn.logits_of("sigmoid", kept[0]) is None
    assert nn.logits_of("sigmoid", kept[-1]) is Z


def test_threads_do_not_mix_results():
    def work(seed):
        z = np.random.default_rng(seed).normal(size=(3, 4)).astype(np.float32)
        for _ in range(200):
            p = ops.softmax(z)
            if nn.logits_of("softmax", p) is not z:
                return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(8)))


def test_a_gradient_of_the_probabilities_stays_that_of_the_probabilities():
    p = ops.sigmoid(np.array([[0.5, -1.0]]))
    y = np.array([[1.0, 0.0]])
    gradient = fnet.grad(lambda p: losses.binary_crossentropy(y, p))(p)
    np.testing.assert_allclose(gradient, (p - y) / (p * (1 - p)) / 2, rtol=1e-6)


@pytest.mark.parametrize("last", [Activation("sigmoid"), fnet.serial(Activation("sigmoid"), Reshape((1,)))])
def test_unscaled_inputs_are_learnt_as_from_logits(last):
    """The tutorials' form: a step of one's own and the Trainer take the course of the logits, to the bit."""
    x = (RNG.normal(size=(96, 3)) * np.array([500.0, 900.0, 100.0]) + 800).astype(np.float32)
    y = (x[:, :1] + x[:, 1:2] > 1600).astype(np.float32)
    courses = []
    for net, loss in (
        (fnet.serial(Dense(4, activation="relu"), Dense(1), last), "binary_crossentropy"),
        (fnet.serial(Dense(4, activation="relu"), Dense(1)), losses.BinaryCrossentropy(from_logits=True)),
    ):
        trainer = fnet.Trainer(net, loss, fnet.optimizers.adam(0.01))
        ts, history = trainer.fit(trainer.init(fnet.random.key(1), (3,)), x, y, epochs=3, verbose=False)
        courses.append((history["loss"], fnet.tree.leaves(ts.params)))
    (losses_of, params), (expected, other) = courses
    assert losses_of == expected and losses_of[0] > 17
    for a, b in zip(params, other, strict=True):
        np.testing.assert_array_equal(a, b)
