"""The keys of the session: first weights and the randomness of a training come from them, one key after the other."""

from __future__ import annotations

import secrets
import threading
from typing import Any

from fnet import random


class _Keys:
    """Keys that follow from one seed."""

    def __init__(self, seed: int) -> None:
        self._key, self._number, self._lock = random.key(seed), 0, threading.Lock()

    def next(self) -> Any:
        with self._lock:
            self._number += 1
            return random.fold_in(self._key, self._number)


_session = _Keys(secrets.randbits(63))


def set_random_seed(seed: int) -> None:
    """Let what follows be the same in every run: first weights, dropout, the order of samples.

    seed: an integer. NumPy's and Python's own generators are left alone. Source: Keras ``utils.set_random_seed``.

    >>> from fnet.keras import layers
    >>> set_random_seed(1)
    >>> first = layers.Dense(2)
    >>> first.build((None, 3))
    >>> set_random_seed(1)
    >>> second = layers.Dense(2)
    >>> second.build((None, 3))
    >>> bool((first.kernel.numpy() == second.kernel.numpy()).all())
    True
    """
    global _session  # noqa: PLW0603 (the seed of the session is one)
    _session = _Keys(seed)


def next_key() -> Any:
    """A key, (2,) uint32, that nobody had before."""
    return _session.next()
