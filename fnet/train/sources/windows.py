"""The order in which samples are read that do not fit into memory: windows that do, of blocks of neighbours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fnet import random
from fnet.train.data import ORDER

BLOCKS, WITHIN = 0, 1
"""The uses of the key of an epoch: the order of its blocks, and that within window i, ``WITHIN + i``."""


@dataclass(frozen=True)
class Windows:
    """`count` samples in windows of `window` and a rest.

    With a key, blocks of `block` neighbours follow each other in a random order, are cut into windows, and the samples
    of a window have a random order: pure in the four.

    >>> windows = Windows(5, 2, 4)
    >>> windows.stretches(0), windows.stretches(1), windows.samples(0).tolist()
    ([(0, 2), (2, 4)], [(4, 5)], [0, 1, 2, 3])
    """

    count: int
    block: int
    window: int
    key: Any = None

    def size(self, number: int) -> int:
        """How many samples the window has."""
        return min(self.window, self.count - number * self.window)

    def stretches(self, number: int) -> list[tuple[int, int]]:
        """Which samples the window has, begins and ends as they increase."""
        return sorted(self._stretches(number * self.window, number * self.window + self.size(number)))

    def order(self, number: int) -> np.ndarray:
        """The order of the window's samples, which are counted as in `stretches`."""
        size = self.size(number)
        if self.key is None:
            return np.arange(size)
        return np.asarray(random.permutation(random.fold_in(self.key, WITHIN + number), size))

    def samples(self, number: int) -> np.ndarray:
        """The numbers of the window's samples, in its order."""
        return np.concatenate([np.arange(*stretch) for stretch in self.stretches(number)])[self.order(number)]

    def _stretches(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        if self.key is None:
            for at in range(begin, end, self.block):
                yield at, min(at + self.block, end)
            return
        blocks, ends = self._blocks
        for place in range(int(np.searchsorted(ends, begin, "right")), len(blocks)):
            sample = int(blocks[place]) * self.block
            size = min(self.block, self.count - sample)
            at = int(ends[place]) - size
            if at >= end:
                return
            yield sample + max(begin - at, 0), sample + min(end - at, size)

    @cached_property
    def _blocks(self) -> tuple[np.ndarray, np.ndarray]:
        """The numbers of the blocks in the order of the epoch, and behind how many samples each ends."""
        blocks = np.asarray(random.permutation(random.fold_in(self.key, BLOCKS), -(-self.count // self.block)))
        return blocks, np.cumsum(np.minimum(self.block, self.count - blocks * self.block))


def epoch_key(key: Any, step: int) -> Any:
    """The key of the epoch that begins at update number `step`."""
    return random.fold_in(random.fold_in(key, ORDER), step)
