"""Random arrays under Keras' names, from the keys of the session or a seed of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import random
from fnet.keras.seeds import next_key


class SeedGenerator:
    """A source of keys: each draw that gets it as its seed takes the next one."""

    def __init__(self, seed: int | None = None) -> None:
        self._key, self._number = next_key() if seed is None else random.key(seed), 0

    def next(self) -> Any:
        """The next key."""
        self._number += 1
        return random.fold_in(self._key, self._number)


def _key(seed: Any) -> Any:
    if isinstance(seed, SeedGenerator):
        return seed.next()
    return next_key() if seed is None else random.key(int(seed))


def normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Any = None
) -> Any:
    """Normal numbers.

    >>> bool((normal((2,), seed=1) == normal((2,), seed=1)).all())
    True
    """
    return random.normal(_key(seed), tuple(shape), dtype or "float32", mean, stddev)


def uniform(
    shape: Sequence[int], minval: float = 0.0, maxval: float = 1.0, dtype: Any = "float32", seed: Any = None
) -> Any:
    """Uniform numbers in [minval, maxval)."""
    return random.uniform(_key(seed), tuple(shape), dtype or "float32", minval, maxval)


def truncated_normal(
    shape: Sequence[int], mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Any = None
) -> Any:
    """Normal numbers within two standard deviations."""
    return random.truncated_normal(_key(seed), tuple(shape), dtype or "float32") * stddev + mean


def randint(shape: Sequence[int], minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Uniform integers in [minval, maxval)."""
    return random.randint(_key(seed), tuple(shape), minval, maxval).astype(dtype)


def shuffle(x: Any, axis: int = 0, seed: Any = None) -> Any:
    """The same entries along an axis, in a random order."""
    order = random.permutation(_key(seed), np.shape(x)[axis])
    return np.take(np.asarray(x), order, axis)
