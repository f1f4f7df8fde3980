"""How operations are called: on arrays, on weights, on values with masks, and on symbolic values."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from fnet import tree
from fnet.keras.masked import without_mask
from fnet.keras.variable import Variable
from fnet.networks.node import SymbolicNode, function_call, operation
from fnet.networks.operations import name_of

_FIRST = ("x", "x1", "x2")  # what Keras calls the operands of most functions
F = TypeVar("F", bound=Callable[..., Any])


def value(x: Any) -> Any:
    """The array behind a weight or a value with a mask."""
    x = without_mask(x)
    return x.value if isinstance(x, Variable) else x


def any_nodes(*args: Any) -> bool:
    """Whether there are symbolic values among arguments, or within lists, tuples and dicts of them."""
    return any(isinstance(leaf, SymbolicNode) for leaf in tree.leaves(args))


def call(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    """A function of fnet or NumPy on arrays, or as a node of a graph on symbolic values."""
    if not any_nodes(args, options):
        given, named = without_mask(args), without_mask(options)
        return function(*map(_plain, given), **{name: _plain(x) for name, x in named.items()})
    if name_of(function) is None:
        return function_call(function, args, options)
    return operation(function, *args, **options)


def on_nodes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which takes symbolic values, too, and Keras' names of its operands."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        named = [options.pop(name) for name in _FIRST if name in options]
        return call(function, *args, *named, **options)

    return wrapped


def of_arrays(function: F) -> F:
    """A function that is written for arrays alone: on symbolic values it is a layer of its own."""

    @functools.wraps(function)
    def wrapped(*args: Any, **options: Any) -> Any:
        if any_nodes(args, options):
            return function_call(function, args, options)
        return function(*map(_plain, args), **{name: _plain(x) for name, x in options.items()})

    return wrapped  # type: ignore[return-value]


def _plain(x: Any) -> Any:
    """Arguments without masks and weights."""
    if isinstance(x, list | tuple) and type(x) in (list, tuple):
        return type(x)(_plain(part) for part in x)
    return value(x)
