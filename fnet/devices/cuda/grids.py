"""Grids of blocks: how many threads a launch has for so much work."""

from __future__ import annotations

import math
from collections.abc import Sequence

from fnet.errors import ShapeError
from fnet.kernels.cuda.runtime import held

WARP = 32
THREADS = 256  # of a block, at most
LONG = 1024  # elements of a row for which a warp takes too long
MOST_Y = 65535  # blocks of a grid in any direction but x
MOST_ELEMENTS = 1 << 31  # of a sample whose places are numbers of 32 bits
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


def held_grid(rows: int, columns: int) -> tuple[int, tuple[int, int]]:
    """A grid for kernels that hold rows in registers: 4 to 32 lanes are x, rows are y; or a block has a long row.

    A thread has at least four elements, and `held.HELD` of them before a row is given more threads than a warp.
    """
    lanes = min(WARP, _power_of_two(max(4, -(-columns // 4))))
    if columns > WARP * held.HELD:
        lanes = min(held.THREADS, _power_of_two(-(-columns // held.HELD)))
    many = max(1, (THREADS if rows * lanes > WARP * BLOCKS else WARP) // lanes)
    return -(-rows // many), (lanes, many)


def _power_of_two(number: int) -> int:
    """The smallest one that is not below a number."""
    return 1 << (number - 1).bit_length()


def channels_grid(samples: int, positions: int, channels: int) -> tuple[tuple[int, int], tuple[int, int, int]]:
    """A grid for images of channels: threads are x for four channels, or one, y for positions and z for samples.

    Positions are x of the grid; samples are y, which goes on until all are done.
    """
    lanes = min(THREADS, channels // 4 if channels % 4 == 0 else channels)
    rows = min(THREADS // lanes, positions)
    layers = min(THREADS // (lanes * rows), samples, 64)
    return (-(-positions // rows), min(-(-samples // layers), MOST_Y)), (lanes, rows, layers)


def check_samples(*shapes: Sequence[int]) -> None:
    """Refuse arrays whose samples have more elements than kernels count in 32 bits."""
    for shape in shapes:
        size = math.prod(shape[1:])
        if size >= MOST_ELEMENTS:
            raise ShapeError(
                f"an array of shape {tuple(shape)} has samples of {size} elements: expected fewer than 2**31 on cuda.\n"
                "Split the images, or compute this layer on the CPU."
            )
