"""The layers between the inputs and the outputs of a model, in Keras' order."""

from __future__ import annotations

from typing import Any

from fnet import tree
from fnet.io.keras.calls import Calls, Tensor, TracedCall
from fnet.keras.held import HeldLayer, face_of
from fnet.keras.input import InputLayer
from fnet.keras.layer import Layer
from fnet.keras.naming import unique_name
from fnet.networks.graph import Wiring
from fnet.networks.layer import Layer as Functional
from fnet.networks.node import SymbolicNode


class OperationLayer(Layer):
    """What stands for an operation on nodes, as ``x + 1``, in a list of layers."""

    def __init__(self, operation: Functional, output: Any) -> None:
        super().__init__(name=unique_name(operation.name))
        self._core, self.built = HeldLayer.of(operation, self), True
        self.symbolic_calls = [((), output)]

    @property
    def kind(self) -> str:
        return self.functional.kind


class LayerGraph:
    """The layers and calls of a functional model: `layers` in Keras' order, with an `InputLayer` for each input.

    rows: these layers, and the operations on nodes between them.
    """

    def __init__(self, wiring: Wiring) -> None:
        self._faces: dict[int, Layer] = {}
        self.inputs = [
            InputLayer(node.samples.shape, dtype=node.samples.dtype, name=name, node=node)
            for node, name in zip(wiring.inputs, wiring.input_names, strict=True)
        ]
        self.calls, self._nodes = _calls(wiring, self.inputs)
        self.operations = self.calls.operations()
        self.rows = [self.face(calls[0]) for calls in self.operations]
        self.layers = [face for face in self.rows if not isinstance(face, OperationLayer)]

    @property
    def is_line(self) -> bool:
        """Whether each layer is called once, on one output of the one before it."""
        before: Layer | None = self.inputs[0] if len(self.inputs) == 1 else None
        met = set[int]()
        for call in self.calls.calls:
            sources = tree.leaves(call.inputs)
            if len(sources) != 1 or self.face(sources[0].call) is not before or id(call.operation) in met:
                return False
            before = self.face(call)
            met.add(id(call.operation))
        return before is not None

    def sources_of(self, layer: Layer) -> list[tuple[str, int, int]]:
        """Which output of which call of which layer the inputs of a layer are, call after call."""
        calls = next((calls for calls in self.operations if self.face(calls[0]) is layer), [])
        return [
            (self.face(tensor.call).name, self._number(tensor.call), tensor.index)
            for call in calls
            if call.layer is not None
            for tensor in tree.leaves(call.inputs)
        ]

    def _number(self, call: TracedCall) -> int:
        """The number of a call among all symbolic calls of its layer."""
        if call.layer is None:
            return 0
        made = [id(node) for node in self._nodes[id(call)]]
        known = [[id(node) for node in tree.leaves(output)] for _, output in self.face(call).symbolic_calls]
        return known.index(made) if made in known else 0

    def _made_by(self, call: TracedCall) -> Any:
        nodes = tuple(self._nodes[id(call)])
        return nodes[0] if len(nodes) == 1 else nodes

    def face(self, call: TracedCall) -> Layer:
        """The object that users see for the layer of a call, or for an input."""
        if call.layer is None:
            return next(face for face in self.inputs if face is call.operation)
        known = face_of(call.layer) or self._faces.get(id(call.layer))
        if known is None:
            known = self._faces[id(call.layer)] = OperationLayer(call.layer, self._made_by(call))
        return known


def _calls(wiring: Wiring, inputs: list[InputLayer]) -> tuple[Calls, dict[int, list[SymbolicNode]]]:
    """The calls of a graph, for `Calls.operations`, and the nodes that each of them makes."""
    nodes: dict[int, list[SymbolicNode]] = {}
    made: dict[int, Tensor] = {}
    for node, face in zip(wiring.inputs, inputs, strict=True):
        made[id(node)] = Tensor(TracedCall(None, None, face.name, operation=face), 0, node.samples)
    calls = []
    for call in wiring.calls:
        given = tree.map(lambda node: made[id(node)], call.inputs)
        traced = TracedCall(call.layer, None, call.layer.name, given, operation=call.layer, train=call.train)
        for i, node in enumerate(tree.leaves(call.outputs)):
            made[id(node)] = Tensor(traced, i, node.samples)
        traced.outputs = tree.map(lambda node: made[id(node)], call.outputs)
        calls.append(traced)
        nodes[id(traced)] = tree.leaves(call.outputs)
    ends = [made[id(node)] for node in wiring.inputs], tree.map(lambda node: made[id(node)], wiring.outputs)
    return Calls(ends[0][0] if len(ends[0]) == 1 else ends[0], calls, ends[1]), nodes
