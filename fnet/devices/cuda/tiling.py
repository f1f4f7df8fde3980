"""How a product of matrices is cut into blocks: by its sizes only, so that sums have one order on every card.

| tile | where |
|---|---|
| 128 | float32, both sides beyond 64, and enough blocks with up to 4 parts of k |
| 64 | both sides of 16 or more, and enough blocks with up to 16 parts of k |
| 16 | anything else, and integers |

Enough are as many blocks as an A100 has multiprocessors. Where there are fewer, k is cut into parts of 256 or more,
whose products are summed in a second stage. The choice comes from counting reads and products, not from times.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

SMALLEST = 16
ENOUGH = 108  # blocks
PART = 256  # of k
_TILES = ((128, 65, 4), (64, 16, 16))  # with the least side, and the most parts
_WIDEST = {np.dtype(np.float32): 128, np.dtype(np.float64): 64}
_UNIT = 32  # of parts, a multiple of all steps of k and of 16 bytes


class Tiling(NamedTuple):
    """The rows and columns of a block; the length of a part of k, and how many parts there are."""

    tile: int
    part: int
    parts: int


def tiling(m: int, n: int, k: int, count: int, dtype: np.dtype, in_parts: bool = True) -> Tiling:
    """How `count` products of (m, k) and (k, n) are cut; in_parts: whether one product may be summed in parts."""
    widest, in_parts = _WIDEST.get(dtype, SMALLEST), in_parts and count == 1
    for tile, least, most in _TILES:
        blocks = count * tiles(m, tile) * tiles(n, tile)
        if tile <= widest and min(m, n) >= least and max(m, n, k) < 1 << 31:
            found = Tiling(tile, *_parts(k, blocks, most if in_parts else 1))
            if blocks * found.parts >= ENOUGH:
                return found
    blocks = count * tiles(m, SMALLEST) * tiles(n, SMALLEST)
    return Tiling(SMALLEST, *_parts(k, blocks, 16 if in_parts and widest > SMALLEST else 1))


def tensor_tiling(m: int, n: int, k: int, count: int, in_parts: bool) -> Tiling | None:
    """The same in tiles of 128 only, for kernels of tensor cores that have no others: a quarter of a tile is enough."""
    blocks = count * tiles(m, 128) * tiles(n, 128)
    found = Tiling(128, *_parts(k, blocks, 4 if in_parts and count == 1 else 1))
    fits = min(m, n) > 32 and max(m, n, k) < 1 << 31
    return found if fits and blocks * found.parts >= ENOUGH else None


def tiles(n: int, tile: int) -> int:
    """The tiles along n rows or columns."""
    return -(-n // tile)


def _parts(k: int, blocks: int, most: int) -> tuple[int, int]:
    """The length of a part of k, and how many there are, for so many blocks that have the same part."""
    parts = max(1, min(-(-2 * ENOUGH // max(blocks, 1)), k // PART, most)) if blocks < ENOUGH else 1
    if parts == 1:
        return k, 1
    part = -(-k // (parts * _UNIT)) * _UNIT
    return part, -(-k // part)
