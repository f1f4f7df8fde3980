"""Data in memory: an epoch is one piece, which the compiled step takes whole and picks its batches from."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator
from typing import Any

import numpy as np

from fnet import ops, tree
from fnet.errors import ValueRangeError
from fnet.train.data import count as samples
from fnet.train.data import epoch_order, order_key
from fnet.train.interrupt import Interrupt
from fnet.train.sources.source import Batch, Chunk, Chunks, Data, batches_of
from fnet.transforms.operand import beside


class Arrays:
    """A `Source` of arrays with the samples first. Steps are on full batches, then one on the rest.

    steps: of an epoch, None for all batches; the argument `limit` gave it. count: how many of the samples there are,
    the first ones; None for all.
    """

    def __init__(
        self, data: Data, batch_size: int, steps: int | None = None, limit: str = "steps", count: int | None = None
    ) -> None:
        self.room = samples(data)
        self.sample, self.batch_size, self.count = data, batch_size, self.room if count is None else count
        self.leaves = tree.leaves(data)
        self.steps = steps_of(self.count, batch_size, steps, limit)
        self._key_before: tuple[bytes, Any] = b"", None

    @property
    def content(self) -> Data:
        """All the data."""
        return self.sample

    def training(self, key: Any, step: int, shuffle: bool, more: bool = False) -> ArraysEpoch:
        """The epoch that begins at update number `step`, in an order that is pure in all three."""
        order = epoch_order(self._order_key(key), step, self.count, shuffle)
        if self.room > self.count:
            order = ops.concatenate([order, beside(np.zeros(self.room - self.count, order.dtype), order)])
        return ArraysEpoch(self, order)

    def _order_key(self, key: Any) -> Any:
        """See `order_key`; the key of a run stays the same."""
        if not isinstance(key, np.ndarray):
            return order_key(key)
        if key.tobytes() != self._key_before[0]:
            self._key_before = key.tobytes(), order_key(key)
        return self._key_before[1]

    def pass_over(self, steps: int) -> None:
        """Nothing: the order of an epoch needs those before it for no more than its key."""

    def in_order(self, more: bool = False) -> ArraysEpoch:
        """An epoch without training."""
        return ArraysEpoch(self)

    def batches(self) -> Generator[Data, None, None]:
        """The batches in their order, as views."""
        return batches_of(self.in_order().chunks(0), self.sample)


class ArraysEpoch:
    """A pass over arrays. order: the numbers of the samples, in the order of the epoch; None for theirs."""

    def __init__(self, source: Arrays, order: Any = None) -> None:
        self._source, self._order, self.steps = source, order, source.steps
        self._inputs = tuple(source.leaves) if order is None else (order, *source.leaves)

    def chunks(
        self,
        at: int,
        limit: int | None = None,
        keep: Callable[[], bool] | None = None,
        interrupt: Interrupt | None = None,
    ) -> Chunks:
        """The full batches, then the rest."""
        size = self._source.batch_size
        full, rest = divmod(self._source.count, size)
        left = self.steps - at if limit is None else min(limit, self.steps - at)
        steps = min(full - at, left)
        if steps > 0:
            yield Chunk(size, steps, at * size, self._inputs)
            left -= steps
        if left > 0:
            yield Chunk(rest, 1, full * size, self._inputs)

    def has(self, number: int) -> bool:
        """Whether there is a step of this number."""
        return number < self.steps

    def batch(self, number: int) -> Batch:
        """The samples of a step."""
        size = self._source.batch_size
        samples = self._order[number * size : min((number + 1) * size, self._source.count)]
        return Batch(tree.map(lambda leaf: leaf[samples], self._source.sample), samples, self._source.sample)


def steps_of(count: int, batch_size: int, steps: int | None, limit: str) -> int:
    """How many steps an epoch over `count` samples has; the argument `limit` gave `steps`, None for all batches."""
    there = math.ceil(count / batch_size)
    if steps is not None and steps > there:
        raise ValueRangeError(
            f"{limit}={steps}, but {count} samples make {there} batches of {batch_size}. Leave {limit} out, or pass at "
            f"most {there}."
        )
    return there if steps is None else steps
