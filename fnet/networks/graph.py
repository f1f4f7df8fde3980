"""Networks as graphs: symbolic inputs, layers called on them, and the Layer of what lies between inputs and outputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import tree
from fnet.configured import Recipe
from fnet.errors import ShapeError, StructureError, did_you_mean
from fnet.masking import join_mask, split_mask
from fnet.networks.draws import Draws
from fnet.networks.layer import Layer, check_name
from fnet.networks.members import Members
from fnet.networks.node import LayerCall, SymbolicNode, as_tuples, checked_nodes
from fnet.networks.samples import TEXT, Samples, ShapeLike, check_shape, input_dtype, is_single
from fnet.ops.promotion import lift
from fnet.ops.shape import expand_dims, squeeze
from fnet.transforms.operand import is_known
from fnet.transforms.primitive import spec_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Nodes = SymbolicNode | list[Any] | tuple[Any, ...] | dict[str, Any]


def Input(shape: ShapeLike, dtype: DTypeLike = "float32", name: str | None = None) -> SymbolicNode:  # noqa: N802 (Keras' name)
    """A symbolic input of a graph; layers called on it give further nodes.

    shape: that of a sample, without the batch axis; None is an axis of variable size. name: the key of this input
    where inputs are given as a dict. dtype: of numbers, or "string" for texts, which layers take that run on the host.
    Source: Keras ``Input``.

    >>> from fnet.layers import Dense, concatenate
    >>> x = Input((16,))
    >>> a, b = Dense(16, "relu")(x), Dense(8)(x)
    >>> net = graph(x, Dense(1)(concatenate([a, b])))
    >>> net.out_shape((16,))
    (1,)
    """
    sizes = check_shape(shape)
    if not is_single(sizes):
        raise ShapeError(f"Input has one shape, received {shape}. Make an Input for each.")
    return SymbolicNode(None, Samples(sizes, input_dtype(dtype)), None if name is None else check_name(name))


def graph(inputs: Nodes, outputs: Nodes) -> Layer:
    """The Layer that computes the `outputs` from the `inputs`: nodes, or lists, tuples or dicts of them.

    inputs: an `Input`, several, or a dict of them. For several, the network takes a tuple, or a dict by their names. A
    node within a graph can be an input, too: the part behind it becomes a network of its own.
    outputs: their form is that of the output. A list gives a tuple, a list of one node gives its value alone.
    Params are keyed by layer, in the order of the calls from inputs to outputs. A Layer that is called twice has one
    entry, at its first use, also where one of the calls is in another graph. A graph is a Layer: call it on nodes.
    A call ``layer(x, train=False)`` is as in inference, also where the network is trained. A call ``layer(x,
    train=True)`` is as in training, also in inference: where ``apply`` gets no key, the random numbers follow from the
    entry "seed_generator" of the state, ``{"key", "count"}``, and the state that it returns counts one more.
    Raises `StructureError` for an input that is missing or unused, and for a cycle.
    Source: Keras ``Model(inputs, outputs)``.

    >>> from fnet import random
    >>> from fnet.layers import Add, Dense
    >>> left, right = Input((4,), name="left"), Input((4,), name="right")
    >>> shared = Dense(3)
    >>> net = graph([left, right], Add()([shared(left), shared(right)]))
    >>> params, state = net.init(random.key(0))
    >>> list(params)
    ['dense']
    """
    wiring = Wiring(inputs, outputs)
    config = {"inputs": inputs, "outputs": outputs}
    members = wiring.members
    return Layer(
        wiring.init,
        wiring.apply,
        name="graph",
        config=config,
        shown={},
        children=members.layers,
        entries=members.names,
        masks="used",
        recipe=Recipe(_connected, wiring.listed(inputs, outputs), {}),
        container=True,
        shape=tree.map(lambda node: node.samples.shape, as_tuples(inputs)),
    )


def _connected(inputs: Any, calls: list[tuple[Layer, Any, Any, bool | None]], outputs: Any) -> Layer:
    """The graph that `Wiring.listed` has listed.

    inputs: a tree of (samples, name). calls: (layer, numbers of the nodes that it takes, samples that it gives, whether
    it is as in training, or as in inference). outputs: a tree of numbers. Nodes are numbered in this order: the inputs,
    then the outputs of call after call.
    """
    made = tree.map(lambda declared: SymbolicNode(None, *declared), inputs, is_leaf=_is_declared)
    nodes: list[SymbolicNode] = tree.leaves(made)
    for layer, numbers, samples, train in calls:
        call = LayerCall(layer, tree.map(nodes.__getitem__, numbers), samples, train)
        nodes += tree.leaves(call.outputs)
    return graph(made, tree.map(nodes.__getitem__, outputs))


def _is_declared(part: Any) -> bool:
    return isinstance(part, tuple) and isinstance(part[0], Samples)


class Wiring:
    """The calls between the inputs and the outputs of a graph, in an order in which they can run."""

    def __init__(self, inputs: Any, outputs: Any) -> None:
        self.given, self.given_outputs = inputs, outputs
        self.outputs = as_tuples(checked_nodes("graph outputs", outputs))
        if isinstance(self.outputs, tuple) and len(self.outputs) == 1 and isinstance(self.outputs[0], SymbolicNode):
            self.outputs = self.outputs[0]  # as in Keras
        self.inputs: list[SymbolicNode] = tree.leaves(checked_nodes("graph inputs", inputs))
        self.keys = list(inputs) if isinstance(inputs, dict) else None
        self.calls = _ordered(tree.leaves(self.outputs), self.inputs)
        self.members = Members("graph", tuple(call.layer for call in self.calls))
        self.draws = Draws(self.members.known) if any(call.train for call in self.calls) else None
        self.input_names = tuple(self.keys) if self.keys else _numbered(self.inputs)
        self._check_inputs()

    def listed(self, inputs: Any, outputs: Any) -> tuple[Any, Any, Any]:
        """What `_connected` takes. A deep graph is a long list, not a deep tree."""
        nodes = [*self.inputs, *(node for call in self.calls for node in tree.leaves(call.outputs))]
        numbers = {id(node): number for number, node in enumerate(nodes)}
        calls = [
            (
                call.layer,
                tree.map(lambda node: numbers[id(node)], call.inputs),
                tree.map(lambda node: node.samples, call.outputs),
                call.train,
            )
            for call in self.calls
        ]
        declared = tree.map(lambda node: (node.samples, node.name), inputs)
        return declared, calls, tree.map(lambda node: numbers[id(node)], outputs)

    def _check_inputs(self) -> None:
        if len(set(map(id, self.inputs))) < len(self.inputs):
            raise StructureError("graph: an input is given twice. Name each once, and use it as often as needed.")
        used = {id(node) for call in self.calls for node in tree.leaves(call.inputs)}
        used |= {id(node) for node in tree.leaves(self.outputs)}
        for node, name in zip(self.inputs, self.input_names, strict=True):
            if id(node) not in used:
                raise StructureError(f"graph: no output depends on the input '{name}'. Leave it out, or use it.")

    def init(self, key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        """Entries for the layers, each for the shapes that its first call gets."""
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        known = dict(zip(map(id, self.inputs), self._input_samples(shape, dtype), strict=True))
        for i, call in enumerate(self.calls):
            samples = tree.map(lambda node: known[id(node)], call.inputs)
            self.members.init(i, params, state, key, tree.map(lambda s: s.shape, samples), dtype)
            made = self.members.out_samples(i, params, state, samples)
            known.update(zip(map(id, tree.leaves(call.outputs)), tree.leaves(made), strict=True))
        if self.draws is not None:
            state[self.draws.entry] = self.draws.first(key)
        return params, state

    def apply(self, params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        """The outputs, call by call."""
        rest, drawn, own = (state, {}, None) if self.draws is None else self.draws.split(state, key)
        run = self.members.start(params, rest, key, train)
        fitted = map(_fitted, self.inputs, self.input_names, self._arranged(x))
        values = dict(zip(map(id, self.inputs), fitted, strict=True))
        for i, call in enumerate(self.calls):
            inputs = tree.map(lambda node: values[id(node)], call.inputs)
            y = run(i, inputs, train if call.train is None else call.train, own if call.train else None)
            values.update(zip(map(id, tree.leaves(call.outputs)), call.parts(y), strict=True))
        return tree.map(lambda node: values[id(node)], self.outputs), run.state | drawn

    def _input_samples(self, shape: Any, dtype: Any) -> list[Samples]:
        """What init was told of the inputs, compared with what they were declared to be."""
        shapes = self._arranged(shape, single=is_single, what="shapes")
        found = []
        for node, name, given in zip(self.inputs, self.input_names, shapes, strict=True):
            declared = node.samples.shape
            fits = len(given) == len(declared) and all(d in (None, g) for d, g in zip(declared, given, strict=True))
            if not fits:
                raise ShapeError(f"graph: expected the shape {declared} for the input '{name}', received {given}.")
            own = np.dtype(dtype) if node.samples.dtype.kind == "f" else node.samples.dtype
            found.append(Samples(given, own))
        return found

    def _arranged(self, x: Any, single: Callable[[Any], bool] = lambda x: False, what: str = "arrays") -> list[Any]:
        """One value for each input, from a value, a sequence, or a dict by name."""
        if isinstance(x, dict):
            missing = [name for name in self.input_names if name not in x]
            extra = [name for name in x if name not in self.input_names]
            if missing or extra:
                hint = did_you_mean(extra[0], missing) if missing and extra else ""
                raise StructureError(
                    f"graph: expected {what} for the inputs {_listed(self.input_names)}, missing {_listed(missing)}, "
                    f"unexpected {_listed(extra)}.{hint}"
                )
            return [x[name] for name in self.input_names]
        if len(self.inputs) == 1 and not isinstance(self.given, list | tuple | dict):
            return [x]
        if isinstance(x, tuple | list) and not single(x) and len(x) == len(self.inputs):
            return list(x)
        if len(self.inputs) == 1 and (single(x) or not isinstance(x, tuple | list)):  # [x] was declared, x is meant
            return [x]
        received = f"{len(x)}" if isinstance(x, tuple | list) and not single(x) else "one"
        raise StructureError(
            f"graph: expected {len(self.inputs)} {what} for the inputs {_listed(self.input_names)}, received "
            f"{received}. Give a tuple in this order, or a dict by name."
        )


def rebuilt(wiring: Wiring, changed: Callable[[Layer], Layer]) -> Layer:
    """The graph with other layers in the same places."""
    inputs, calls, outputs = wiring.listed(wiring.given, wiring.given_outputs)
    return _connected(inputs, [(changed(layer), *call) for layer, *call in calls], outputs)


def wiring_of(net: Layer) -> Wiring | None:
    """The calls of a graph in their order; None for another Layer."""
    return Wiring(**net.config) if net.kind == "graph" else None


def output_names(net: Layer) -> tuple[str, ...] | None:
    """The names of the outputs of a graph that has several: keys of a dict, else names of layers or inputs.

    None for a single output and for networks that are no graph. Source: Keras ``Model.output_names``.
    """
    wiring = wiring_of(net)
    if wiring is None or isinstance(wiring.outputs, SymbolicNode):
        return None
    if isinstance(wiring.outputs, dict):
        return tuple(wiring.outputs)
    made = {id(node): name for node, name in zip(wiring.inputs, wiring.input_names, strict=True)}
    for call, name in zip(wiring.calls, wiring.members.names, strict=True):
        made |= {id(node): name for node in tree.leaves(call.outputs)}
    names: list[str] = []
    for node in wiring.outputs:
        own, number = made.get(id(node), "output"), 0
        while own in names:
            number += 1
            own = f"{made.get(id(node), 'output')}_{number}"
        names.append(own)
    return tuple(names)


def _ordered(outputs: Sequence[SymbolicNode], inputs: Sequence[SymbolicNode]) -> list[LayerCall]:
    """The calls that the outputs need. A call comes after those that it needs."""
    given, done, running = {id(node) for node in inputs}, dict[int, LayerCall](), dict[int, LayerCall]()

    def needed(node: SymbolicNode) -> list[LayerCall]:
        """The call that makes the node, unless it is an input or done."""
        if id(node) in given:
            return []
        if node.call is None:
            raise StructureError(
                f"graph: the outputs depend on {node}, which is not among the inputs. Add it: graph([..., x], outputs)."
            )
        return [] if id(node.call) in done else [node.call]

    for output in outputs:
        stack = [(call, False) for call in needed(output)]
        while stack:
            call, ready = stack.pop()
            if ready:
                del running[id(call)]
                done[id(call)] = call
            elif id(call) in running:
                path = " -> ".join(other.layer.name for other in [*running.values(), call])
                raise StructureError(f"graph: a cycle cannot be computed: {path}.")
            elif id(call) not in done:
                running[id(call)] = call
                stack.append((call, True))
                sources = [other for node in tree.leaves(call.inputs) for other in needed(node)]
                stack.extend((other, False) for other in reversed(sources))
    return list(done.values())


def _numbered(inputs: Sequence[SymbolicNode]) -> tuple[str, ...]:
    """The names of the inputs; those without are input, input_1, ..."""
    chosen = [node.name for node in inputs if node.name is not None]
    for name in chosen:
        if chosen.count(name) > 1:
            raise StructureError(f"graph: two inputs are named '{name}'. Give them different names.")
    names, number = list[str](), 0
    for node in inputs:
        own = node.name
        while own is None:
            own, number = ("input" if number == 0 else f"input_{number}"), number + 1
            own = None if own in chosen else own
        names.append(own)
    return tuple(names)


def _fitted(node: SymbolicNode, name: str, x: Any) -> Any:
    """`x` in the declared shape: an axis of size 1 is added to (N,) or removed from (N, 1) where that makes it fit."""
    values, mask = split_mask(x)
    if node.samples.dtype == TEXT:
        values = np.asarray(values) if is_known(values) else values
        shape, declared = values.shape, node.samples.shape
        return _texts(values, declared) if len(shape) != len(declared) + 1 else values
    values = lift(values)
    shape, declared = spec_of(values).shape, node.samples.shape
    if declared == (1,) and len(shape) == 1:
        values = expand_dims(values, 1)
    elif declared == () and len(shape) == 2 and shape[1] == 1:
        values = squeeze(values, 1)
    elif len(shape) != len(declared) + 1 or any(d not in (None, n) for d, n in zip(declared, shape[1:], strict=True)):
        raise ShapeError(f"graph: expected {node.shape} for the input '{name}', None for any size, received {shape}.")
    return join_mask(values, mask)


def _texts(values: Any, declared: tuple[int | None, ...]) -> Any:
    """Texts with an axis of size 1 more or less, where that makes them fit."""
    if declared == (1,) and len(values.shape) == 1 and is_known(values):
        return values[:, None]
    return values[:, 0] if declared == () and values.shape[1:] == (1,) and is_known(values) else values


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
