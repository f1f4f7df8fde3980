"""`jit` as its users see it: specialisation, static arguments, composition, and errors that say what to do."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.errors import DtypeError, StructureError, TracingError, ValueRangeError

X = np.array([1.0, 2.0, 3.0], np.float32)


def test_a_function_is_traced_once_for_each_kind_of_arguments():
    traces = []

    @fnet.jit
    def f(x: Any) -> Any:
        traces.append(x.shape)
        return x * 2.0

    f(X), f(X + 1), f(X[:2]), f(X), f(X.astype(np.float64))
    assert traces == [(3,), (2,), (3,)]


def test_static_arguments_choose_the_program():
    f = fnet.jit(lambda x, n, double: x * n if double else x + n, static=("n", "double"))
    np.testing.assert_array_equal(f(X, 2, True), X * 2)
    np.testing.assert_array_equal(f(X, 2, False), X + 2)
    np.testing.assert_array_equal(f(X, n=3, double=False), X + 3)


def test_defaults_and_keywords_are_arguments_like_others():
    f = fnet.jit(lambda x, scale=3.0: x * scale)
    np.testing.assert_array_equal(f(X), X * 3)
    np.testing.assert_array_equal(f(X, scale=2.0), X * 2)


def test_python_numbers_do_not_widen_arrays():
    assert fnet.jit(lambda x, a: x * a)(X, 0.5).dtype == np.float32
    assert fnet.jit(lambda x, a: x + a)(X, 2).dtype == np.float32


def test_transforms_compose_in_any_order():
    f = lambda x: ops.sum(ops.tanh(x) ** 3)  # noqa: E731
    x = X.astype(np.float64)
    g = fnet.grad(f)(x)
    np.testing.assert_allclose(fnet.jit(fnet.grad(f))(x), g)
    np.testing.assert_allclose(fnet.grad(fnet.jit(f))(x), g)
    np.testing.assert_allclose(fnet.jit(fnet.jit(fnet.grad(f)))(x), g)
    h = fnet.hessian_vector_product(f, x, x)
    np.testing.assert_allclose(fnet.jit(lambda x, v: fnet.hessian_vector_product(f, x, v))(x, x), h)
    np.testing.assert_allclose(fnet.jvp(fnet.jit(fnet.grad(f)), (x,), (x,))[1], h)
    assert fnet.eval_shape(fnet.jit(fnet.grad(f)), x) == fnet.ArraySpec((3,), np.dtype(np.float64))


def test_trees_go_in_and_come_out():
    f = fnet.jit(lambda tree: {"b": (tree["a"][0] * 2.0, None), "c": [tree["a"][1]]})
    result = f({"a": [X, np.int32(4)]})
    assert list(result) == ["b", "c"]
    assert result["b"][1] is None
    np.testing.assert_array_equal(result["b"][0], X * 2)
    assert result["c"][0] == 4


@pytest.mark.parametrize("executor", ["walk", "native"])
def test_a_loop_over_trees_of_inputs_works_in_place_and_notices_every_change(executor: str):
    def sum_of(inputs: Any) -> Any:
        return inputs[0] + sum(inputs[1]["more"]) * inputs[1]["scale"]

    @fnet.jit(donate="total", executor=executor)
    def step(total: Any, inputs: Any) -> Any:
        total = total + sum_of(inputs)
        return total, ops.sum(total)

    inputs = (X, {"more": [X, 2 * X], "scale": np.float32([2, 3, 4])})
    total, _ = step(np.zeros(3, np.float32), inputs)
    expected, address = sum_of(inputs), total.__array_interface__["data"]
    changed = [
        inputs,
        (inputs[0], inputs[1] | {"scale": X}),
        (inputs[0], dict(reversed(inputs[1].items()))),  # another structure: traced and donated anew
        (inputs[0], inputs[1] | {"more": [X, X, X]}),
        [inputs[0], inputs[1]],
        (inputs[0].astype(np.float64), inputs[1]),
        inputs,
    ]
    for i, given in enumerate(changed):
        for _ in range(3):
            total, value = step(total, given)
            expected = (expected + sum_of(given)).astype(np.float32)
            np.testing.assert_array_equal(total, expected)
            assert value == expected.sum()
        if i < 2:
            assert total.__array_interface__["data"] == address


@pytest.mark.parametrize("executor", ["walk", "native"])
@pytest.mark.parametrize(
    "result",
    [
        lambda a, b: a,
        lambda a, b: [a, (b,)],
        lambda a, b: {"a": a, 3: {"none": {}, "b": [b, ()]}},
    ],
)
def test_a_result_is_new_in_every_call_whatever_tree_it_is(result: Any, executor: str):
    f = fnet.jit(lambda x, y: result(x * 2.0, ops.sum(x) + y), executor=executor)
    kept = []
    for i in range(5):
        x, y = X + i, np.float32([i])
        kept.append((f(x, y), result(x * 2, x.sum() + y)))
    compiled = f.compiled(X, np.float32([1]))
    assert compiled.steady is not None
    assert compiled.fast is not None
    for got, expected in kept:  # no call has changed what another one returned
        assert fnet.tree.structure(got) == fnet.tree.structure(expected)
        assert fnet.tree.all_equal(got, expected)
    assert len({id(array) for got, _ in kept for array in fnet.tree.leaves(got)}) == 5 * len(fnet.tree.leaves(got))
    np.testing.assert_array_equal(fnet.tree.leaves(f(X[:2], np.float32([1])))[0], X[:2] * 2)


@pytest.mark.parametrize("executor", ["walk", "native"])
@pytest.mark.parametrize("names", [(), ("total", "state")])
def test_a_donated_tree_is_found_anywhere_in_the_result(names: tuple, executor: str):
    def update(total: Any, state: Any, x: Any) -> Any:
        total = {"sum": total["sum"] + x}
        return {"total": total, "more": [state, ops.sum(total["sum"])]} if names else total

    step = fnet.jit(update, donate=names or "total", executor=executor)
    start = {"sum": np.zeros(3, np.float32)}
    states = {} if names else np.float32([0])
    result, expected = step(start, states, X), X
    for i in range(6):
        total, state = (result["total"], result["more"][0]) if names else (result, states)
        if i == 3:
            total, expected = {"sum": X.copy()}, X  # another tree: donated anew
        result = step(total, state, X)
        expected = expected + X
        updated = result["total"] if names else result
        assert (updated is total) == (i != 3)
        np.testing.assert_array_equal(updated["sum"], expected)
        if names:
            result["more"].append(None)  # containers around donated trees are the caller's own
            assert result["more"][1] == expected.sum()
    np.testing.assert_array_equal(start["sum"], 0)


def test_an_output_that_is_part_of_a_donated_tree_is_not_taken_for_a_new_one():
    step = fnet.jit(lambda p: (p["a"] + 1.0, p["b"] + 1.0), donate="p", executor="native")
    for _ in range(4):
        a, b = step({"a": X, "b": X})
        np.testing.assert_array_equal(a, X + 1)
        np.testing.assert_array_equal(b, X + 1)


def test_threads_share_a_function_of_one_array():
    f = fnet.jit(lambda x: x * 2.0 + 1.0, executor="native")
    f(X), f(X)

    def work(i: int) -> bool:
        return all(np.array_equal(f(X + i), (X + i) * 2 + 1) for _ in range(300))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(4)))


def test_captured_arrays_are_constants_of_the_moment_of_tracing():
    w = np.ones(3, np.float32)
    f = fnet.jit(lambda x: x * w)
    f(X)
    w[:] = 100
    np.testing.assert_array_equal(f(X), X)


def test_empty_arrays_pass():
    f = fnet.jit(lambda x, w: ops.sum(ops.relu(x @ w), axis=0))
    np.testing.assert_array_equal(f(np.zeros((0, 3), np.float32), np.ones((3, 2), np.float32)), [0, 0])


def test_a_branch_on_a_traced_value_says_what_to_use_instead():
    with pytest.raises(TracingError, match=r"needs the value of a traced bool\[\].*np\.where.*static="):
        fnet.jit(lambda x: x if x.sum() > 0 else -x)(X)
    assert (lambda x: x if x.sum() > 0 else -x)(X) is X


@pytest.mark.parametrize("use", [int, lambda s: range(s.astype(np.int64)), lambda s: [1, 2][s.astype(np.int64)]])
def test_a_concrete_number_cannot_be_had_of_a_traced_value(use):
    with pytest.raises(TracingError, match="which is not known while fnet.jit traces"):
        fnet.jit(lambda x: use(x.sum()))(X)
    with pytest.raises(TracingError, match=r"float\(\)"):
        fnet.jit(lambda x: float(x.sum()))(X)


def test_a_function_outside_numpys_protocols_says_so():
    with pytest.raises(TracingError, match="cannot become a NumPy array"):
        fnet.jit(lambda x: np.asarray(x) + 1)(X)


def test_a_leaked_tracer_is_named():
    kept = []
    fnet.jit(lambda x: kept.append(x) or x)(X)
    with pytest.raises(TracingError, match="outlived the function it was traced in"):
        kept[0] + 1


def test_wrong_arguments_are_named():
    with pytest.raises(DtypeError, match="received a str in argument '0'; expected arrays and numbers.*static="):
        fnet.jit(lambda x: x)("text")
    with pytest.raises(DtypeError, match="complex128 is not supported"):
        fnet.jit(lambda x: x)(np.ones(2, complex))
    with pytest.raises(DtypeError, match=r"float16 is not supported.*astype\('float32'\)"):
        fnet.jit(lambda x: x)(np.ones(2, np.float16))
    with pytest.raises(StructureError, match="static arguments must be hashable"):
        fnet.jit(lambda x, n: x, static="n")(X, [1])
    with pytest.raises(ValueRangeError, match="donate='parms' is not an argument.*Did you mean 'params'"):
        fnet.jit(lambda params: params, donate="parms")
    with pytest.raises(ValueRangeError, match="cannot be both donated and static"):
        fnet.jit(lambda x: x, donate="x", static="x")
    with pytest.raises(ValueRangeError, match="executor must be one of auto, walk, native; received 'fast'"):
        fnet.jit(lambda x: x, executor="fast")
    with pytest.raises(StructureError, match="must return arrays and numbers.*at 'a' it returned a str"):
        fnet.jit(lambda x: {"a": "text"})(X)
    for count in (0, 2.5, "a"):
        with pytest.raises(ValueRangeError, match=f"count of at least 1, a whole number; received {count!r}"):
            fnet.jit(lambda x: x).repeat(count, X)


def test_the_executor_can_be_set_from_outside(monkeypatch):
    monkeypatch.setenv("FNET_EXECUTOR", "native")
    f = fnet.jit(lambda x: x + 1.0)
    f(X)
    assert type(f.compiled(X).program.runner.active).__name__ == "Native"
