"""Where the values of weights are while a layer runs: in the objects that hold them, or in the arguments of a function.

A layer of `fnet.keras` holds its weights. The functional layer made of it gets them as arguments instead, which may be
traced. While it runs, each object looks its values up here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from fnet.context import Context, in_force, within
from fnet.random import fold_in

if TYPE_CHECKING:
    from fnet.keras.weighted import Weighted


class Counting(Protocol):
    """What counts in steps: a metric its samples, an optimizer what it remembers."""

    kept_in_steps: Any


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
    """One run of a layer as a function: its flag, its key, and the values of the layers in it.

    root: the model whose step it is, where it is a step of the user's own. counts: the metrics and optimizers, which
    such a step changes, by their names.
    """

    def __init__(
        self,
        train: bool,
        key: Any,
        root: Weighted | None = None,
        counts: Mapping[str, Counting] = MappingProxyType({}),
    ) -> None:
        self.train, self._key, self._drawn, self.root, self._counts = train, key, 0, root, counts
        self._values: dict[int, Values] = {}
        self._layers: dict[int, Weighted] = {}
        self.losses: list[Any] = []

    def values(self, layer: Weighted) -> Values:
        """The values of a layer in this run; what is written there ends with it."""
        if id(layer) not in self._values:
            held = layer.held
            self._values[id(layer)], self._layers[id(layer)] = Values(dict(held.params), dict(held.state)), layer
        return self._values[id(layer)]

    def bind(self, layer: Weighted, params: Any, state: Any) -> None:
        """Let a layer and those in it have these values in this run."""
        for path, part in layer.placed():
            own = part.held
            self._values[id(part)] = Values(own_part(own.params, params, path), own_part(own.state, state, path))
            self._layers[id(part)] = part

    def known(self) -> dict[str, Any]:
        """All values of this run: a tree."""
        return {
            "params": {str(number): dict(values.params) for number, values in self._values.items()},
            "state": {str(number): dict(values.state) for number, values in self._values.items()},
            "counts": {name: one.kept_in_steps for name, one in self._counts.items()},
        }

    def set(self, known: Mapping[str, Any]) -> None:
        """Go on with other values: a tree of `known`."""
        for number, values in self._values.items():
            held = self._layers[number].held
            values.params = dict(known["params"].get(str(number), held.params))
            values.state = dict(known["state"].get(str(number), held.state))
        for name, one in self._counts.items():
            one.kept_in_steps = known["counts"][name]

    def keep(self) -> None:
        """Let the layers hold the state that they have in this run."""
        for number, values in self._values.items():
            self._layers[number].held.state = values.state

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
