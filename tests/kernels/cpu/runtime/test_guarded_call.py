"""Calls that look at arrays in machine code: what they refuse, and who else may be in the memory."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops, tree
from fnet.compile.memory import ARENA
from fnet.kernels.cpu.runtime import guarded_call
from fnet.kernels.cpu.runtime.guarded_call import DONE, OTHER, SHARED, Gate, entries, record, versions

X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(autouse=True)
def machine_code() -> None:
    if entries() is None:
        pytest.skip("no machine code, or objects are laid out otherwise")


def looked_at(x: Any, block: Any = None) -> int:
    """What a call says that only looks: expected is a (2, 3) array of float32 that may not show `block`."""
    enter, change = entries()
    gate = Gate(change)
    words = record(gate, 0, 0, block, [(X.dtype, X.shape, 0)], (), ())
    return enter(words.__array_interface__["data"][0], (x,))


def readonly(x: np.ndarray) -> np.ndarray:
    x.flags.writeable = False
    return x


class Sub(np.ndarray):
    pass


@pytest.mark.parametrize(
    "x",
    [
        X.astype(np.float64),
        X.astype(">f4"),
        X.reshape(3, 2),
        X.reshape(6),
        X.reshape(1, 2, 3),
        X[:, ::-1],
        np.asfortranarray(X),
        readonly(X.copy()),
        np.frombuffer(bytearray(25), np.float32, 6, 1).reshape(2, 3),
        X.copy().view(Sub),
        np.float32(1),
        np.array(1.0, np.float32),
        None,
        [[1.0, 2.0, 3.0]],
        "text",
    ],
    ids=str,
)
def test_arrays_that_look_otherwise_are_refused(x):
    assert looked_at(X) == DONE
    assert looked_at(x) == OTHER


def test_an_array_whose_shape_is_set_is_another_one():
    x = X.copy()
    assert looked_at(x) == DONE
    x.shape = (3, 2)
    assert looked_at(x) == OTHER


def test_views_of_a_block_and_of_what_is_not_known_are_told_apart():
    block, other = np.zeros(100, np.uint8), np.zeros(100, np.uint8)
    assert looked_at(block[:24].view(np.float32).reshape(2, 3), block) == SHARED
    assert looked_at(other[:24].view(np.float32).reshape(2, 3), block) == DONE
    assert looked_at(np.frombuffer(bytearray(24), np.float32).reshape(2, 3), block) == SHARED
    assert looked_at(X.astype(np.float64), block) == OTHER
    assert looked_at(X.copy(), block) == DONE


@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_a_dict_that_was_edited_is_another_one(kind):
    d = kind(a=X.copy(), b={"c": np.ones(1)})
    found = versions([d, d["b"]])
    if found is None:
        pytest.skip("this interpreter keeps no versions")

    def status() -> int:
        words = record(Gate(entries()[1]), 0, 0, None, [], (), found)
        return entries()[0](words.__array_interface__["data"][0], ())

    d["a"] += 1
    d["a"] = d["a"]
    assert status() == DONE
    d["b"]["c"] = d["b"]["c"].copy()
    assert status() == OTHER
    found = versions([d, d["b"]])
    assert status() == DONE
    d.update(a=1)
    assert status() == OTHER


def test_a_tree_that_is_as_before_again_is_updated_in_place_again():
    f = fnet.jit(lambda s: {"w": s["w"] * 2, "l": [s["l"][0] + 1]}, donate="s", executor="native")
    s = {"w": np.ones(2), "l": [np.zeros(())]}
    for _ in range(3):
        s = f(s)
    w = s["w"]
    s["w"] = np.zeros(2)
    s["w"] = w
    assert f(s) is s
    fast = f.compiled(s).fast
    assert fast is not None
    assert fast((s,)) is s
    assert w.tolist() == [32, 32]


def test_a_gate_is_closed_by_one_at_a_time():
    _, change = entries()
    gate = Gate(change)
    assert not gate.close()  # a new one is closed
    gate.open()
    assert gate.close()
    assert not gate.close()
    gate.renew()
    assert gate.close()


def test_a_guarded_call_neither_waits_nor_runs_while_the_gate_is_closed():
    f = fnet.jit(lambda s, x: (s + x, ops.sum(x)), donate="s", executor="native")
    s, _ = f(np.zeros((2, 3), np.float32), X)
    for _ in range(3):
        s, _ = f(s, X)
    compiled = f.compiled(s, X)
    assert compiled.fast is not None
    assert compiled.workspace.alone(compiled.fast, (s, X)) is None
    assert s[0, 1] == 4
    assert compiled.fast((s, X))[0] is s
    assert s[0, 1] == 5
    fast, guard = compiled.fast, weakref.ref(compiled._steady_calls[False].guard)
    f.clear()
    assert fast((s, X)) is None  # a call that began before
    assert guard() is not None  # what that reads is still there
    assert s[0, 1] == 5
    assert f(s, X)[0][0, 1] == 6


def test_a_program_that_a_thread_still_runs_keeps_its_arena_when_memory_is_given_back():
    f = fnet.jit(lambda x: ops.cumsum(ops.cumsum(x, 0) @ x, 0), executor="native")
    x, small = np.ones((40, 40), np.float32), np.ones((2, 2), np.float32)
    compiled, expected = f.compiled(x), f(x)
    needed, blocks = compiled.program.plan.arena_bytes, compiled.program.runner._blocks
    f.clear()
    assert blocks[ARENA].nbytes == 0
    for _ in range(3):
        compiled.run((x,), [x])  # as of a thread that found the program before
    for forget_or_run in (f.clear, lambda: f(small)):
        forget_or_run()
        assert compiled.fast is not None
        assert blocks[ARENA].nbytes >= needed > f.plan(small).arena_bytes
        np.testing.assert_array_equal(compiled.fast((x,)), expected)


@pytest.mark.parametrize("executor", ["walk", "native"])
def test_threads_share_one_function(executor):
    """Some calls find the gate closed and wait for the lock; every one of them is one whole step."""

    def step(s: Any, x: Any) -> Any:
        return {"n": s["n"] + 1, "w": s["w"] + x @ s["v"], "v": s["v"]}, ops.sum(x)

    f = fnet.jit(step, donate="s", executor=executor)
    s = {"n": np.zeros((), np.int64), "w": np.zeros((2, 3), np.float32), "v": np.ones((3, 3), np.float32)}
    s, _ = f(s, X)
    f(s, X)
    wrong: list[Any] = []

    def work(scale: float) -> None:
        x = X * np.float32(scale)
        wrong.extend(total for _ in range(300) if (total := f(s, x)[1]) != x.sum())

    threads = [threading.Thread(target=work, args=(scale,)) for scale in (0.0, 1.0, 2.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong
    assert s["n"] == 902
    np.testing.assert_array_equal(s["w"], 902 * X.sum(1, keepdims=True) * np.ones(3))


@pytest.mark.parametrize("executor", ["walk", "native"])
def test_another_level_in_force_is_another_program(executor):
    f = fnet.jit(lambda x: x @ np.ones((3, 3), np.float32), executor=executor)
    for _ in range(3):
        f(X)
    assert len(f._compiled) == 1
    with fnet.precision("medium"):
        f(X)
        assert len(f._compiled) == 2
    np.testing.assert_array_equal(f(X), np.repeat(X.sum(1, keepdims=True), 3, 1))


def test_without_machine_code_calls_take_the_longer_way(monkeypatch):
    monkeypatch.setattr(guarded_call, "entries", lambda: None)
    f = fnet.jit(lambda s, x: {"w": s["w"] + x}, donate="s", executor="native")
    s = {"w": np.zeros((2, 3), np.float32)}
    for _ in range(4):
        s = f(s, X)
    assert f.compiled(s, X).fast is None
    assert tree.all_equal(s, {"w": 4 * X})
