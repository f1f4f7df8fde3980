"""Initializers, regularizers and constraints of the user's own, and how files know such things: by class and config."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.configured import Configured
from fnet.keras.variable import Variable


class Part:
    """What a layer or a training is made with: a class says its arguments by `get_config`."""

    def get_config(self) -> dict[str, Any]:
        """The arguments that it was made with; a class of your own says them, so that files have them."""
        return {}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """An object made with these arguments."""
        return cls(**config)

    def clone(self) -> Any:
        """Another object of the same arguments."""
        return self.from_config(self.get_config())


class Initializer(Part):
    """First values of weights, for classes of your own: ``__call__(shape, dtype=None)``. Source: Keras.

    >>> from fnet.keras import layers
    >>> class Sevens(Initializer):
    ...     def __call__(self, shape, dtype=None):
    ...         return np.full(shape, 7.0, dtype)
    >>> layer = layers.Dense(2, kernel_initializer=Sevens())
    >>> layer.build((None, 1))
    >>> layer.kernel.numpy().tolist()
    [[7.0, 7.0]]
    """

    def __call__(self, shape: Any, dtype: Any = None) -> Any:
        """The values, of this shape and dtype."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(self, shape, dtype=None).")


class Regularizer(Part):
    """A penalty of weights, for classes of your own: ``__call__(x)``, a number. Source: Keras."""

    def __call__(self, x: Any) -> Any:
        """The penalty."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(self, x).")


class Constraint(Part):
    """What is done to weights after each step, for classes of your own: ``__call__(w)``. Source: Keras."""

    def __call__(self, w: Any) -> Any:
        """The weights as they are to be."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(self, w).")


class PartMaker:
    """A constructor of the functional thing of a class of the user's own, by which files know the class."""

    def __init__(self, serializes: type[Any]) -> None:
        self.serializes, self.__name__ = serializes, serializes.__name__

    def __call__(self, **config: Any) -> Any:
        made = self.serializes.from_config(config)
        return functional_part_of(made) if isinstance(made, Part) else made.functional


def functional_part_of(given: Any) -> Any:
    """What a functional layer takes for an object of a class of the user's own; anything else as it is.

    Initializers of Keras are functions ``(shape, dtype=None)``, those of fnet ``(key, shape, dtype)``.
    """
    if isinstance(given, type) and issubclass(given, Part):
        given = given()
    if isinstance(given, Part):
        function: Any = _keyed(given) if isinstance(given, Initializer) else given
        made = Configured(function, type(given).__name__, given.get_config(), PartMaker(type(given)))
        return made
    return _keyed(given) if inspect.isfunction(given) and _takes_shape(given) else given


def _takes_shape(function: Callable[..., Any]) -> bool:
    return next(iter(inspect.signature(function).parameters), None) == "shape"


def _keyed(function: Callable[..., Any]) -> Callable[..., Any]:
    """An initializer of Keras as one of fnet; random numbers in it are those of the session."""
    takes = inspect.signature(function).parameters
    named = "dtype" in takes or any(p.kind == p.VAR_KEYWORD for p in takes.values())

    def initialize(key: Any, shape: Any, dtype: Any) -> Any:
        kind = np.dtype(dtype)
        made = function(tuple(shape), **({"dtype": kind.name} if named else {}))
        return np.array(made.value if isinstance(made, Variable) else made, kind)

    return initialize
