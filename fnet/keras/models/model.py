"""Models: networks with the words of Keras."""

from __future__ import annotations

import importlib
import json
from typing import Any
from weakref import WeakSet

import numpy as np

from fnet import tree
from fnet.errors import StructureError, did_you_mean
from fnet.io.keras.calls import calls_of
from fnet.io.keras.model_config import model_config
from fnet.keras.held import HeldLayer, face_of
from fnet.keras.input import batch_of
from fnet.keras.layer import Layer, check_called, of_shapes
from fnet.keras.models.trained import Trained
from fnet.keras.models.wiring import LayerGraph
from fnet.keras.naming import unique_name
from fnet.keras.running import Values
from fnet.keras.seeds import next_key
from fnet.keras.summary import print_summary
from fnet.networks.graph import graph, output_names, wiring_of
from fnet.networks.parameters import trainable

_PREPARES = ("InputLayer", "Rescaling", "Normalization", "Identity", "Lambda", "Reshape")
"""Layers that may be beside those of images in a model that only prepares them."""


class Model(Trained, Layer):
    """A network between symbolic `inputs` and `outputs`; each is one, a list, or a dict of them.

    Layers that were called on the way keep their weights, which the model shares. `functional` is the pair
    ``(init, apply)``, `params` and `state` are its trees. Source: Keras ``Model``.

    >>> from fnet.keras import Input, Model, layers
    >>> x = Input((16,))
    >>> a, b = layers.Dense(16, activation="relu")(x), layers.Dense(8)(x)
    >>> model = Model(x, layers.Dense(1)(layers.concatenate([a, b])))
    >>> model.count_params(), model.output_shape
    (433, (None, 1))
    """

    _layer_graph: LayerGraph | None = None

    def __init__(self, inputs: Any = None, outputs: Any = None, name: str | None = None, **options: Any) -> None:
        own = unique_name("functional") if type(self) is Model and name is None else name
        super().__init__(name=own, **options)
        self.has_chosen_name = name is not None
        if (inputs is None) != (outputs is None) or (inputs is None and type(self) is Model):
            raise StructureError(f"{type(self).__name__}: give both, inputs and outputs: Model(inputs, outputs).")
        if inputs is not None:
            self._connect(inputs, outputs)

    def _connect(self, inputs: Any, outputs: Any) -> None:
        check_called(self.name, (inputs, outputs))
        self.check_call(Model)
        net = graph(inputs, outputs)
        wiring = wiring_of(net)
        assert wiring is not None
        self._layer_graph = LayerGraph(wiring)
        self._given, self.has_declared_input, self.has_ends = (inputs, outputs), True, True
        self.batch_when_built = batch_of(tree.leaves(inputs)[0])
        self._core, self.built = HeldLayer.of(net, self), True
        if wiring.draws is not None:
            self.held = Values({}, {wiring.draws.entry: wiring.draws.first(next_key())})
            _DRAWING.add(self)

    def draw_from(self, state: Any) -> None:
        """Let calls with training=True draw their numbers as a state of the functional network says."""
        for entry in self.held.state:
            self.held.state[entry] = tree.map(np.array, state[entry])

    def draw_anew(self) -> None:
        """Let calls with training=True draw other numbers than before, after `predict` or `evaluate`."""
        for _, part in self.placed() if _DRAWING else ():
            wiring = None if part._core is None or not part.held.state else wiring_of(part._core)
            if wiring is not None and wiring.draws is not None:
                part.held.state[wiring.draws.entry] = wiring.draws.renewed(part.held.state)

    def check_call(self, kind: type[Model]) -> None:
        """Refuse a `call` of the user's own where layers that are connected say what is computed."""
        if type(self).call is not kind.call:
            raise StructureError(
                f"{type(self).__name__} defines call, but its connected layers say what it computes. Derive it from "
                f"Model, hold the layers or a {kind.__name__} as attributes, and use them in call."
            )

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape, with None for the batch; several inputs have a list of shapes."""
        if not self.built and not self.is_being_built:
            self.build_for(of_shapes(input_shape))
            first = input_shape
            while isinstance(first, list | tuple | dict) and first:
                first = next(iter(first.values() if isinstance(first, dict) else first))
            self.batch_when_built = first if isinstance(first, int) else None

    # What is in it.

    @property
    def layers(self) -> list[Layer]:
        """The layers in Keras' order, those of inputs among them."""
        if self._layer_graph is None:
            return [part for _, part in self.parts()]
        return list(self._layer_graph.layers)

    @property
    def augments(self) -> bool:  # type: ignore[override]
        """Whether it prepares images and does nothing else, so that a call means training where nothing is said."""
        parts = [layer for layer in self.layers if layer.kind not in _PREPARES]
        return bool(parts) and all(layer.augments for layer in parts)

    @property
    def rows(self) -> list[Layer]:
        """The layers, and the operations on symbolic values between them: what `summary` shows."""
        return self.layers if self._layer_graph is None else list(self._layer_graph.rows)

    @property
    def is_callable(self) -> bool:
        return self._layer_graph is not None or type(self).call is not Layer.call

    @property
    def kind(self) -> str:
        return "Functional" if type(self) is Model else type(self).__name__

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """The layer of this name or number. Raises `StructureError` where there is none."""
        if index is not None:
            return self.layers[index]
        for layer in self.layers:
            if layer.name == name:
                return layer
        hint = did_you_mean(str(name), [layer.name for layer in self.layers])
        raise StructureError(f"{self.name} has no layer named {name!r}.{hint}")

    def parts(self) -> list[tuple[str, Layer]]:
        if self._layer_graph is None:
            return super().parts()
        core = self.functional
        named = dict(zip(core.entries, core.children, strict=True))
        return [(entry, face_of(child)) for entry, child in named.items() if face_of(child) is not None]

    def own_weights(self) -> list[Any]:
        is_container = self._core is not None and self._core.container  # all weights are of layers in it
        return [] if is_container else super().own_weights()

    @property
    def weights(self) -> list[Any]:
        """The weights, layer by layer in the order of `layers`, each once."""
        found = [*self.own_weights(), *(weight for layer in self.layers for weight in layer.weights)]
        return list({weight.key: weight for weight in found}.values())

    def summary(self, *args: Any, **options: Any) -> None:
        """Print the table of layers, see `fnet.keras.summary.print_summary`."""
        print_summary(self, *args, **options)

    def to_json(self) -> str:
        """The text that says the layers, as Keras writes it; `fnet.keras.models.model_from_json` is the way back."""
        net, params, state = self.functional, self.params, self.state
        samples = [node.samples for node in self.inputs]
        calls = calls_of(net, params, state, samples[0] if len(samples) == 1 else tuple(samples), models=True)
        return json.dumps(model_config(calls, trainable(net, params), state, "archive", self.name))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` makes a model of the same layers from; for a class with a call, its arguments."""
        if self._core is None or not self._core.container:
            return super().get_config()
        described: dict[str, Any] = json.loads(self.to_json())["config"]
        return described

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A model of the layers that `get_config` says, with fresh weights; a class with a call takes arguments."""
        if "layers" not in config or cls.call is not Layer.call:
            return cls(**config)
        kind = "Functional" if "input_layers" in config else "Sequential"
        copying = importlib.import_module("fnet.keras.copying")  # found, not imported: it knows models
        return copying.model_from_json(json.dumps({"class_name": kind, "config": config}))

    @property
    def metrics_names(self) -> list[str]:
        """The names of the numbers that `evaluate` returns; known once the model has been trained or evaluated."""
        if not self.known_numbers:
            raise StructureError(f"{self.name}: fit or evaluate it first; its numbers are named then.")
        return list(self.known_numbers)

    def reset_metrics(self) -> None:
        """Nothing: each epoch, and each call of `evaluate`, begins to count anew."""

    @property
    def is_chain(self) -> bool:
        """Whether the layers follow one another, each called once."""
        if self._layer_graph is None:
            return True
        chain = self._layer_graph.calls.chain()
        return chain is not None or not self._layer_graph.calls.calls

    @property
    def is_line(self) -> bool:
        """Whether `summary` need not say where inputs come from: each layer takes what the one before it makes."""
        return self._layer_graph is None or self._layer_graph.is_line

    def sources_of(self, layer: Layer) -> list[tuple[str, int, int]]:
        """``(name, call, output)`` for each input of a layer: which output of which call of which layer it is."""
        if self._layer_graph is None:
            return []
        return self._layer_graph.sources_of(layer)

    # Its ends.

    @property
    def inputs(self) -> list[Any]:
        return tree.leaves(self._ends()[0])

    @property
    def outputs(self) -> list[Any]:
        return tree.leaves(self._ends()[1])

    @property
    def input(self) -> Any:
        """The symbolic input, or several as they were given."""
        return _single(self._ends()[0])

    @property
    def output(self) -> Any:
        """The symbolic output, or several as they were given."""
        return _single(self._ends()[1])

    @property
    def input_shape(self) -> Any:
        return _single(tree.map(lambda node: node.shape, self._ends()[0]))

    @property
    def output_shape(self) -> Any:
        return _single(tree.map(lambda node: node.shape, self._ends()[1]))

    @property
    def output_names(self) -> list[str]:
        """The names of the outputs: keys of a dict, else those of the layers that make them."""
        names = output_names(self.functional)
        if names is not None:
            return list(names)
        made = next((layer for layer in self.layers for _, y in layer.symbolic_calls if y is self.outputs[0]), None)
        return [self.name if made is None else made.name]

    @property
    def operations(self) -> list[Layer]:
        """The layers, and the operations on symbolic values between them."""
        return self.rows

    @property
    def input_names(self) -> list[str]:
        return [node.name for node in self.inputs]

    def _ends(self) -> tuple[Any, Any]:
        if self._layer_graph is None:
            raise StructureError(f"{self.name} has no symbolic inputs and outputs: it is a class with a call.")
        return self._given


_DRAWING: WeakSet[Model] = WeakSet()
"""The models of the session that draw: without any, nothing is looked for."""


def _single(ends: Any) -> Any:
    return ends[0] if isinstance(ends, list | tuple) and len(ends) == 1 else ends
