"""Files of models, and what stands in them: classes of the user's own by names, objects as plain data."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from fnet import layers as steps
from fnet.errors import DtypeError
from fnet.io.keras import registry
from fnet.io.keras.config import Config
from fnet.io.keras.trained import NotTrainedError
from fnet.io.keras.translation import read_layer, write_layer
from fnet.io.models import read_model_file
from fnet.io.register import register
from fnet.keras.copying import model_from_json
from fnet.keras.from_functional import from_functional, object_of
from fnet.keras.layer import Layer
from fnet.keras.losses import Loss
from fnet.keras.metrics import Metric
from fnet.keras.models.model import Model
from fnet.keras.optimizers import Optimizer
from fnet.keras.own_files import Maker, functional_part
from fnet.keras.own_parts import Part, PartMaker
from fnet.keras.time_distributed import TimeDistributed
from fnet.networks.layer import Layer as Functional
from fnet.networks.samples import Samples
from fnet.train.load_training import load_training

T = TypeVar("T", bound=Callable[..., Any])


def save_model(
    model: Model, filepath: str | os.PathLike[str], overwrite: bool = True, include_optimizer: bool = True
) -> None:
    """Write a model, with what it was compiled with and the memory of its optimizer: see `fnet.save_model`."""
    model.save(filepath, overwrite, include_optimizer)


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Model:
    """The model in a file of fnet or of Keras; one that was compiled goes on training, unless `compile` is False.

    custom_objects: classes and functions of your own by their names; others are found where
    `register_keras_serializable` or `fnet.register` has given them names. safe_mode: as in Keras; no file runs code.
    Raises what `fnet.load_model` raises. Source: Keras ``models.load_model``.
    """
    with custom_object_scope(custom_objects or {}):
        saved = read_model_file(filepath)
        shape = saved.samples.shape if isinstance(saved.samples, Samples) else None
        model = from_functional(saved.net, saved.params, saved.state, shape)
        if not compile:
            return model
        try:
            trainer, ts = load_training(filepath)
        except NotTrainedError:
            return model
        _, loss, optimizer, metrics, loss_weights, weighted = trainer.arguments
        model.compile(Optimizer(optimizer), loss, metrics, loss_weights, weighted)
        model.go_on(ts)
        return model


def register_keras_serializable(package: str = "Custom", name: str | None = None) -> Callable[[T], T]:
    """Decorate a class of layers, or a function, so that files know it as ``package>name``: see `fnet.register`.

    A class says its arguments by `get_config`, and is made of them by `from_config`. Raises `ValueRangeError` where
    something else has the name.

    >>> from fnet.keras import layers
    >>> @register_keras_serializable("lab")
    ... class Doubled(layers.Layer):
    ...     def call(self, x):
    ...         return 2 * x
    >>> get_registered_name(Doubled)
    'lab>Doubled'
    """

    def decorate(made: T) -> T:
        register(f"{package}>{name or made.__name__}", _constructor(made))
        return made

    return decorate


def get_registered_name(obj: Any) -> str:
    """The name under which files know a class or a function; its own name where it has none."""
    return registry.name_of(obj) or obj.__name__


def get_registered_object(name: str, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The class or function of a name in files; None where there is none."""
    with custom_object_scope(custom_objects or {}):
        found = registry.found(name)
        return getattr(found, "serializes", found)


def custom_object_scope(custom_objects: Mapping[str, Any]) -> AbstractContextManager[None]:
    """A ``with`` statement in which files know these classes and functions of your own by these names."""
    return registry.known({name: _constructor(made) for name, made in custom_objects.items()})


CustomObjectScope = custom_object_scope


def serialize_keras_object(obj: Any) -> dict[str, Any]:
    """The plain data that say a layer or a model, as files have them. Source: Keras ``saving``.

    >>> from fnet.keras import layers
    >>> serialize_keras_object(layers.Flatten(name="flat"))["config"]["name"]
    'flat'
    """
    if isinstance(obj, Model) and obj.built:
        described: dict[str, Any] = json.loads(obj.to_json())
        return described
    made = _functional(obj) if isinstance(obj, Layer) else None
    if made is None:
        raise DtypeError(
            f"serialize_keras_object: expected a layer or a model of fnet.keras, with a name in files where its class "
            f"is your own, received {obj!r:.60}. See register_keras_serializable."
        )
    return write_layer(made, obj.name)


def deserialize_keras_object(config: Mapping[str, Any], custom_objects: Mapping[str, Any] | None = None) -> Any:
    """The layer or model that plain data of `serialize_keras_object` say, of fnet or of Keras, with fresh weights.

    Raises `FileError` for what is none.
    """
    with custom_object_scope(custom_objects or {}):
        if config.get("class_name") in ("Sequential", "Functional", "Model"):
            return model_from_json(json.dumps(config))
        name = Config(config, "config").object("config").raw("name")
        return object_of(read_layer(Config(config, "config")), name if isinstance(name, str) else None)


def _functional(layer: Layer) -> Functional | None:
    """The functional layer of an object, built or not; None where a class of the user's own has no name in files."""
    if isinstance(layer, TimeDistributed) and not layer.built:
        inner = _functional(layer.layer)
        return None if inner is None else steps.TimeDistributed(inner)
    return functional_part(layer)


def _constructor(made: Any) -> Any:
    if not isinstance(made, type):
        return made
    if issubclass(made, Layer):
        return Maker(made)
    return PartMaker(made) if issubclass(made, Part | Loss | Metric) else made
