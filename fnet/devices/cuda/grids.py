"""Grids of blocks: how many threads a launch has for so much work."""

from __future__ import annotations

WARP = 32
THREADS = 256  # of a block, at most
LONG = 1024  # elements of a row for which a warp takes too long
BLOCKS = 2112  # of a grid that goes on until all is done: enough for any card, 16 for each of 132 multiprocessors


def spread(threads: int) -> tuple[int, int]:
    """A grid and its blocks for so many threads, each of which may go on for others."""
    block = min(THREADS, WARP * max(1, -(-threads // WARP)))
    return max(1, min(BLOCKS, -(-threads // block))), block


def warps(rows: int) -> tuple[int, tuple[int, int]]:
    """A grid of blocks with a warp for each row: lanes are x, rows are x of the grid and y of a block."""
    many = max(1, min(rows, THREADS // WARP))
    return max(1, -(-rows // many)), (WARP, many)


def rows_grid(rows: int, columns: int) -> tuple[int, tuple[int, int]]:
    """A grid for kernels whose rows are the work of a warp, or of a block where they are long."""
    return warps(rows) if columns <= LONG else (rows, (THREADS, 1))
