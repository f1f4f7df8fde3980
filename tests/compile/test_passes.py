"""What the passes do to a graph, seen in the plan: epilogues, fusion, reuse in place, no needless copies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops

X, W, B = np.ones((8, 3), np.float32), np.ones((3, 4), np.float32), np.ones(4, np.float32)


def kernels(f: Any, *args: Any, donate: tuple[str, ...] = ()) -> list[str]:
    """The names of the kernels in the plan of `f`, generated loops all called "loop", all sizes of GEMM "gemm"."""
    plan = fnet.jit(f, donate=donate).plan(*args)
    return [call.kernel.__name__.removeprefix("small_").split("_")[0] for call in plan.calls]


@pytest.mark.parametrize("activation", [ops.relu, ops.tanh, ops.sigmoid, lambda z: z])
def test_bias_and_activation_join_the_product(activation):
    assert kernels(lambda x, w, b: activation(x @ w + b), X, W, B) == ["gemm"]


def test_an_activation_joins_a_product_without_bias():
    assert kernels(lambda x, w: ops.relu(x @ w), X, W) == ["gemm"]


def test_the_epilogue_reaches_through_the_reshape_of_a_product_of_higher_rank():
    x = np.ones((2, 5, 3), np.float32)
    f = lambda x, w, b: ops.tanh(x @ w + b)  # noqa: E731
    assert kernels(f, x, W, B) == ["gemm"]
    np.testing.assert_allclose(fnet.jit(f)(x, W, B), np.tanh(x @ W + B), rtol=1e-6)


def test_a_value_needed_before_the_activation_is_kept():
    plan = kernels(lambda x, w, b: (x @ w + b, ops.relu(x @ w + b)), X, W, B)
    assert plan == ["gemm", "loop"]


def test_a_bias_over_rows_stays_outside_the_product():
    f = lambda x, w, b: x @ w + b  # noqa: E731
    column = np.arange(8.0, dtype=np.float32).reshape(8, 1)
    assert kernels(f, X, W, column) == ["gemm", "loop"]
    np.testing.assert_allclose(fnet.jit(f)(X, W, column), X @ W + column)


def test_a_bias_that_is_computed_later_is_added_after_the_product():
    f = lambda x, w, b: x @ w + ops.exp(b)  # noqa: E731
    np.testing.assert_allclose(fnet.jit(f)(X, W, B), X @ W + np.exp(B), rtol=1e-6)


def test_a_bias_of_equal_numbers_joins_the_product():
    f = lambda x, w: x @ w + np.full(B.shape, 0.5, np.float32)  # noqa: E731
    assert kernels(f, X, W) == ["gemm"]
    np.testing.assert_allclose(fnet.jit(f)(X, W), X @ W + 0.5, rtol=1e-6)


def test_a_bias_that_is_computed_before_the_product_joins_it():
    def f(x, w, b):
        flat = ops.reshape(b, -1)
        return x @ w + flat

    b = B.reshape(2, -1)
    assert kernels(f, X, W, b) == ["gemm"]
    np.testing.assert_allclose(fnet.jit(f)(X, W, b), X @ W + B, rtol=1e-6)


def test_elementwise_chains_and_their_sums_are_one_loop():
    assert kernels(lambda x: ops.sum(ops.exp(x) * 2.0 - x, axis=0), X) == ["loop"]


def test_a_mean_squared_error_and_its_gradient_are_one_loop_and_a_scalar():
    loss = lambda y, t: ops.mean(ops.square(y - t))  # noqa: E731
    assert kernels(fnet.value_and_grad(loss), X, X + 1) == ["loop", "loop"]


def test_fusion_makes_no_cycle_around_a_product():
    f = lambda x, w: ops.exp(x) + (ops.exp(x) @ w)  # noqa: E731
    square = np.eye(3, dtype=np.float32)
    assert kernels(f, X, square) == ["loop", "gemm", "loop"]
    np.testing.assert_allclose(fnet.jit(f)(X, square), 2 * np.exp(X), rtol=1e-6)


def test_fusion_makes_no_cycle_through_another_nest():
    """Two nests that each need something of the other: joined nodes of one read from the other and are read by it."""

    def f(x: Any, v: Any) -> Any:
        wide, narrow = ops.exp(x), ops.tanh(v)
        summed = ops.tanh(ops.sum(wide, axis=1)) + narrow
        return summed, wide * ops.expand_dims(narrow, 1)

    v = np.linspace(-1, 1, 8, dtype=np.float32)
    summed, product = fnet.jit(f)(X, v)
    np.testing.assert_allclose(summed, np.tanh(np.exp(X).sum(1)) + np.tanh(v), rtol=1e-6)
    np.testing.assert_allclose(product, np.exp(X) * np.tanh(v)[:, None], rtol=1e-6)


def test_fusion_makes_no_cycle_through_a_nest_that_began_before():
    def f(x: Any, w: Any, z: Any) -> Any:
        one = ops.sin(x)
        product, factor = one @ w, ops.cos(z)
        return one * factor, factor * product

    x, w, z = np.ones(4, np.float32), np.ones((4, 1), np.float32), np.ones(1, np.float32)
    first, second = fnet.jit(f)(x, w, z)
    np.testing.assert_allclose(first, np.sin(x) * np.cos(z), rtol=1e-6)
    np.testing.assert_allclose(second, 4 * np.sin(1) * np.cos(z), rtol=1e-6)


def test_common_subexpressions_are_computed_once():
    plan = kernels(lambda x, w: (x @ w) + ops.square(x @ w), X, W)
    assert plan == ["gemm", "loop"]


def test_dead_code_is_gone():
    def f(x: Any) -> Any:
        ops.exp(x) @ np.ones((3, 3), np.float32)
        return x + 1.0

    assert kernels(f, X) == ["loop"]


def test_transposes_and_slices_cost_no_copy():
    assert kernels(lambda x, w: ops.transpose(w) @ ops.transpose(x), X, W) == ["gemm"]
    assert kernels(lambda x: x[1:, ::2] * 2.0, X) == ["loop"]


def test_a_donated_array_is_updated_by_the_loop_itself():
    plan = fnet.jit(lambda p, g: p - 0.1 * g, donate="p").plan(X, X)
    (call,) = plan.calls
    assert plan.kept[0] is plan.state[0]
    assert sum(slot.buffer is plan.state[0] for slot in call.slots) == 1
    assert plan.arena_bytes <= 64


def test_temporaries_are_overwritten_in_place():
    def f(x: Any) -> Any:
        y = ops.softmax(ops.exp(x))
        return ops.softmax(ops.exp(y) + y)

    plan = fnet.jit(f).plan(X)
    assert [call.label for call in plan.calls] == ["exp", "softmax", "exp+add", "softmax"]
    assert plan.calls[2].slots[0].buffer is plan.calls[3].slots[0].buffer
    assert plan.arena_bytes <= 2 * 128 + 64  # the last is scratch memory of softmax


def test_the_printed_plan_shows_kernels_shapes_and_bytes():
    text = str(fnet.jit(lambda x, w, b: ops.sum(ops.relu(x @ w + b))).plan(X, W, B))
    assert "gemm" in text
    assert "in0:float32[8,3]" in text
    assert "loop_" in text
    assert "calls" in text and "bytes" in text


@pytest.mark.parametrize("strides", [2, 1])
def test_relu_behind_max_pooling_is_masked_where_the_maxima_are(strides):
    """All elements are as without the pass: ties, NaN, infinities, zeros of both signs, windows that overlap."""
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, (2, 6, 7, 5)).astype(np.float32)
    x[0, 1, 2], x[1, 3, 3], x[1, 0, 0], x[0, 4, 4] = np.nan, np.inf, -np.inf, -0.0
    pulled = lambda x, g: fnet.vjp(lambda x: ops.max_pool(ops.relu(x), 2, strides), x)[1](g)[0]  # noqa: E731
    g = rng.standard_normal(ops.max_pool(x, 2, strides).shape).astype(np.float32)
    g[0, 0, 0], g[1, 1, 1, 0] = -0.0, np.inf
    names = [call.kernel.__name__ for call in fnet.jit(pulled).plan(x, g).calls]
    assert names[-1] == "max_pool_vjp"
    assert fnet.jit(pulled)(x, g).tobytes() == np.asarray(pulled(x, g)).tobytes()


def test_a_gradient_of_pooling_that_is_read_twice_is_masked_behind_it():
    def both(x, g):
        back = fnet.vjp(lambda y: ops.max_pool(y, 2), ops.relu(x))[1](g)[0]
        return back, ops.where(ops.relu(x) > 0, back, 0)

    x = np.random.default_rng(1).standard_normal((1, 4, 4, 1)).astype(np.float32)
    for ours, plain in zip(fnet.jit(both)(x, x[:, :2, :2]), both(x, x[:, :2, :2]), strict=True):
        np.testing.assert_array_equal(ours, plain)
