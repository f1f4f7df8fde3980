"""Inputs that no output of a model of Keras needs: in fnet they lie beside an output, and end there."""

from __future__ import annotations

from typing import Any

from fnet import tree
from fnet.configured import Recipe
from fnet.networks.layer import Layer
from fnet.networks.node import SymbolicNode

KIND = "Beside"


def beside() -> Layer:
    """The layer that returns the first of its inputs, as it is: (x, ...) -> x."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return x[0], state

    return Layer(
        lambda key, shape, dtype: ({}, {}), apply, name="beside", kind=KIND, masks="used", recipe=Recipe(beside, (), {})
    )


def with_unused(inputs: Any, outputs: Any) -> Any:
    """The outputs, of which the first has those inputs beside it that no output needs."""
    nodes = tree.leaves(outputs)
    needed: set[int] = set()
    left = list(nodes)
    while left:
        node = left.pop()
        if id(node) not in needed and isinstance(node, SymbolicNode):
            needed.add(id(node))
            left += [] if node.call is None else tree.leaves(node.call.inputs)
    unused = [node for node in tree.leaves(inputs) if id(node) not in needed]
    if not unused or not nodes:
        return outputs
    first = beside()((nodes[0], *unused))
    return tree.unflatten(tree.structure(outputs), [first, *nodes[1:]])
