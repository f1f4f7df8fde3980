"""Initializers under Keras' names: those of `fnet.initializers`, which also take a seed."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from fnet import initializers, random
from fnet.io.keras.parts import INITIALIZER
from fnet.keras.plain_data import words


def seeded(make: Callable[..., Any]) -> Callable[..., Any]:
    """The constructor of an initializer with ``seed=``: the numbers then follow from it alone."""

    @functools.wraps(make)
    def construct(*args: Any, seed: int | None = None, **options: Any) -> Any:
        made = make(*args, **options)
        if seed is None:
            return made

        def init(key: Any, shape: Any, dtype: Any) -> Any:
            return made(random.key(seed), shape, dtype)

        return init

    return construct


serialize, deserialize, get = words("initializers", INITIALIZER.write, INITIALIZER.read, initializers.get)

_ALIASES = {"IdentityInitializer": "Identity", "OrthogonalInitializer": "Orthogonal", "STFTInitializer": "STFT"}


def __getattr__(name: str) -> Any:
    made = getattr(initializers, _ALIASES.get(name, name))
    value = seeded(made) if initializers.INITIALIZERS.has(made) else made
    globals()[name] = value
    return value
