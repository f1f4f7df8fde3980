"""Models that are a chain of layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import StructureError
from fnet.keras.held import HeldLayer
from fnet.keras.input import Input, InputLayer, batch_of
from fnet.keras.layer import Layer
from fnet.keras.models.model import Model
from fnet.keras.naming import unique_name
from fnet.networks.combinators import serial
from fnet.networks.node import SymbolicNode
from fnet.networks.samples import Samples


class Sequential(Model):
    """Layers one after the other.

    layers: a list of layers, with an `Input` in front or not; `add` puts another one behind them, `pop` takes the last
    one away. Where no shape is known, the weights are made for the first data. Source: Keras ``Sequential``.

    >>> from fnet.keras import Sequential, layers
    >>> model = Sequential([layers.Dense(4, activation="relu", input_shape=(18,))])
    >>> model.add(layers.Dense(1, name="head"))
    >>> model.layers[1].name, model.count_params()
    ('head', 81)
    """

    def __init__(self, layers: Sequence[Any] | None = None, trainable: bool = True, name: str | None = None) -> None:
        Layer.__init__(self, name=unique_name("sequential") if name is None else name, trainable=trainable)
        self.has_chosen_name = name is not None
        self.check_call(Sequential)
        self._chain: list[Layer] = []
        self._start: SymbolicNode | None = None
        self._end: SymbolicNode | None = None
        for layer in layers or ():
            self._append(layer)
        self._connected()

    def add(self, layer: Any) -> None:
        """Put a layer behind the others; an `Input` says the shape of the data, in front of all.

        Raises `StructureError` for what is no layer, and for a layer of several inputs or outputs.
        """
        self._append(layer)
        self._connected()

    def _append(self, layer: Any) -> None:
        if isinstance(layer, SymbolicNode | InputLayer):
            self._begin(layer)
            return
        if not isinstance(layer, Layer):
            kind = getattr(layer, "__name__", type(layer).__name__)
            hint = f" Call it: {kind}(...)." if isinstance(layer, type) else ""
            raise StructureError(f"Sequential.add: expected a layer of fnet.keras.layers, received {kind}.{hint}")
        if any(layer.name == other.name for other in self._chain):
            raise StructureError(f"two layers are named '{layer.name}'. Give them different names.")
        declared = layer.declared_shape
        if not self._chain and self._start is None:
            if declared is not None:
                self._start = self._end = Input(declared)
                self.has_declared_input, self.batch_when_built = True, layer.declared_batch
            elif isinstance(layer, Model) and layer.built and getattr(layer, "_start", self) is not None:
                nodes = layer.inputs
                self._start = self._end = Input(nodes[0].samples.shape, dtype=nodes[0].dtype)
                self.has_declared_input = True
        self._chain.append(layer)

    def pop(self) -> Layer:
        """Take the last layer away and return it."""
        if not self._chain:
            raise StructureError(f"{self.name} has no layers.")
        layer = self._chain.pop()
        self._end = self._start
        self._connected()
        return layer

    def _begin(self, given: Any) -> None:
        if self._start is not None or self._chain:
            raise StructureError(
                f"{self.name}: an Input stands in front of all layers and once. A model of several inputs is "
                f"Model(inputs, outputs)."
            )
        shape = given.declared_shape if isinstance(given, InputLayer) else given.samples.shape
        dtype = given.input_dtype if isinstance(given, InputLayer) else given.samples.dtype
        self.has_declared_input, self.batch_when_built = True, batch_of(given)
        self._start = self._end = Input(shape, self.batch_when_built, dtype, given.name)

    def _connected(self) -> None:
        """Call the layers that were not called yet, where the shape of the data is known."""
        self._trainer = self._ts = None
        self._core, self.built = None, False
        if self._start is None:
            if self._chain and all(layer.built for layer in self._chain):  # weights from elsewhere
                self._join()
            return
        node: Any = self._start
        for layer in self._chain:
            node = self._known_output(layer, node)
        self._end, self.has_ends = node, True
        if self._chain:
            unique_name("functional")  # Keras makes a model inside, which takes a name
            self._join()

    def _join(self) -> None:
        self._core = HeldLayer.of(serial(*(layer.functional for layer in self._chain)), self)
        self.built = True

    def _known_output(self, layer: Layer, node: Any) -> Any:
        for given, made in layer.symbolic_calls:
            if given is node:
                return made
        made = layer(node)
        if not isinstance(made, SymbolicNode):
            raise StructureError(
                f"{self.name}: {layer.name} has {len(tree.leaves(made))} outputs. All layers of a Sequential have one "
                f"input and one output; for others use Model(inputs, outputs)."
            )
        return made

    def build_for(self, samples: Any) -> None:
        if self.built and self._start is not None:
            return
        if not isinstance(samples, Samples):
            raise StructureError(
                f"{self.name}: a Sequential has one input, received {len(tree.leaves(samples))}. A model of several "
                f"inputs is Model(inputs, outputs)."
            )
        if not self._chain:
            raise StructureError(f"{self.name} has no layers: model.add(layers.Dense(1)).")
        self._start = self._end = Input(samples.shape, dtype=samples.dtype)
        self._connected()

    def build(self, input_shape: Any = None) -> None:
        """Make the weights for inputs of this shape, with None for the batch."""
        if input_shape is not None:
            self.build_for(Samples(tuple(input_shape)[1:], np.dtype("float32")))
            self.batch_when_built = self.batch_when_built or next(iter(input_shape))

    @property
    def is_callable(self) -> bool:
        return True

    @property
    def layers(self) -> list[Layer]:
        return list(self._chain)

    def parts(self) -> list[tuple[str, Layer]]:
        if self._core is None:
            return [(layer.name, layer) for layer in self._chain]
        return list(zip(self._core.entries, self._chain, strict=True))

    @property
    def inputs(self) -> list[Any]:
        return [self._ends()[0]]

    @property
    def outputs(self) -> list[Any]:
        return [self._ends()[1]]

    @property
    def input(self) -> Any:
        return self._ends()[0]

    @property
    def output(self) -> Any:
        return self._ends()[1]

    @property
    def input_shape(self) -> Any:
        return self._ends()[0].shape

    @property
    def output_shape(self) -> Any:
        return self._ends()[1].shape

    @property
    def input_names(self) -> list[str]:
        return [str(self._ends()[0].name)]

    def _input_shapes(self) -> Any:
        return self._ends()[0].samples.shape

    def _ends(self) -> tuple[Any, Any]:
        if self._start is None or self._end is None:
            raise StructureError(f"{self.name} does not know the shape of its input yet: put Input(shape) in front.")
        return self._start, self._end
