"""The place of a layer in a network while the layer is initialised or applied.

A layer is two functions that do not know the network around them. A `Position` tells them three things: which
parameters are frozen (a BatchNormalization whose parameters are frozen keeps its statistics), which layers are shared,
and which penalties, constraints and frozen parts the layer around has named.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

from fnet.context import in_force, within
from fnet.networks.sharing import ParamsAndState, Shared, joined


class Frozen(NamedTuple):
    """A layer with frozen parameters.

    path: of the layer in the network. trainable: tells from the path of a parameter in the layer whether it is trained.
    """

    path: str
    trainable: bool | Callable[[str], bool]


class Position(NamedTuple):
    """A place in a network.

    path: of the layer there, kept only where `frozen` or `shared` needs it. frozen: the layers around with frozen
    parameters. shared: the shared layers of the network. marks: those of the layer there, None outside of all layers.
    """

    path: str = ""
    frozen: tuple[Frozen, ...] = ()
    shared: Shared | None = None
    marks: frozenset[object] | None = None

    def below(self, name: str) -> Position:
        """The place of the entry `name` of the layer here. All uses of a shared layer have one place."""
        if self.shared is None:
            return self._replace(path=joined(self.path, name)) if self.frozen else self
        path = joined(self.path, name)
        return self._replace(path=self.shared.first.get(path, path))

    @property
    def is_plain(self) -> bool:
        """Whether no layer here is frozen or shared."""
        return self.shared is None and not self.frozen

    @property
    def is_shared(self) -> bool:
        """Whether the layer here is used in several containers."""
        return self.shared is not None and self.path in self.shared.places

    @property
    def entry(self) -> ParamsAndState | None:
        """Params and state of the layer here, None if it is not shared."""
        return self.shared.get(self.path) if self.shared is not None and self.is_shared else None

    def keep(self, entry: ParamsAndState) -> None:
        """Keep params and state for the next use of the layer here."""
        if self.shared is not None and self.is_shared:
            self.shared.values[self.path] = entry

    @property
    def carried(self) -> dict[str, ParamsAndState]:
        """Params and state of the shared layers that have run. An abstract evaluation takes them as arguments."""
        return {} if self.shared is None else self.shared.values

    def carrying(self, values: dict[str, ParamsAndState]) -> Position:
        """This place with these params and state of the shared layers."""
        return self if self.shared is None else self._replace(shared=replace(self.shared, values=dict(values)))


OUTSIDE = Position()


def current() -> Position:
    """The place of the layer that is being initialised or applied."""
    return in_force().position or OUTSIDE


def at(position: Position) -> within:
    """Layers inside stand at this place."""
    return within(in_force().at(position))


def is_frozen(leaves: Iterable[str]) -> bool:
    """Whether none of these parameters of the layer that is being applied is trained."""
    position, names = current(), list(leaves)
    return any(_covers(frozen, position.path, names) for frozen in position.frozen)


def _covers(frozen: Frozen, path: str, names: list[str]) -> bool:
    trainable = frozen.trainable
    if isinstance(trainable, bool):
        return not trainable
    inner = path.removeprefix(frozen.path).lstrip("/")
    return not any(trainable(joined(inner, name)) for name in names)
