"""Operations in graphs: a function of `fnet.ops` with its arguments as a layer without parameters."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fnet import activations, ops
from fnet.configured import Recipe
from fnet.networks.layer import Layer
from fnet.transforms.linear_maps import zeros_like

_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "get_item": operator.getitem,
    "zeros_like": lambda x, dtype=None: ops.astype(zeros_like(x), dtype or x.dtype),
    "ones_like": lambda x, dtype=None: ops.astype(ops.equal(zeros_like(x), 0), dtype or x.dtype),
}
_ACTIVATIONS = "activations."


class InputAt(NamedTuple):
    """The place of an input among the arguments of an operation."""

    number: int


class Operation(NamedTuple):
    """A function by its name, see `function_of`, with arguments in which an `InputAt` stands for each input."""

    function: str
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]


def operated(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Layer:
    """The layer that calls a function on its inputs and on other arguments.

    x: an array, or a tuple of them, one for each `InputAt`.

    >>> import numpy as np
    >>> operated("subtract", (1.0, InputAt(0)), {}).apply({}, {}, np.array([[0.25, 1.0]]))[0]
    array([[0.75, 0.  ]])
    """
    function, own = function_of(name), name.removeprefix(_ACTIVATIONS)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        given = x if isinstance(x, tuple) else (x,)
        y = function(*filled(args, given), **filled(kwargs, given))
        return tuple(y) if isinstance(y, list) else y, state

    return Layer(
        lambda key, shape, dtype: ({}, {}),
        apply,
        name=own,
        kind="".join(part.capitalize() for part in own.split("_")),
        config={"operation": Operation(name, args, kwargs)},
        shown={"args": args, **kwargs},
        recipe=Recipe(operated, (name, args, dict(kwargs)), {}),
    )


def function_of(name: str) -> Callable[..., Any]:
    """The function of `fnet.ops` of this name, an operator (``get_item``), or an activation (``activations.elu``)."""
    if name.startswith(_ACTIVATIONS):
        return activations.ACTIVATIONS[name.removeprefix(_ACTIVATIONS)]
    return _OPERATORS.get(name) or getattr(ops, name)


def name_of(function: Any) -> str | None:
    """The name by which `function_of` finds a function; None for any other thing."""
    name = getattr(function, "__name__", "")
    if getattr(ops, name, None) is function:
        return name
    return f"{_ACTIVATIONS}{name}" if activations.ACTIVATIONS.get(name) is function else None


def operation_of(layer: Layer) -> Operation | None:
    """The operation that a layer is; None for any other layer."""
    own = layer.config.get("operation")
    return own if isinstance(own, Operation) else None


def filled(value: Any, inputs: tuple[Any, ...]) -> Any:
    """Arguments with the inputs in the place of their slots."""
    if isinstance(value, InputAt):
        return inputs[value.number]
    if isinstance(value, Mapping):
        return {name: filled(part, inputs) for name, part in value.items()}
    return type(value)(filled(part, inputs) for part in value) if type(value) in (list, tuple) else value
