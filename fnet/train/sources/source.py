"""What `fit`, `evaluate` and `predict` ask of their data, whatever holds them."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, NamedTuple, Protocol

from fnet import tree
from fnet.train.interrupt import Interrupt

Data = dict[str, Any]
"""The trees x, y and sample_weight, with None where there is none; for predictions x alone."""


class Chunk(NamedTuple):
    """Steps of an epoch that one compiled function does.

    size: the samples of each step; None for a single step on whole arrays. steps: how many. start: where the first one
    begins in the arrays. inputs: what the compiled step takes beside what it carries.
    """

    size: int | None
    steps: int
    start: int
    inputs: tuple[Any, ...]


Chunks = Generator[Chunk, None, None]


class Batch(NamedTuple):
    """What a step was computed of, for messages.

    samples: the numbers of the samples. whole: all the data, where they are in memory. of: in what the numbers count.
    """

    data: Data
    samples: Any
    whole: Data | None = None
    of: str = ""


class Epoch(Protocol):
    """One pass over the data, in its order.

    steps: how many steps it has, None where it ends when the data do.
    """

    @property
    def steps(self) -> int | None: ...

    def chunks(
        self,
        at: int,
        limit: int | None = None,
        keep: Callable[[], bool] | None = None,
        interrupt: Interrupt | None = None,
    ) -> Chunks:
        """The steps from number `at` on, at most `limit`.

        keep: is called before a chunk, when the steps before it should be asked for no longer, and says whether they
        are not needed. interrupt: ends the steps where one is waited for. The iterator is to be closed: it may have a
        thread, which makes the next chunk.
        """
        ...

    def has(self, number: int) -> bool:
        """Whether there is a step of this number."""
        ...

    def batch(self, number: int) -> Batch:
        """The samples of a step that was done, for as long as `chunks` can begin there."""
        ...


class Source(Protocol):
    """Data in batches.

    sample: data like those of the steps, of which shapes and dtypes count. content: all data that can be looked at, by
    which another process knows them again. batch_size: of a full batch. steps: of an epoch, as far as known. count: the
    number of samples, None where it is not known.
    """

    @property
    def sample(self) -> Data: ...
    @property
    def content(self) -> Data: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def steps(self) -> int | None: ...
    @property
    def count(self) -> int | None: ...

    def training(self, key: Any, step: int, shuffle: bool, more: bool = False) -> Epoch:
        """The epoch of training that begins at update number `step`: its order is pure in all three.

        more: whether the next epoch is to follow, so that data for it may be read at the end of this one.
        """
        ...

    def pass_over(self, steps: int) -> None:
        """Leave out the batches of so many steps of earlier epochs, which another process did."""
        ...

    def in_order(self, more: bool = False) -> Epoch:
        """An epoch without training, whose inputs have no order; more: as for `training`."""
        ...

    def batches(self) -> Generator[Data, None, None]:
        """The batches of an epoch without training."""
        ...


def batches_of(chunks: Chunks, like: Data) -> Generator[Data, None, None]:
    """The batch of each step without an order, as views, trees as `like`; closes the chunks."""
    structure = tree.structure(like)
    with closing(chunks):
        for size, steps, start, inputs in chunks:
            for begin in range(start, start + steps * (size or 1), size or 1):
                leaves = inputs if size is None else [leaf[begin : begin + size] for leaf in inputs]
                yield tree.unflatten(structure, list(leaves))
