"""Operands of the products inside of kernels: read in place, rounded to pairs of bfloat16, or packed for AMX tiles.

What pairs are, `fnet.kernels.cpu.vector.bfloat16` says. The memory that a kernel is given for them decides, when it is
compiled: where `words` are unsigned 32-bit integers the operand is rounded into them, where they are integers of 16 or
64 bits it is packed for tiles (`fnet.kernels.cpu.vector.tile_operands`), else it stays where it is. So one source
serves all levels of precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

from fnet.activation_codes import LINEAR
from fnet.kernels.cpu.product import VECTORS, packed_size, product_fetching, product_packed
from fnet.kernels.cpu.vector import tile_operands
from fnet.kernels.cpu.vector.bfloat16 import pair_neighbours, pair_vectors
from fnet.kernels.cpu.vector.simd import at, lanes
from fnet.kernels.cpu.vector.tile_block import BLOCK, row_of_pairs, whole_pairs
from fnet.kernels.cpu.vector.tile_operands import holds_tiles, pair_words
from fnet.kernels.policy import FASTMATH, kernel, scalar

CONFLICT, PAD = 1024, 16  # elements between rows that compete for the same lines of the cache; what keeps them apart
PAIRS = np.dtype(np.uint32)


def panels_size(columns: int, k: int, operands: npt.DTypeLike) -> int:
    """The elements of a packed B of k rows, of the type of operands."""
    if holds_tiles(operands):
        return tile_operands.panels_size(columns, k, operands)
    return packed_size(columns, -(-k // 2) if np.dtype(operands) == PAIRS else k, operands)


def rounded_size(rows: int, columns: int, dtype: npt.DTypeLike) -> int:
    """The elements of `words` that `by_columns` needs; of the last block of tiles all rows are read."""
    if holds_tiles(dtype):
        return (rows + BLOCK) * tile_operands.row_size(columns, dtype)
    return rows * (padded(-(-columns // 2))) if np.dtype(dtype) == PAIRS else 0


def padded(columns: int) -> int:
    """The distance of rows that do not compete for the same lines of the cache.

    >>> padded(512), padded(1024)
    (512, 1040)
    """
    return columns if columns % CONFLICT else columns + PAD


def length(words: Any, k: int) -> int:
    """How many elements k numbers are along the axis that is summed: half as many where `words` holds pairs."""
    return k


def panel_columns(packed: Any) -> int:
    """The columns of a panel of packed operands."""
    return VECTORS * lanes(packed)


def words_row(words: Any, k: int) -> int:
    """The distance of the rows of k elements that `by_columns` rounds; 0 where it leaves them in place."""
    return 0


def by_columns(x: Any, x_row: int, words: Any, rows: int, columns: int) -> tuple[Any, int]:
    """The address and the distance of rows of x, whose neighbours in a row are multiplied with each other's."""
    return x, x_row


def by_rows(x: Any, x_row: int, words: Any, rows: int, columns: int) -> tuple[Any, int]:
    """The address and the distance of rows of x, or of its pairs of rows."""
    return x, x_row


def chosen(x: Any, x_row: int, words: Any, words_row: int) -> tuple[Any, int]:
    """The address and the distance of rows of x, or of the words to which it was rounded."""
    return x, x_row


def staged(target: Any, stage: Any) -> Any:
    """Where to write an operand that `by_rows` is to bring to `target`: there, or where it is to be rounded."""
    return target


def packed_product(
    a: Any, a_row: int, packed: Any, c: Any, c_row: int, m: int, n: int, k: int, rows: int, start: int
) -> None:
    """``C = S + A B`` of an operand of `by_columns` with the first k of `rows` rows of a packed one."""
    _product_in_place(a, a_row, packed, c, c_row, m, n, k, rows, start)


def packed_product_fetching(
    a: Any, a_row: int, packed: Any, c: Any, c_row: int, m: int, n: int, k: int, rows: int, start: int,
    ahead: Any, size: int,
) -> None:  # fmt: skip
    """`packed_product`; where operands stay in place, `size` elements at `ahead` come to the second-level cache."""
    _product_in_place(a, a_row, packed, c, c_row, m, n, k, rows, start)


@scalar
def _row_of_pairs(k):
    words = (k + 1) // 2
    return words if words % CONFLICT else words + PAD


@kernel
def _pair_columns(x, x_row, words, rows, columns):
    row = _row_of_pairs(columns)
    for i in range(rows):
        pair_neighbours(at(x, i * x_row), at(words, i * row), columns)


@kernel
def _pair_rows(x, x_row, words, rows, columns):
    for i in range(0, rows, 2):
        pair_vectors(at(x, i * x_row), x_row, at(words, i // 2 * columns), columns, rows - i)


def _columns_paired(x, x_row, words, rows, columns):
    _pair_columns(x, x_row, words, rows, columns)
    return words, _row_of_pairs(columns)


def _rows_paired(x, x_row, words, rows, columns):
    _pair_rows(x, x_row, words, rows, columns)
    return words, columns


def _tile_rows(x, x_row, words, rows, columns):
    tile_operands.pack_rows(x, x_row, pair_words(words), rows, columns, 0)
    return words, 2 * row_of_pairs(columns)


def _split_tile_rows(x, x_row, words, rows, columns):
    tile_operands.pack_rows(x, x_row, pair_words(words), rows, columns, 1)
    return words, row_of_pairs(columns)


def _tile_panels(x, x_row, words, rows, columns):
    tile_operands.pack_panels(x, x_row, pair_words(words), rows, columns, 0)
    return words, columns


def _split_tile_panels(x, x_row, words, rows, columns):
    tile_operands.pack_panels(x, x_row, pair_words(words), rows, columns, 1)
    return words, columns


def _product_in_place(a, a_row, packed, c, c_row, m, n, k, rows, start):
    product_packed(a, packed, c, c, m, n, k, rows, a_row, 1, c_row, start, LINEAR)


def _fetching_product_in_place(a, a_row, packed, c, c_row, m, n, k, rows, start, ahead, size):
    product_fetching(a, packed, c, m, n, k, rows, a_row, c_row, start, ahead, size)


def _pairs_product(a, a_row, packed, c, c_row, m, n, k, rows, start):
    product_packed(a, packed, c, c, m, n, (k + 1) // 2, (rows + 1) // 2, a_row, 1, c_row, start, LINEAR)


def _tile_product(a, a_row, packed, c, c_row, m, n, k, rows, start):
    tile_operands.tile_product(packed, pair_words(a), pair_words(packed), c, c_row, m, n, k, rows, 0, start)


def _split_tile_product(a, a_row, packed, c, c_row, m, n, k, rows, start):
    tile_operands.tile_product(packed, pair_words(a), pair_words(packed), c, c_row, m, n, k, rows, 1, start)


_INLINED = {"fastmath": FASTMATH, "error_model": "numpy", "nogil": True, "forceinline": True}


def _kind(words: Any) -> str:
    """What memory of this type of Numba holds."""
    return _KINDS.get(words.dtype, "in place")


_KINDS = {types.uint32: "pairs"}
_KINDS |= dict.fromkeys((types.int16, types.uint16), "tiles")
_KINDS |= dict.fromkeys((types.int64, types.uint64), "split tiles")


@overload(length, jit_options=_INLINED)
def _compiled_length(words, k):
    if _kind(words) == "tiles":
        return lambda words, k: 2 * whole_pairs(k)
    if _kind(words) == "split tiles":
        return lambda words, k: whole_pairs(k)
    return (lambda words, k: (k + 1) // 2) if _kind(words) == "pairs" else (lambda words, k: k)


@overload(panel_columns, jit_options=_INLINED)
def _compiled_panel_columns(packed):
    return (lambda packed: BLOCK) if "tiles" in _kind(packed) else (lambda packed: VECTORS * lanes(packed))


@overload(words_row, jit_options=_INLINED)
def _compiled_words_row(words, k):
    if _kind(words) == "tiles":
        return lambda words, k: 2 * row_of_pairs(k)
    if _kind(words) == "split tiles":
        return lambda words, k: row_of_pairs(k)
    return (lambda words, k: _row_of_pairs(k)) if _kind(words) == "pairs" else (lambda words, k: 0)


@overload(by_columns, jit_options=_INLINED)
def _compiled_by_columns(x, x_row, words, rows, columns):
    written = {"pairs": _columns_paired, "tiles": _tile_rows, "split tiles": _split_tile_rows}
    return written.get(_kind(words), lambda x, x_row, words, rows, columns: (x, x_row))


@overload(by_rows, jit_options=_INLINED)
def _compiled_by_rows(x, x_row, words, rows, columns):
    written = {"pairs": _rows_paired, "tiles": _tile_panels, "split tiles": _split_tile_panels}
    return written.get(_kind(words), lambda x, x_row, words, rows, columns: (x, x_row))


@overload(packed_product, jit_options=_INLINED)
def _compiled_packed_product(a, a_row, packed, c, c_row, m, n, k, rows, start):
    written = {"pairs": _pairs_product, "tiles": _tile_product, "split tiles": _split_tile_product}
    return written.get(_kind(packed), _product_in_place)


@overload(packed_product_fetching, jit_options=_INLINED)
def _compiled_packed_product_fetching(a, a_row, packed, c, c_row, m, n, k, rows, start, ahead, size):
    if _kind(packed) == "in place":
        return _fetching_product_in_place

    def written(a, a_row, packed, c, c_row, m, n, k, rows, start, ahead, size):
        packed_product(a, a_row, packed, c, c_row, m, n, k, rows, start)

    return written


@overload(chosen, jit_options=_INLINED)
def _compiled_chosen(x, x_row, words, words_row):
    if _kind(words) == "in place":
        return lambda x, x_row, words, words_row: (x, x_row)
    return lambda x, x_row, words, words_row: (words, words_row)


@overload(staged, jit_options=_INLINED)
def _compiled_staged(target, stage):
    return (lambda target, stage: target) if _kind(target) == "in place" else (lambda target, stage: stage)
