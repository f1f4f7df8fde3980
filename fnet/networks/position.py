"""Where in a network the layer stands that is being initialised or applied, and what holds there.

A layer is two functions that know nothing of the network around them. What the network has to say to them travels here:
which parameters are not trained (a BatchNormalization then keeps its statistics), which layers have their entry
elsewhere, and what the layer around says that it holds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

from fnet.context import in_force, within
from fnet.networks.sharing import ParamsAndState, Shared, joined


class Frozen(NamedTuple):
    """A layer of which not all is trained: its path, and which parameters are, by their path within it."""

    path: str
    trainable: bool | Callable[[str], bool]


@dataclass(frozen=True)
class Position:
    """A place in the network; `marks` are those of the layer there, None outside of all layers (see `Layer`)."""

    path: str = ""  # of entries; kept only where something below depends on it
    frozen: tuple[Frozen, ...] = ()
    shared: Shared | None = None
    marks: frozenset[object] | None = None

    def below(self, name: str) -> Position:
        """The place of the entry `name` of the layer here; that of its first use if it is a further one."""
        if self.shared is None:
            return replace(self, path=joined(self.path, name)) if self.frozen else self
        path = joined(self.path, name)
        return replace(self, path=self.shared.first.get(path, path))

    @property
    def is_plain(self) -> bool:
        """Whether nothing depends on where the layer here stands."""
        return self.shared is None and not self.frozen

    @property
    def is_shared(self) -> bool:
        """Whether the layer here is used in several containers."""
        return self.shared is not None and self.path in self.shared.places

    @property
    def entry(self) -> ParamsAndState | None:
        """Params and state of the layer here if it is shared."""
        return self.shared.get(self.path) if self.shared is not None and self.is_shared else None

    def keep(self, entry: ParamsAndState) -> None:
        """Params and state for the next use of the layer here."""
        if self.shared is not None and self.is_shared:
            self.shared.values[self.path] = entry

    @property
    def carried(self) -> dict[str, ParamsAndState]:
        """Params and state of shared layers, which an abstract evaluation needs as arguments."""
        return {} if self.shared is None else self.shared.values

    def carrying(self, values: dict[str, ParamsAndState]) -> Position:
        """This place, where shared layers have these params and state."""
        return self if self.shared is None else replace(self, shared=replace(self.shared, values=dict(values)))


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
