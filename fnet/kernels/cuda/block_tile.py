"""Which tile of a product a block computes."""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function

BAND = 8  # rows of tiles


@device_function
def _quotient(a, b):
    """``a // b`` of two numbers in [0, 2**32)."""
    return np.uint32(np.uint32(a) // np.uint32(b))


@device_function
def tile_of_block(down, across):
    """The row and the column of the tile that a block has, of so many rows and columns of tiles.

    All tiles are x of the grid, the only axis that a card lets be long.
    """
    return tile_of_number(np.uint32(cuda.blockIdx.x), down, across)


@device_function
def tile_of_number(number, down, across):
    """The row and the column of the tile of a number below ``down * across``.

    Numbers go down the rows of a band, then on to its next column: blocks that run together read the same parts of
    both operands, from the cache.
    """
    band = _quotient(number, BAND * across)
    number = np.uint32(number - band * BAND * across)
    height = min(BAND, down - band * BAND)
    column = _quotient(number, height)
    return np.int64(band * BAND + number - column * height), np.int64(column)


@device_function
def tiles_of(rows, columns, height, width):
    """How many tiles of this size a product has."""
    return ((rows + height - 1) // height) * ((columns + width - 1) // width)


@device_function
def first_places(rows, columns, size):
    """The first row and column of the tile of a block; size: of a tile."""
    return places_of(np.uint32(cuda.blockIdx.x), rows, columns, size, size)


@device_function
def places_of(number, rows, columns, height, width):
    """The first row and column of the tile of this number."""
    down, across = tile_of_number(number, (rows + height - 1) // height, (columns + width - 1) // width)
    return np.int32(down * height), np.int32(across * width)
