"""What training carries from one call to the next."""

from __future__ import annotations

from typing import Any, NamedTuple

from fnet import tree
from fnet.device import device_of


class TrainState(NamedTuple):
    """Everything that a training run depends on beside the data: a tree, so `fnet.tree` functions work on it.

    params, state: trees of the network; opt_state: tree of the optimizer; key: (2,) uint32, from which the order of
    samples and the randomness of every step are derived, and which training never changes; step: () int64, the number
    of updates done.
    """

    params: Any
    state: Any
    opt_state: Any
    key: Any
    step: Any


def copied(values: Any) -> Any:
    """The tree with arrays of its own, each where it was."""
    return tree.map(lambda x: device_of([x]).copied(x), values)
