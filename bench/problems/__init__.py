"""The problems that every peer solves: networks, initial weights, and data."""

from __future__ import annotations

from typing import Any

from bench.problems.base import Network as Network
from bench.problems.base import Problem as Problem
from bench.problems.dense import MLP as MLP
from bench.problems.dense import FanOut as FanOut
from bench.problems.images import CNN as CNN
from bench.problems.images import VGG as VGG
from bench.problems.objectives import Objective as Objective
from bench.problems.operations import Operation as Operation
from bench.problems.sequences import DenseLSTM as DenseLSTM
from bench.problems.sequences import Recurrent as Recurrent
from bench.problems.sequences import Speech as Speech
from bench.problems.sequences import Ticket as Ticket
from bench.problems.text import Transformer as Transformer


def from_json(message: dict[str, Any]) -> Problem:
    """The problem that `Problem.to_json` described."""
    sizes = {name: _as_tuples(size) for name, size in message["sizes"].items()}
    return _kinds(Problem)[message["name"]](**sizes)


def _as_tuples(size: Any) -> Any:
    """What was a tuple before it went through JSON, which knows only lists."""
    return tuple(map(_as_tuples, size)) if isinstance(size, list) else size


def _kinds(kind: type[Problem]) -> dict[str, type[Problem]]:
    """The kinds of problem by name."""
    kinds = {kind.__name__: kind}
    for special in kind.__subclasses__():
        kinds |= _kinds(special)
    return kinds
