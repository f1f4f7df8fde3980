"""Data that come in batches: from a generator, or from an iterable that begins anew in every epoch."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sized
from typing import Any

import numpy as np

from fnet import tree
from fnet.device import Device, Feed
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.train.interrupt import Interrupt
from fnet.train.sources.prefetch import Prefetch
from fnet.train.sources.source import Batch, Chunk, Chunks, Data, batches_of
from fnet.transfer import to_device

REMEMBERED, REMEMBERED_BYTES = 16, 1 << 26

_CONTAINERS = (list, tuple, Mapping, str, bytes, range, memoryview)

Prepare = Callable[[Any, str], Data]
"""``prepare(given, of)``: what was given, as arrays that are checked; `of` begins the names in errors."""


def is_batches(x: Any) -> bool:
    """Whether these are batches: a generator, or an iterable that is neither array nor container of arrays."""
    if hasattr(x, "__array__") or (hasattr(x, "shape") and hasattr(x, "dtype")):
        return False
    return isinstance(x, Iterable) and not isinstance(x, _CONTAINERS)


class BatchSource:
    """A `Source` of batches, which are made ready one ahead, in a thread.

    name: of the argument, for errors. steps: of an epoch, which the argument `limit` gave; None for all that come.
    home: the device of the steps, to which batches of the host are copied while the step before runs.
    A generator goes on from epoch to epoch, another iterable begins anew. The shapes of batches may differ.
    """

    count = None

    def __init__(
        self, name: str, given: Iterable[Any], prepare: Prepare, steps: int | None, limit: str, home: Device
    ) -> None:
        self.name, self.given, self.prepare, self.end, self.limit, self.home = name, given, prepare, steps, limit, home
        items = iter(given)
        self.begins_anew = items is not given
        first = next(items, None)
        if first is None:
            raise self.ended(0)
        self._items = itertools.chain([first], items)
        self._is_fresh = True
        leaves, self._structure = tree.flatten(prepare(first, f"batch 0 of {name}: "))
        self._leaves = _copied(leaves)
        self.sample = tree.unflatten(self._structure, self._leaves)
        self.batch_size = len(leaves[0])

    @property
    def content(self) -> Data:
        """The first batch: what follows is not known."""
        return self.sample

    @property
    def steps(self) -> int | None:
        """Of an epoch, None where it is not known before its end."""
        if self.end is not None:
            return self.end
        return len(self.given) if isinstance(self.given, Sized) else None

    def training(self, key: Any, step: int, shuffle: bool, more: bool = False) -> BatchesEpoch:
        """The batches in their order: who makes them shuffles them."""
        return BatchesEpoch(self, self._begin(), REMEMBERED)

    def pass_over(self, steps: int) -> None:
        """Take so many batches off a generator; what begins anew in every epoch has nothing to leave out."""
        if not self.begins_anew:
            for number in range(steps):
                if next(self._items, self) is self:
                    raise self.ended(number)

    def in_order(self, more: bool = False) -> BatchesEpoch:
        """An epoch without training."""
        return BatchesEpoch(self, self._begin())

    def batches(self) -> Generator[Data, None, None]:
        """The batches of an epoch without training."""
        return batches_of(self.in_order().chunks(0), self.sample)

    def checked(self, given: Any, number: int) -> Data:
        """A batch as arrays of its own, like those of the first one but for sizes.

        Who makes batches may write the next one into the memory of this one.
        """
        data = self.prepare(given, f"batch {number} of {self.name}: ")
        leaves, structure = tree.flatten(data)
        if structure != self._structure:
            raise StructureError(
                f"batch {number} of {self.name} has the arrays {_listed(data)}, expected {_listed(self.sample)} as in "
                f"batch 0. Yield the same tree of arrays every time."
            )
        for i, (like, leaf) in enumerate(zip(self._leaves, leaves, strict=True)):
            if leaf.dtype != like.dtype:
                path = structure.paths()[i]
                raise DtypeError(
                    f"batch {number} of {self.name}: {path} has dtype {leaf.dtype}, expected {like.dtype} as in "
                    f"batch 0. Convert it: {path}.astype('{like.dtype}')."
                )
            if leaf.ndim != like.ndim:
                raise ShapeError(
                    f"batch {number} of {self.name}: {structure.paths()[i]} has shape {leaf.shape}, expected "
                    f"{like.ndim} axes as in batch 0, whose shape is {like.shape}. Give every batch the same axes."
                )
        return tree.unflatten(structure, _copied(leaves))

    def ended(self, number: int) -> ValueRangeError:
        """The error for data that end before batch `number`, which an epoch needs."""
        if number == 0:
            return ValueRangeError(
                f"{self.name} has no batch for an epoch: a generator is used up after one pass. Pass an object whose "
                f"__iter__ begins anew, or a generator that goes on, with {self.limit}."
            )
        return ValueRangeError(
            f"{self.name} ended after {number} batches of an epoch, expected {self.limit}={self.end}. Pass "
            f"{self.limit}={number}, or let it go on."
        )

    def _begin(self) -> Iterator[Any]:
        """The iterator of the next epoch; the first one began with the sample."""
        if self.begins_anew and not self._is_fresh:
            return iter(self.given)
        self._is_fresh = False
        return self._items


class BatchesEpoch:
    """A pass over batches. remembered: how many of them can be asked for again, at most; of large ones fewer."""

    def __init__(self, source: BatchSource, items: Iterator[Any], remembered: int = 0) -> None:
        self.steps = source.end
        self._source, self._items, self._remembered = source, items, remembered
        self._latest: dict[int, Data] = {}
        self._next = 0
        self._ahead: Prefetch[tuple[int, Data, Any]] | None = None

    def chunks(
        self,
        at: int,
        limit: int | None = None,
        keep: Callable[[], bool] | None = None,
        interrupt: Interrupt | None = None,
    ) -> Chunks:
        """A chunk for each batch; those before `at` are skipped, or were done and are remembered."""
        if at < self._next:
            last = self._next if limit is None else at + limit
            for number in range(at, last):
                yield Chunk(None, 1, 0, tuple(tree.leaves(self._moved(number))))
            return
        feed = self._source.home.feed()
        self._ahead = Prefetch(self._made(at, None if limit is None else at + limit, feed), interrupt)
        try:
            for number, data, sent in self._ahead:
                if self._remembered:
                    self._remember(number, data, keep)
                self._next = number + 1
                yield Chunk(None, 1, 0, feed.receive(sent))
        finally:
            if self._ahead.close():
                feed.close()

    def has(self, number: int) -> bool:
        """Whether there is a step of this number; waits for its batch where that is not known."""
        if self.steps is not None or self._ahead is None:
            return self.steps is None or number < self.steps
        return self._ahead.has_next()

    def batch(self, number: int) -> Batch:
        """The samples of a step."""
        data = self._moved(number)
        return Batch(data, np.arange(len(tree.leaves(data)[0])), None, f" of batch {number}")

    def _remember(self, number: int, data: Data, keep: Callable[[], bool] | None) -> None:
        size = (len(self._latest) + 1) * sum(leaf.nbytes for leaf in tree.leaves(data))
        if (len(self._latest) >= self._remembered or size > REMEMBERED_BYTES) and keep is not None and keep():
            self._latest.clear()
        self._latest[number] = data

    def _moved(self, number: int) -> Data:
        """A batch that is remembered, on the device."""
        return to_device(self._latest[number], self._source.home.name)

    def _made(self, at: int, last: int | None, feed: Feed) -> Iterator[tuple[int, Data, Any]]:
        """The batches from number `at` to ``last - 1``, with their numbers, and on their way to the device."""
        source = self._source
        end = self.steps if last is None else last if self.steps is None else min(last, self.steps)
        nothing = object()
        for number in itertools.count():
            if number == end:
                return
            given = next(self._items, nothing)
            if given is nothing:
                if number == 0 or self.steps is not None:
                    raise source.ended(number)
                return
            if number >= at:
                data = source.checked(given, number)
                yield number, data, feed.send(tree.leaves(data))


def _copied(leaves: list[Any]) -> list[Any]:
    return [leaf.copy() if isinstance(leaf, np.ndarray) else leaf for leaf in leaves]


def _listed(data: Data) -> str:
    return ", ".join(tree.structure(data).paths())


def unpacked(given: Any, of: str) -> tuple[Any, Any, Any]:
    """x, y and sample_weight of a batch."""
    if not isinstance(given, tuple | list):
        return given, None, None
    if not 1 <= len(given) <= 3:
        raise StructureError(
            f"{of}expected (x, y) or (x, y, sample_weight), received a {type(given).__name__} of length {len(given)}. "
            f"Several inputs are a tuple within: ((x1, x2), y)."
        )
    x, y, weight = (*given, None, None)[:3]
    return x, y, weight
