"""Batches of samples, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import random, tree
from fnet.arguments import flag, positive_integer
from fnet.data.frames import as_plain
from fnet.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Batches:
    """An iterable of batches, which gives the same ones each time; ``len`` is their number."""

    data: Any
    batch_size: int
    key: np.ndarray | None
    drop_last: bool
    count: int

    def __len__(self) -> int:
        return self.count // self.batch_size if self.drop_last else -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        order = np.arange(self.count) if self.key is None else random.permutation(self.key, self.count)
        for number in range(len(self)):
            at = order[number * self.batch_size : (number + 1) * self.batch_size]
            yield tree.map(lambda leaf, at=at: leaf[at], self.data)


def batches(data: Any, batch_size: int = 32, key: np.ndarray | None = None, drop_last: bool = False) -> Batches:
    """The samples of a tree of arrays in batches, trees like it.

    data: such as ``(x, y)``, with the samples first. key: for a random order, the same each time; another one for each
    epoch comes of ``fnet.random.fold_in(key, epoch)``. drop_last: leave a last batch out that is smaller.
    Raises `ShapeError` for different numbers of samples.

    >>> [x.tolist() for x in batches(np.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    arrays = tree.map(as_plain, data, is_leaf=lambda leaf: isinstance(leaf, list))
    sizes = {leaf.shape[:1] for leaf in tree.leaves(arrays)}
    if len(sizes) != 1 or () in sizes:
        raise ShapeError(
            f"batches: expected arrays with the same number of samples first, received {[*sizes] or 'none'}."
        )
    size = positive_integer("batches", "batch_size", batch_size)
    checked = None if key is None else random.check_key(key)
    ((count,),) = sizes
    return Batches(arrays, size, checked, flag("batches", "drop_last", drop_last), count)
