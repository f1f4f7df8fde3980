"""Masks and labels of leaves: a predicate of path and leaf, or a tree, becomes a tree with a value for each leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import ValueRangeError, did_you_mean


def mask_of(name: str, which: Callable[[str, Any], bool] | Any, params: Any) -> Any:
    """A tree of bools like `params`: what ``which(path, leaf)`` says, or the mask `which` with subtrees filled in.

    Raises `StructureError` for a mask of another structure, `ValueRangeError` for one of other values.
    """
    mask = _filled_in(which, params)
    for path, value in tree.leaves_with_path(mask):
        if not isinstance(value, bool | np.bool_):
            raise ValueRangeError(f"{name}: expected True or False at '{path}' of the mask, received {value!r}.")
    return mask


def labels_of(labels: Callable[[str, Any], str] | Any, params: Any, known: Iterable[str]) -> Any:
    """A tree of labels like `params`; raises `ValueRangeError` for one that is not known."""
    found = _filled_in(labels, params)
    for path, label in tree.leaves_with_path(found):
        if label not in known:
            raise ValueRangeError(f"partition: '{path}' has the label {label!r}.{did_you_mean(label, known)}")
    return found


def _filled_in(which: Any, params: Any) -> Any:
    if callable(which):
        return tree.map_with_path(which, params)
    own = tree.structure(params)
    return tree.unflatten(own, tree.broadcast_prefix(own, which))
