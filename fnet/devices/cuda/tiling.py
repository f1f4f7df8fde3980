"""How a product of matrices is cut into blocks: by its sizes only, so that sums have one order on every card.

A tile is chosen by the time that counting gives it, in products of a multiprocessor at its peak::

    ceil(blocks / ENOUGH) * rows of a tile * columns of a tile * k of a part / rate  +  what the sum of parts takes

The rate is the share of the peak that shared memory leaves: a warp's access of 16 bytes a lane takes four clocks, in
which it could multiply 16 times a lane.

| tile | accesses for products of a lane | rate | where |
|---|---|---|---|
| 128 x 128 | 4 for 64 | 1 | float32 |
| 128 x 64 | 3 for 32 | 2/3 | convolutions in float32, but weight gradients |
| 64 x 64 | 2 for 16 | 1/2 | float32, float64 |
| 16 x 16 | 2 of 4 bytes for 1 | 1/8 | all, and integers |

Tensor cores multiply 16 times as fast; `docs/cuda_kernels.md` counts what shared memory leaves of that.

ENOUGH is 108, the multiprocessors of an A100; an H100 or H200 has 132, others have 20 to 144. It is a constant on
purpose: where k is cut into parts the order of a sum depends on it, and a training has the same bits on every card. The
card's own number would gain little: at most a fifth of an H200 is idle in the last round of blocks.
Where blocks are fewer, k may be cut into parts, for one or two blocks a multiprocessor, but none shorter than 256: so
its sums, 8 bytes an element to write and to read, are at most half of the bytes of its operands.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SMALLEST = 16
ENOUGH = 108  # blocks
PART = 256  # of k
MOST_PARTS = 64
_UNIT = 32  # of parts, a multiple of all steps of k and of 16 bytes
_LAUNCH = 1_000_000  # products of a multiprocessor while one more launch waits for the one before: 5 microseconds
_LEAST_ROWS, _LEAST_COLUMNS = 64, 16  # that tensor cores are worth their rounding for
_SUM = 49  # products of a multiprocessor in the time in which it reads and writes 8 bytes of the card's memory


class Tile(NamedTuple):
    """The rows and columns of a block, and its rate."""

    rows: int
    columns: int
    rate: float


class Tiling(NamedTuple):
    """The rows of a block, the length of a part of k, how many parts there are; a narrow block has half the columns."""

    tile: int
    part: int
    parts: int
    is_narrow: bool = False

    @property
    def columns(self) -> int:
        """The columns of a block."""
        return self.tile // 2 if self.is_narrow else self.tile


_PLAIN, _64, _NARROW, _128 = Tile(16, 16, 1 / 8), Tile(64, 64, 1 / 2), Tile(128, 64, 2 / 3), Tile(128, 128, 1)
_OF_TYPE = {np.dtype(np.float32): (_128, _64), np.dtype(np.float64): (_64,)}
_OF_LEVEL = {"medium": (Tile(128, 128, 8), Tile(128, 64, 5.8)), "high": (Tile(128, 128, 3.2), Tile(128, 64, 2.9))}
"""16 times the share that `docs/cuda_kernels.md` has, or 60 % if that is less, by the number of products."""


def tiling(m: int, n: int, k: int, count: int, dtype: np.dtype, in_parts: bool = True) -> Tiling:
    """How `count` products of (m, k) and (k, n) are cut; in_parts: whether one product may be summed in parts."""
    found, _ = _quickest(m, n, k, count, _OF_TYPE.get(dtype, ()), in_parts and dtype in _OF_TYPE)
    return found


def conv_tiling(m: int, n: int, k: int, count: int, precision: str, in_parts: bool) -> tuple[Tiling, bool]:
    """The same for a convolution in float32, and whether tensor cores compute it; in_parts: of a weight gradient."""
    found, time = _quickest(m, n, k, count, (_128, _64) if in_parts else (_128, _NARROW, _64), in_parts)
    if precision != "highest" and m >= _LEAST_ROWS and n >= _LEAST_COLUMNS:
        wide, narrow = _OF_LEVEL[precision]
        other, least = _quickest(m, n, k, count, (narrow,) if in_parts else (wide, narrow), in_parts)
        if other.tile != SMALLEST and least < time:
            return other, True
    return found, False


def tiles(n: int, tile: int) -> int:
    """The tiles along n rows or columns."""
    return -(-n // tile)


def _quickest(m: int, n: int, k: int, count: int, larger: Sequence[Tile], in_parts: bool) -> tuple[Tiling, float]:
    """The quickest of the plain tile and the larger ones, and its time; of two that are as quick, what reads less."""
    found, least = Tiling(SMALLEST, k, 1), (math.inf if min(m, n, k) else 0.0, 0, 0)
    for tile in (*(larger if max(m, n, k) < 1 << 31 else ()), _PLAIN):
        blocks = count * tiles(m, tile.rows) * tiles(n, tile.columns)
        cuts = [_parts(k, blocks, rounds) for rounds in (1, 2)] if in_parts and count == 1 else []
        for part, parts in ((k, 1), *cuts):
            time = tiles(blocks * parts, ENOUGH) * tile.rows * tile.columns * part / tile.rate
            time += (_LAUNCH + parts * m * n * _SUM / ENOUGH) if parts > 1 else 0
            cost = time, blocks * (tile.rows + tile.columns), blocks * tile.rows * tile.columns
            if cost < least:
                found, least = Tiling(tile.rows, part, parts, tile.columns < tile.rows), cost
    return found, least[0]


def _parts(k: int, blocks: int, rounds: int) -> tuple[int, int]:
    """The length of a part of k, and how many there are, so that all multiprocessors have so many blocks."""
    parts = max(1, min(-(-rounds * ENOUGH // max(blocks, 1)), k // PART, MOST_PARTS)) if blocks < ENOUGH else 1
    if parts == 1:
        return k, 1
    part = -(-k // (parts * _UNIT)) * _UNIT
    return part, -(-k // part)
