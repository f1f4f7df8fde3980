"""Values of some weights as one tree, which is what functional optimizers take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fnet import tree
from fnet.keras.running import now_running
from fnet.keras.variable import Variable


def arranged(variables: Sequence[Variable], values: Sequence[Any]) -> dict[str, Any]:
    """The tree of values: in a step of a model like its params, with None for other weights; else by number."""
    ways = _ways(variables)
    run = now_running()
    made: dict[str, Any] = {} if run is None or run.root is None else _blank(run.root.params)
    for way, value in zip(ways, values, strict=True):
        place = made
        for name in way[:-1]:
            place = place.setdefault(name, {})
        place[way[-1]] = value
    return made


def listed(variables: Sequence[Variable], values: dict[str, Any]) -> list[Any]:
    """The values in a tree of `arranged`, in the order of the weights."""
    found = []
    for way in _ways(variables):
        value: Any = values
        for name in way:
            value = value[name]
        found.append(value)
    return found


def _ways(variables: Sequence[Variable]) -> list[tuple[str, ...]]:
    run = now_running()
    paths = {} if run is None or run.root is None else {id(part): path for path, part in run.root.placed()}
    return [
        (*paths[id(v.owner)], *v.way) if id(v.owner) in paths else (f"{number}",) for number, v in enumerate(variables)
    ]


def _blank(values: Any) -> Any:
    if isinstance(values, dict):
        return {name: _blank(part) for name, part in values.items()}
    return tree.map(lambda _: None, values)
