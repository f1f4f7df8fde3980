"""Layers that several containers use. Such a layer has one entry in params and state, at its first use."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fnet import tree

ParamsAndState = tuple[Any, Any]
"""What a layer has in a network: its params and its state."""


def first_uses(children: Sequence[Any], entries: Sequence[str]) -> dict[str, str]:
    """A dict from the path of every further use of a layer to the path of its first use.

    The paths are those in a container of the layers `children`, which lie in its `entries`. A use within a further use
    is not listed, because it lies within the first use, too. Copies of one layer, such as `fnet.repeat` makes, share
    nothing, and neither do the layers in them. A hand-written layer is not looked into.
    """
    copies = _copies(children)
    seen: dict[tuple[Any, ...], str] = {}
    first: dict[str, str] = {}
    stack: list[tuple[str, Any, tuple[int, ...]]] = [
        (p, child, ()) for p, child in reversed(_paths("", children, entries))
    ]
    while stack:
        path, layer, within = stack.pop()
        known = seen.setdefault((*within, id(layer)), path)
        if known != path:
            first[path] = known
        elif layer.container:
            inside = (*within, id(layer)) if len(copies[layer.origin]) > 1 else within
            stack.extend((p, child, inside) for p, child in reversed(_paths(path, layer.children, layer.entries)))
    return first


def joined(path: str, name: str) -> str:
    """The path of an entry below `path`, "" for the outermost layer."""
    return f"{path}/{name}" if path else name


def _paths(path: str, children: Sequence[Any], entries: Sequence[str]) -> list[tuple[str, Any]]:
    named = dict(zip(entries, children, strict=True))
    return [(joined(path, name), child) for name, child in named.items()]


def _copies(children: Sequence[Any]) -> dict[object, set[int]]:
    """For each `origin`, the identities of the layers that were made of it by copying or naming."""
    copies: dict[object, set[int]] = defaultdict(set)
    stack = list(children)
    while stack:
        layer = stack.pop()
        if id(layer) not in copies[layer.origin]:
            copies[layer.origin].add(id(layer))
            stack.extend(layer.children)
    return copies


@dataclass
class Shared:
    """The shared layers of a network while the network is initialised or applied.

    base: the path of the outermost container. first: the path of the first use for each further use. entries: params
    and state of the container. values: params and state of the shared layers that have run, by the path of first use.
    """

    base: str
    first: Mapping[str, str]
    entries: ParamsAndState | None = None
    values: dict[str, ParamsAndState] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.places = set(self.first.values())

    def get(self, path: str) -> ParamsAndState:
        """Params and state of the layer whose first use is at `path`."""
        if path not in self.values:
            assert self.entries is not None
            params, state = (_entry(entries, self._names(path)) for entries in self.entries)
            self.values[path] = (params, state)
        return self.values[path]

    def settled(self, state: Any) -> Any:
        """The state of the container, in which each shared layer has the state that its last use returned."""
        for path, (_, own) in self.values.items():
            if tree.leaves(own):
                state = _with_entry(state, self._names(path), own)
        return state

    def _names(self, path: str) -> list[str]:
        return path.removeprefix(self.base).lstrip("/").split("/")


def _entry(entries: Any, names: list[str]) -> Any:
    for name in names:
        entries = entries.get(name, {}) if isinstance(entries, Mapping) else {}
    return entries


def _with_entry(entries: Mapping[str, Any], names: list[str], own: Any) -> Any:
    """A copy of nested dicts with another entry at this path."""
    name, *rest = names
    return {**entries, name: _with_entry(entries[name], rest, own) if rest else own}
