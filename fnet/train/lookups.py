"""Integers of the data that the network looks up in tables. They are checked here: compiled code cannot refuse one."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from fnet import tree
from fnet.errors import ValueRangeError, scope
from fnet.layers.constructor import entry_name
from fnet.masking import split_mask
from fnet.networks.layer import Layer
from fnet.networks.watching import watching
from fnet.train.derived import Derived, computed

_TABLES = ("Embedding", "ReversibleEmbedding")


class _Use(NamedTuple):
    """An Embedding, by its path and kind, and the number of rows of its table."""

    path: tuple[str, ...]
    kind: str
    rows: int


class Lookups:
    """The uses of an Embedding in a network, to check the data by."""

    def __init__(self, net: Layer, params: Any, state: Any, x: Any) -> None:
        def pick(params: Any, state: Any, x: Any) -> list[tuple[_Use, Any]]:
            watch = _Watch()
            if net.kind in _TABLES:
                watch.found.append(((), net, x))
            else:
                with watching(watch):
                    net.apply(params, state, x)
            return [
                (_Use(path, layer.kind, layer.config["input_dim"]), split_mask(ids)[0])
                for path, layer, ids in watch.found
                if not isinstance(ids, dict)  # of vectors, called the other way
            ]

        self._given = Derived(pick, params, state, x)

    def check(self, name: str, x: Any) -> None:
        """Refuse an integer outside of its table, by its place in the data `x`, called `name`.

        What an Embedding is given counts where it follows from `x` alone: a leaf, a part of one, or computed from some.
        """
        for found in self._given.find(x):
            if found.leaf is None:
                _refuse(found.what, name, computed(found, x))
            else:
                path, leaf = tree.leaves_with_path(x)[found.leaf]
                _refuse(found.what, f"{name}/{path}" if path else name, leaf)


class _Watch:
    """Collects what Embeddings are given, with their paths."""

    def __init__(self) -> None:
        self._path: list[str] = []
        self.found: list[tuple[tuple[str, ...], Layer, Any]] = []

    def enter(self, name: str, layer: Layer, x: Any) -> None:
        self._path.append(name)
        if layer.kind in _TABLES:
            self.found.append((tuple(self._path), layer, x))

    def leave(self, y: Any) -> Any:
        self._path.pop()
        return y


def _refuse(use: _Use, name: str, ids: np.ndarray) -> None:
    """Raise a `ValueRangeError` for the first number that, truncated, is in no row."""
    if not ids.size or (ids.min() > -1 and ids.max() < use.rows):
        return
    place = tuple(np.argwhere(~((ids > -1) & (ids < use.rows)))[0].tolist())
    with scope("/".join(use.path) or entry_name(use.kind)):
        raise ValueRangeError(
            f"{use.kind}: {ids[place]} at position {place} of {name} is outside of the table of {use.rows} rows: "
            f"expected 0 to {use.rows - 1}. Check the input, or give a larger input_dim."
        )
