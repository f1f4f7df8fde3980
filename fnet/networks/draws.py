"""The random numbers that a network draws in inference, too: they follow from a key and a number in its state."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from fnet import ops
from fnet.errors import StructureError
from fnet.random import fold_in

ENTRY = "seed_generator"


class Draws:
    """The entry of the state of a network whose calls are partly as in training: ``{"key": (2,) uint32, "count": ()}``.

    An application without a key takes that of its number, `count`, and returns the state of the next one. taken: the
    names of the other entries. Source: Keras ``SeedGenerator``.
    """

    def __init__(self, taken: Collection[str]) -> None:
        self.entry = ENTRY
        while self.entry in taken:
            self.entry += "_"

    def first(self, key: Any) -> dict[str, Any]:
        """The entry before the first application."""
        return {"key": fold_in(key, -1), "count": np.zeros((), np.int64)}

    def split(self, state: Any, key: Any) -> tuple[Any, dict[str, Any], Any]:
        """The state without the entry, the entry for the next application, and the key of this one if `key` is None.

        Raises `StructureError` for a state without the entry.
        """
        if not isinstance(state, Mapping) or self.entry not in state:
            raise StructureError(
                f"the state of a network with calls layer(x, train=True) has an entry '{self.entry}'. Pass what init "
                f"of this network, or its last apply, returned."
            )
        rest, own = {name: part for name, part in state.items() if name != self.entry}, state[self.entry]
        if key is not None:
            return rest, {self.entry: own}, None
        count = {"key": own["key"], "count": ops.add(own["count"], 1)}
        return rest, {self.entry: count}, fold_in(own["key"], own["count"])

    def renewed(self, state: Mapping[str, Any]) -> dict[str, Any]:
        """The entry after applications whose state is not kept: it shares no numbers with them."""
        return self.first(state[self.entry]["key"])
