"""Operations for calls of layers of your own, and on symbolic values: those of `fnet.ops`, then NumPy's."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import activations, ops, tree
from fnet.networks.node import SymbolicNode, operation


def shape(x: Any) -> tuple[int | None, ...]:
    """The shape of an array, a weight or a symbolic value, whose batch has the size None.

    >>> shape(np.ones((2, 3)))
    (2, 3)
    """
    return tuple(x.shape)


def _on_nodes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which takes symbolic values, too."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        if any(isinstance(leaf, SymbolicNode) for leaf in tree.leaves((args, options))):
            return operation(function, *args, **options)
        return function(*args, **options)

    return call


def __getattr__(name: str) -> Any:
    found = getattr(ops, name, None) or activations.ACTIVATIONS.get(name)
    value = getattr(np, name) if found is None else found
    if callable(value) and not isinstance(value, type):
        value = _on_nodes(value)
        globals()[name] = value
    return value
