"""The parts of layers in Keras' configs, both ways: initializers, regularizers, constraints, activations, dtypes."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet import activations, constraints, initializers, regularizers
from fnet.configured import Configured
from fnet.errors import FileError, FnetError, StructureError, plain
from fnet.io.keras import registry
from fnet.io.keras.config import FLAG, NUMBER, TEXT, Config, ValueKind, either, integers, optional, several, word, wrong
from fnet.io.keras.objects import read_object, written_value
from fnet.names import Names, snake_case

_RANDOM = ["random_normal", "random_uniform", "truncated_normal", "variance_scaling", "orthogonal"]
_RANDOM += [f"{rule}_{shape}" for rule in ("glorot", "he", "lecun") for shape in ("normal", "uniform")]
_CLASSES = {"l1_l2": "L1L2", "orthogonal_regularizer": "OrthogonalRegularizer", "stft": "STFT"}
_SEEDED: Mapping[str, Mapping[str, Any]] = {name: {"seed": None} for name in _RANDOM}
_UNTRANSLATED = ("binary_step",)  # activations that Keras does not have

_ARGUMENT = either(
    ValueKind(lambda value, path: (TEXT if isinstance(value, str) else NUMBER).read(value, path)),
    several(integers(-100), 1, 100),
)
_READ_WINDOW = optional(either(TEXT, several(NUMBER, 1, 10**6)))
WINDOW = ValueKind(_READ_WINDOW.read, lambda value: value if value is None else _plain_window(value))
"""A window of a spectrum: its name, its numbers, or None."""
WINDOW_SCALING = word("density", "spectrum", None)
_KINDS: Mapping[str, ValueKind] = {"window": WINDOW, "scaling": WINDOW_SCALING, "periodic": FLAG}
"""Arguments that are no numbers, words or lists of integers."""


def keras_object(
    module: str | None, class_name: str, config: Mapping[str, Any], registered: str | None = None
) -> dict[str, Any]:
    """How Keras says an object in a config; one that is not its own has no module, and the name that is registered."""
    return {"module": module, "class_name": class_name, "config": dict(config), "registered_name": registered}


def own_object(registered: str, config: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """How Keras says what a user has registered: with the config of its class, or a function without."""
    if config is None:
        return keras_object("builtins", "function", {}, "function") | {"config": registered}
    return keras_object(None, registry.class_name(registered), config, registered)


def _objects(what: str, names: Names[Any], get: Callable[[Any], Any], more: Mapping[str, Any] = {}) -> ValueKind:
    """The kind of things that are functions with a name and arguments.

    what: Keras' name of its module. more: fields that Keras has beside, by the name of the thing.
    """
    article = "an" if what[0] in "aeiou" else "a"
    word = what.removesuffix("s")

    def read(value: Any, path: str) -> Any:
        if value is None:
            return None
        said = read_object(value, path)
        if said.own is not None:
            return said.thing()
        name = snake_case(said.name)
        if name not in names:
            raise FileError(f"{path}: fnet has no {word} {plain(said.name)!r}. It has {', '.join(sorted(names))}.")
        make = names[name]
        given = said.arguments
        takes = [key for key in inspect.signature(make).parameters if key in given]
        try:
            made = make(**{key: given.read(key, _KINDS.get(key, _ARGUMENT)) for key in takes})
        except FileError:
            raise
        except (FnetError, TypeError) as error:
            raise FileError(f"{path}: {error}") from None
        return name if made == get(name) else made

    def write(value: Any) -> Any:
        made = get(value)
        if made is None:
            return None
        registered = registry.name_of(getattr(made, "make", made))
        if registered is not None:
            config = {key: written_value(item) for key, item in getattr(made, "config", {}).items()}
            return own_object(registered, config if isinstance(made, Configured) else None)
        if not isinstance(made, Configured) or made.name not in names:
            raise StructureError(
                f"Keras has no {word} {plain(repr(value))}. Take {article} {word} of fnet.{what}, or make the network "
                f"again with one and keep the weights alone: fnet.save_weights."
            )
        config = {
            **more.get(made.name, {}),
            **{key: _KINDS[key].write(item) if key in _KINDS else _listed(item) for key, item in made.config.items()},
        }
        name = "orthogonal_regularizer" if (what, made.name) == ("regularizers", "orthogonal") else made.name
        return keras_object(f"keras.{what}", _CLASSES.get(name, _camel_case(name)), config)

    return ValueKind(read, write)


def _plain_window(value: Any) -> Any:
    return value if isinstance(value, str) else np.asarray(value, np.float64).tolist()


def _listed(item: Any) -> Any:
    return list(item) if isinstance(item, tuple) else item


def _camel_case(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _read_activation(value: Any, path: str) -> Any:
    if value is None:
        return None
    if isinstance(value, Mapping) and value.get("class_name") == "function":
        value = value.get("config")
    own = registry.found(value) if isinstance(value, str) else None
    if own is not None:
        return own
    if not isinstance(value, str):
        raise wrong(path, "the name of an activation", value)
    if value not in activations.ACTIVATIONS or value in _UNTRANSLATED:
        raise FileError(f"{path}: fnet has no activation {plain(value)!r}. {registry.hint(value)}")
    return None if value == "linear" else value


def _write_activation(value: Any) -> Any:
    function = activations.get(value)
    registered = registry.name_of(function)
    if registered is not None:
        return own_object(registered)
    name = getattr(function, "__name__", "")
    if activations.ACTIVATIONS.get(name) is not function or name in _UNTRANSLATED:
        raise StructureError(
            f"Keras has no activation {plain(name or repr(value))!r}. Take another one of fnet.activations, or keep "
            f"the weights alone: fnet.save_weights."
        )
    return name


def _read_dtype(value: Any, path: str) -> str:
    """The dtype of variables, from a name or a policy."""
    if value is None:
        return "float32"
    if isinstance(value, Mapping):
        value = Config(value, path).object("config").raw("name")
    name = value if isinstance(value, str) else ""
    if name in ("mixed_float16", "mixed_bfloat16"):
        warnings.warn(  # the same text for all layers, so that it is shown once
            f"the file's layers compute in {name.removeprefix('mixed_')} ({name}), and are read as layers of float32: "
            f"what they predict differs from Keras' by the rounding of 16 bits.",
            stacklevel=2,
        )
        name = "float32"
    if name not in ("float32", "float64"):
        raise FileError(f"{path}: fnet's layers have float32 or float64 parameters, received {plain(repr(value))}.")
    return name


def _read_data_format(value: Any, path: str) -> None:
    if value not in (None, "channels_last"):
        raise FileError(
            f"{path}: expected 'channels_last', received {plain(repr(value))}. fnet's images have their channels last: "
            f"make the network with data_format='channels_last' and save it again."
        )


def _read_initializer(value: Any, path: str) -> Any:
    array = value.get("config") if isinstance(value, Mapping) and value.get("class_name") == "Constant" else None
    given = array.get("value") if isinstance(array, Mapping) else None
    if not isinstance(given, Mapping | list):
        return _INITIALIZER.read(value, path)
    numbers = Config(given, path).object("config").raw("value") if isinstance(given, Mapping) else given
    try:
        made = np.array(numbers, "float64")
    except (TypeError, ValueError):
        raise FileError(f"{path}: expected an array of numbers as the value of Constant.") from None
    return made.astype("float32")


def _write_initializer(value: Any) -> Any:
    if not isinstance(value, np.ndarray):
        return _INITIALIZER.write(value)
    tagged = {"class_name": "__numpy__", "config": {"value": value.tolist(), "dtype": value.dtype.name}}
    return keras_object("keras.initializers", "Constant", {"value": tagged})


_INITIALIZER = _objects("initializers", initializers.INITIALIZERS, initializers.get, _SEEDED)


def _write_seed(value: int | None) -> int | None:
    if value is not None and not 0 <= value < 2**31:
        raise StructureError(f"Keras' seeds are integers from 0 to 2^31 - 1, received seed={value}. Take another one.")
    return value


INITIALIZER = ValueKind(_read_initializer, _write_initializer)
REGULARIZER = _objects("regularizers", regularizers.REGULARIZERS, regularizers.get)
CONSTRAINT = _objects("constraints", constraints.CONSTRAINTS, constraints.get)
ACTIVATION = ValueKind(_read_activation, _write_activation)
SEED = ValueKind(integers(0, optional=True, most=2**32 - 1).read, _write_seed)
DTYPE = ValueKind(_read_dtype)
DATA_FORMAT = ValueKind(_read_data_format, lambda value: "channels_last")
