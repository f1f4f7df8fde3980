"""The config of a model of Keras for a network: Sequential for a chain of layers, Functional for anything else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from fnet import tree
from fnet.errors import StructureError, scope
from fnet.io.keras import inference, values
from fnet.io.keras.calls import Calls, Tensor, TracedCall
from fnet.io.keras.members import CLASSES, at_path, unique_names
from fnet.io.keras.operation_layers import layer_for
from fnet.io.keras.operations import to_keras
from fnet.io.keras.parts import keras_object
from fnet.io.keras.translation import Inputs, full_config, known_row
from fnet.layers.layer_activation import ENTRY
from fnet.layers.reversible_embedding import REVERSE
from fnet.networks.layer import Layer
from fnet.networks.operations import filled, operation_of
from fnet.networks.samples import dtype_name

Layout = Literal["legacy", "archive"]
"""Configs as in ``.h5`` files, which ``tf.keras`` 2 reads, too, or as in ``.keras`` archives."""


def model_config(
    calls: Calls,
    trained: Any,
    state: Any,
    layout: Layout,
    name: str,
    outer: TracedCall | None = None,
) -> dict[str, Any]:
    """The object that says the model.

    trained: the tree of bools that says which parameters are trained. state: of the network, of which the config says
    what Keras has no variables for; None where it is not known. name: of the model. outer: the call of the
    network that is this model within another one.
    Raises `StructureError` with the path of a layer that Keras does not have.
    """
    names, chain = unique_names(calls), calls.chain() if calls.class_name == "Sequential" else None
    batch = _batch_size(calls)
    described: dict[Any, dict[str, Any]] = {}
    for of_layer in calls.operations():
        call = of_layer[0]
        own = names[call.operation]
        if call.layer is None:
            config = _input_config(call.outputs, own, batch, layout)
            described[call.operation] = _object("InputLayer", config, layout)
        else:
            with scope(call.path or call.name):
                described[call.operation] = _call_object(call, calls, trained, state, own, layout)
    trains = outer is None or any(tree.leaves(trained)) or not tree.leaves(trained)
    shared = {"name": name, "trainable": trains}
    if chain is not None:
        first = calls.inputs
        layers = [described[call.operation] for call in chain]
        if outer is not None and layout == "legacy":  # its calls count from 0 then, in both generations of Keras
            return _object("Sequential", {**shared, "layers": layers}, layout)
        layers = [described[first.call.operation], *layers]
        built = {"build_input_shape": [batch, *first.samples.shape]}
        return _object("Sequential", {**shared, "layers": layers, **built}, layout, "keras")
    numbers = {id(call): (names[call.operation], i) for of in calls.operations() for i, call in enumerate(of)}

    def place(tensor: Tensor, of_end: bool = False) -> list[Any]:
        name, number = numbers[id(tensor.call)]
        return [name, _numbered(number, tensor.call, layout, of_end), tensor.index]

    def end(tensor: Tensor) -> list[Any]:
        return place(tensor, of_end=True)

    entries = [
        {
            **described[of_layer[0].operation],
            "name": names[of_layer[0].operation],
            "inbound_nodes": [
                node
                for call in of_layer
                if call.layer is not None
                for node in [_node(call, place, layout)] * _times(call, layout)
            ],
        }
        for of_layer in calls.operations()
    ]
    ends = {
        key: _places(tensors, end, "archive" if outer is not None else layout)
        for key, tensors in (("input_layers", calls.inputs), ("output_layers", calls.outputs))
    }
    return _object("Functional", {**shared, "layers": entries, **ends}, layout, "keras.src.models.functional")


def _times(call: TracedCall, layout: Layout) -> int:
    """How many times a call stands among those of its layer.

    Calls of a Functional model count from 1 in files of ``tf.keras`` 2. Keras 3 counts from 0 there, but from 1 where
    the ends of the model around are. Each stands twice in files for both, so that the odd numbers mean it to all; the
    other one leads to no output.
    """
    is_functional = call.inner is not None and call.inner.class_name == "Functional"
    return 2 if layout == "legacy" and is_functional else 1


def _numbered(number: int, call: TracedCall, layout: Layout, of_end: bool) -> int:
    """The number of a call of a layer, for an input of another call or for an end of the model."""
    if call.inner is None or call.inner.class_name != "Functional":
        return number
    return 2 * number + 1 if layout == "legacy" else number + of_end


def call_arguments(layer: Layer, inputs: Any) -> tuple[list[Any], dict[str, Any]]:
    """The arguments and keywords with which Keras calls a layer for what fnet's gets."""
    row = known_row(layer)
    keywords: dict[str, Any] = dict(row.call_keywords(layer))
    if layer.kind == "StackedRNNCells":
        raise StructureError("Keras' models have no StackedRNNCells outside of an RNN. Take RNN(cells).")
    parts = list(inputs) if isinstance(inputs, tuple | list) else [inputs]
    if "masked" in row.in_call and layer.config["masked"]:
        keywords[row.in_call["masked"]] = parts.pop()
    keywords |= _masks([part.mask if isinstance(part, Tensor) else None for part in parts], row.inputs)
    if len(parts) > 1 and layer.recipe is not None and getattr(layer.recipe.make, "takes_several", False):
        return parts, keywords
    if row.inputs == "reversible" and isinstance(inputs, dict):
        return [inputs[REVERSE]], keywords | {REVERSE: True}
    if row.inputs == "each":
        return (parts * 2 if len(parts) == 1 else parts), keywords
    if row.inputs == "states" and row.kind.endswith(("Cell", "Cells")):
        return [parts[0], parts[1:]], keywords
    if row.inputs == "states":
        return parts[:1], keywords | ({"initial_state": parts[1:]} if len(parts) > 1 else {})
    if row.inputs == "list":
        return [parts * 2 if len(parts) == 1 and row.in_call else parts], keywords
    return ([inputs] if isinstance(inputs, dict | Tensor) else [parts]), keywords


def _masks(found: list[Any], inputs: Inputs) -> dict[str, Any]:
    """The keywords for the masks of inputs that a call has to say."""
    if not any(mask is not None for mask in found):
        return {}
    if inputs == "each":
        return {key: mask for key, mask in zip(("query_mask", "value_mask", "key_mask"), found, strict=False) if mask}
    return {"mask": found if inputs == "list" else found[0]}


def _call_object(call: TracedCall, calls: Calls, trained: Any, state: Any, name: str, layout: Layout) -> dict[str, Any]:
    """The object of the layer or operation that is called."""
    assert call.layer is not None
    if call.inner is not None:
        own_trained, own_state = (None if own is None else at_path(own, call.path or "") for own in (trained, state))
        return model_config(call.inner, own_trained, own_state, layout, name, outer=call)
    operation = operation_of(call.layer)
    wide = any(tensor.samples.dtype == np.float64 for tensor in tree.leaves(call.outputs) if tensor is not None)
    if operation is None:
        layer = _as_trained(call.layer, at_path(trained, call.path) if call.path is not None else {}, name)
        if call.path is not None:
            layer = known_row(layer).told(layer, None if state is None else at_path(state, call.path))
        described = _of_dtype(_layer_object(layer, name, layout), wide)
        if ENTRY in layer.entries:  # Keras makes the variables of an activation of which it knows the input
            built = {"input_shape": [None, *call.outputs.samples.shape]}
            described["config"][ENTRY]["build_config"] = built
        return described
    if layout == "legacy":
        stand_in = layer_for(operation, call.inputs)
        if any(calls.trail.of(tensor) is not None for tensor in tree.leaves(call.inputs)):
            raise StructureError(
                f"Keras' layer for '{operation.function}' in an .h5 file hands on the mask of its input, which ends at "
                f"the operation. Save the model as .keras."
            )
        return _of_dtype(_layer_object(stand_in, name, layout), wide)
    row, config, _ = to_keras(operation)
    module = f"keras.src.ops.{row.module}"
    return {
        "module": module, "class_name": row.class_name, "config": {"name": name, **config},
        "registered_name": row.class_name,
    }  # fmt: skip


def _layer_object(layer: Layer, name: str, layout: Layout) -> dict[str, Any]:
    row, config = known_row(layer), full_config(layer, name)
    class_name = row.class_name
    if row.registered is not None:
        if layout == "legacy":
            return _object(row.registered, config, layout)
        return keras_object(None, class_name, config, row.registered)
    if layout == "legacy":
        class_name = CLASSES.get(class_name, class_name)
        if isinstance(config.get("axis"), list | tuple) and len(config["axis"]) > 1:
            raise StructureError(
                f"{layer.kind}: Keras 3 loses axis={tuple(config['axis'])} when it reads an .h5 file. Save the model "
                f"as .keras, or take one axis."
            )
        config = _with_older_names({"class_name": class_name, "config": config})["config"]
        if class_name == "ZeroPadding1D":  # of which tf.keras 2 takes no order of axes
            del config["data_format"]
        if config.get("score_mode") == "dot":  # the default, which Keras 3 takes for its layer of this name
            del config["score_mode"]
    return _object(class_name, config, layout)


def _of_dtype(described: Any, wide: bool) -> Any:
    """The object of a layer, and of all layers in it, with the dtype in which it computes."""
    if not wide:
        return described
    if isinstance(described, list):
        return [_of_dtype(part, wide) for part in described]
    if not isinstance(described, dict):
        return described
    is_layer = "trainable" in described or "sparse" in described
    own = {"dtype": "float64"} if is_layer and described.get("dtype") == "float32" else {}
    return {key: _of_dtype(part, wide) for key, part in described.items()} | own


def _with_older_names(part: Any) -> Any:
    """The object of a layer, and those in it, with ``tf.keras`` 2's name of a field, which Keras 3 takes, too."""
    if isinstance(part, list):
        return [_with_older_names(item) for item in part]
    if not isinstance(part, dict):
        return part
    made = {key: _with_older_names(item) for key, item in part.items()}
    if made.get("class_name") == "LeakyReLU":
        made["config"] = {"alpha" if key == "negative_slope" else key: item for key, item in made["config"].items()}
    return made


def _object(class_name: str, config: dict[str, Any], layout: Layout, module: str = "keras.layers") -> dict[str, Any]:
    if layout == "legacy":
        return {"class_name": class_name, "config": config}
    registered = class_name if class_name == "Functional" else None
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered}


def _input_config(tensor: Tensor, name: str, batch: int | None, layout: Layout) -> dict[str, Any]:
    assert tensor.samples is not None
    key = "batch_input_shape" if layout == "legacy" else "batch_shape"
    shape, dtype = [batch, *tensor.samples.shape], dtype_name(tensor.samples.dtype)
    return {key: shape, "dtype": dtype, "sparse": False, "name": name}


def _node(call: TracedCall, place: Callable[[Tensor], list[Any]], layout: Layout) -> Any:
    """One call of a layer: the older form where it can say it, which all versions of Keras read from ``.h5`` files."""
    assert call.layer is not None
    operation = operation_of(call.layer)
    if operation is not None and layout == "archive":
        inputs = call.inputs if isinstance(call.inputs, tuple) else (call.inputs,)
        own = filled(to_keras(operation)[2], inputs)
        return {"args": values.written(own, lambda part: _tensor_in(part, place)), "kwargs": {}}
    arguments, keywords = (
        call_arguments(call.layer, call.inputs) if operation is None else ([_as_list(call.inputs)], {})
    )
    tensors = arguments[0] if isinstance(arguments[0], list) else [arguments[0]]
    simple = len(arguments) == 1 and all(value is True for value in keywords.values())
    simple = simple and all(isinstance(tensor, Tensor) for tensor in tensors)
    older = layout == "legacy"
    if call.train is not None and operation is None:
        keywords = {**keywords, inference.KEYWORD: call.train}
        if not call.train:
            inference.check_older_form(call.layer, simple)
            older = older or inference.needs_older_form(call.layer)
    if older and simple:
        return [[*place(tensor), keywords] for tensor in tensors]
    said = tree.map(lambda part: _tensor(part, place) if isinstance(part, Tensor) else part, (arguments, keywords))
    return {"args": said[0], "kwargs": said[1]}


def _tensor_in(part: Any, place: Callable[[Tensor], list[Any]]) -> dict[str, Any] | None:
    return _tensor(part, place) if isinstance(part, Tensor) else None


def _as_list(inputs: Any) -> Any:
    return list(inputs) if isinstance(inputs, tuple) else inputs


def _tensor(tensor: Tensor, place: Callable[[Tensor], list[Any]]) -> dict[str, Any]:
    assert tensor.samples is not None
    config = {"shape": [None, *tensor.samples.shape], "dtype": dtype_name(tensor.samples.dtype)}
    return {"class_name": "__keras_tensor__", "config": {**config, "keras_history": place(tensor)}}


def _places(tensors: Any, place: Callable[[Tensor], list[Any]], layout: Layout) -> Any:
    """Where the ends of a model are; to ``tf.keras`` 2 one alone is a list of one."""
    if isinstance(tensors, Tensor):
        return [place(tensors)] if layout == "legacy" else place(tensors)
    if isinstance(tensors, dict):
        return {name: _places(part, place, "archive") for name, part in tensors.items()}
    return [_places(part, place, "archive") for part in tensors]


def _as_trained(layer: Layer, trained: Any, name: str) -> Layer:
    """The layer, frozen where no parameter of it is trained."""
    leaves = tree.leaves(trained)
    if len(set(map(bool, leaves))) > 1:
        raise StructureError(
            f"{name}: Keras trains all of a layer or nothing. Freeze the whole layer, or nothing of it."
        )
    trains = bool(leaves[0]) if leaves else layer.trainable is not False
    return layer if layer.trainable is trains else layer.with_trainable(trains)


def _batch_size(calls: Calls) -> int | None:
    """The size of batches that a stateful layer is made for."""
    for call in calls.calls:
        layer = call.layer
        own = layer.config.get("batch_size") if layer is not None and layer.config.get("stateful") else None
        size: int | None = _batch_size(call.inner) if call.inner is not None else own
        if size is not None:
            return size
    return None
