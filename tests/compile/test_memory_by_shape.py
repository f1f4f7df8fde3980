"""Memory by shape is bounded: one arena for all programs of a function, the least recently used go."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops, tree
from fnet.compile.living import Living
from fnet.device import cpu
from fnet.errors import ValueRangeError


@pytest.fixture
def limit() -> Iterator[Any]:
    yield fnet.set_program_limit
    fnet.set_program_limit(256)


def gradient(x: Any) -> Any:
    return fnet.grad(lambda x: ops.sum(ops.tanh(x) * ops.sum(ops.exp(x), axis=0)))(x)


def held(jitted: Any) -> int:
    """Bytes that a jitted function holds."""
    memory = jitted.memory()
    return memory.arena + memory.fixed + memory.state


@pytest.mark.parametrize("executor", ["walk", "native"])
def test_programs_compute_in_one_arena(executor):
    f = fnet.jit(gradient, executor=executor)
    lengths = [3, 50, 7, 200, 3, 200, 50, 1, 7]
    results = [(n, f(np.full((n, 4), 0.1))) for n in lengths]
    assert f.memory().arena == f.plan(np.zeros((200, 4))).arena_bytes > 0
    for n, y in results + [(n, f(np.full((n, 4), 0.1))) for n in lengths]:
        np.testing.assert_allclose(y, gradient(np.full((n, 4), 0.1)), rtol=1e-12)
    assert f.memory().programs == 5


@pytest.mark.parametrize("executor", ["walk", "native"])
def test_donated_arrays_stay_while_other_programs_run(executor):
    """Two trees of two shapes in turns: both are updated in place; a third one takes the place of the oldest."""
    step = fnet.jit(lambda p, x: {"w": p["w"] + ops.tanh(x) * ops.sum(x)}, donate="p", executor=executor)
    trees = {n: {"w": np.zeros((n, 4))} for n in (2, 300)}
    for i in range(5):
        for n in trees:
            before = trees[n]
            trees[n] = step(trees[n], np.full((n, 4), 0.5))
            assert (trees[n] is before) == (i > 0)
            np.testing.assert_allclose(trees[n]["w"], (i + 1) * np.tanh(0.5) * n * 2, rtol=1e-12)
    kept = tree.map(np.array, trees)
    other = step({"w": np.zeros((9, 4))}, np.ones((9, 4)))
    assert step.memory().state == sum(step.plan({"w": np.zeros((n, 4))}, np.ones((n, 4))).state_bytes for n in (300, 9))
    assert tree.all_equal(trees, kept)
    again = step(trees[2], np.full((2, 4), 0.5))
    np.testing.assert_allclose(again["w"], 6 * np.tanh(0.5) * 4, rtol=1e-12)
    assert again is not trees[2] and other["w"].shape == (9, 4)


def test_the_least_recently_used_program_goes(limit):
    traced = []

    @fnet.jit
    def f(x: Any) -> Any:
        traced.append(len(x))
        return x + 1.0

    limit(2)
    for n in (1, 2, 1, 3, 1, 2, 1):
        assert f(np.zeros(n)).tolist() == [1] * n
    assert traced == [1, 2, 3, 2]
    assert f.memory().programs == 2
    with pytest.raises(ValueRangeError, match="limit of programs must be at least 1, received 0"):
        limit(0)


def test_everything_can_be_forgotten():
    f = fnet.jit(lambda p, x: (p + ops.sum(ops.tanh(x) * ops.exp(x), axis=0), ops.cumsum(x)), donate="p")
    p, _ = f(np.zeros(4), np.ones((30, 4)))
    p, _ = f(p, np.ones((30, 4)))
    kept = p.copy()
    fnet.clear_cache()
    assert f.memory() == (0, 0, 0, 0)
    np.testing.assert_array_equal(p, kept)
    np.testing.assert_allclose(f(p, np.ones((30, 4)))[0], kept * 1.5, rtol=1e-12)


def test_threads_share_the_arena_in_turns(limit):
    """Shapes that make the arena grow, programs that go, and a cleared cache, while other threads are in it."""
    limit(3)
    f = fnet.jit(gradient)
    inputs = [np.full((n, 4), 0.01 * n) for n in (1, 5, 60, 7, 300)]
    expected = [gradient(x) for x in inputs]
    wrong: list[int] = []

    def work(seed: int) -> None:
        rng = np.random.default_rng(seed)
        for _ in range(60):
            i = int(rng.integers(len(inputs)))
            if not np.allclose(f(inputs[i]), expected[i], rtol=1e-12):
                wrong.append(i)
            if rng.random() < 0.05:
                f.clear()

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_members_can_be_added_while_one_looks_through_them():
    class Member:
        pass

    members: Living[Member] = Living()
    done = threading.Event()

    def add() -> None:
        kept: list[Member] = []
        while not done.is_set():
            kept.append(Member())
            members.add(kept[-1])
            del kept[:-50]

    threads = [threading.Thread(target=add) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        assert all(len(list(members)) <= 200 for _ in range(1000))
    finally:
        done.set()
        for thread in threads:
            thread.join()
    gc.collect()
    assert not list(members)


def test_nothing_in_the_arena_is_taken_for_zero():
    """What a program finds there is what another one has left."""
    f = fnet.jit(gradient)
    x = np.full((5, 4), 0.3)
    expected = f(x)
    f._workspace.arenas[cpu()][:] = 255  # NaN
    np.testing.assert_array_equal(f(x), expected)


def resident() -> float:
    """Megabytes of memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6


@pytest.mark.slow
def test_a_thousand_shapes_hold_no_more_than_twice_the_largest():
    @fnet.jit(donate=("p", "m"))
    def step(p: Any, m: Any, x: Any) -> Any:
        g = fnet.grad(lambda p: ops.sum(ops.tanh(x * p) * ops.sum(ops.exp(x * p), axis=0)))(p)
        return p - 1e-9 * g, m + g

    def run(n: int, p: Any, m: Any) -> Any:
        return step(p, m, np.full((n, 512), 0.1, np.float32))

    start = (np.zeros(512, np.float32),) * 2
    run(1000, *start)
    largest, before = held(step), resident()
    step.clear()
    trees = start
    for n in np.random.default_rng(0).permutation(1000) + 1:
        trees = run(int(n), *trees)
        assert held(step) <= 2 * largest
    gc.collect()
    assert resident() <= 2 * before
