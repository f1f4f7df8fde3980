"""Callbacks: what is taken, what is refused before training, and what their answers mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet.errors import DtypeError, StructureError


class Hooks:
    def on_epoch_end(self, epoch: int, logs: Any = None) -> None: ...


class Counting:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self, epoch: int, logs: Any, ts: Any, extra: int = 0) -> None:
        self.count += 1


def epochs(trainer: Any, ts: Any, problem: Any, callbacks: Any) -> list[int]:
    return trainer.fit(ts, *problem, batch_size=23, epochs=3, verbose=False, callbacks=callbacks)[1].epoch


def test_none_stands_for_none(trainer, ts, problem):
    assert epochs(trainer, ts, problem, None) == epochs(trainer, ts, problem, [None]) == [0, 1, 2]


def test_objects_that_can_be_called_and_iterators(trainer, ts, problem):
    first, second = Counting(), Counting()
    assert epochs(trainer, ts, problem, (c for c in (first, None, second))) == [0, 1, 2]
    assert epochs(trainer, ts, problem, first) == [0, 1, 2] and (first.count, second.count) == (6, 3)


@pytest.mark.parametrize("answer", ["stop", True, np.True_])
def test_answers_that_stop(trainer, ts, problem, answer):
    assert epochs(trainer, ts, problem, lambda epoch, logs, ts: answer) == [0]


@pytest.mark.parametrize("answer", [None, False, np.False_])
def test_answers_that_do_not(trainer, ts, problem, answer):
    assert epochs(trainer, ts, problem, lambda epoch, logs, ts: answer) == [0, 1, 2]


def test_an_answer_without_a_meaning_is_told_once(trainer, ts, problem):
    def early(epoch, logs, ts):
        return "STOP"

    with pytest.warns(UserWarning, match="the callback early returned 'STOP', which says nothing: .* \"stop\"") as told:
        assert epochs(trainer, ts, problem, [early]) == [0, 1, 2]
    assert len(told) == 1 and told[0].filename == __file__


@pytest.mark.parametrize(
    ("callbacks", "error", "text"),
    [
        ([Hooks()], DtypeError, r"received a Hooks .*lambda epoch, logs, ts: your_hooks.on_epoch_end\(epoch, logs\)"),
        (Hooks(), DtypeError, "callbacks are functions .* received a Hooks"),
        ("stop", DtypeError, r"received a str 'stop'. Write def callback\(epoch, logs, ts\)"),
        (3, DtypeError, "received a int 3"),
        ([lambda epoch, logs: None], StructureError, "called as callback.epoch, logs, ts. .* but too many positional"),
        (lambda epoch, logs, ts, rate: None, StructureError, "missing a required argument: 'rate'"),
    ],
)
def test_what_cannot_be_called_is_refused_before_training(trainer, ts, problem, callbacks, error, text):
    seen = Counting()
    given = [seen, *callbacks] if isinstance(callbacks, list) else callbacks
    with pytest.raises(error, match=text):
        epochs(trainer, ts, problem, given)
    assert seen.count == 0
