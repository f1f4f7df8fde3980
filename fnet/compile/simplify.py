"""Graph passes that keep the meaning and drop work: identities, common subexpressions, epilogues, dead code."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import numpy as np

from fnet.compile.graph import Graph, Node, Value, make_node
from fnet.compile.static import static_key
from fnet.device import Device
from fnet.errors import StructureError


def simplify(graph: Graph, device: Device) -> Graph:
    """All passes, in the order in which they help each other; the device says what its rules absorb."""
    graph = drop_dead_code(mask_what_was_picked(drop_dead_code(merge_common(graph))))
    graph = pick_what_is_positive(graph, device)
    return drop_dead_code(absorb_casts(absorb_masks(absorb_epilogues(graph, device), device), device))


def merge_common(graph: Graph) -> Graph:
    """Remove operations that change nothing, and compute each subexpression once."""
    now: dict[Value, Value] = {}
    constants: dict[Hashable, Value] = {}
    known: dict[Hashable, list[Value]] = {}
    nodes: list[Node] = []

    def current(value: Value) -> Value:
        if value.constant is not None and value.spec.size <= 16:
            return constants.setdefault((value.spec, value.constant.tobytes()), value)
        return now.get(value, value)

    for old in graph.nodes:
        inputs = [current(v) for v in old.inputs]
        same = _identity(old, inputs)
        if same is not None:
            now[old.outputs[0]] = same
            continue
        primitive, inputs, params = _composed(old, inputs)
        key = _key(primitive, inputs, params)
        if key not in known:
            node = Node(primitive, inputs, params)
            node.outputs = [Value(value.spec, node) for value in old.outputs]
            nodes.append(node)
            known[key] = node.outputs
        now |= dict(zip(old.outputs, known[key], strict=True))
    return Graph(graph.inputs, nodes, [current(v) for v in graph.outputs])


def _key(primitive: Any, inputs: list[Value], params: dict[str, Any]) -> Hashable:
    """Equal for calls with the same results; equal to no other where a user's setting has no hash."""
    settings = sorted(params.items(), key=lambda item: item[0])
    if primitive.kernels is None:
        return primitive, tuple(inputs), tuple(settings)
    try:
        return primitive, tuple(inputs), static_key(tuple(settings))  # 1 is not 1.0 for a user's rules
    except StructureError:
        return object()


def _identity(node: Node, inputs: list[Value]) -> Value | None:
    """The input that the node would return unchanged, if it is one."""
    spec, name = node.outputs[0].spec, node.operation
    if name in ("reshape", "broadcast_to", "cast", "stop_gradient") and inputs[0].spec == spec:
        return inputs[0]
    if name in ("multiply", "divide") and _is_constant(inputs[1], 1) and inputs[0].spec == spec:
        return inputs[0]
    if name == "multiply" and _is_constant(inputs[0], 1) and inputs[1].spec == spec:
        return inputs[1]
    if name == "add" and _is_minus_zero(inputs[1]) and inputs[0].spec == spec:
        return inputs[0]
    if name == "negative":
        inner = inputs[0].node
        return inner.inputs[0] if inner is not None and inner.operation == "negative" else None
    if name == "transpose" and node.params["axes"] == tuple(range(len(spec.shape))):
        return inputs[0]
    return None


def _is_constant(value: Value, number: int) -> bool:
    """Whether all elements are a constant `number`, also behind a broadcast."""
    while value.node is not None and value.node.operation == "broadcast_to":
        value = value.node.inputs[0]
    return value.constant is not None and value.spec.size > 0 and bool(np.all(value.constant == number))


def _is_minus_zero(value: Value) -> bool:
    """Whether all elements are -0.0, which added to anything leaves its bits."""
    return _is_constant(value, 0) and value.constant is not None and bool(np.all(np.signbit(value.constant)))


def _composed(node: Node, inputs: list[Value]) -> tuple[Any, list[Value], dict[str, Any]]:
    """A view of a view of the same kind as one view."""
    inner, params = inputs[0].node if inputs else None, node.params
    if inner is not None and inner.primitive is node.primitive:
        if node.operation in ("reshape", "broadcast_to"):
            return node.primitive, list(inner.inputs), params
        if node.operation == "transpose":
            axes = tuple(inner.params["axes"][a] for a in params["axes"])
            return node.primitive, list(inner.inputs), {"axes": axes}
    return node.primitive, inputs, params


def mask_what_was_picked(graph: Graph) -> Graph:
    """Let the gradient of relu behind that of max pooling look at the maxima instead of at all elements.

    With p the elements of y that were picked, ``where(y > 0, unpick(g), 0)`` is ``unpick(where(p > 0, g, 0))``: an
    element of y to which g flows is the p from which it flows, and the others get 0 either way.
    """
    readers, kept = graph.consumers(), set(graph.outputs)
    replaced: dict[Value, Value] = {}
    nodes: list[Node] = []
    for node in graph.nodes:
        node.inputs = [replaced.get(v, v) for v in node.inputs]
        back, picked = _unpicked(node)
        if back is None or picked is None or back.outputs[0] in kept or len(readers.get(back.outputs[0], ())) > 1:
            nodes.append(node)
            continue
        mask, _, zero = node.inputs
        assert mask.node is not None
        greater = make_node(mask.node.primitive, [picked, mask.node.inputs[1]], mask.node.params)
        where = make_node(node.primitive, [greater.outputs[0], back.inputs[0], zero], node.params)
        again = make_node(back.primitive, [where.outputs[0], *back.inputs[1:]], back.params)
        nodes += [greater, where, again]
        replaced[node.outputs[0]] = again.outputs[0]
    return Graph(graph.inputs, nodes, [replaced.get(v, v) for v in graph.outputs])


def _unpicked(node: Node) -> tuple[Node | None, Value | None]:
    """Of ``where(y > 0, unpick(g), 0)`` the node that unpicks, and what was picked from y."""
    if node.operation != "where" or not _is_scalar(node.inputs[2], 0):
        return None, None
    mask, back = node.inputs[0].node, node.inputs[1].node
    if mask is None or mask.operation != "greater" or not _is_scalar(mask.inputs[1], 0):
        return None, None
    if back is None or back.primitive.unpicks is None:
        return None, None
    forward = back.inputs[1].node
    if forward is None or forward.primitive is not back.primitive.unpicks or forward.inputs[0] is not mask.inputs[0]:
        return None, None
    return back, forward.outputs[0]


def pick_what_is_positive(graph: Graph, device: Device) -> Graph:
    """Let max pooling pick nothing where the largest element is not positive, if no gradient goes there anyway.

    With p the elements that were picked, ``unpick(where(p > 0, g, 0))`` then is ``unpick(g)``.
    """
    picking = [n for n in graph.nodes if not n.operation and device.rule(n.primitive).picks_positive]
    readers, kept = graph.consumers() if picking else {}, set(graph.outputs)
    for node in picking:
        picked, places = node.outputs
        if math.prod(axis.kernel for axis in node.params["axes"]) > np.iinfo(places.spec.dtype).max:
            continue  # there is no number that means none
        found = readers.get(places, [])
        gradients = [_behind_positive(reader, picked) for reader in found]
        if places in kept or not found or None in gradients or any(r.primitive.unpicks is None for r in found):
            continue
        node.params = {**node.params, "picks": "positive"}
        for reader, gradient in zip(found, gradients, strict=True):
            assert gradient is not None
            reader.inputs[0] = gradient
    return graph


def _behind_positive(back: Node, picked: Value) -> Value | None:
    """The g of ``unpick(where(picked > 0, g, 0))``."""
    select = back.inputs[0].node
    if select is None or select.operation != "where" or not _is_constant(select.inputs[2], 0):
        return None
    greater = select.inputs[0].node
    if greater is None or greater.operation != "greater" or not _is_constant(greater.inputs[1], 0):
        return None
    g = select.inputs[1]
    return g if greater.inputs[0] is picked and g.spec == back.inputs[0].spec else None


def _is_scalar(value: Value, number: int) -> bool:
    """Whether this is a constant `number` without axes."""
    return value.spec.shape == () and _is_constant(value, number)


def absorb_epilogues(graph: Graph, device: Device) -> Graph:
    """Move a bias and an activation that follow a matrix product (or its like) into the product's epilogue.

    A reshape in between keeps the last axis, so it moves behind them. Where there are several results, the epilogue is
    that of the first, and there is no bias.
    """
    readers = graph.consumers()
    kept = set(graph.outputs)
    replaced: dict[Value, Value] = {}
    nodes: list[Node] = []
    made: set[Node] = set()

    def only_reader(value: Value) -> Node | None:
        found = readers.get(value, [])
        return found[0] if len(found) == 1 and value not in kept else None

    for node in graph.nodes:
        if node.outputs[0] in replaced:
            continue
        node.inputs = [replaced.get(v, v) for v in node.inputs]
        nodes.append(node)
        absorbs = () if node.operation else device.rule(node.primitive).absorbs
        if not absorbs:
            made.add(node)
            continue
        bias, activation, last = _epilogue(node, absorbs, only_reader, made)
        if last is node:
            continue
        params = {**node.params, "activation": activation}
        product = make_node(node.primitive, [*node.inputs, *([bias] if bias else [])], params)
        nodes[-1] = product
        absorbed = _path(node, last, only_reader)
        result = product.outputs[0]
        if last.outputs[0].spec != result.spec:
            reshape = next(n.primitive for n in absorbed if n.operation == "reshape")
            back = make_node(reshape, [result], {"shape": last.outputs[0].spec.shape})
            nodes.append(back)
            result = back.outputs[0]
        replaced |= {n.outputs[0]: result for n in absorbed}
        replaced |= dict(zip(node.outputs[1:], product.outputs[1:], strict=True))
    return Graph(graph.inputs, nodes, [replaced.get(v, v) for v in graph.outputs])


def _epilogue(
    product: Node, absorbs: tuple[str, ...], only_reader: Any, made: set[Node]
) -> tuple[Value | None, str, Node]:
    """The bias, the activation and the last node of the chain that the product can absorb; `made`: nodes before it."""
    bias, activation, last, at = None, "linear", product, product
    columns = product.outputs[0].spec.shape[-1]
    while (reader := only_reader(at.outputs[0])) is not None:
        name, value = reader.operation, at.outputs[0]
        if name == "reshape":
            if not reader.outputs[0].spec.shape or reader.outputs[0].spec.shape[-1] != columns:
                break
            at = reader
            continue
        if name == "add" and bias is None and activation == "linear" and not product.primitive.multiple:
            other = reader.inputs[0] if reader.inputs[1] is value else reader.inputs[1]
            if other is value or other.spec.shape != (columns,) or reader.outputs[0].spec.shape != value.spec.shape:
                break
            other = _written_out(other)
            if other.node is not None and other.node not in made:
                break
            bias = other
        elif name in absorbs:
            activation, at, last = name, reader, reader
            break
        else:
            break
        at = last = reader
    return bias, activation, last


def _written_out(value: Value) -> Value:
    """A constant in place of a broadcast number, as which arrays of equal numbers are traced."""
    number = value.node.inputs[0].constant if value.node and value.node.operation == "broadcast_to" else None
    return value if number is None else Value(value.spec, constant=np.full(value.spec.shape, number, value.spec.dtype))


def _path(first: Node, last: Node, only_reader: Any) -> list[Node]:
    """The nodes after `first` up to and including `last`."""
    path = []
    while first is not last:
        first = only_reader(first.outputs[0])
        path.append(first)
    return path


def absorb_masks(graph: Graph, device: Device) -> Graph:
    """Let the gradient of an operation with relu in its epilogue leave out by itself what relu left out."""
    for node in graph.nodes:
        forward = "" if node.operation else device.rule(node.primitive).masks_behind
        g = _behind_relu(node.inputs[-1], forward, node.inputs) if forward else None
        if g is not None:
            node.inputs[-1] = g
            node.params = {**node.params, "activation": "relu"}
    return graph


def _behind_relu(value: Value, forward: str, inputs: list[Value]) -> Value | None:
    """The g of ``where(y > 0, g, 0)``, if y is what `forward` gave with relu for the same inputs."""
    select = value.node
    if select is None or select.operation != "where" or not _is_constant(select.inputs[2], 0):
        return None
    greater = select.inputs[0].node
    if greater is None or greater.operation != "greater" or not _is_constant(greater.inputs[1], 0):
        return None
    y = greater.inputs[0].node
    if y is None or y.primitive.name != forward or y.params.get("activation") != "relu":
        return None
    return select.inputs[1] if y.inputs == inputs[: len(y.inputs)] and select.inputs[1].spec == value.spec else None


def absorb_casts(graph: Graph, device: Device) -> Graph:
    """Let an operation read integers in the dtype that they have, where its rule takes any."""
    for node in graph.nodes:
        for number in () if node.operation else device.rule(node.primitive).integers:
            cast = node.inputs[number].node
            if cast is not None and cast.operation == "cast" and cast.inputs[0].spec.dtype.kind in "iu":
                node.inputs[number] = cast.inputs[0]
    return graph


def drop_dead_code(graph: Graph) -> Graph:
    """Keep only the nodes that some output needs."""
    needed = {v.node for v in graph.outputs if v.node is not None}
    for node in reversed(graph.nodes):
        if node in needed:
            needed |= {v.node for v in node.inputs if v.node is not None}
    return Graph(graph.inputs, [n for n in graph.nodes if n in needed], graph.outputs)
