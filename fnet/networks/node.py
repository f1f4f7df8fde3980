"""Symbolic values: what a layer is called on to build a graph."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

import numpy as np

from fnet import ops, tree
from fnet.configured import Recipe
from fnet.errors import StructureError, TracingError, scope
from fnet.masking import Masked
from fnet.networks.layer import Layer
from fnet.networks.samples import Samples, output_samples


class SymbolicNode:
    """A value in a graph that does not exist yet: an `fnet.Input`, or an output of a layer called on nodes.

    It has the shape (None, ...) with None for the batch, takes Python's arithmetic and indexing, and can be the input
    of any number of layers.
    """

    call: LayerCall | None
    samples: Samples
    name: str | None

    def __init__(self, call: LayerCall | None, samples: Samples, name: str | None = None) -> None:
        self.__dict__.update(call=call, samples=samples, name=name)

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (None, *self.samples.shape)

    @property
    def dtype(self) -> np.dtype:
        return self.samples.dtype

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def feed(self, layer: Layer, inputs: Any) -> Any:
        """The outputs of the layer called on `inputs`, a tree of nodes."""
        return LayerCall(layer, as_tuples(checked_nodes(layer.kind, inputs))).outputs

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a node of a graph is read-only, '{name}' cannot be set.")

    def __repr__(self) -> str:
        source = "Input" if self.call is None else f"output of {self.call.layer.name}"
        return f"<{source}{f' {self.name!r}' if self.name else ''}: {self.dtype} {self.shape}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TracingError(
            f"{self!r} has no values yet. Use layers on it (a function as fnet.layers.Lambda(function)), and NumPy in "
            f"the functions of layers."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """``array + node`` and the like; NumPy's other functions belong into layers."""
        operation = _OPERATIONS.get(ufunc)
        if operation is None or method != "__call__" or options:
            raise TracingError(_no_values(self, f"np.{ufunc.__name__}"))
        return _operation(*operation, *inputs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> NoReturn:
        raise TracingError(_no_values(self, f"np.{function.__name__}"))

    def __bool__(self) -> NoReturn:
        raise TracingError(f"{self!r} has no value yet, so it cannot decide an if or while.")

    def __iter__(self) -> NoReturn:
        raise TracingError(f"{self!r} cannot be taken apart; index it: x[:, 0].")

    def __add__(self, other: Any) -> Any:
        return _operation("Add", ops.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return _operation("Add", ops.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return _operation("Subtract", ops.subtract, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _operation("Subtract", ops.subtract, other, self)

    def __mul__(self, other: Any) -> Any:
        return _operation("Multiply", ops.multiply, self, other)

    def __rmul__(self, other: Any) -> Any:
        return _operation("Multiply", ops.multiply, other, self)

    def __truediv__(self, other: Any) -> Any:
        return _operation("Divide", ops.divide, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _operation("Divide", ops.divide, other, self)

    def __pow__(self, other: Any) -> Any:
        return _operation("Power", ops.power, self, other)

    def __neg__(self) -> Any:
        return _function("Negative", ops.negative, {})(self)

    def __getitem__(self, index: Any) -> Any:
        return _function("GetItem", partial(_indexed, index), {"index": index})(self)


class LayerCall:
    """A layer called on nodes: `inputs` and `outputs` are trees of them; `made` says what it returns, if known."""

    def __init__(self, layer: Layer, inputs: Any, made: Any = None) -> None:
        self.layer, self.inputs = layer, inputs
        made = self._evaluated() if made is None else made
        self.outputs = tree.map(lambda samples: SymbolicNode(self, samples), made)

    def _evaluated(self) -> Any:
        """The tree of `Samples` that the layer returns."""
        layer, inputs = self.layer, self.inputs
        shapes = tree.map(lambda node: node.samples.shape, inputs)
        dtypes = tree.map(lambda node: node.samples.dtype, inputs)
        with scope(layer.name, layer):
            params, state = layer.parameter_specs(shapes)
            return output_samples(layer.apply, params, state, shapes, dtypes)

    def parts(self, y: Any) -> list[Any]:
        """The outputs in the order of the nodes, with their masks."""
        return tree.leaves(y, is_leaf=lambda part: isinstance(part, Masked))


def checked_nodes(what: str, nodes: Any) -> Any:
    """The tree `nodes` itself if all its leaves are nodes and there are some, or a `StructureError`."""
    leaves = tree.leaves(nodes)
    for leaf in leaves:
        if not isinstance(leaf, SymbolicNode):
            hint = (
                "For arrays: net.apply(params, state, x)."
                if isinstance(leaf, np.ndarray | float | int)
                else "Nodes are made by fnet.Input and by layers called on nodes."
            )
            raise StructureError(f"{what}: expected nodes of a graph, received {type(leaf).__name__}. {hint}")
    if not leaves:
        raise StructureError(f"{what}: expected nodes of a graph, received none. Start with fnet.Input(shape).")
    return nodes


def as_tuples(nodes: Any) -> Any:
    """The tree with tuples for its lists."""
    if isinstance(nodes, list | tuple):
        return tuple(as_tuples(part) for part in nodes)
    return {name: as_tuples(part) for name, part in nodes.items()} if isinstance(nodes, dict) else nodes


_OPERATIONS: dict[np.ufunc, tuple[str, Callable[[Any, Any], Any]]] = {
    np.add: ("Add", ops.add),
    np.subtract: ("Subtract", ops.subtract),
    np.multiply: ("Multiply", ops.multiply),
    np.divide: ("Divide", ops.divide),
    np.power: ("Power", ops.power),
}


def _no_values(node: SymbolicNode, function: str) -> str:
    return (
        f"{node!r} has no values yet, so {function} cannot compute. LayerCall a layer that does: "
        f"fnet.layers.Lambda({function})(x), with a lambda for further arguments."
    )


def _operation(kind: str, operate: Callable[[Any, Any], Any], a: Any, b: Any) -> Any:
    if isinstance(a, SymbolicNode) and isinstance(b, SymbolicNode):
        return _function(kind, partial(_of_both, operate), {})((a, b))
    if isinstance(a, SymbolicNode):
        return _function(kind, partial(_with_right, operate, b), {"right": b})(a)
    return _function(kind, partial(operate, a), {"left": a})(b)


def _of_both(operate: Callable[[Any, Any], Any], x: Any) -> Any:
    return operate(*x)


def _with_right(operate: Callable[[Any, Any], Any], right: Any, x: Any) -> Any:
    return operate(x, right)


def _indexed(index: Any, x: Any) -> Any:
    return x[index]


def _function(kind: str, function: Callable[[Any], Any], config: dict[str, Any]) -> Layer:
    """A layer without parameters that does ``function(x)``."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return function(x), state

    recipe = Recipe(_function, (kind, function, config), {})
    return Layer(lambda key, shape, dtype: ({}, {}), apply, name=kind.lower(), kind=kind, config=config, recipe=recipe)
