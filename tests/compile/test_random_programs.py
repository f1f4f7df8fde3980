"""Random programs: whatever the passes do to a graph, the compiled function equals the eager one, bit for bit or to
rounding, under both executors and with any donation, and touches none of its arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import ops

ROWS, COLUMNS = 3, 4
UNARY: list[Callable[[Any], Any]] = [
    ops.tanh,
    ops.relu,
    ops.sigmoid,
    lambda x: x * 0.5 + 1.0,
    lambda x: ops.square(x) - x,
    lambda x: ops.where(x > 0, x, 0.1 * x),
    lambda x: x - ops.mean(x, axis=0),
    lambda x: x / (1.0 + ops.sum(ops.square(x), axis=1, keepdims=True)),
    lambda x: x + ops.max(x),
    lambda x: ops.softmax(x),
    lambda x: ops.transpose(x).reshape((ROWS, COLUMNS)),
    lambda x: ops.reshape(ops.reshape(x, (-1,)) * 2.0, (ROWS, COLUMNS)),
    lambda x: x[::-1, ::-1],
    lambda x: ops.concatenate([x[1:], x[:1]], axis=0),
    lambda x: ops.broadcast_to(x[:, :1], (ROWS, COLUMNS)) + x,
    lambda x: ops.matmul(x, ops.transpose(x)) @ x * 0.1,
    lambda x: ops.relu(x @ np.eye(COLUMNS, dtype=np.float32) + np.ones(COLUMNS, np.float32)),
    lambda x: ops.take(x, np.array([2, 0, 1])),
]
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a + b,
    lambda a, b: a * b,
    lambda a, b: a - ops.sum(b, axis=0),
    ops.maximum,
    lambda a, b: (a @ ops.transpose(b)) @ a * 0.1,
]
step = st.tuples(st.integers(0, len(UNARY) + len(BINARY) - 1), st.integers(0, 9), st.integers(0, 9))
steps = st.lists(step, min_size=1, max_size=9)
outputs = st.lists(st.integers(0, 9), min_size=1, max_size=3)


def program(plan: list[tuple[int, int, int]], chosen: list[int]) -> Callable[..., tuple[Any, ...]]:
    """A function of two matrices that applies the drawn operations to earlier values and returns some of them."""

    def f(x: Any, y: Any) -> tuple[Any, ...]:
        values = [x, y]
        for op, i, j in plan:
            a, b = values[i % len(values)], values[j % len(values)]
            values.append(UNARY[op](a) if op < len(UNARY) else BINARY[op - len(UNARY)](a, b))
        return tuple(values[-1 - i % len(values)] for i in chosen)

    return f


def arguments() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    return tuple(rng.normal(size=(ROWS, COLUMNS)).astype(np.float32) for _ in range(2))  # type: ignore[return-value]


FEW, MANY = settings(max_examples=8), settings(max_examples=50)  # most programs need kernels of their own


@FEW
@given(steps, outputs, st.sampled_from(["", "x", "y", "xy"]))
def test_a_compiled_program_equals_the_eager_one(plan, chosen, donate):
    check_values(plan, chosen, donate)


@pytest.mark.slow
@MANY
@given(steps, outputs, st.sampled_from(["", "x", "y", "xy"]))
def test_many_compiled_programs_equal_the_eager_ones(plan, chosen, donate):
    check_values(plan, chosen, donate)


def check_values(plan: list[tuple[int, int, int]], chosen: list[int], donate: str) -> None:
    f, (x, y) = program(plan, chosen), arguments()
    expected = [np.array(v) for v in f(x, y)]
    given_x, given_y = x.copy(), y.copy()
    jitted = fnet.jit(f, donate=tuple(donate), executor="walk")
    for value, want in zip(jitted(x, y), expected, strict=True):
        np.testing.assert_allclose(value, want, rtol=2e-5, atol=1e-5)
    np.testing.assert_array_equal(x, given_x)
    np.testing.assert_array_equal(y, given_y)


@FEW
@given(steps, outputs)
def test_the_gradient_of_a_compiled_program_equals_the_eager_one(plan, chosen):
    check_gradient(plan, chosen)


@pytest.mark.slow
@MANY
@given(steps, outputs)
def test_the_gradients_of_many_compiled_programs_equal_the_eager_ones(plan, chosen):
    check_gradient(plan, chosen)


def check_gradient(plan: list[tuple[int, int, int]], chosen: list[int]) -> None:
    f, (x, y) = program(plan, chosen), arguments()

    def loss(x: Any, y: Any) -> Any:
        return sum(ops.sum(ops.sigmoid(v)) for v in f(x, y))

    gradient = fnet.grad(loss, argnums=(0, 1))
    for value, want in zip(fnet.jit(gradient, executor="walk")(x, y), gradient(x, y), strict=True):
        np.testing.assert_allclose(value, want, rtol=2e-4, atol=2e-5)


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 8))])
@pytest.mark.parametrize("donate", [(), ("x", "y")])
def test_native_code_gives_the_bits_of_the_walker(seed, donate):
    rng = np.random.default_rng(seed)
    plan = [tuple(int(v) for v in rng.integers(0, 23, 3)) for _ in range(7)]
    plan = [(op % (len(UNARY) + len(BINARY)), i % 10, j % 10) for op, i, j in plan]
    f, (x, y) = program(plan, [0, 1]), arguments()
    walked = fnet.jit(f, donate=donate, executor="walk")(x, y)
    native = fnet.jit(f, donate=donate, executor="native")(x, y)
    for a, b in zip(walked, native, strict=True):
        np.testing.assert_array_equal(a, b)


MIXED: list[Callable[[Any, Any], Any]] = [
    lambda a, b: a * b,
    lambda a, b: a - b,
    lambda a, b: ops.sin(a),
    lambda a, b: ops.sum(a, axis=-1),
    lambda a, b: a @ b,
    lambda a, b: ops.reshape(a, (-1,)),
]
SHAPES = [(4,), (4, 1), (1,), (3, 4)]
mixed_step = st.tuples(st.integers(0, len(MIXED) - 1), st.integers(0, 30), st.integers(0, 30))
mixed_steps = st.lists(mixed_step, min_size=8, max_size=24)


def mixed_program(plan: list[tuple[int, int, int]]) -> Callable[..., tuple[Any, ...]]:
    """A function of arrays of several shapes that returns all it computes; steps that do not fit are left out."""

    def f(*inputs: Any) -> tuple[Any, ...]:
        values = list(inputs)
        for op, i, j in plan:
            a, b = values[i % len(values)], values[j % len(values)]
            try:
                value = MIXED[op](a, b)
            except (TypeError, ValueError):  # NumPy's own, or a ShapeError
                continue
            if 0 < value.size <= 64:
                values.append(value)
        return tuple(values[len(inputs) :])

    return f


@FEW
@given(mixed_steps)
def test_programs_over_several_shapes_compile_to_the_eager_values(plan):
    check_several_shapes(plan)


@pytest.mark.slow
@MANY
@given(mixed_steps)
def test_many_programs_over_several_shapes_compile_to_the_eager_values(plan):
    check_several_shapes(plan)


def check_several_shapes(plan: list[tuple[int, int, int]]) -> None:
    rng = np.random.default_rng(5)
    arrays = [rng.normal(size=shape) for shape in SHAPES]
    f = mixed_program(plan)
    for value, want in zip(fnet.jit(f, executor="walk")(*arrays), f(*arrays), strict=True):
        np.testing.assert_allclose(value, want, rtol=1e-12, atol=1e-12)


@settings(max_examples=4)
@given(plan=steps, chosen=st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_arrays_that_are_carried_and_treated_alike_equal_the_eager_ones(plan, chosen):
    check_carried(plan, chosen)


@pytest.mark.slow
@settings(max_examples=30)
@given(plan=steps, chosen=st.lists(st.integers(0, 9), min_size=3, max_size=3))
def test_many_carried_arrays_equal_the_eager_ones(plan, chosen):
    check_carried(plan, chosen)


def check_carried(plan: list[tuple[int, int, int]], chosen: list[int]) -> None:
    """Three arrays, each changed by a value of the program over the others and a shared one, or by the same value."""
    f = program(plan, [0, *chosen])
    x, y = arguments()

    def step(carried: Any, shared: Any) -> Any:
        first, *values = f(shared, carried[0] * 0.1)
        return ([c + 0.1 * (v + first) for c, v in zip(carried, values, strict=True)],)

    jitted = fnet.jit(step, donate=(0,))
    got: Any = [y, y + 1.0, y * 2.0]
    expected = got
    for _ in range(2):
        (got,), (expected,) = jitted(got, x), step(expected, x)
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)
