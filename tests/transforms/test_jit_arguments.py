"""What `jit` takes: static values told apart, keyword-only arguments, methods, other transforms, copies and pickles."""

from __future__ import annotations

import copy
import dataclasses
import gc
import pickle
import weakref
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.compile.static import static_key
from fnet.errors import StructureError, TracingError, ValueRangeError

X = np.array([1.0, 2.0, 3.0])


@dataclasses.dataclass(frozen=True)
class Setting:
    value: Any


class Pair(NamedTuple):
    a: Any
    b: Any


numbers = st.sampled_from(
    [
        2,
        2.0,
        0,
        0.0,
        -0.0,
        False,
        True,
        1,
        1.0,
        np.float32(1),
        np.float64(1),
        np.int8(1),
        np.bool_(1),
        float("nan"),
        2 + 0j,
    ]
)
values = st.recursive(
    numbers | st.sampled_from(["a", b"a", None, (), frozenset()]),
    lambda inner: (
        st.tuples(inner)
        | st.tuples(inner, inner)
        | st.builds(Setting, inner)
        | st.builds(Pair, inner, inner)
        | st.frozensets(inner, max_size=2)
    ),
    max_leaves=4,
)


def described(value: Any) -> Any:
    """All that a function can see of such a value, as text."""
    if isinstance(value, frozenset):
        return "frozenset", sorted(map(str, map(described, value)))
    if isinstance(value, Setting):
        return "Setting", described(value.value)
    if isinstance(value, tuple):
        return type(value).__name__, *map(described, value)
    return type(value).__name__, repr(value)


@given(values, values)
@example(Setting(np.float32(1.0)), Setting(()))
def test_static_values_are_the_same_if_a_function_cannot_tell_them_apart(a, b):
    assert (static_key(a) == static_key(b)) == (described(a) == described(b))
    assert static_key(a) == static_key(copy.deepcopy(a))


@pytest.mark.parametrize(
    "values",
    [
        (2, 2.0),
        (0, False),
        (0.0, -0.0),
        (1, True, 1.0, np.float32(1), np.float64(1)),
        ((1, (0.0,)), (1, (-0.0,)), (1.0, (0.0,))),
        (Setting(1), Setting(True), Setting(1.0)),
    ],
    ids=str,
)
def test_equal_static_values_have_their_own_programs(values):
    f = fnet.jit(lambda x, s: x * float(len(repr(s))) + float("-" in repr(s)), static="s")
    for _ in range(2):
        for s in values:
            np.testing.assert_array_equal(f(X, s), X * len(repr(s)) + ("-" in repr(s)))
    assert f.memory().programs == len({repr(s) for s in values})


def test_nan_is_one_static_value():
    f = fnet.jit(lambda x, s: x + 1.0, static="s")
    for _ in range(3):
        f(X, float("nan")), f(X, (np.float32("nan"), 1))
    assert f.memory().programs == 2


def test_a_static_argument_may_be_part_of_a_steady_call():
    f = fnet.jit(lambda p, x, mode: p + x if mode == "plus" else p - x, donate="p", static="mode")
    p = f(X, X, "plus")
    first = p
    for mode in ("plus", "plus", "minus", "plus"):
        p = f(p, X, mode)
    np.testing.assert_array_equal(p, X * 4)
    assert f(p, X, "plus") is p is not first


def test_negative_positions_count_from_the_end():
    f = fnet.jit(lambda p, x, n: [p + x] * n, donate=-3, static=-1)
    assert len(f(X, X, 2)) == 2
    with pytest.raises(ValueRangeError, match="static=-3 is not an argument of the function: it takes 2 by position"):
        fnet.jit(lambda x, n: x, static=-3)
    with pytest.raises(ValueRangeError, match="donate=2 is not an argument of the function: it takes 2 by position"):
        fnet.jit(lambda x, n: x, donate=(0, 2))
    with pytest.raises(ValueRangeError, match="static=True is not an argument of the function"):
        fnet.jit(lambda x, n: x, static=True)
    with pytest.raises(ValueRangeError, match="static=-1.*takes any number of by position. Name the argument"):
        fnet.jit(lambda *xs: xs, static=-1)


def test_arguments_by_keyword_only():
    f = fnet.jit(lambda p, *, x, mode="plus": p + x if mode == "plus" else p - x, donate="p", static="mode")
    np.testing.assert_array_equal(f(X, x=X), X * 2)
    np.testing.assert_array_equal(f(X, x=X, mode="minus"), X * 0)
    np.testing.assert_array_equal(f(X, mode="minus", x=X), X * 0)
    np.testing.assert_array_equal(f.repeat(3, X, x=X), X * 4)
    np.testing.assert_array_equal(f.repeat(3, X, x=X, mode="minus"), X * -2)
    assert "add" in str(f.plan(X, x=X))
    with pytest.raises(TypeError, match="missing a required.*'x'"):
        f(X, mode="minus")
    carried = fnet.jit(lambda *, a, b: (b, a + b), donate=("a", "b"))
    assert [float(v) for v in carried.repeat(6, a=np.array(0.0), b=np.array(1.0))] == [8, 13]
    some = fnet.jit(lambda x, a=1.0, b=2.0, **more: x * a + b + sum(more.values()))
    np.testing.assert_array_equal(some(X, b=5.0), X + 5)
    np.testing.assert_array_equal(some(X, c=X), X * 2 + 2)


class Model:
    def __init__(self, w: float) -> None:
        self.w = np.full(3, w)

    @fnet.jit
    def scaled(self, x: Any) -> Any:
        """Scaled."""
        return x * self.w

    @fnet.jit(donate="total", static="n")
    def add(self, total: Any, x: Any, n: int) -> Any:
        return total + x * n * self.w

    @staticmethod
    @fnet.jit
    def double(x: Any) -> Any:
        return x * 2.0

    @classmethod
    @fnet.jit(static="cls")
    def name(cls, x: Any) -> Any:
        return x * float(len(cls.__name__))


def test_methods():
    one, two = Model(1.0), Model(2.0)
    for _ in range(2):
        np.testing.assert_array_equal(one.scaled(X), X)
        np.testing.assert_array_equal(two.scaled(x=X), X * 2)
    np.testing.assert_array_equal(two.add.repeat(3, X, X, 2), X * 13)
    np.testing.assert_array_equal(two.add(X, X, n=2), X * 5)
    np.testing.assert_array_equal(fnet.grad(lambda x: ops.sum(two.scaled(x)))(X), two.w)
    np.testing.assert_array_equal(one.double(X), X * 2)
    np.testing.assert_array_equal(Model.name(X), X * 5)
    assert Model.scaled.__doc__ == "Scaled."
    assert "multiply" in str(two.scaled.plan(X))
    assert two.scaled.memory().programs == 1
    bound = Model(3.0).scaled  # keeps its instance alive
    np.testing.assert_array_equal(bound(X), X * 3)


def test_a_method_does_not_keep_its_instance():
    model = Model(1.0)
    model.scaled(X)
    gone = weakref.ref(model)
    del model
    gc.collect()
    assert gone() is None


def test_an_instance_that_is_a_tree_is_an_argument():
    class Line(NamedTuple):
        slope: Any

        @fnet.jit
        def at(self, x: Any) -> Any:
            return self.slope * x

    np.testing.assert_array_equal(Line(X).at(X), X * X)
    np.testing.assert_array_equal(Line(X + 1).at(X), (X + 1) * X)
    assert Line(X).at.memory().programs == 1
    np.testing.assert_array_equal(fnet.grad(lambda line: ops.sum(line.at(X)))(Line(X)).slope, X)


def test_methods_that_cannot_be():
    class Slim:
        __slots__ = ()

        @fnet.jit
        def f(self, x: Any) -> Any:
            return x

    with pytest.raises(StructureError, match="those of 'Slim' cannot. Add '__weakref__' to its __slots__"):
        Slim().f(X)

    class Giver:
        @fnet.jit(donate="self")
        def f(self, x: Any) -> Any:
            return x

    with pytest.raises(ValueRangeError, match="the instance that a method is called on cannot be donated"):
        Giver().f(X)


def test_a_function_closing_over_a_traced_value_is_part_of_that_transform():
    def loss(w: Any) -> Any:
        f = fnet.jit(lambda x: x * w, donate="x")
        inner = fnet.jit(lambda x: fnet.jit(lambda y: y * w * x)(X))
        return ops.sum(f(X) * inner(X)) + ops.sum(f.repeat(2, X)) + ops.sum(fnet.jit(lambda: w)())

    g = fnet.grad(loss)(X)
    np.testing.assert_allclose(g, 2 * X * X**3 + 2 * X * X + 1)
    np.testing.assert_allclose(fnet.jit(fnet.grad(loss))(X), g)
    np.testing.assert_allclose(fnet.jvp(fnet.grad(loss), (X,), (X,))[1], (2 * X**3 + 2 * X) * X)
    np.testing.assert_allclose(fnet.vjp(loss, X)[1](np.array(1.0))[0], g)
    np.testing.assert_allclose(np.diag(fnet.hessian(loss)(X)), 2 * X**3 + 2 * X)


def test_shapes_are_known_where_a_function_closes_over_a_traced_value():
    def loss(w: Any) -> Any:
        assert fnet.eval_shape(lambda x: x * w, X).shape == (3,)
        return ops.sum(w)

    np.testing.assert_array_equal(fnet.grad(loss)(X), np.ones(3))


def test_repeat_inside_a_transform_feeds_back():
    f = fnet.jit(lambda a, b, x: (b, a * x, ops.sum(x)), donate=("a", "b"))
    g = fnet.grad(lambda x: ops.sum(f.repeat(4, x, X, x)[1]))(X)
    np.testing.assert_allclose(g, 2 * X * X)  # x, X -> X, x^2 -> x^2, x X -> x X, x^3 -> x^3, x^2 X
    np.testing.assert_allclose(fnet.jit(fnet.grad(lambda x: ops.sum(f.repeat(4, x, X, x)[1])))(X), g)
    with pytest.raises(StructureError, match="'a' back, no result stands for it"):
        fnet.grad(lambda x: fnet.jit(lambda a: [a["a"]] * 2, donate="a").repeat(2, {"a": x}))(X)
    with pytest.raises(TracingError, match="a call inside another transform has no plan"):
        fnet.grad(lambda x: f.plan(x, X, x))(X)


@fnet.jit
def doubled(x: Any) -> Any:
    return x * 2.0


def plain(x: Any) -> Any:
    return x * 3.0


def test_copies_and_pickles():
    doubled(X)
    assert pickle.loads(pickle.dumps(doubled)) is doubled
    other = fnet.jit(plain, donate="x")
    y = other(other(X))
    for again in (copy.deepcopy(other), copy.copy(other), pickle.loads(pickle.dumps(other)), copy.deepcopy(doubled)):
        want = plain if again.__name__ == "plain" else doubled
        np.testing.assert_array_equal(again(X), want(X))
    np.testing.assert_array_equal(y, X * 9)
    model = Model(2.0)
    model.scaled(X)
    for again in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        again.w += 1
        np.testing.assert_array_equal(again.scaled(X), X * 3)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model.scaled))(X), X * 2)
