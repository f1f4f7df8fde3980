"""Some samples of a data set outside of memory, such as those of a fold: a data set again."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.train.dataset import Dataset

PIECE_BYTES = 1 << 20


class Picked:
    """The samples `rows` of `data`, a `Dataset` or an array: numbers that increase, or are the same again.

    Slices are arrays. What lies between the samples is read, too, by pieces of 1 MB or what the file keeps together.

    >>> Picked(np.arange(10) ** 2, np.array([1, 1, 4, 7]))[1:3]
    array([ 1, 16])
    """

    def __init__(self, data: Any, rows: np.ndarray) -> None:
        self._data, self._rows = data, rows
        self.shape, self.dtype = (len(rows), *data.shape[1:]), data.dtype

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, part: slice) -> Any:
        rows, data = self._rows[part], self._data
        if not isinstance(data, Dataset):
            return data[rows]
        found = np.empty((len(rows), *self.shape[1:]), self.dtype)
        piece = max(PIECE_BYTES // max(data[:1].nbytes, 1) // data.chunk, 1) * data.chunk
        at = 0
        while at < len(rows):
            begin = int(rows[at])
            end = int(np.searchsorted(rows, (begin // piece + 1) * piece))
            found[at:end] = data.read(begin, int(rows[end - 1]) + 1)[rows[at:end] - begin]
            at = end
        return found
