"""Batches by number, in a class of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fnet.arguments import warn_without_effect
from fnet.errors import StructureError


class PyDataset:
    """Batches that ``__getitem__(number)`` gives, ``len`` of them; for classes of your own, and for `fit`.

    workers, use_multiprocessing, max_queue_size: have no meaning here, where one thread makes batches ready ahead.
    `on_epoch_end` is called after each pass. Source: Keras ``PyDataset``, in older versions ``Sequence``.

    >>> class Squares(PyDataset):
    ...     def __len__(self):
    ...         return 3
    ...     def __getitem__(self, number):
    ...         return number**2
    >>> list(Squares())
    [0, 1, 4]
    """

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size
        if workers != 1 or use_multiprocessing:
            warn_without_effect("PyDataset", "workers", "more than the one thread that makes batches ready", 3)

    def __getitem__(self, number: int) -> Any:
        """The batch of this number."""
        raise StructureError(f"{type(self).__name__}: define __getitem__(self, number), which gives a batch.")

    def __len__(self) -> int:
        """The number of batches."""
        raise StructureError(f"{type(self).__name__}: define __len__(self), the number of batches.")

    def on_epoch_end(self) -> None:
        """Called after each pass; classes of your own shuffle here."""

    def __iter__(self) -> Iterator[Any]:
        for number in range(len(self)):
            yield self[number]
        self.on_epoch_end()
