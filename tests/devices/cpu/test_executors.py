"""The executors and the memory they run in: donation, repetition, identity, threads, and what a caller may rely on."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.devices.cpu import executor, native
from fnet.kernels.compiler.cache_folder import cache_directory

EXECUTORS = ["walk", "native"]
X = np.arange(6, dtype=np.float32).reshape(2, 3)


def counter(carry: Any, x: Any) -> Any:
    return {"n": carry["n"] + 1, "total": carry["total"] + x}, ops.sum(carry["total"])


def start() -> dict[str, np.ndarray]:
    return {"n": np.zeros((), np.int64), "total": np.zeros((2, 3), np.float32)}


@pytest.mark.parametrize("executor", EXECUTORS)
def test_donated_trees_are_updated_in_place_when_they_come_back(executor):
    f = fnet.jit(counter, donate="carry", executor=executor)
    first = start()
    carry, _ = f(first, X)
    again, total = f(carry, X)
    assert again is carry
    assert carry["n"] == 2
    np.testing.assert_array_equal(carry["total"], 2 * X)
    assert total == X.sum()
    np.testing.assert_array_equal(first["total"], 0)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_arrays_returned_before_survive_a_restart(executor):
    f = fnet.jit(counter, donate="carry", executor=executor)
    carry, _ = f(start(), X)
    other, _ = f(start(), 5 * X)
    np.testing.assert_array_equal(carry["total"], X)
    np.testing.assert_array_equal(other["total"], 5 * X)
    third, _ = f(carry, X)
    np.testing.assert_array_equal(third["total"], 2 * X)
    np.testing.assert_array_equal(other["total"], 5 * X)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_repeat_equals_a_loop_of_calls(executor):
    f = fnet.jit(counter, donate="carry", executor=executor)
    g = fnet.jit(counter, donate="carry", executor=executor)
    carry, _ = f(start(), X)
    for _ in range(4):
        carry, total = f(carry, X)
    repeated, last = g.repeat(2, start(), X)
    repeated, last = g.repeat(3, repeated, X)
    np.testing.assert_array_equal(carry["total"], repeated["total"])
    assert carry["n"] == repeated["n"] == 5
    assert total == last


@pytest.mark.parametrize("executor", EXECUTORS)
@pytest.mark.parametrize(
    ("f", "want"),
    [
        (lambda a, b: (b, a), lambda a, b: (b, a)),
        (lambda a, b: (a, a), lambda a, b: (a, a)),
        (lambda a, b: (a.T, a + b), lambda a, b: (a.T, a + b)),
        (lambda a, b: (a + b, a.reshape((-1,))), lambda a, b: (a + b, a.reshape(-1))),
        (lambda a, b: (b * 2.0, a * 2.0, a + b), lambda a, b: (b * 2, a * 2, a + b)),
        (lambda a, b: (a @ b, b @ a), lambda a, b: (a @ b, b @ a)),
        (lambda a, b: (a + a.T, b), lambda a, b: (a + a.T, b)),
        (lambda a, b: (np.ones((2, 2), np.float32), a), lambda a, b: (np.ones((2, 2)), a)),
    ],
)
def test_donated_buffers_are_never_read_after_they_are_overwritten(f, want, executor):
    a, b = np.float32([[1, 2], [3, 4]]), np.float32([[5, 6], [7, 8]])
    jitted = fnet.jit(f, donate=("a", "b"), executor=executor)
    for result, expected in zip(jitted(a, b), want(a, b), strict=True):
        np.testing.assert_array_equal(result, expected)


def test_results_do_not_alias_arguments_or_each_other():
    f = fnet.jit(lambda x: (x, x.T, x[0], ops.exp(x)))
    x = X.copy()
    first = [np.array(r) for r in f(x)]
    results = f(x)
    for result in results:
        assert not np.shares_memory(result, x)
        result[...] = -1
    for again, expected in zip(f(x), first, strict=True):
        np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("executor", EXECUTORS)
def test_any_layout_of_arguments_is_read_right(executor):
    f = fnet.jit(lambda x: ops.sum(x * np.arange(3, dtype=np.float32), axis=1), executor=executor)
    readonly = X.copy()
    readonly.flags.writeable = False
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    for x in (X, np.asfortranarray(X), readonly, strided, X[::-1][::-1], np.broadcast_to(X[0], (2, 3))):
        np.testing.assert_array_equal(f(x), (np.asarray(x) * np.arange(3)).sum(1))


def runner_after(runs: int) -> tuple[str, Any]:
    """What runs `counter` after so many calls, and what it counted."""
    f = fnet.jit(counter, donate="carry")
    carry, _ = f(start(), X * 0.1)
    for _ in range(runs - 1):
        carry, _ = f(carry, X * 0.1)
    return type(f.compiled(carry, X).program.runner.active).__name__, carry


def test_auto_goes_native_where_it_was_walked_for_long_and_the_bits_stay(monkeypatch):
    monkeypatch.setattr(executor, "PATIENCE", 0)
    monkeypatch.setattr(native, "is_known", lambda plan: False)
    runner, carry = runner_after(41)
    walked = fnet.jit(counter, donate="carry", executor="walk").repeat(41, start(), X * 0.1)[0]
    assert runner == "Native"
    np.testing.assert_array_equal(carry["total"], walked["total"])


def test_a_few_runs_are_not_worth_the_compiler(monkeypatch):
    monkeypatch.setattr(executor, "PATIENCE", 1e9)
    monkeypatch.setattr(native, "is_known", lambda plan: False)
    assert runner_after(41)[0] == "Walker"


def test_the_first_run_is_not_counted_as_walking(monkeypatch):
    monkeypatch.setattr(native, "is_known", lambda plan: False)
    f = fnet.jit(counter, donate="carry")
    carry, _ = f(start(), X)
    assert f.compiled(carry, X).program.runner.walked == 0
    f(carry, X)
    assert 0 < f.compiled(carry, X).program.runner.walked < 1


@pytest.mark.skipif(cache_directory() is None, reason="nothing is kept")
def test_what_an_earlier_process_compiled_is_used_after_a_few_runs(monkeypatch):
    monkeypatch.setattr(executor, "PATIENCE", 1e9)
    native_step = fnet.jit(counter, donate="carry", executor="native")
    native_step(start(), X)
    assert native.is_known(native_step.plan(start(), X))
    assert not native.is_known(fnet.jit(lambda x: ops.sinh(ops.cos(x)) @ x.T).plan(X))
    assert runner_after(executor.HOT_RUNS)[0] == "Walker"
    assert runner_after(executor.HOT_RUNS + 2)[0] == "Native"


def test_one_jitted_function_serves_many_threads():
    f = fnet.jit(lambda x: ops.sum(ops.exp(x) @ ops.transpose(x)))
    inputs = [np.full((20, 20), 0.01 * i, np.float32) for i in range(8)]
    expected = [np.array(f(x)) for x in inputs]
    results: list[Any] = [None] * 8

    def work(i: int) -> None:
        for _ in range(50):
            results[i] = np.array(f(inputs[i]))

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(results, expected)


def test_batch_sizes_share_the_generated_code():
    f = fnet.jit(lambda x: ops.tanh(x) * 2.0, executor="native")
    f(np.ones((4, 3), np.float32))
    f(np.ones((9, 3), np.float32))
    one, other = f.compiled(np.ones((4, 3), np.float32)), f.compiled(np.ones((9, 3), np.float32))
    assert one is not other
    assert one.program.runner.native.function is other.program.runner.native.function
