"""Kernels that take many integers take them in one int64 array: by places that have names, on either device."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


class Sizes:
    """The places of integers with these names.

    A kernel module unpacks them once, ``ROWS, COLUMNS = SIZES = Sizes("rows columns")``; its kernels read
    ``sizes[ROWS]``, and their callers pass ``SIZES.array(rows=3, columns=4)``.

    >>> rows, columns = sizes = Sizes("rows columns")
    >>> sizes.array(columns=4, rows=3)[columns]
    np.int64(4)
    """

    def __init__(self, names: str) -> None:
        self.names = tuple(names.split())

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.names)))

    def array(self, **sizes: int) -> np.ndarray:
        """An int64 array of the sizes, each of which is given."""
        if sizes.keys() != set(self.names):
            missing, unknown = [set(self.names) - sizes.keys(), sizes.keys() - set(self.names)]
            raise TypeError(f"sizes: missing {sorted(missing)}, unknown {sorted(unknown)}.")
        return np.array([sizes[name] for name in self.names], np.int64)
