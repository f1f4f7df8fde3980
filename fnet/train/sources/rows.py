"""Some samples of arrays in memory, such as those of a fold, in arrays that have room for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import ops, tree
from fnet.device_array import DeviceArray
from fnet.train.sources.arrays import Arrays
from fnet.train.sources.source import Data
from fnet.transforms.operand import beside


@dataclass(frozen=True)
class Rows:
    """The first `count` samples of `data`; `fit` and `evaluate` take it in place of x.

    Programs depend on the shapes of `data`, so that any number of samples of one data set runs the same ones.
    """

    data: Data
    count: int

    @classmethod
    def picked(cls, data: Data, rows: np.ndarray) -> Rows:
        """The samples of these numbers, copied to the front of arrays as large as those of `data`."""
        return cls(tree.map(lambda leaf: _in_front(leaf, rows), data), len(rows))

    @property
    def samples(self) -> Data:
        """The samples alone, as views."""
        return tree.map(lambda leaf: leaf[: self.count], self.data)

    def source(self, batch_size: int) -> Arrays:
        """Their batches."""
        return Arrays(self.data, batch_size, count=self.count)


def _in_front(leaf: Any, rows: np.ndarray) -> Any:
    if isinstance(leaf, DeviceArray):
        return ops.take(leaf, beside(np.resize(rows, len(leaf)), leaf), axis=0)
    room = np.zeros_like(leaf)
    np.take(leaf, rows, axis=0, out=room[: len(rows)], mode="clip")
    return room
