"""Data sets larger than memory: an epoch is read window by window, the next one while the present one trains.

The first window of an epoch is read while the last one of the epoch before trains.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from fnet import tree
from fnet.device import Device, Feed
from fnet.errors import FnetError
from fnet.train.data import as_arrays
from fnet.train.data import count as samples
from fnet.train.dataset import Dataset, dataset_bytes
from fnet.train.interrupt import Interrupt
from fnet.train.sources.arrays import steps_of
from fnet.train.sources.prefetch import Prefetch
from fnet.train.sources.source import Batch, Chunk, Chunks, Data, batches_of
from fnet.train.sources.windows import Windows, epoch_key
from fnet.transfer import to_device, to_host

WINDOW_BYTES = 1 << 25
BLOCK_BYTES = 1 << 20

Prepare = Callable[[Data, str], Data]
"""``prepare(data, of)``: samples as arrays that are checked; `of` begins the names in errors."""

Buffers = list[np.ndarray]
"""Arrays for the samples of a window, one for each leaf of the data."""


class Datasets:
    """A `Source` of `Dataset` data sets, beside arrays too, of which two windows are in memory.

    steps: of an epoch, None for all batches; the argument `limit` gave it. home: the device of the steps, to which
    windows are copied while it works with the one before. first: the number of the first sample, for errors. A window
    has about 32 MB, blocks whose samples stay together 1 MB or what the file keeps together.
    """

    def __init__(
        self, data: Data, batch_size: int, prepare: Prepare, steps: int | None, limit: str, home: Device, first: int = 0
    ) -> None:
        self.count, self.batch_size, self.home, self.first = samples(data), batch_size, home, first
        self.steps = steps_of(self.count, batch_size, steps, limit)
        self.data, self.leaves, self._prepare, self._lock = data, tree.leaves(data), prepare, threading.Lock()
        begin = (0, min(batch_size, self.count))
        self.sample = self.read([begin], self._named(*begin) if first else "")
        row = sum(leaf[:1].nbytes for leaf in tree.leaves(self.sample))
        self.window = max(1, WINDOW_BYTES // (row * batch_size)) * batch_size
        together = max(self.leaves, key=lambda leaf: leaf[:1].nbytes)
        chunk = together.chunk if isinstance(together, Dataset) else 1
        wanted = max(1, BLOCK_BYTES // row)
        self.block = min(max(wanted // chunk, 1) * chunk, self.window)
        self._spare: list[tuple[Buffers, Buffers]] = []
        self._begun: tuple[Windows, tuple[Buffers, Buffers]] | None = None

    @property
    def content(self) -> Data:
        """The data sets, and weights that were made for a class."""
        made = {} if self.data.get("sample_weight") is not None else {"sample_weight": self.sample.get("sample_weight")}
        return self.data | made

    def training(self, key: Any, step: int, shuffle: bool, more: bool = False) -> DatasetsEpoch:
        """The epoch that begins at update number `step`, in an order that is pure in all three."""
        own = to_host(key)
        now, then = (self._windows(epoch_key(own, at) if shuffle else None) for at in (step, step + self.steps))
        return DatasetsEpoch(self, now, then if more else None, is_ordered=True)

    def pass_over(self, steps: int) -> None:
        """Nothing: the order of an epoch needs those before it for no more than its key."""

    def in_order(self, more: bool = False) -> DatasetsEpoch:
        """An epoch without training."""
        windows = self._windows(None)
        return DatasetsEpoch(self, windows, windows if more else None, is_ordered=False)

    def batches(self) -> Generator[Data, None, None]:
        """The batches in their order, as views of memory that the batches after the next window take."""
        return batches_of(self.in_order().chunks(0), self.sample)

    def read(self, stretches: Iterable[tuple[int, int]], of: str = "") -> Data:
        """These samples in arrays of their own, checked; `of` begins their names in errors."""
        with self._lock:
            parts = [
                [leaf.read(*s) if isinstance(leaf, Dataset) else leaf[slice(*s)] for leaf in self.leaves]
                for s in stretches
            ]
        joined = [part[0] if len(part) == 1 else np.concatenate(part) for part in zip(*parts, strict=True)]
        return self._prepare(tree.unflatten(tree.structure(self.data), joined), of)

    def fill(self, buffers: Buffers, stretches: list[tuple[int, int]]) -> None:
        """Read these samples to the front of the buffers, and check them. An error says among which samples it is."""
        with self._lock:
            places, at = [], 0
            for begin, end in stretches:
                places.append(slice(at, at + end - begin))
                for leaf, buffer in zip(self.leaves, buffers, strict=False):
                    self._copy(leaf, begin, end, buffer[places[-1]])
                at += end - begin
        try:
            self._check(buffers, slice(0, at))
        except FnetError:
            for place, (begin, end) in zip(places, stretches, strict=True):
                self._check(buffers, place, self._named(begin, end))
            raise

    def buffers(self) -> tuple[Buffers, Buffers]:
        """Two windows of memory; `give_back` keeps them for the next epoch."""
        if self._spare:
            return self._spare.pop()
        rows = min(self.window, self.count)
        first, second = (
            [np.empty((rows, *leaf.shape[1:]), leaf.dtype) for leaf in tree.leaves(self.sample)] for _ in range(2)
        )
        return first, second

    def give_back(self, pair: tuple[Buffers, Buffers]) -> None:
        """These windows are no longer in use."""
        self._spare.append(pair)

    def begin(self, windows: Windows, pair: tuple[Buffers, Buffers]) -> None:
        """The first of these windows is in the first one of these buffers, for the next epoch."""
        self._begun = windows, pair

    def begun(self, windows: Windows) -> tuple[Buffers, Buffers] | None:
        """The buffers of which the first one has the first of these windows; None where it is not read yet."""
        begun, self._begun = self._begun, None
        if begun is None or np.array_equal(begun[0].key, windows.key):
            return None if begun is None else begun[1]
        self.give_back(begun[1])
        return None

    def _windows(self, key: Any) -> Windows:
        return Windows(self.count, self.block, self.window, key)

    def _named(self, begin: int, end: int) -> str:
        return f"samples {self.first + begin} to {self.first + end - 1}: "

    def _copy(self, leaf: Any, begin: int, end: int, out: np.ndarray) -> None:
        """Samples of a leaf into `out`, converted where they have another dtype."""
        if not isinstance(leaf, Dataset):
            out[...] = leaf[begin:end]
        elif leaf.dtype == out.dtype:
            leaf.read_into(out, begin)
        else:
            out[...] = as_arrays(f"{self._named(begin, end)}{leaf.name}", leaf.read(begin, end), out.dtype)

    def _check(self, buffers: Buffers, place: slice, of: str = "") -> None:
        """Check some samples, and write weights that are made for them behind the other leaves."""
        given = [buffer[place] for buffer in buffers[: len(self.leaves)]]
        prepared = self._prepare(tree.unflatten(tree.structure(self.data), given), of)
        for made, buffer in zip(tree.leaves(prepared)[len(given) :], buffers[len(given) :], strict=True):
            buffer[place] = made


def is_large(*data: Any) -> bool:
    """Whether trees have data sets that are not read whole: they take more memory than a window."""
    return sum(map(dataset_bytes, data)) > WINDOW_BYTES


class DatasetsEpoch:
    """A pass over data sets.

    then: the windows of the pass that follows, None for none. is_ordered: whether the compiled step takes an order of
    the samples of a window.
    """

    def __init__(self, source: Datasets, windows: Windows, then: Windows | None, is_ordered: bool) -> None:
        self._source, self._windows, self._then = source, windows, then
        self._is_ordered, self.steps = is_ordered, source.steps

    def chunks(
        self,
        at: int,
        limit: int | None = None,
        keep: Callable[[], bool] | None = None,
        interrupt: Interrupt | None = None,
    ) -> Chunks:
        """For each window the full batches, in the last one then the rest."""
        source, size, window = self._source, self._source.batch_size, self._windows.window
        last = self.steps if limit is None else min(at + limit, self.steps)
        numbers = range(at * size // window, -(-last * size // window))
        begun = source.begun(self._windows) if at == 0 and limit is None else None
        pair = begun or source.buffers()
        feed = source.home.feed()
        then = self._then if limit is None else None
        ahead = Prefetch(self._read(numbers, pair, feed, begun is not None, then), interrupt)
        goes_on = False
        try:
            for number, sent in ahead:
                if number == numbers.stop:
                    goes_on = True
                    break
                inputs = feed.receive(sent)
                start = number * window // size
                full, rest = divmod(self._windows.size(number), size)
                steps = min(start + full, last) - at
                if steps > 0:
                    yield Chunk(size, steps, (at - start) * size, inputs)
                    at += steps
                if rest and at < last:
                    yield Chunk(rest, 1, full * size, inputs)
        finally:
            if ahead.close():
                feed.close()
                if goes_on and then is not None:
                    source.begin(then, pair if numbers.stop % 2 == 0 else pair[::-1])
                else:
                    source.give_back(pair)

    def has(self, number: int) -> bool:
        """Whether there is a step of this number."""
        return number < self.steps

    def batch(self, number: int) -> Batch:
        """The samples of a step."""
        size = self._source.batch_size
        window, at = divmod(number * size, self._windows.window)
        picked = self._windows.samples(window)[at : at + size]
        data = self._source.read([(sample, sample + 1) for sample in picked.tolist()])
        return Batch(to_device(data, self._source.home.name), self._source.first + picked)

    def _read(
        self, numbers: range, pair: tuple[Buffers, Buffers], feed: Feed, begun: bool, then: Windows | None
    ) -> Iterator[tuple[int, Any]]:
        """The windows of these numbers, by turns in two pieces of memory, on their way to be inputs of a step.

        begun: whether the first one is there. Behind the last one comes None, when the first one of `then` is there.
        """
        for number in numbers:
            buffers = pair[number % 2]
            if number or not begun:
                self._source.fill(buffers, self._windows.stretches(number))
            if not self._is_ordered:
                yield number, feed.send(buffers)
                continue
            order = np.zeros(len(buffers[0]), np.int64)
            order[: self._windows.size(number)] = self._windows.order(number)
            yield number, feed.send([order, *buffers])
        if then is not None:
            with suppress(Exception):  # the epoch that follows reads it again, and says so
                self._source.fill(pair[numbers.stop % 2], then.stretches(0))
                yield numbers.stop, None
