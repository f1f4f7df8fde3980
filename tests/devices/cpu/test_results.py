"""Memory of results is used again once nothing looks at it, and never before."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import ops
from fnet.devices.cpu import results

SIZE = results.SMALLEST // 4  # numbers of float32


@pytest.fixture(autouse=True)
def fresh():
    results.clear()
    yield
    results.clear()


def place(array: np.ndarray) -> int:
    return array.__array_interface__["data"][0]


def test_memory_that_nothing_looks_at_is_used_again():
    first = results.empty((SIZE,), "float32")
    where = place(first)
    del first
    second = results.empty((2, SIZE // 2), "int32")
    assert place(second) == where
    assert place(results.empty((SIZE,), "float32")) != where


def test_views_of_a_result_have_it_for_their_base():
    array = results.empty((SIZE,), "float32")
    assert array[1:][1:].base is array


def test_results_begin_on_cache_lines_and_are_ordinary_arrays():
    for dtype, shape in (("float32", (SIZE,)), ("float64", (3, SIZE)), ("uint8", (4 * SIZE + 1,)), ("bool", (SIZE, 4))):
        array = results.empty(shape, dtype)
        assert place(array) % 64 == 0 and type(array) is np.ndarray and array.flags.carray
        assert (array.shape, array.dtype) == (shape, np.dtype(dtype))


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x[5:9],
        lambda x: x[1:][1:].reshape(2, -1)[:, ::2].T,
        lambda x: x.view(np.uint8)[3:4],
        memoryview,
        lambda x: np.lib.stride_tricks.as_strided(x, (3,), (8,)),
        lambda x: np.broadcast_to(x[:1], (4, 4)),
        lambda x: x.data,
        lambda x: np.frombuffer(x, np.float32),
    ],
    ids=["slice", "views of views", "bytes", "memoryview", "strided", "broadcast", "data", "buffer"],
)
def test_memory_stays_what_it_is_while_anything_looks_at_it(look):
    array = results.empty((SIZE + 2,), "float32")
    array[:] = 1
    view = look(array)
    where = place(array)
    del array
    others = [results.empty((SIZE + 2,), "float32") for _ in range(3)]
    assert all(place(other) != where for other in others)
    del view
    assert place(results.empty((SIZE + 2,), "float32")) == where


def test_only_so_many_blocks_of_one_size_are_kept():
    results.clear()
    alive = [results.empty((SIZE,), "float32") for _ in range(results.EACH + 5)]
    assert len({place(array) for array in alive}) == len(alive)
    assert all(place(array) % 64 == 0 for array in alive)
    assert results.kept_bytes() == results.EACH * results.SMALLEST


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(["new", "keep", "drop"]), st.integers(0, 4)), max_size=25))
def test_arrays_that_live_never_share_memory(steps):
    results.clear()
    alive: list[np.ndarray] = []
    for number, (step, size) in enumerate(steps):
        if step == "drop":
            del alive[size : size + 2]
        else:
            array = results.empty((SIZE + 64 * size,), "float32")
            array[:] = number
            alive.append(array if step == "new" else array[size:])
            alive[-1].flags.writeable = True
        values = [set(np.unique(array)) for array in alive]
        assert all(len(found) == 1 for found in values)
        assert not any(np.shares_memory(a, b) for i, a in enumerate(alive) for b in alive[:i])


def test_what_is_kept_has_a_limit_and_the_unused_goes_first(monkeypatch):
    monkeypatch.setattr(results, "LIMIT", 3 * results.SMALLEST)
    held = results.empty((SIZE,), "float32")
    for extra in range(6):
        results.empty((SIZE + 16 * extra + 16,), "float32")
        assert results.kept_bytes() <= results.LIMIT
    assert any(held.base is owner for blocks in results._blocks.values() for owner, _ in blocks)
    many = [results.empty((SIZE,), "float32") for _ in range(5)]
    assert results.kept_bytes() <= results.LIMIT
    assert len({place(array) for array in many}) == 5


def test_small_and_huge_arrays_have_memory_of_their_own():
    assert results.empty((7,), "float32").base is None
    assert results.empty((results.LARGEST + 1,), "uint8").base is None
    assert results.kept_bytes() == 0


def test_clear_cache_gives_the_memory_back():
    alive = results.empty((SIZE,), "float32")
    alive[:] = 3
    assert results.kept_bytes() > 0
    fnet.clear_cache()
    assert results.kept_bytes() == 0 and (alive == 3).all()


def test_a_program_that_needs_a_larger_arena_gives_unused_memory_back_first():
    alive, unused = results.empty((SIZE,), "float32"), results.empty((2 * SIZE,), "float32")
    alive[:] = 3
    del unused
    x = np.ones(3, np.float32)
    fnet.jit(lambda x: ops.matmul(ops.exp(x)[None, :], x[:, None]))(x)
    assert results.kept_bytes() == results.SMALLEST and (alive == 3).all()


def test_threads_get_memory_of_their_own():
    wrong = []

    def work(number):
        for _ in range(100):
            array = results.empty((SIZE,), "float32")
            array[::64] = number
            if not (array[::64] == number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of forks of processes with threads
def test_a_child_that_was_forked_while_a_thread_took_memory_is_not_stuck():
    array = results.empty((SIZE,), "float32")
    array[:] = 5
    is_held, may_end = threading.Event(), threading.Event()

    def hold() -> None:
        with results._lock:
            is_held.set()
            may_end.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    is_held.wait(20)
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        other = results.empty((SIZE,), "float32")
        other[:] = 6
        os._exit(0 if (array == 5).all() else 1)
    may_end.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


def test_who_interrupts_the_search_for_memory_gets_other_memory(monkeypatch):
    """A signal's handler or a finalizer that computes, after a block has been looked at and before it is taken."""
    count, inner = results._references, []

    def interrupted(block):
        references = count(block)
        if not inner:
            inner.append(None)
            inner.append(results.empty((SIZE,), "float32"))
        return references

    results.empty((SIZE,), "float32")  # leaves a block that is not used
    monkeypatch.setattr(results, "_references", interrupted)
    outer = results.empty((SIZE,), "float32")
    assert not np.shares_memory(outer, inner[1])
    assert isinstance(outer.base, results.Owner)


def test_eager_and_jitted_results_lie_there():
    x = np.ones((64, SIZE // 32), np.float32)
    native = fnet.jit(lambda x: ops.exp(x) * 3, executor="native")
    for _ in range(3):  # goes over to the shortest call
        native(x)
    for f in (ops.exp, fnet.jit(lambda x: ops.exp(x) * 2), native):
        first = f(x)
        where, copy = place(first), first.copy()
        assert where % 64 == 0 and isinstance(first.base, results.Owner)
        second = f(x)
        assert place(second) != where and np.array_equal(first, copy)
        del first
        assert place(f(x)) == where
