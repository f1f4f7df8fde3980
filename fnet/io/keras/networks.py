"""The network that the config of a Keras model says: Sequential and Functional models, within each other, too."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from fnet import tree
from fnet.errors import FileError, FnetError, plain
from fnet.io.keras.config import FLAG, TEXT, Config, ValueKind, integers, sequence, several, wrong
from fnet.io.keras.inbound_nodes import Place, call_fields, call_of, inputs_of, place_of
from fnet.io.keras.inference import KEYWORD
from fnet.io.keras.masks import Trail, applied
from fnet.io.keras.members import Member, nested
from fnet.io.keras.older_merges import check_model, merged
from fnet.io.keras.operation_calls import maker_of
from fnet.io.keras.translation import MODELS as NETWORKS
from fnet.io.keras.translation import Translation, row_of_object
from fnet.io.keras.unused import with_unused
from fnet.io.keras.variables import Variables
from fnet.networks.combinators import serial
from fnet.networks.graph import Input, graph
from fnet.networks.layer import DEEPEST, Layer
from fnet.networks.node import SymbolicNode
from fnet.networks.samples import Samples, input_dtype

MODELS = ("Sequential", "Functional", "Model")
MOST_LAYERS = 10_000
MOST_NUMBERS = 1 << 28  # of one sample
_SHAPE = several(integers(0, optional=True), 1, 32)
_ANY = ValueKind(lambda value, path: value)
_INPUT = "InputLayer"
_DTYPES = {"float16": "float32", "bfloat16": "float32"} | {name: name for name in (
    "float32", "float64", "string", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"
)}  # fmt: skip


class Model(NamedTuple):
    """A network with the samples of its inputs, None where the file does not say them, and its layers in the file."""

    net: Layer
    samples: Any
    members: list[Member]


class Origin(NamedTuple):
    """What wrote a file: whether Keras 2, whose merges treat masks otherwise, and whether it is an archive.

    Calls of Functional models within a model count from 1 in the older form of nodes, but in archives of Keras 3.
    """

    keras_2: bool = False
    archive: bool = False


OF_KERAS_3 = Origin()


def read_model(config: Config, origin: Origin = OF_KERAS_3, batch: int | None = None) -> Model:
    """The model that an object says, in a file of this origin. batch: the size of batches of the model around it."""
    class_name = config.read("class_name", TEXT)
    if class_name not in MODELS:
        raise FileError(f"{config.path}: expected a Sequential or Functional model, received {plain(class_name)}.")
    if config.depth > DEEPEST:
        raise FileError(f"{config.path}: models are nested deeper than {DEEPEST} levels.")
    fields = config.read("config", _ANY)
    if class_name == "Sequential" and isinstance(fields, list):  # the oldest form
        fields = {"layers": fields}
    own = Config(fields, f"{config.path} ({class_name})", config.depth + 1)
    layers = own.read("layers", several(_ANY, 0, MOST_LAYERS))
    entries = [Config(entry, f"{own.path}/layers/{i}", own.depth) for i, entry in enumerate(layers)]
    try:
        chain = class_name == "Sequential"
        make = _sequential if chain else _functional
        model = make(own, entries, origin, batch)
    except FileError:
        raise
    except (FnetError, TypeError) as error:
        raise FileError(f"{own.path}: {error}") from None
    name = own.read("name", TEXT) if "name" in own else class_name.lower()
    net, members = _named(model.net, name, own.path), model.members
    if "trainable" in own and own.read("trainable", FLAG) is False:
        net = net.with_trainable(False)
        members = [replace(member, variables=member.variables.frozen()) for member in members]
    return Model(net, model.samples, members)


def _sequential(own: Config, entries: list[Config], origin: Origin, around: int | None) -> Model:
    samples, layers, members = None, list[Layer](), list[Member]()
    if own.raw("build_input_shape") is not None:
        samples = _samples(own.read("build_input_shape", _SHAPE), "float32")
    for i, entry in enumerate(entries):
        first = entry.object("config")
        if isinstance(first.raw("layers"), list) and i == 0 and samples is None:
            inner = read_model(entry, origin, around)  # once: models may begin with models many levels deep
            samples = inner.samples
            layers.append(inner.net)
            members.append(_member(inner, entry))
            continue
        if entry.read("class_name", TEXT) == _INPUT:
            samples = _declared(entry)
            continue
        if i == 0 and first.raw("batch_input_shape") is not None:
            samples = _declared(entry)
        batch = around if samples is None else _batch_size(entries[0].object("config"), own)
        layer, member = _layer(entry, {}, batch, origin)
        layers.append(layer)
        members.append(member)
    return Model(serial(*layers), samples, members)


def _functional(own: Config, entries: list[Config], origin: Origin, around: int | None) -> Model:
    return _Functional(own, entries, origin, around).model()


class _Functional:
    """The calls of a functional model, which are made one after the other as soon as their inputs are there."""

    def __init__(self, own: Config, entries: list[Config], origin: Origin, around: int | None) -> None:
        self.origin = origin
        self.own, self.entries = own, {entry.read("name", TEXT): entry for entry in entries}
        if len(self.entries) < len(entries):
            raise FileError(f"{own.path}: two layers have the same name.")
        self.made: dict[str, list[Any]] = {}
        self.members: list[Member] = []
        self.inputs: dict[str, SymbolicNode] = {}
        self.pending: dict[str, tuple[Callable[[Any], Any], list[Any]]] = {}
        self.trail = Trail()
        self.older = False  # it has nodes of the older form
        batch = next((b for e in entries if (b := _batch_size(e.object("config"), own))), around)
        for name, entry in self.entries.items():
            nodes = list(entry.read("inbound_nodes", several(_ANY, 0, MOST_LAYERS)))
            self.older = self.older or any(isinstance(node, list) for node in nodes)
            if entry.read("class_name", TEXT) == _INPUT:
                declared = _declared(entry)
                self.inputs[name] = Input(declared.shape, declared.dtype, name)
                self.made[name] = [[self.inputs[name]]]
                self.members.append(Member(name, _INPUT, Variables()))
                continue
            registered = entry.raw("registered_name")
            own_name = registered if isinstance(registered, str) else entry.read("class_name", TEXT)
            calls = [call_of(node, own_name, f"{entry.path} ({plain(name)})") for node in nodes]
            operation = maker_of(entry, name)
            if operation is not None:
                self.made[name], self.pending[name] = [], (operation, calls)
                continue
            row = None if _is_model(entry) else row_of_object(entry)
            layer, member = _layer(entry, call_fields(row, calls, entry.path), batch, origin)
            self.members.append(member)
            self.made[name], self.pending[name] = [], (self._called(layer, row, entry.path), calls)

    def model(self) -> Model:
        self._run()
        inputs = self._ends("input_layers")
        outputs = self._ends("output_layers")
        nodes = tree.leaves(inputs)
        if any(node.call is not None for node in nodes):
            raise FileError(f"{self.own.path}/input_layers: expected layers of the class InputLayer.")
        return Model(
            graph(inputs, with_unused(inputs, outputs)), tree.map(lambda node: node.samples, inputs), self.members
        )

    def _run(self) -> None:
        """Make all calls; a call whose inputs are not there yet waits for the next round."""
        count = sum(len(calls) for _, calls in self.pending.values())
        if count > MOST_LAYERS:
            raise FileError(f"{self.own.path}: {count} calls of layers, expected at most {MOST_LAYERS}.")
        progress = True
        while self.pending and progress:
            progress = False
            for name, (make, calls) in list(self.pending.items()):
                while calls and self._is_ready(calls[0]):
                    progress = True
                    made = make(tree.map(self._node, calls.pop(0), is_leaf=_is_part))
                    self.made[name].append(tree.leaves(made))
                if not calls:
                    del self.pending[name]
        if self.pending:
            raise FileError(f"{self.own.path}: the inputs of '{plain(next(iter(self.pending)))}' are never made.")

    def _called(self, layer: Layer, row: Translation | None, path: str) -> Callable[[Any], Any]:
        """The function that calls a layer with the arguments and keywords of a call."""

        def make(call: Any) -> Any:
            ends = row is not None and row.inputs == "states" and not self.older
            x = applied(self.trail, inputs_of(row, call, path), call[1], ends, path)
            if self.origin.keras_2 and layer.kind in NETWORKS:
                check_model(self.trail, layer, x, path)
            older = merged(self.trail, layer, x, path) if self.origin.keras_2 else None
            if older is not None:
                return older
            made = layer(x, train=call[1].get(KEYWORD))
            self.trail.note(layer, x, made)
            return made

        return make

    @property
    def counted(self) -> bool:
        """Whether calls of Functional models count from 1 as inputs of other calls."""
        return self.older and (self.origin.keras_2 or not self.origin.archive)

    def _is_ready(self, call: Any) -> bool:
        places = [x for x in tree.leaves(call, is_leaf=_is_part) if isinstance(x, Place)]
        return all(self._outputs(place, self._shift(place, self.counted)) is not None for place in places)

    def _outputs(self, place: Place, shift: int = 0) -> list[SymbolicNode] | None:
        if place.name not in self.made:
            raise FileError(f"{self.own.path}: there is no layer '{plain(place.name)}'.")
        made, call = self.made[place.name], place.call - shift
        if call < 0:
            raise FileError(f"{self.own.path}: '{plain(place.name)}' has no call {place.call}.")
        return made[call] if call < len(made) else None

    def _node(self, part: Any) -> Any:
        if not isinstance(part, Place):
            return part
        outputs = self._outputs(part, self._shift(part, self.counted))
        assert outputs is not None
        return self._output(outputs, part)

    def _output(self, outputs: list[SymbolicNode], place: Place) -> SymbolicNode:
        if not 0 <= place.output < len(outputs):
            raise FileError(f"{self.own.path}: '{plain(place.name)}' has no output {place.output}.")
        return outputs[place.output]

    def _ends(self, key: str) -> Any:
        """The nodes that ``input_layers`` or ``output_layers`` name, in their structure."""

        def node(value: Any, depth: int = 0) -> Any:
            if depth > DEEPEST:
                raise FileError(f"{self.own.path}/{key}: it is nested deeper than {DEEPEST} levels.")
            if isinstance(value, Mapping) and value.get("class_name") != "__tuple__":
                return {name: node(part, depth + 1) for name, part in value.items()}
            items = sequence(value)
            if items is None:
                raise wrong(f"{self.own.path}/{key}", "names of layers with two numbers", value)
            if len(items) == 3 and isinstance(items[0], str):
                place = place_of(items, f"{self.own.path}/{key}")
                outputs = self._outputs(place, self._shift(place))
                if outputs is None:
                    raise FileError(f"{self.own.path}/{key}: '{plain(place.name)}' has no call {place.call}.")
                return self._output(outputs, place)
            return [node(part, depth + 1) for part in items]

        found = node(self.own.read(key, _ANY))
        return found[0] if isinstance(found, list) and len(found) == 1 else found

    def _shift(self, place: Place, counted: bool = True) -> int:
        """The number of the first call of a model within this one.

        counted: whether calls of functional models count from 1: in the ends always, in calls in files of Keras 2. A
        Sequential model that declares its input is one to Keras 2.
        """
        entry = self.entries.get(place.name)
        if entry is None or not _is_model(entry) or not counted:
            return 0
        if entry.raw("class_name") != "Sequential":
            return 1
        layers = Config(entry.raw("config"), entry.path).raw("layers") if isinstance(entry.raw("config"), dict) else []
        first = Config(layers[0], entry.path) if layers else None
        return int(self.counted and first is not None and first.raw("class_name") == _INPUT)


def _layer(entry: Config, call_fields: Mapping[str, Any], batch: int | None, origin: Origin) -> tuple[Layer, Member]:
    """The layer of an entry under its name, and what it has in the file."""
    class_name, own = entry.read("class_name", TEXT), entry.raw("config")
    if class_name in MODELS:
        model = read_model(entry, origin, batch)
        return model.net, _member(model, entry)
    own = entry.object("config")
    row = row_of_object(entry)
    name = own.read("name", TEXT) if "name" in own else entry.read("name", TEXT)
    stateful = {"batch_size": batch} if own.raw("stateful") is True and batch is not None else {}
    fields = {**own.fields, **call_fields, **stateful}
    layer = row.from_config(Config(fields, f"{entry.path} ({class_name} {plain(repr(name))})", own.depth + 1))
    layer = _named(layer, name, entry.path)
    variables = row.variables(layer).below(layer.name)
    return layer, Member(layer.name, class_name, variables if layer.trainable is True else variables.frozen())


def _member(model: Model, entry: Config) -> Member:
    """What a model within a model has in the file."""
    return Member(model.net.name, entry.read("class_name", TEXT), nested(model.members).below(model.net.name))


def _named(layer: Layer, name: str, path: str) -> Layer:
    try:
        return layer.relabel(name.replace("/", "_"), named=True)
    except FnetError as error:
        raise FileError(f"{path}/name: {error}") from None


def _declared(entry: Config) -> Samples:
    """The samples that an InputLayer, or the first layer of an older Sequential model, declares."""
    own = entry.object("config")
    key = "batch_shape" if "batch_shape" in own else "batch_input_shape"
    dtype = own.raw("dtype") if entry.raw("class_name") == _INPUT else None
    return _samples(own.read(key, _SHAPE), dtype if isinstance(dtype, str) else "float32")


def _samples(batch_shape: tuple[int | None, ...], dtype: str) -> Samples:
    if dtype not in _DTYPES:
        raise FileError(f"inputs of dtype {plain(dtype)} are not read, only numbers are.")
    shape = tuple(batch_shape[1:])
    if math.prod(size for size in shape if size is not None) > MOST_NUMBERS:
        raise FileError(
            f"its inputs have the shape {shape}, and samples of more than {MOST_NUMBERS} numbers are refused."
        )
    return Samples(shape, input_dtype(_DTYPES[dtype]))


def _batch_size(config: Config, own: Config) -> int | None:
    """The size of batches that an input declares."""
    for key in ("batch_shape", "batch_input_shape"):
        if config.raw(key) is not None:
            return config.read(key, _SHAPE)[0]
    shape = own.raw("build_input_shape")
    return own.read("build_input_shape", _SHAPE)[0] if shape is not None else None


def _is_model(entry: Config) -> bool:
    return entry.raw("class_name") in MODELS


def _is_part(part: Any) -> bool:
    """Whether it is no list of others, nor a dict."""
    return isinstance(part, Place) or not isinstance(part, list | tuple | dict)
