"""Tracing to a graph: what `jit` compiles and what `eval_shape` reads shapes from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import tree
from fnet.compile.graph import Graph, Node, Value, make_node
from fnet.device_array import DeviceArray
from fnet.errors import StructureError, TracingError
from fnet.spec import ArraySpec, check_dtype
from fnet.transforms.linear_maps import broadcast_to
from fnet.transforms.primitive import Primitive, spec_of
from fnet.transforms.tracer import Origin, Tracer, next_level, outlived


class OuterValueError(TracingError):
    """A value of a transform around `stage` was met: what is traced belongs to that transform."""


class _GraphTracer(Tracer):
    __slots__ = ("value",)

    trace: _Staging

    def __init__(self, trace: _Staging, value: Value) -> None:
        spec = value.spec
        self.trace, self.value = trace, value
        self.shape, self.dtype, self.weak = spec.shape, spec.dtype, spec.weak

    def origin(self) -> Origin | None:
        node = self.value.node
        if node is None:
            return None
        return node.primitive, tuple(_GraphTracer(self.trace, v) for v in node.inputs), node.params


class _Staging:
    """The trace of one `stage`: interprets a primitive by appending it to the graph.

    shapes_only: values of outer transforms are taken as inputs that nobody will give.
    """

    def __init__(self, shapes_only: bool) -> None:
        self.shapes_only = shapes_only
        self.level = next_level()
        self.nodes: list[Node] = []
        self.held: dict[DeviceArray, Value] = {}
        self.closed = False

    def process(self, primitive: Primitive, args: tuple[Any, ...], params: dict[str, Any]) -> Any:
        if self.closed:
            raise outlived(primitive.name)
        node = make_node(primitive, [self.value_of(a) for a in args], params)
        self.nodes.append(node)
        if primitive.multiple:
            return tuple([_GraphTracer(self, v) for v in node.outputs])
        return _GraphTracer(self, node.outputs[0])

    def owns(self, x: Any) -> bool:
        return isinstance(x, _GraphTracer) and x.trace is self

    def value_of(self, x: Any) -> Value:
        if isinstance(x, _GraphTracer) and x.trace is self:
            return x.value
        if isinstance(x, Tracer | DeviceArray) and self.shapes_only:
            return Value(x.spec)
        if isinstance(x, Tracer):
            raise OuterValueError(
                "a value of an outer transform was met where only fnet.jit's own or concrete ones can be."
            )
        if isinstance(x, DeviceArray):
            return self.held.setdefault(x, Value(x.spec))
        if self.shapes_only and isinstance(x, np.ndarray):
            check_dtype(x.dtype)
            return Value(ArraySpec(x.shape, x.dtype))
        array = np.array(x)  # a copy: later changes to the caller's array must not change the program
        check_dtype(array.dtype)
        if array.size > 1 and array.tobytes() == array.size * array.flat[0].tobytes():  # -0 is not 0
            return self._uniform(array)
        return Value(ArraySpec(array.shape, array.dtype), constant=array)

    def _uniform(self, array: np.ndarray) -> Value:
        """A constant array of equal elements as one number, seen as larger."""
        number = np.array(array.flat[0])
        node = make_node(broadcast_to, [Value(ArraySpec((), array.dtype), constant=number)], {"shape": array.shape})
        self.nodes.append(node)
        return node.outputs[0]


def stage(
    f: Callable[..., Any],
    specs: Sequence[ArraySpec],
    rebuild: Callable[[list[Any]], tuple],
    shapes_only: bool = False,
) -> tuple[Graph, Any]:
    """Trace ``f(*rebuild(leaves))`` on inputs of the given specs; returns the graph and the tree of the result.

    Leaves of the result that are not numbers or arrays are refused. Arrays of the host that `f` does not get as
    arguments become constants; those of a device become further inputs, which the graph holds. Raises `OuterValueError`
    where `f` computes with traced values that it does not get, unless it is about `shapes_only`.
    """
    trace = _Staging(shapes_only)
    inputs = [Value(spec) for spec in specs]
    try:
        result = f(*rebuild([_GraphTracer(trace, v) for v in inputs]))
        paths = tree.leaves_with_path(result)
        outputs = [trace.value_of(_checked(path, leaf)) for path, leaf in paths]
    finally:
        trace.closed = True
    held = [array.home.lasting(array) for array in trace.held]
    return Graph([*inputs, *trace.held.values()], trace.nodes, outputs, held), tree.structure(result)


def _checked(path: str, leaf: Any) -> Any:
    if isinstance(leaf, Tracer | np.ndarray | DeviceArray | np.generic | bool | int | float):
        return leaf
    raise StructureError(
        f"a traced function must return arrays and numbers in dicts, lists and tuples; "
        f"at '{path or 'its result'}' it returned a {type(leaf).__name__}."
    )


def eval_shape(f: Callable[..., Any], *args: Any) -> Any:
    """The shapes and dtypes of ``f(*args)``, as a tree of `ArraySpec`, without computing it.

    Leaves of `args` may be arrays or `ArraySpec`s; other leaves are passed as they are.

    >>> import numpy as np, fnet
    >>> print(fnet.eval_shape(lambda x: x @ x.T, fnet.ArraySpec((2, 3), np.dtype("float32"))))
    float32[2, 2]
    """
    leaves, structure = tree.flatten(args)
    kinds = ArraySpec | Tracer | np.ndarray | DeviceArray | np.generic
    positions = [i for i, x in enumerate(leaves) if isinstance(x, kinds)]
    specs = [leaves[i] if isinstance(leaves[i], ArraySpec) else spec_of(leaves[i]) for i in positions]

    def rebuild(traced: list[Any]) -> tuple[Any, ...]:
        full = list(leaves)
        for i, x in zip(positions, traced, strict=True):
            full[i] = x
        return tree.unflatten(structure, full)

    graph, result = stage(f, specs, rebuild, shapes_only=True)
    return tree.unflatten(result, [v.spec for v in graph.outputs])
