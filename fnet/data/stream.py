"""Batches that are made when they are asked for, in every pass anew."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

from fnet.arguments import integer
from fnet.random import fold_in


class Stream:
    """An iterable of batches; ``len`` is their number.

    make: ``make(number) -> iterator`` begins pass `number`. count: of the batches. What `map`, `take`, `skip` and
    `cache` return is a stream, too, as of ``tf.data``.

    >>> squares = Stream(lambda number: iter(range(4)), 4).map(lambda x: x * x)
    >>> list(squares.take(3)), len(squares)
    ([0, 1, 4], 4)
    """

    class_names: list[str] | None = None
    file_paths: list[str] | None = None

    def __init__(self, make: Callable[[int], Iterator[Any]], count: int) -> None:
        self._make, self._count, self._passes = make, count, 0

    def __iter__(self) -> Iterator[Any]:
        number, self._passes = self._passes, self._passes + 1
        return self._make(number)

    def __len__(self) -> int:
        return self._count

    def map(self, function: Callable[..., Any], key: Any = None, **options: Any) -> Stream:
        """What a function makes of each batch; it takes the parts of a tuple as its arguments.

        key: of `fnet.random`, for a function that draws: its first argument is another key for each batch of each pass.
        options: of how TensorFlow runs it (``num_parallel_calls``), which have no meaning here.

        >>> from fnet import random
        >>> numbers = Stream(lambda number: iter((1.0, 2.0)), 2).map(
        ...     lambda key, x: x + random.uniform(key), key=random.key(0)
        ... )
        >>> [int(x) for x in numbers]
        [1, 2]
        """

        def made(batch: Any, *keys: Any) -> Any:
            return function(*keys, *batch) if isinstance(batch, tuple) else function(*keys, batch)

        def begin(number: int) -> Iterator[Any]:
            batches = self._make(number)
            if key is None:
                return map(made, batches)
            own = fold_in(key, number)
            return (made(batch, fold_in(own, place)) for place, batch in enumerate(batches))

        return Stream(begin, self._count)

    def take(self, count: int) -> Stream:
        """The first batches of each pass."""
        most = min(integer("take", "count", count, 0), self._count)
        return Stream(lambda number: itertools.islice(self._make(number), most), most)

    def skip(self, count: int) -> Stream:
        """The batches of each pass behind the first ones."""
        first = min(integer("skip", "count", count, 0), self._count)
        return Stream(lambda number: itertools.islice(self._make(number), first, None), self._count - first)

    def cache(self) -> Stream:
        """The batches of the first pass, kept in memory for the others."""
        kept: list[Any] = []

        def begin(number: int) -> Iterator[Any]:
            if not kept:
                kept.extend(self._make(number))
            return iter(kept)

        return Stream(begin, self._count)

    def prefetch(self, buffer_size: Any = None) -> Stream:
        """The stream itself: `fit` makes batches ready ahead."""
        return self
