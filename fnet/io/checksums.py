"""Checksums of arrays, computed by a thread while the caller reads on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from fnet.io import manifest

LARGE = 1 << 16  # bytes; a smaller array is hashed sooner than it is handed to a thread


class Checksums:
    """The `manifest.digest` of arrays by name, within a context; the arrays must not change in it."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1)  # starts with the first large array
        self._found: dict[str, Callable[[], str]] = {}

    def __enter__(self) -> Checksums:
        return self

    def __exit__(self, *exception: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def add(self, name: str, array: np.ndarray) -> None:
        """Begin with the checksum of an array, after that of the one before: so no more than two wait in memory."""
        if array.nbytes >= LARGE:
            if self._found:
                self._found[next(reversed(self._found))]()
            try:
                self._found[name] = self._thread.submit(manifest.digest, array).result
                return
            except RuntimeError:  # an interpreter that ends starts no threads
                pass
        digest = manifest.digest(array)
        self._found[name] = lambda: digest

    def __getitem__(self, name: str) -> str:
        """The checksum of an array, waited for."""
        return self._found[name]()
