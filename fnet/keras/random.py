"""Random arrays under Keras' names, from the keys of the session or a seed of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import layers, ops, random
from fnet.keras.running import now_running
from fnet.keras.seeds import next_key
from fnet.ops.promotion import lift


class SeedGenerator:
    """A source of keys: each draw that gets it as its seed takes the next one."""

    def __init__(self, seed: int | None = None) -> None:
        self._key, self._number = next_key() if seed is None else random.key(seed), 0

    def next(self) -> Any:
        """The next key."""
        self._number += 1
        return random.fold_in(self._key, self._number)


def _key(seed: Any) -> Any:
    """The key of a draw: in a step of a training one that the step was given, since a compiled step runs many times."""
    run = now_running()
    of_step = None if run is None or not (seed is None or isinstance(seed, SeedGenerator)) else run.next_key()
    if of_step is not None:
        return of_step
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


def categorical(logits: Any, num_samples: int, dtype: Any = "int32", seed: Any = None) -> Any:
    """Class numbers with the probabilities ``softmax(logits)``: (B, C) -> (B, num_samples)."""
    logits = lift(logits)
    batch, classes = logits.shape
    rows = ops.broadcast_to(ops.expand_dims(logits, 1), (batch, num_samples, classes))
    return ops.astype(random.categorical(_key(seed), rows), dtype)


def dropout(inputs: Any, rate: float, noise_shape: Sequence[int | None] | None = None, seed: Any = None) -> Any:
    """The inputs with a fraction of `rate` 0 and the others larger, so that the mean stays."""
    shape = None if noise_shape is None else tuple(noise_shape)
    return layers.Dropout(rate, shape).apply({}, {}, inputs, key=_key(seed), train=True)[0]


def gamma(shape: Sequence[int], alpha: Any, dtype: Any = "float32", seed: Any = None) -> Any:
    """Numbers of the gamma distribution with shape `alpha` and scale 1."""
    return random.gamma(_key(seed), alpha, tuple(shape), dtype or "float32")


def beta(shape: Sequence[int], alpha: Any, beta: Any, dtype: Any = "float32", seed: Any = None) -> Any:
    """Numbers of the beta distribution, between 0 and 1."""
    return random.beta(_key(seed), alpha, beta, tuple(shape), dtype or "float32")


def binomial(shape: Sequence[int], counts: Any, probabilities: Any, dtype: Any = "float32", seed: Any = None) -> Any:
    """How many of `counts` trials succeed."""
    trials = np.asarray(counts)
    return random.binomial(_key(seed), trials.astype(np.int64), probabilities, tuple(shape), dtype or "float32")
