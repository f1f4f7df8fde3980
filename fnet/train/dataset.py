"""Data sets that stay where they are, in a file for the most part: samples are read when they are asked for."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet import tree
from fnet.data.frames import is_frame
from fnet.device_array import DeviceArray
from fnet.errors import FileError
from fnet.train.mapped import check_mapped
from fnet.transforms.tracer import Tracer

_IN_MEMORY = ("__array_interface__", "__array_struct__", "__dlpack__", "__cuda_array_interface__")


class Dataset:
    """The samples `begin` to ``end - 1`` of a data set, which errors call `name`; slices are parts of it, unread.

    Raises `FileError` where the data set cannot be read, or where the file of an `np.memmap` was cut off before.
    """

    def __init__(self, name: str, data: Any, begin: int = 0, end: int | None = None) -> None:
        self.name, self.begin, self._data = name, begin, data
        try:
            self._shape, self.dtype = tuple(data.shape), np.dtype(data.dtype)
            chunks = getattr(data, "chunks", None)
        except Exception as error:
            raise self._failed(error) from error
        self.end = (self._shape[0] if self._shape else 0) if end is None else end
        stored_together = chunks[0] if isinstance(chunks, tuple) and chunks else 1
        self.chunk = stored_together if isinstance(stored_together, int) and stored_together > 0 else 1

    @property
    def shape(self) -> tuple[int, ...]:
        """The samples and their own axes."""
        return (len(self), *self._shape[1:]) if self._shape else ()

    @property
    def nbytes(self) -> int:
        """What all samples take in memory."""
        return math.prod(self.shape) * self.dtype.itemsize

    def __len__(self) -> int:
        return self.end - self.begin

    def __getitem__(self, part: slice) -> Dataset:
        begin, end, _ = part.indices(len(self))
        return Dataset(self.name, self._data, self.begin + begin, self.begin + end)

    def read(self, begin: int = 0, end: int | None = None) -> Any:
        """The samples of these numbers, as the data set gives them; a copy of what is mapped into memory."""
        found = self._found(self.begin + begin, self.begin + (len(self) if end is None else end))
        return np.array(found) if isinstance(found, np.memmap) else found

    def read_into(self, out: np.ndarray, begin: int) -> None:
        """Fill `out`, of the same dtype, with the samples from number `begin` on."""
        first, last = self.begin + begin, self.begin + begin + len(out)
        if not hasattr(self._data, "read_direct"):
            out[...] = self._found(first, last)
            return
        try:
            self._data.read_direct(out, np.s_[first:last])
        except Exception as error:
            raise self._failed(error, first, last) from error

    def _found(self, first: int, last: int) -> Any:
        try:
            found = self._data[first:last] if self._shape else self._data[()]
            if isinstance(found, np.memmap):
                check_mapped(found)
        except FileError:  # of the data set that it is a part of
            raise
        except Exception as error:
            raise self._failed(error, first, last) from error
        if self._shape and np.shape(found)[:1] != (last - first,):
            raise self._failed(f"they came with the shape {np.shape(found)}", first, last)
        return found

    def _failed(self, error: object, first: int = 0, last: int = 0) -> FileError:
        """The error for samples that cannot be read."""
        which = f"samples {first} to {last - 1} of {self.name}" if last else self.name
        kind = f"{type(error).__name__}: " if isinstance(error, Exception) else ""
        return FileError(
            f"{which} cannot be read: {kind}{error}. Check the file, and keep it open and unchanged during the call."
        )


def is_dataset(x: Any) -> bool:
    """Whether it is a data set outside of memory: it has a shape, a dtype of NumPy, and slices, but no memory."""
    if isinstance(x, np.memmap):
        return x.filename is not None
    if isinstance(x, np.ndarray | np.generic | DeviceArray | Tracer) or not hasattr(type(x), "__getitem__"):
        return False
    if is_frame(x):
        return False
    try:
        known = isinstance(x.shape, tuple) and isinstance(x.dtype, np.dtype)
    except AttributeError:
        return False
    except Exception:  # of a file that was closed
        return True
    return known and not any(hasattr(x, protocol) for protocol in _IN_MEMORY)


def dataset_bytes(data: Any) -> int:
    """How many bytes the data sets of a tree would take in memory."""
    if type(data) is np.ndarray or data is None:
        return 0
    return sum(_bytes(leaf) for leaf in tree.leaves(data, is_leaf=_holds_numbers) if is_dataset(leaf))


def _bytes(data: Any) -> int:
    try:
        return math.prod(data.shape) * data.dtype.itemsize
    except Exception:  # it says so when it is read
        return 0


def _holds_numbers(x: Any) -> bool:
    """Whether a list is data itself, as its first element says; all are looked at where it becomes an array."""
    while isinstance(x, list | tuple) and x:
        x = x[0]
    return isinstance(x, int | float | str)
