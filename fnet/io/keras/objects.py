"""Objects in Keras' configs of training: a class and its arguments, or a name alone."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from fnet.errors import FileError, FnetError, StructureError, plain
from fnet.io.keras import registry
from fnet.io.keras.config import TEXT, Config, optional, sequence, wrong

_LONGEST = 10_000  # characters of a text, entries of a list
_LARGEST = 1 << 53
_OF_KERAS_2 = "Custom>"  # the package of some of its own optimizers
_OF_ALL = ("name", "dtype", "reduction", "fn")
"""Arguments that Keras' losses and metrics have, whether or not those of the user's take them."""


class Named(NamedTuple):
    """A class or a function in a config, with the arguments that are given for it; `path` says where it is.

    own: what a user has registered under its name; is_function: whether it stands for itself, and not what it makes.
    """

    name: str
    arguments: Config
    path: str
    own: Callable[..., Any] | None = None
    is_function: bool = True

    def thing(self) -> Any:
        """What it means, where it is registered: the function, or what the constructor makes of the arguments."""
        assert self.own is not None
        if self.is_function:
            return self.own
        takes = inspect.signature(self.own).parameters
        given = [key for key in self.arguments if key in takes or key not in _OF_ALL]
        arguments = {key: plain_value(self.arguments.raw(key), f"{self.arguments.path}/{key}") for key in given}
        return made(self.own, arguments, self.path)


def read_object(given: Any, path: str) -> Named:
    """What a name, an object with a class, or a function of Keras in a config says.

    An object that is not of Keras has the name under which it is registered.
    """
    if isinstance(given, str):
        return Named(given, Config({}, path), path, registry.found(given))
    config = Config(given, path)
    class_name = config.read("class_name", TEXT)
    if class_name == "function":
        name = config.read("config", TEXT)
        return Named(name, Config({}, path), path, registry.found(name))
    name = config.read("registered_name", optional(TEXT)) or class_name if "registered_name" in config else class_name
    own = registry.found(name)
    if own is None and name.startswith(_OF_KERAS_2):
        name = registry.class_name(name)
    return Named(name, Config(config.raw("config") or {}, f"{path}/config"), path, own, is_function=False)


def arguments_of(make: Callable[..., Any], config: Config, leave_out: Collection[str] = ()) -> dict[str, Any]:
    """The fields of a config that are arguments of a function, each a plain value or a list of such."""
    takes = inspect.signature(make).parameters
    return {
        key: plain_value(config.raw(key), f"{config.path}/{key}")
        for key in config
        if key in takes and key not in leave_out
    }


def plain_value(value: Any, path: str) -> Any:
    """A number, a truth, a text, None, or a list of such, of a bounded size."""
    items = sequence(value)
    if items is not None:
        if len(items) > _LONGEST:
            raise wrong(path, f"a list of at most {_LONGEST} values", value)
        return [plain_value(item, path) if sequence(item) is None else _refuse(path, item) for item in items]
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, str) and len(value) <= _LONGEST:
        return value
    if isinstance(value, int) and abs(value) <= _LARGEST:
        return value
    if isinstance(value, float) and np.isfinite(value):
        return value
    return _refuse(path, value)


def made(make: Callable[..., Any], arguments: Mapping[str, Any], path: str) -> Any:
    """``make(**arguments)``; what the function refuses is an error of the file."""
    try:
        return make(**arguments)
    except FileError:
        raise
    except (FnetError, TypeError, ValueError, OverflowError) as error:
        raise FileError(f"{path}: {plain(str(error), 400)}") from None


def written_value(value: Any) -> Any:
    """An argument as plain data."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, tuple | list | range):
        return [written_value(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StructureError(f"Keras' files hold numbers, texts and lists of them, received {plain(repr(value))}.")


def _refuse(path: str, value: Any) -> Any:
    raise wrong(path, "a number, a text, True, False, null, or a list of them", value)
