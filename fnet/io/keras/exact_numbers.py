"""Single numbers of an optimizer as they are, such as its learning rate: in Keras' variables they are of float32."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import FileError, StructureError
from fnet.optimizers import Optimizer
from fnet.optimizers.rates import Rates

_NAMES = ("learning_rate", "momentum_product")


def exact_numbers(opt_state: Any) -> dict[str, np.ndarray]:
    """The learning rates, where a state holds them, and the product of nadam, by their paths."""
    leaves = tree.leaves_with_path(opt_state)
    return {path: np.asarray(leaf) for path, leaf in leaves if path.rpartition("/")[2] in _NAMES and not np.ndim(leaf)}


def with_exact_numbers(
    optimizer: Optimizer, params: Any, opt_state: Any, find: Callable[[str], np.ndarray | None]
) -> Any:
    """The state with the numbers of a file in it; ``find(path)`` is the one at a path, None where it has none.

    A state holds its learning rates if the file has them. Raises `FileError` for what is no number of at least 0.
    """
    try:
        held = Rates(optimizer.init, optimizer.name, params).held(opt_state)
    except StructureError:  # a schedule, or no rate at all
        held = opt_state
    found = {path: number for path in exact_numbers(held) if (number := find(path)) is not None}
    for path, number in found.items():
        if not (np.isfinite(number) and number >= 0):
            raise FileError(f"the optimizer has {number} at '{path}' in the file, expected a number of at least 0.")
    whole = opt_state if exact_numbers(opt_state).keys() >= found.keys() else held

    def changed(path: str, leaf: Any) -> Any:
        return np.asarray(found[path], leaf.dtype) if path in found else leaf

    return tree.map_with_path(changed, whole)
