"""Arrays without elements: what folds of nothing give, eagerly and in fused loops, in values and derivatives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import ops
from tests.ops.table import close
from tests.tables import LAYERS

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
shapes = st.tuples(*[st.integers(0, 2)] * 3).filter(lambda shape: 0 in shape)
axes = st.sampled_from([None, 0, 1, 2, (0, 1), (0, 2), (1, 2)])


def program(x: Any, axis: Any) -> tuple[Any, ...]:
    y = x * 2 + 1
    return y, np.sum(y, axis=axis), np.prod(y, axis=axis), ops.any(y > 0, axis), ops.all(y > 0, axis), np.sum(x * x)


@given(shapes, axes, st.sampled_from(["float32", "float64", "int32"]))
def test_folds_beside_what_they_fold(shape, axis, dtype):
    x = np.ones(shape, dtype)
    for mine, numpys in zip(fnet.jit(lambda x: program(x, axis), executor="walk")(x), program(x, axis), strict=True):
        close(mine, np.asarray(numpys))


@given(shapes, axes)
def test_gradients(shape, axis):
    def loss(x: Any, w: Any) -> Any:
        y = ops.tanh(x @ w) * 3
        return ops.sum(y) + ops.sum(ops.sum(ops.square(y), axis)) + ops.sum(ops.logsumexp(x @ w, 1) if shape[1] else y)

    x, w = np.ones(shape), np.ones((shape[2], 3))
    got = fnet.jit(fnet.value_and_grad(loss, argnums=(0, 1)), executor="walk")(x, w)
    for mine, eager in zip(
        fnet.tree.leaves(got), fnet.tree.leaves(fnet.value_and_grad(loss, (0, 1))(x, w)), strict=True
    ):
        close(mine, eager)


def test_a_network_on_an_empty_batch():
    net = fnet.serial(fnet.layers.Dense(3, activation="relu"), fnet.layers.Dense(2))
    params, state = net.init(fnet.random.key(0), (4,))

    def loss(params: Any, x: Any, t: Any) -> Any:
        return ops.sum(fnet.losses.mse(t, net.apply(params, state, x)[0], reduction="sum"))

    step = fnet.jit(fnet.value_and_grad(loss))
    for leaf in fnet.tree.leaves(step(params, np.zeros((0, 4), "float32"), np.zeros((0, 2), "float32"))):
        np.testing.assert_array_equal(leaf, np.zeros_like(leaf))


@pytest.mark.slow
@pytest.mark.parametrize("row", [row for row in LAYERS if row.id != "parallel-nested"], ids=lambda row: row.id)
def test_layers_on_an_empty_batch(row):
    """Value, state and gradients of every layer under jit are those of eager calls, and the gradients are zeros."""
    net = row.make()
    params, state = net.init(fnet.random.key(0), row.shape)
    several = isinstance(row.shape[0], tuple) if row.shape else False
    shapes_of = row.shape if several else (row.shape,)
    inputs = tuple(np.zeros((0, *shape), "int64" if row.classes else "float32") for shape in shapes_of)
    options = {"key": fnet.random.key(1)} if row.random else {}

    def loss(params: Any) -> Any:
        y, after = net.apply(params, state, inputs if several else inputs[0], train=True, **options)
        leaves = [ops.sum(ops.square(leaf)) for leaf in fnet.tree.leaves(y)]
        return ops.sum(ops.stack(leaves)), (y, after)

    derived = fnet.value_and_grad(loss, has_aux=True) if fnet.tree.leaves(params) else loss
    eager, jitted = derived(params), fnet.jit(derived, executor="walk")(params)
    for got, want in zip(fnet.tree.leaves(jitted), fnet.tree.leaves(eager), strict=True):
        np.testing.assert_array_equal(got, want)
    for leaf in fnet.tree.leaves(jitted[1] if fnet.tree.leaves(params) else ()):
        np.testing.assert_array_equal(leaf, np.zeros_like(leaf))
