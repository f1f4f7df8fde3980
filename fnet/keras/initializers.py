"""Initializers under Keras' names: those of `fnet.initializers`, which also take a seed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import initializers, random
from fnet.configured import Configured
from fnet.io.keras.parts import INITIALIZER
from fnet.keras.own_parts import Initializer as Initializer
from fnet.keras.own_parts import functional_part_of
from fnet.keras.plain_data import words
from fnet.keras.seeds import next_key


class StandardInitializer(Configured[..., Any]):
    """An initializer of `fnet.initializers`, which also is a function of a shape alone, as in Keras.

    >>> from fnet.keras import initializers
    >>> initializers.Constant(2.0)(shape=(2, 1)).tolist()
    [[2.0], [2.0]]
    """

    def __call__(self, *args: Any, **options: Any) -> Any:
        if len(args) == 3:
            return self.function(*args)
        return self._of_shape(*args, **options)

    def _of_shape(self, shape: Any, dtype: Any = None) -> Any:
        sizes = (shape,) if isinstance(shape, int) else tuple(shape)
        return self.function(next_key(), sizes, np.dtype(dtype or "float32"))


def seeded(make: Callable[..., Any]) -> Callable[..., Any]:
    """The constructor of an initializer with ``seed=``: the numbers then follow from it alone."""

    @functools.wraps(make)
    def construct(*args: Any, seed: int | None = None, **options: Any) -> Any:
        made = make(*map(_number, args), **{name: _number(value) for name, value in options.items()})

        def init(key: Any, shape: Any, dtype: Any) -> Any:
            return made(key if seed is None else random.key(seed), shape, dtype)

        return StandardInitializer(init, made.name, made.config, made.make)

    return construct


def _number(value: Any) -> Any:
    """The number in an array, or a list, of one."""
    return np.asarray(value).item() if isinstance(value, np.ndarray | list) and np.size(value) == 1 else value


serialize, deserialize, get = words(
    "initializers",
    lambda given: INITIALIZER.write(functional_part_of(given)),
    INITIALIZER.read,
    lambda given: initializers.get(functional_part_of(given)),
)

_ALIASES = {"IdentityInitializer": "Identity", "OrthogonalInitializer": "Orthogonal", "STFTInitializer": "STFT"}


def __getattr__(name: str) -> Any:
    made = getattr(initializers, _ALIASES.get(name, name))
    value = seeded(made) if initializers.INITIALIZERS.has(made) else made
    globals()[name] = value
    return value
