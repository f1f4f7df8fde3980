"""Parallel loops: each task once, the same result for any number of threads, safe when nested, shared or forked."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import threading

import numba
import numpy as np
import pytest
from numba.core import config

from fnet.errors import ValueRangeError
from fnet.kernels.cpu.runtime import atomics, threads
from fnet.kernels.cpu.runtime import thread_pool as pool
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel


@kernel
def _count(i, y, step, weight):
    y[i * step] += weight


@kernel
def count(y, tasks, workers, step, weight):
    parallel_for(_count, tasks, workers, at(y, 0), step, weight)


@kernel
def _outer(i, y, tasks):
    parallel_for(_count, tasks, 4, at(y, i * tasks), 1, np.float32(1))


@kernel
def nested(y, tasks):
    parallel_for(_outer, tasks, 4, at(y, 0), tasks)


@kernel
def advise(y, nanoseconds):
    y[0] = threads_for(nanoseconds)


@pytest.fixture
def four_threads():
    before = threads.thread_count()
    threads.set_thread_count(4)
    yield
    threads.set_thread_count(before)


@pytest.mark.parametrize("workers", [-1, 0, 1, 2, 3, 4, 100])
@pytest.mark.parametrize("tasks", [0, 1, 2, 7, 1000])
def test_every_task_runs_once(tasks, workers):
    y = np.zeros(2 * tasks + 1, np.float32)
    count(y, tasks, workers, 2, np.float32(1.5))
    np.testing.assert_array_equal(y, [1.5 if i % 2 == 0 and i < 2 * tasks else 0 for i in range(2 * tasks + 1)])


def test_nested_loops_run():
    y = np.zeros(64, np.float32)
    nested(y, 8)
    assert (y == 1).all()


def test_launches_from_several_python_threads_at_once():
    arrays = [np.zeros(50, np.float32) for _ in range(4)]

    def work(y: np.ndarray) -> None:
        for _ in range(200):
            count(y, 50, 2, 1, np.float32(1))

    users = [threading.Thread(target=work, args=(y,)) for y in arrays]
    for user in users:
        user.start()
    for user in users:
        user.join()
    for y in arrays:
        assert (y == 200).all()
    assert pool.get(pool.BUSY) == pool.get(pool.JOINED) == 0


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
def test_long_work_is_worth_threads_and_short_work_is_not(four_threads):
    y = np.zeros(1)
    advised = []
    for nanoseconds in (0, pool.get(pool.GRAIN), 2 * pool.get(pool.GRAIN), 1e9):
        advise(y, nanoseconds)
        advised.append(y[0])
    assert advised == [1, 1, 2, 4]


def test_the_number_of_threads_must_be_positive():
    with pytest.raises(ValueRangeError, match="the number of threads must be at least 1, received 0"):
        threads.set_thread_count(0)


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
def test_threads_that_cannot_be_started_cost_a_warning(four_threads, monkeypatch):
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    there = len(pool._workers)
    with pytest.warns(RuntimeWarning, match=f"can't start new thread.: kernels use {there + 1}"):
        threads.set_thread_count(there + 9)
    assert threads.thread_count() == there + 1
    y = np.zeros(8, np.float32)
    count(y, 8, 100, 1, np.float32(1))
    assert (y == 1).all()


def _run(code: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code], env=os.environ | variables, capture_output=True, text=True, check=False
    )


def test_the_environment_sets_the_number_of_threads():
    code = "from fnet.kernels.cpu.runtime import threads; print(threads.thread_count())"
    assert _run(code, FNET_NUM_THREADS="3").stdout.strip() == "3"
    assert (
        "FNET_NUM_THREADS is 'many', expected a number of threads such as 4."
        in _run(code, FNET_NUM_THREADS="many").stderr
    )


FORK = """
import os
import numpy as np
import fnet

x = np.ones((4096, 64), np.float32)
f = fnet.jit(lambda x: np.sum(np.exp(x), axis=1))
want = f(x)
child = os.fork()
if child == 0:
    if COUNT > 1:
        fnet.set_num_threads(COUNT)
    if fnet.get_num_threads() != COUNT:
        os._exit(2)
    os._exit(0 if np.array_equal(f(x), want) and np.array_equal(np.sum(fnet.ops.exp(x), axis=1), want) else 1)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), np.array_equal(f(x), want))
"""


@pytest.mark.skipif(config.DISABLE_JIT or not hasattr(os, "fork"), reason="needs threads and fork")
@pytest.mark.parametrize("count", [1, 3])
def test_a_forked_child_computes_the_same_alone_or_with_threads_of_its_own(count):
    done = _run(FORK.replace("COUNT", str(count)), FNET_NUM_THREADS="2")
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_what_announces_a_job_is_alone_in_a_cache_line():
    start = ctypes.addressof(pool.CONTROL)
    lines = {}
    for line in pool.LINES:
        for name in line:
            lines.setdefault((start + getattr(pool, name)) // pool.LINE, []).append(name)
    assert tuple(map(tuple, lines.values())) == pool.LINES
    assert ("EPOCH", "OPEN", "LIMIT", "JOB", "ARGUMENT") in pool.LINES


AWAKE = """
import time
import numpy as np
from fnet.kernels.cpu.runtime import thread_pool as pool
import test_threads

y, asleep = np.zeros(64, np.float32), []
while not pool.get(pool.ASLEEP):
    time.sleep(0.001)
for round in range(200):
    test_threads.count(y, 64, 2, 1, np.float32(1))
    end = time.perf_counter() + 2e-4
    while time.perf_counter() < end:
        pass
    asleep.append(pool.get(pool.ASLEEP))
print(sum(asleep) < 100)
"""


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
def test_workers_stay_awake_while_short_work_is_done_on_one_thread():
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    done = _run(AWAKE, FNET_NUM_THREADS="2", PYTHONPATH=path)
    assert (done.stdout.strip(), done.returncode) == ("True", 0), done.stderr


SLEEP = """
import time
import numpy as np
from fnet.kernels.cpu.runtime import thread_pool as pool, threads
import test_threads

y = np.zeros(64, np.float32)
for round in range(20):
    while pool.get(pool.ASLEEP) < 2:
        time.sleep(0.001)
    test_threads.count(y, 64, 3, 1, np.float32(1))
print((y == 20).all())
"""


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
def test_sleeping_workers_wake_up_and_end_with_the_process():
    path = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    done = _run(SLEEP, FNET_NUM_THREADS="3", PYTHONPATH=path)
    assert (done.stdout.strip(), done.returncode) == ("True", 0), done.stderr


LONE = """
import threading
def refuse(thread): raise RuntimeError("can't start new thread")
threading.Thread.start = refuse
import numpy as np, fnet
print(fnet.get_num_threads(), np.sum(fnet.ops.exp(np.zeros((4096, 64), np.float32))))
"""


@pytest.mark.slow
@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
def test_without_any_threads_kernels_are_serial():
    done = _run(LONE, FNET_NUM_THREADS="4")
    assert done.stdout.split() == ["1", "262144.0"] and done.stderr.count("RuntimeWarning") == 1, done.stderr


@pytest.mark.skipif(bool(config.DISABLE_JIT), reason="nothing is compiled")
def test_a_word_is_stored_in_code_with_debug_info():
    """There the value of a call is stored, used or not (``NUMBA_DEBUGINFO=1`` compiles all kernels so)."""

    @numba.njit(debug=True)
    def stored(address):
        return atomics.store(address, 7)

    word = np.zeros(1, np.int64)
    assert stored(word.__array_interface__["data"][0]) == 0
    assert word[0] == 7
