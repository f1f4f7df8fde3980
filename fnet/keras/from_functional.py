"""Models of functional networks."""

from __future__ import annotations

from typing import Any

from fnet import tree
from fnet.keras import layers
from fnet.keras.held import HeldLayer, face_of
from fnet.keras.input import Input
from fnet.keras.layer import Layer
from fnet.keras.models.model import Model
from fnet.keras.models.sequential import Sequential
from fnet.keras.own_files import made_again
from fnet.keras.running import Values
from fnet.layers.constructor import LAYERS
from fnet.networks.graph import wiring_of
from fnet.networks.layer import Layer as Functional
from fnet.networks.samples import Samples, check_shape, is_single


class FunctionalLayer(Layer):
    """A functional layer that is none of Keras': a combinator, or one of the user's own."""


def from_functional(net: Functional, params: Any, state: Any, shape: Any = None) -> Model:
    """The model of a functional network, which holds copies of its parameters and state: the way back of `functional`.

    net: a graph gives a `Model`, anything else a `Sequential`. shape: of the input without the batch axis, where
    `summary` is to show the shapes of the outputs and the network does not know it.

    >>> import fnet
    >>> net = fnet.serial(fnet.layers.Dense(4, "relu"), fnet.layers.Dense(1))
    >>> model = from_functional(net, *net.init(fnet.random.key(0), (3,)), shape=(3,))
    >>> model.output_shape, [layer.name for layer in model.layers]
    ((None, 1), ['dense', 'dense_1'])
    """
    if net.kind == "graph":
        return _graph(net, params, state)
    known = net.shape if shape is None else shape
    known = None if known is None else check_shape(known)
    name = net.name if net.named else None
    if known is not None and not (is_single(known) and is_single(net.out_shape(known))):
        inputs = tree.map(Input, known, is_leaf=is_single)
        return Model(inputs, _face(net, net.name, params, state)(inputs), name)
    faces = _faces(net, params, state) if net.kind == "serial" else []
    if len(set(map(id, faces))) != len(net.children) or not faces:
        faces = [_face(net, net.name, params, state)]
    model = Sequential(faces, name=name)
    if known is not None:
        model.build((None, *known))
    return model


def _faces(net: Functional, params: Any, state: Any) -> list[Layer]:
    """The layers of a container; a layer that is used twice is one object."""
    made: dict[str, Layer] = {}
    for entry, child in zip(net.entries, net.children, strict=True):
        if entry not in made:
            made[entry] = _face(child, entry, params.get(entry, {}), state.get(entry, {}))
    return [made[entry] for entry in net.entries]


def _face(layer: Functional, name: str, params: Any, state: Any) -> Layer:
    """The object that holds the weights of a layer."""
    if layer.kind == "graph" or (
        layer.kind == "serial" and len(set(map(id, layer.children))) == len(layer.children) > 0
    ):
        model = from_functional(layer.relabel(name, named=True), params, state)
        if layer.trainable is False:
            model.trainable = False
        return model
    own = made_again(layer)
    if own is not None:
        own.name, own.has_chosen_name, own._trainable = name, layer.named, layer.trainable is not False
        own._core = HeldLayer.of(own.functional, own)
        own.take(params, state)
        return own
    if layer.kind == "TimeDistributed":
        (entry,), (child,) = layer.entries, layer.children
        return layers.TimeDistributed.around(
            _face(child, entry, params.get(entry, {}), state.get(entry, {})), layer, name
        )
    kind = getattr(layers, layer.kind) if layer.kind in LAYERS else FunctionalLayer
    face: Layer = object.__new__(kind)
    Layer.__init__(face, name=name, trainable=layer.trainable is not False)
    face.has_chosen_name = layer.named
    face._core = HeldLayer.of(layer.with_trainable(True) if layer.trainable is False else layer, face)
    face.held, face.built = (
        Values(tree.map(lambda x: x.copy(), dict(params)), tree.map(lambda x: x.copy(), dict(state))),
        True,
    )
    return face


def object_of(layer: Functional, name: str | None = None) -> Layer:
    """The object of a layer that has no weights yet, under this name."""
    own = face_of(layer)
    if own is not None:
        own.name, own.has_chosen_name = name or own.name, name is not None
        return own
    if layer.kind == "TimeDistributed":
        inner, activity = object_of(layer.children[0]), layer.config.get("activity_regularizer")
        return layers.TimeDistributed(inner, activity_regularizer=activity, name=name)
    kind = getattr(layers, layer.kind)
    made: Layer = object.__new__(kind)
    Layer.__init__(made, name=name, trainable=layer.trainable is not False)
    made._core = HeldLayer.of(layer, made)
    return made


def _graph(net: Functional, params: Any, state: Any) -> Model:
    wiring = wiring_of(net)
    assert wiring is not None
    nodes: dict[int, Any] = {}
    for node, name in zip(wiring.inputs, wiring.input_names, strict=True):
        samples: Samples = node.samples
        nodes[id(node)] = Input(samples.shape, dtype=samples.dtype, name=name)
    for call, face in zip(wiring.calls, _faces(net, params, state), strict=True):
        made = face(tree.map(lambda node: nodes[id(node)], call.inputs), training=call.train)
        for node, own in zip(tree.leaves(call.outputs), tree.leaves(made), strict=True):
            nodes[id(node)] = own
    inputs, outputs = (tree.map(lambda node: nodes[id(node)], net.config[end]) for end in ("inputs", "outputs"))
    model = Model(inputs, outputs, net.name if net.named else None)
    model.draw_from(state)
    return model
