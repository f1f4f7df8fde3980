"""Symbolic values: what a layer is called on to build a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

from fnet import tree
from fnet.errors import StructureError, TracingError, scope
from fnet.masking import Masked
from fnet.networks.layer import Layer
from fnet.networks.operations import InputAt, filled, name_of, operated
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

    def feed(self, layer: Layer, inputs: Any, train: bool | None = None) -> Any:
        """The outputs of the layer called on `inputs`, a tree of nodes; `train` as in `LayerCall`."""
        return LayerCall(layer, as_tuples(checked_nodes(layer.kind, inputs)), train=train).outputs

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a node of a graph is read-only, '{name}' cannot be set.")

    def __repr__(self) -> str:
        source = "Input" if self.call is None else f"output of {self.call.layer.name}"
        return f"<{source}{f' {self.name!r}' if self.name else ''}: {self.dtype} {self.shape}>"

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise TracingError(
            f"{self!r} has no values yet. Use layers on it (a function as fnet.layers.Lambda(function)), "
            f"operations as fnet.operation(fnet.ops.exp, x), and NumPy in the functions of layers."
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        """``array + node`` and the like; NumPy's other functions belong into layers."""
        operation = _OPERATIONS.get(ufunc)
        if operation is None or method != "__call__" or options:
            raise TracingError(_no_values(self, f"np.{ufunc.__name__}"))
        return _called(operation, *inputs)

    def __array_function__(self, function: Callable[..., Any], types: Any, args: Any, kwargs: Any) -> NoReturn:
        raise TracingError(_no_values(self, f"np.{function.__name__}"))

    def __bool__(self) -> NoReturn:
        raise TracingError(f"{self!r} has no value yet, so it cannot decide an if or while.")

    def __iter__(self) -> NoReturn:
        raise TracingError(f"{self!r} cannot be taken apart; index it: x[:, 0].")

    def __add__(self, other: Any) -> Any:
        return _called("add", self, other)

    def __radd__(self, other: Any) -> Any:
        return _called("add", other, self)

    def __sub__(self, other: Any) -> Any:
        return _called("subtract", self, other)

    def __rsub__(self, other: Any) -> Any:
        return _called("subtract", other, self)

    def __mul__(self, other: Any) -> Any:
        return _called("multiply", self, other)

    def __rmul__(self, other: Any) -> Any:
        return _called("multiply", other, self)

    def __truediv__(self, other: Any) -> Any:
        return _called("divide", self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _called("divide", other, self)

    def __pow__(self, other: Any) -> Any:
        return _called("power", self, other)

    def __rpow__(self, other: Any) -> Any:
        return _called("power", other, self)

    def __matmul__(self, other: Any) -> Any:
        return _called("matmul", self, other)

    def __gt__(self, other: Any) -> Any:
        return _called("greater", self, other)

    def __ge__(self, other: Any) -> Any:
        return _called("greater_equal", self, other)

    def __lt__(self, other: Any) -> Any:
        return _called("less", self, other)

    def __le__(self, other: Any) -> Any:
        return _called("less_equal", self, other)

    def __neg__(self) -> Any:
        return _called("negative", self)

    def __abs__(self) -> Any:
        return _called("absolute", self)

    def __getitem__(self, index: Any) -> Any:
        return _called("get_item", self, index)


class LayerCall:
    """A layer called on nodes: `inputs` and `outputs` are trees of them; `made` says what it returns, if known.

    train: whether this call is as in training, or as in inference, whatever the network around it does; None for a call
    that is as the network is.
    """

    def __init__(self, layer: Layer, inputs: Any, made: Any = None, train: bool | None = None) -> None:
        self.layer, self.inputs, self.train = layer, inputs, train
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


def operation(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """What a function of `fnet.ops` or `fnet.activations` makes of nodes: a node, or a tuple of them.

    args, kwargs: of the function; nodes may be anywhere in them, and at least one is there. Such a call is a layer
    without parameters. Python's arithmetic, comparisons and indexing of nodes are the same. Masks end here.
    Raises `StructureError` for any other function: `fnet.layers.Lambda` takes it. Source: ``keras.ops``.

    >>> from fnet import Input, ops
    >>> x, y = Input((4, 6)), Input((3, 6))
    >>> operation(ops.mean, operation(ops.concatenate, [x, 1 - y], axis=1), axis=-1).shape
    (None, 7)
    """
    name = name_of(function)
    if name is None:
        raise StructureError(
            f"operation takes a function of fnet.ops, received {function!r:.60}. For others: fnet.layers.Lambda."
        )
    return _called(name, *args, **kwargs)


def operation_call(name: str, args: Any, kwargs: Any) -> tuple[Layer, Any]:
    """The layer that calls the function of this name with these arguments, and the nodes among them, its inputs."""
    nodes: list[SymbolicNode] = []
    template = _with_inputs((args, kwargs), nodes)
    if not nodes:
        raise StructureError(f"operation: expected nodes among the arguments of {name}, received none.")
    return operated(name, *template), tuple(nodes) if len(nodes) > 1 else nodes[0]


def function_call(function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
    """What any function makes of nodes among its arguments: a layer of its own, which no file takes."""
    nodes: list[SymbolicNode] = []
    template = _with_inputs((args, kwargs), nodes)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        given = x if isinstance(x, tuple) else (x,)
        own_args, own_kwargs = filled(template, given)
        y = function(*own_args, **own_kwargs)
        return tuple(y) if isinstance(y, list) else y, state

    layer = Layer(lambda key, shape, dtype: ({}, {}), apply, name=function.__name__, kind="Lambda")
    return layer(tuple(nodes) if len(nodes) > 1 else nodes[0])


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


_OPERATIONS: dict[Any, str] = {
    np.add: "add", np.subtract: "subtract", np.multiply: "multiply", np.divide: "divide", np.power: "power"
}  # fmt: skip


def _no_values(node: SymbolicNode, function: str) -> str:
    return (
        f"{node!r} has no values yet, so {function} cannot compute. LayerCall a layer that does: "
        f"fnet.layers.Lambda({function})(x), with a lambda for further arguments."
    )


def _called(function: str, *args: Any, **kwargs: Any) -> Any:
    layer, inputs = operation_call(function, args, kwargs)
    return layer(inputs)


def _with_inputs(value: Any, nodes: list[SymbolicNode]) -> Any:
    """Arguments with an `InputAt` for each node, which goes to `nodes`."""
    if isinstance(value, SymbolicNode):
        at = next((i for i, node in enumerate(nodes) if node is value), len(nodes))
        nodes += [value] if at == len(nodes) else []
        return InputAt(at)
    if isinstance(value, Mapping):
        return {name: _with_inputs(part, nodes) for name, part in value.items()}
    return type(value)(_with_inputs(part, nodes) for part in value) if type(value) in (list, tuple) else value
