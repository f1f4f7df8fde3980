"""What the lanes of a warp get when they have met."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fnet.testing.cuda.faults import UnwrittenError
from fnet.testing.cuda.matrices import products
from fnet.testing.cuda.order import WARP


def answers(kind: str, where: str, given: Mapping[int, tuple[Any, ...]]) -> list[Any]:
    """The answer to each lane. given: the arguments behind the mask, by lane."""
    if kind == "syncwarp":
        return [None] * len(given)
    if kind == "mma_sync":
        return products(where, given)
    values = {lane: arguments[0] for lane, arguments in given.items()}
    if kind.startswith("shfl"):
        return [_shuffled(kind, where, lane, int(arguments[1]), values) for lane, arguments in given.items()]
    if kind == "match_any_sync":
        return [_bits(lane for lane, other in values.items() if other == value) for value in values.values()]
    votes: dict[str, Callable[[], Any]] = {
        "ballot_sync": lambda: _bits(lane for lane, value in values.items() if value),
        "any_sync": lambda: any(values.values()),
        "all_sync": lambda: all(values.values()),
        "eq_sync": lambda: len({bool(value) for value in values.values()}) == 1,
    }
    return [votes[kind]()] * len(given)


def _shuffled(kind: str, where: str, lane: int, by: int, values: Mapping[int, Any]) -> Any:
    """The value of the lane that `lane` asks for; its own beyond the ends of the warp."""
    source = {
        "shfl_sync": by % WARP,
        "shfl_up_sync": lane - by,
        "shfl_down_sync": lane + by,
        "shfl_xor_sync": lane ^ by,
    }[kind]
    if not 0 <= source < WARP:
        return values[lane]
    if source not in values:
        raise UnwrittenError(f"{where}: lane {lane} asks for the value of lane {source}, which gives none.")
    return values[source]


def _bits(lanes: Any) -> int:
    return sum(1 << lane for lane in lanes)
