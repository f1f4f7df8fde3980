"""Memory of compiled steps between the calls of `fit` and `evaluate`: who takes it over, and who does not."""

from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import random, tree
from fnet.callbacks import Callback
from fnet.compile.program import Program
from fnet.train.loop import assign
from fnet.transforms.jit import Jitted


class Watching(Callback):
    """Keeps the run, and calls a function after each epoch."""

    def __init__(self, call: Any = lambda: None) -> None:
        self.call = call

    def on_epoch_end(self, run: Any) -> None:
        self.run = run
        self.call()


@pytest.fixture
def donations(monkeypatch) -> list[Program]:
    """The programs that were given a state to copy into memory of its own."""
    found: list[Program] = []
    donate = Program.donate
    monkeypatch.setattr(Program, "donate", lambda self, leaves: (found.append(self), donate(self, leaves))[1])
    return found


def fitted(trainer, ts, problem, **options: Any) -> Any:
    return trainer.fit(ts, *problem, batch_size=5, verbose=False, **options)[0]


def test_a_later_call_works_in_the_memory_of_the_one_before(trainer, ts, problem, same, donations):
    options = {"epochs": 2, "validation_data": problem}
    first = fitted(trainer, ts, problem, **options)
    donations.clear()
    again = fitted(trainer, ts, problem, **options)
    trainer.evaluate(again, *problem, batch_size=5)
    assert donations == [] and same(first, again)
    assert not any(np.may_share_memory(a, b) for a, b in zip(tree.leaves(first), tree.leaves(again), strict=True))


def test_a_state_of_another_structure_is_copied(trainer, ts, problem, same, donations):
    changing = fitted(trainer, ts, problem, callbacks=[fnet.callbacks.LearningRateScheduler(lambda epoch, rate: rate)])
    donations.clear()
    plain = fitted(trainer, ts, problem)
    assert donations and same(plain.params, changing.params)


def test_a_call_within_another_one_has_memory_of_its_own(trainer, ts, problem, same):
    whole, inner = fitted(trainer, ts, problem, epochs=3), fitted(trainer, ts, problem, epochs=2)
    found: list[Any] = []

    def train() -> None:
        found.append(fitted(trainer, ts, problem, epochs=2))
        found.append(trainer.evaluate(ts, *problem)["loss"])

    assert same(fitted(trainer, ts, problem, epochs=3, callbacks=[Watching(train)]), whole)
    assert all(same(state, inner) for state in found[::2]) and len(set(found[1::2])) == 1


def test_a_run_shows_its_state_after_later_ones(trainer, ts, problem, same):
    watching = Watching()
    state = fitted(trainer, ts, problem, callbacks=[watching])
    loss = watching.run.history["loss"]
    fitted(trainer, trainer.init(random.key(9), (3,)), problem)
    assert same(watching.run.ts, state) and [watching.run.logs["loss"]] == loss


def test_a_failed_run_shows_its_state_after_later_ones(trainer, ts, problem, same):
    def fail() -> None:
        raise RuntimeError("enough")

    state, watching = fitted(trainer, ts, problem), Watching(fail)
    with pytest.raises(RuntimeError, match="enough"):
        fitted(trainer, ts, problem, epochs=3, callbacks=[watching])
    fitted(trainer, trainer.init(random.key(9), (3,)), problem)
    assert same(watching.run.ts, state)


def test_threads_do_not_share_it(trainer, ts, problem, same):
    states = [trainer.init(random.key(seed), (3,)) for seed in range(3)]
    expected = [fitted(trainer, state, problem, epochs=20) for state in states]
    found: dict[int, Any] = {}

    def train(i: int) -> None:
        for _ in range(3):
            found[i] = fitted(trainer, states[i], problem, epochs=20)

    threads = [threading.Thread(target=train, args=(i,)) for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(same(found[i], expected[i]) for i in range(3))


def test_it_is_given_back_with_the_programs(trainer, ts, problem):
    fitted(trainer, ts, problem)
    waiting = [
        weakref.ref(leaf.base)
        for jitted in trainer._programs.compiled.values()
        for leaf in tree.leaves(jitted.latest())
    ]
    assert waiting
    fnet.clear_cache()
    gc.collect()
    assert all(reference() is None for reference in waiting)


def test_only_what_differs_is_written():
    same, old = np.zeros(1), np.zeros(2)
    same.flags.writeable = False
    assign((same, {"a": old, "b": same}, ({}, same)), (same, {"a": np.ones(2), "b": same}, ({}, same)))
    np.testing.assert_array_equal(old, 1)


def test_the_length_of_chunks_is_remembered(trainer, ts, problem, monkeypatch):
    counts: list[int] = []
    repeat = Jitted.repeat
    monkeypatch.setattr(Jitted, "repeat", lambda self, n, *args: (counts.append(n), repeat(self, n, *args))[1])
    for _ in range(2):
        counts.clear()
        fitted(trainer, ts, problem, epochs=2)
    assert counts == [4, 1, 4, 1]
