"""The graph of a traced function: values, and the primitive calls that make them, in the order of the trace."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet.spec import ArraySpec


@dataclass(slots=True, eq=False)
class Value:
    """An array in the graph: the result of `node`, a constant, or (with neither) an input."""

    spec: ArraySpec
    node: Node | None = None
    constant: np.ndarray | None = None

    @property
    def root(self) -> Value:
        """The value that this one shows through reshapes: it can be computed right in this one's place."""
        value = self
        while value.node is not None and value.node.operation == "reshape":
            value = value.node.inputs[0]
        return value


@dataclass(slots=True, eq=False)
class Node:
    """One primitive call."""

    primitive: Any
    inputs: list[Value]
    params: dict[str, Any]
    outputs: list[Value] = field(default_factory=list)

    @property
    def operation(self) -> str:
        """The name of an elementwise operation, view or fold; empty for a primitive that a lowering rule computes."""
        return "" if self.primitive.lowered or self.primitive.kernels else self.primitive.name

    @property
    def is_view(self) -> bool:
        return self.primitive.view is not None

    @property
    def is_elementwise(self) -> bool:
        return self.primitive.template is not None

    @property
    def is_fold(self) -> bool:
        return self.primitive.reduction is not None


@dataclass(slots=True)
class Graph:
    """Inputs and outputs in the order of the function's leaves, nodes in an order in which they can run.

    held: the arrays of a device that are the last inputs in every call.
    """

    inputs: list[Value]
    nodes: list[Node]
    outputs: list[Value]
    held: list[Any] = field(default_factory=list)

    def consumers(self) -> dict[Value, list[Node]]:
        """The nodes that read each value."""
        readers: dict[Value, list[Node]] = {}
        for node in self.nodes:
            for value in dict.fromkeys(node.inputs):
                readers.setdefault(value, []).append(node)
        return readers

    def __str__(self) -> str:
        names = {v: f"in{i}" for i, v in enumerate(self.inputs)}
        lines = []
        for i, node in enumerate(self.nodes):
            names |= {v: f"v{i}" if len(node.outputs) == 1 else f"v{i}.{k}" for k, v in enumerate(node.outputs)}
            given = [_shown(v, names) for v in node.inputs] + [f"{k}={v}" for k, v in node.params.items()]
            results = ", ".join(f"{names[v]}: {v.spec}" for v in node.outputs)
            lines.append(f"{results} = {node.primitive.name}({', '.join(given)})")
        return "\n".join([*lines, f"return {', '.join(_shown(v, names) for v in self.outputs)}"])


def make_node(primitive: Any, inputs: Iterable[Value], params: dict[str, Any]) -> Node:
    """A node whose outputs have the specs that the primitive's shape rule gives."""
    node = Node(primitive, list(inputs), params)
    result = primitive.abstract(*[v.spec for v in node.inputs], **params)
    if primitive.multiple:
        node.outputs = [Value(spec, node) for spec in result]
    else:
        node.outputs.append(Value(result, node))
    return node


def _shown(value: Value, names: dict[Value, str]) -> str:
    if value.constant is not None:
        return f"{value.constant.item():.6g}" if value.spec.size == 1 else f"constant {value.spec}"
    return names[value]
