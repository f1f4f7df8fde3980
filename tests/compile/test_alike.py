"""Rows of loops: one loop updates many small arrays, with the bits of one loop for each."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import ops, optimizers, tree

SHAPES = [(16, 16), (16,), (7, 3), (1,), (5,), (0, 4), (33, 2)]
RULES = {
    "adam": optimizers.adam(0.1),
    "rmsprop": optimizers.rmsprop(0.1, momentum=0.9, centered=True),
    "clipped sgd": optimizers.sgd(0.1, global_clipnorm=1.0),
}


def parameters(shapes: list[tuple[int, ...]], seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {f"w{i}": rng.normal(size=shape).astype(np.float32) for i, shape in enumerate(shapes)}


def step_of(optimizer: Any) -> Any:
    """A training step whose gradients come from products, one for each array."""

    def loss(params: Any, x: Any) -> Any:
        rows = (ops.reshape(w, (1, -1)) for w in params.values())
        return sum(ops.sum(ops.tanh(row @ np.full((row.shape[1], 2), 0.1, np.float32) * x)) for row in rows)

    def step(params: Any, state: Any, x: Any) -> Any:
        value, gradients = fnet.value_and_grad(loss)(params, x)
        updates, state = optimizer.update(gradients, state, params)
        return optimizers.apply_updates(params, updates), state, value

    return step


def labels(step: Any, *args: Any) -> list[str]:
    return [call.label for call in fnet.jit(step, donate=(0, 1)).plan(*args).calls]


def joined(found: list[str]) -> list[str]:
    return [label.split()[0] for label in found if " x " in label]


def after(step: Any, donate: Any, executor: str, *carried: Any) -> Any:
    """The trees after three steps."""
    run = fnet.jit(step, donate=donate, executor=executor)
    for _ in range(3):
        *carried, _ = run(*carried, np.float32(0.5))
    return tree.map(np.array, carried)


@settings(max_examples=5)
@given(
    shapes=st.lists(st.sampled_from(SHAPES), min_size=2, max_size=6),
    rule=st.sampled_from(sorted(RULES)),
)
def test_rows_change_no_bit(shapes, rule):
    """Without donation there are no rows: every array has its own loop.

    In the tail of a loop, which is not vectorised, a quotient by a root may be rounded otherwise.
    """
    optimizer, params = RULES[rule], parameters(shapes)
    carried = params, optimizer.init(params)
    alone = after(step_of(optimizer), (), "walk", *carried)
    together = after(step_of(optimizer), (0, 1), "walk", *carried)
    if rule == "rmsprop":
        tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), together, alone)
    else:
        assert tree.all_equal(together, alone)


def test_rows_change_no_bit_in_native_code_and_on_threads():
    optimizer, params = RULES["adam"], parameters([(90, 90), (64, 16), (16,), (100, 30)])
    carried = params, optimizer.init(params)
    alone = after(step_of(optimizer), (), "walk", *carried)
    before = fnet.get_num_threads()
    try:
        for threads in (1, 2, 4):
            fnet.set_num_threads(threads)
            assert tree.all_equal(after(step_of(optimizer), (0, 1), "native", *carried), alone)
    finally:
        fnet.set_num_threads(before)


def test_the_update_of_small_arrays_is_one_loop():
    optimizer, params = RULES["adam"], parameters([(16, 16), (16,), (16, 1), (1,)])
    found = labels(step_of(optimizer), params, optimizer.init(params), np.float32(0.5))
    assert joined(found) == ["4"]


def test_large_arrays_keep_loops_of_their_own():
    optimizer, params = RULES["adam"], parameters([(16,), (16,), (200, 200), (16,), (16,), (16,)])
    found = labels(step_of(optimizer), params, optimizer.init(params), np.float32(0.5))
    assert sorted(joined(found)) == ["2", "3"]


def test_a_row_does_not_grow_beyond_its_limit():
    params = parameters([(120, 120)] * 6)
    found = labels(step_of(optimizers.sgd(0.1)), params, optimizers.sgd(0.1).init(params), np.float32(0.5))
    assert joined(found) == ["4", "2"]


@pytest.mark.parametrize("executor", ["walk", "native"])
@pytest.mark.parametrize(
    "shift",
    [
        lambda a: [a[0] + a[1], a[1] + a[2], a[2] + a[3], a[3]],
        lambda a: [a[0], a[1] + a[0], a[2] + a[1], a[3] + a[2]],
        lambda a: [a[1] * 2.0, a[0] * 2.0, a[3] * 2.0, a[2] * 2.0],
        lambda a: [a[3] + a[0], a[2] + a[1], a[1] + a[2], a[0] + a[3]],
        lambda a: [x * ops.sum(a[0]) for x in a],
    ],
    ids=["from behind", "from before", "swapped", "crossed", "a sum of one"],
)
def test_arrays_that_read_each_other_see_the_old_values(shift, executor):
    arrays = [np.arange(40, dtype=np.float32) + 100 * i for i in range(4)]
    run = fnet.jit(lambda a: (shift(a),), donate=(0,), executor=executor)
    expected, got = arrays, arrays
    for _ in range(2):
        expected = [np.asarray(x) for x in shift(expected)]
        (got,) = run(got)
    assert tree.all_equal(tree.map(np.array, got), expected)


@pytest.mark.parametrize("executor", ["walk", "native"])
@pytest.mark.parametrize(
    "shared",
    [
        lambda v: v[0],
        lambda v: v,
        lambda v: ops.cumsum(v[0]),
        lambda v: ops.stack([ops.sum(v[:, i]) for i in range(5)]),
        lambda v: v[:, :1] * 2.0,
        lambda v: ops.sum(v),
        lambda v: np.arange(5.0, dtype=np.float32),
    ],
    ids=["row", "array", "computed row", "stacked sums", "column", "number", "constant"],
)
def test_arrays_that_read_the_same_array_each_read_it_from_its_begin(shared, executor):
    arrays = [np.full((3, 5), i, np.float32) for i in range(3)]
    v = np.arange(15, dtype=np.float32).reshape(3, 5)
    run = fnet.jit(lambda a, v: ([x + shared(v) for x in a],), donate=(0,), executor=executor)
    got = arrays
    for _ in range(2):
        (got,) = run(got, v)
    for i, array in enumerate(got):
        np.testing.assert_array_equal(array, np.broadcast_to(i + 2 * np.asarray(shared(v)), (3, 5)))


def test_a_gradient_that_is_a_result_too_keeps_its_place():
    params = parameters([(16,), (8,)])

    def step(params: Any, x: Any) -> Any:
        gradients = fnet.grad(lambda p: sum(ops.sum(ops.tanh(w * x)) for w in p.values()))(params)
        return optimizers.apply_updates(params, tree.map(lambda g: -0.1 * g, gradients)), gradients

    moved, gradients = fnet.jit(step, donate=(0,))(params, np.float32(0.5))
    expected, same = fnet.jit(step)(params, np.float32(0.5))
    assert tree.all_equal((moved, gradients), (expected, same))
