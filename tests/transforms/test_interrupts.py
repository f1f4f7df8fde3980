"""Ctrl-C in a loop of the user's own: what is donated is all of one step, and the next call works, in every thread."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numba.core.caching import NullCache

import fnet
from fnet import ops, tree
from fnet.kernels.compiler.undisturbed import interrupts_put_off
from fnet.kernels.policy import kernel


@pytest.fixture
def alarm() -> Iterator[Any]:
    """Starts a clock after which Ctrl-C is pressed."""
    before = signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGINT))
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("repeat", [1, 3])
@pytest.mark.parametrize("executor", ["walk", "native"])
def test_a_step_is_done_or_not_begun(executor, repeat, alarm):
    rng = np.random.default_rng(0)

    @fnet.jit(donate=("p", "m"), executor=executor)
    def step(p: Any, m: Any, x: Any) -> Any:
        y = ops.sum(ops.tanh(x @ p["w"]))
        return {"w": p["w"] + 1, "n": p["n"] + 1}, [m[0] + 1, m[1] + ops.where(y > 0, 1.0, 1.0)], y

    x = np.ones((4, 150))
    p, m, _ = step({"w": np.zeros((150, 150)), "n": np.zeros(())}, [np.zeros((150, 150)), np.zeros(7)], x)
    for _ in range(3):
        p, m, _ = step(p, m, x)
    count = 0
    for _ in range(60):
        with pytest.raises(KeyboardInterrupt):
            alarm(rng.uniform(1e-4, 2e-3))
            while True:
                p, m, _ = step(p, m, x) if repeat == 1 else step.repeat(repeat, p, m, x)
        values = {float(v) for leaf in tree.leaves((p, m)) for v in leaf.flat}
        assert len(values) == 1
        results: list[Any] = []
        other = threading.Thread(target=lambda p=p, m=m, results=results: results.append(step(p, m, x)))
        other.start()
        other.join(20)
        assert results, "the lock was never given back"
        ((p, m, _),) = results
        assert float(p["n"]) == values.pop() + 1 > count
        count = float(p["n"])


def test_kernels_in_python_never_leave_a_step_half_done():
    """They can be interrupted anywhere, so what a call is given is never updated in place."""
    calls = []

    def kernel(x: Any, y: Any) -> None:
        y[:] = x + 1
        if len(calls) == 3:
            raise KeyboardInterrupt
        calls.append(1)

    plus = fnet.primitive("plus", shape=lambda x: x, kernel=kernel)
    f = fnet.jit(lambda a, b: (plus(a), plus(b)), donate=("a", "b"))
    a, b = f(np.zeros(2), np.zeros(2))
    with pytest.raises(KeyboardInterrupt):
        f(a, b)
    assert tree.all_equal((a, b), (np.ones(2), np.ones(2)))
    calls.clear()
    assert tree.all_equal(f(a, b), (np.full(2, 2.0), np.full(2, 2.0)))


@pytest.mark.parametrize("executor", ["walk", "native"])
def test_a_handler_of_a_signal_may_call_what_it_interrupts(executor):
    """As one that evaluates or saves before the process ends; finalizers come at any time, too."""
    f = fnet.jit(lambda s, x: (s + 1, x * 2), donate="s", executor=executor)
    x = np.ones((100, 100))  # large enough for memory that is used again
    for _ in range(3):
        f(np.zeros(3), x)
    s, done, right = f(np.zeros(3), x)[0], 0, []

    def handle(*_: Any) -> None:
        (own, y), z = f.repeat(2, np.ones(3), x), f(np.ones(3), x[:7])[1]
        right.append((own == 3).all() and (y == 2).all() and (z == 2).all())
        signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 1e-3))

    rng = np.random.default_rng(0)
    before = signal.signal(signal.SIGALRM, handle)
    end = time.monotonic() + 10
    try:
        handle()
        while len(right) < 200 and time.monotonic() < end:
            s, y = f(s, x) if done % 2 else f.repeat(1, s, x)
            done += 1
            assert (s == done + 1).all() and (y == 2).all()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert len(right) == 200 and all(right)


def test_a_kernel_in_python_may_call_the_function_that_runs_it():
    def kernel(x: Any, y: Any) -> None:
        y[:] = f(np.array(x[:-1])).sum() if x.size > 1 else x

    total = fnet.primitive("total", shape=lambda x: x, kernel=kernel)
    f = fnet.jit(lambda x: total(x) + 1)
    for _ in range(3):
        assert f(np.zeros(3)).tolist() == [5, 5, 5]


@kernel
def add_one(x, y):
    for i in range(x.size):
        y[i] = x[i] + 1


def test_an_interrupt_while_a_kernel_compiles_comes_after_it(monkeypatch):
    """LLVM calls Python back, where it would be printed and lost, and the compiler's work with it."""
    compile_one = add_one._compiler.compile

    def called_back(*args: Any) -> Any:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        return compile_one(*args)

    monkeypatch.setattr(add_one._compiler, "compile", called_back)
    monkeypatch.setattr(add_one, "_cache", NullCache())
    f = fnet.jit(fnet.primitive("add_one", shape=lambda x: x, kernel=add_one))
    with pytest.raises(KeyboardInterrupt):
        f(np.zeros(2))
    assert f(np.zeros(2)).tolist() == [1, 1]


def test_interrupts_that_are_put_off():
    came = []
    with pytest.raises(KeyboardInterrupt), interrupts_put_off():
        with interrupts_put_off():
            signal.raise_signal(signal.SIGINT)
            came.append("inner")
        came.append("outer")
    assert came == ["inner", "outer"]
    with pytest.raises(KeyboardInterrupt), interrupts_put_off():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        came.append("a second one comes at once")
    assert len(came) == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    thread = threading.Thread(target=lambda: interrupts_put_off().__enter__())
    thread.start(), thread.join()


WHILE_NUMBA_IS_IMPORTED = """
import signal, sys
import numpy as np
import fnet

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "numba.core.types":
            sys.meta_path.remove(self)
            signal.raise_signal(signal.SIGINT)

signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Interrupt())
f = fnet.jit(lambda x: x + 1)
try:
    f(np.ones(1))
except KeyboardInterrupt:
    print("interrupted", f(np.ones(1)))
"""


def test_the_import_of_numba_ends_first():
    """A first call imports it; half of it would fail in every later call."""
    command = [sys.executable, "-c", WHILE_NUMBA_IS_IMPORTED]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.stdout == "interrupted [2.]\n", run.stderr
