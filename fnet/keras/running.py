"""Where the values of weights are while a layer runs: in the objects that hold them, or in the arguments of a function.

A layer of `fnet.keras` holds its weights. The functional layer made of it gets them as arguments instead, which may be
traced. While it runs, each object looks its values up here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fnet.context import Context, in_force, within
from fnet.random import fold_in

if TYPE_CHECKING:
    from fnet.keras.weighted import Weighted


class Values:
    """The params and the state of one layer, without those of the layers in it."""

    __slots__ = ("params", "state")

    def __init__(self, params: dict[str, Any], state: dict[str, Any]) -> None:
        self.params, self.state = params, state


def own_part(own: Mapping[str, Any], values: Any, path: tuple[str, ...]) -> dict[str, Any]:
    """The values of one layer, named like `own`, from the tree of all."""
    for name in path:
        values = values.get(name, {})
    return {name: values[name] for name in own}


class Running:
    """One run of a layer as a function: its flag, its key, and the values of the layers in it."""

    def __init__(self, train: bool, key: Any) -> None:
        self.train, self._key, self._drawn = train, key, 0
        self._values: dict[int, Values] = {}
        self.losses: list[Any] = []

    def values(self, layer: Weighted) -> Values:
        """The values of a layer in this run; what is written there ends with it."""
        if id(layer) not in self._values:
            held = layer.held
            self._values[id(layer)] = Values(held.params, dict(held.state))
        return self._values[id(layer)]

    def bind(self, layer: Weighted, params: Any, state: Any) -> None:
        """Let a layer and those in it have these values in this run."""
        for path, part in layer.placed():
            own = part.held
            self._values[id(part)] = Values(own_part(own.params, params, path), own_part(own.state, state, path))

    def next_key(self) -> Any:
        """A key for the next call of a layer; None where there is none."""
        if self._key is None:
            return None
        self._drawn += 1
        return fold_in(self._key, self._drawn)


def now_running() -> Running | None:
    """The run that is in force; None outside of all."""
    run: Running | None = in_force().running
    return run


def running(run: Running | None) -> within:
    """Let layers look their values up in `run` inside; with None, each in itself."""
    return within(in_force().replaced(running=run))


def outside() -> within:
    """As outside of all layers, where weights are made."""
    return within(Context(in_force().precision))
