"""Stable sorts as calls of `fnet.kernels.cuda.sort`: of positions by small integers, and of the numbers of rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import spread, warps
from fnet.kernels import cuda

ROUNDS = 8  # keys of a thread
_INTEGER = np.dtype(np.int32)


@dataclass
class _Sorting:
    """Positions that are being sorted by keys, one after another, the most important one last."""

    emit: Emitter
    count: int

    def __post_init__(self) -> None:
        self.tiles = -(-self.count // (cuda.sort.THREADS * ROUNDS))
        self.keys, self.order, *self._others = (self.emit.scratch(self.count, _INTEGER) for _ in range(4))
        sizes = cuda.sort.DIGITS * self.tiles, cuda.sort.DIGITS
        self._counts, self._totals = (self.emit.scratch(size, _INTEGER) for size in sizes)
        self._is_begun = False

    def by_keys(self, bits: int) -> None:
        """Sort by so many of the lowest bits of `keys`, which are those of `order`, or of all positions at first."""
        emit, (tiles, threads) = self.emit, (self.tiles, cuda.sort.THREADS)
        for shift in range(0, bits, cuda.sort.BITS):
            emit.call(cuda.sort.count_digits[tiles, threads], self.keys, self._counts, self.count, shift, ROUNDS)
            adding = cuda.sort.add_up_counts[warps(cuda.sort.DIGITS)]
            emit.call(adding, self._counts, self._totals, tiles)
            arrays = self.keys, self.order, self._counts, self._totals, *self._others
            how = self.count, shift, ROUNDS, int(self._is_begun)
            emit.call(cuda.sort.place_digits[tiles, threads], *arrays, *how)
            (self.keys, self.order), self._others = self._others, [self.keys, self.order]
            self._is_begun = True


def emit_sort(index: Ref, size: int, emit: Emitter, from_end: bool = True) -> tuple[Ref, Ref]:
    """The rows of a table of `size` rows that an index means, sorted, and at which positions they are.

    Both int32, in scratch memory; `size` stands for an index outside of the table. from_end: whether numbers below 0
    count from its end.
    """
    sorting = _Sorting(emit, index.size)
    how = index.size, size, int(from_end)
    emit.call(cuda.sort.keys_of_index[spread(index.size)], index, sorting.keys, *how)
    sorting.by_keys(max(1, size.bit_length()))
    return sorting.keys, sorting.order


def emit_argsort(x: Ref, y: Ref, emit: Emitter) -> None:
    """Which columns the elements of each row are in, in rising order, NaN last. x, y: (..., columns)."""
    columns, count, grid = x.shape[-1], x.size, spread(x.size)
    sorting, bits = _Sorting(emit, count), 8 * x.dtype.itemsize
    numbers = x
    if x.dtype.kind == "f":
        numbers = emit.scratch(count, np.dtype(f"i{x.dtype.itemsize}"))
        emit.call(cuda.sort_rows.order_of_floats[grid], x, numbers, count)
    flip = 0 if x.dtype.kind == "u" else 1 << (min(bits, 32) - 1)
    if bits <= 32:
        emit.call(cuda.sort_rows.keys_of_narrow[grid], numbers, sorting.keys, count, flip)
        sorting.by_keys(bits)
    else:
        for high in (0, 1):
            emit.call(cuda.sort_rows.keys_of_wide[grid], numbers, sorting.order, sorting.keys, count, high, high * flip)
            sorting.by_keys(32)
    if count > columns:
        emit.call(cuda.sort_rows.keys_of_rows[grid], sorting.order, sorting.keys, count, columns)
        sorting.by_keys((count // columns - 1).bit_length())
    emit.call(cuda.sort_rows.columns_of_order[grid], sorting.order, y, count, columns)
