"""Operands of the products inside of kernels: read in place, or rounded to pairs of bfloat16.

What pairs are, `fnet.kernels.cpu.bfloat16` says. The memory that a kernel is given for them decides, when it is
compiled: where `words` are unsigned 32-bit integers the operand is rounded into them, else it stays where it is. So
one source serves both levels of precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import overload

from fnet.kernels.cpu.bfloat16 import pair_neighbours, pair_vectors
from fnet.kernels.cpu.simd import at
from fnet.kernels.policy import FASTMATH, kernel, scalar

CONFLICT, PAD = 1024, 16  # elements between rows that compete for the same lines of the cache; what keeps them apart
PAIRS = np.dtype(np.uint32)


def words_of(k: int, dtype: npt.DTypeLike) -> int:
    """The elements of this type that k neighbours take: half as many where they are pairs."""
    return -(-k // 2) if np.dtype(dtype) == PAIRS else k


def rounded_size(rows: int, columns: int, dtype: npt.DTypeLike) -> int:
    """The elements of `words` that `by_columns` needs."""
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


_INLINED = {"fastmath": FASTMATH, "error_model": "numpy", "nogil": True, "forceinline": True}


def _pairs(kind: Any) -> bool:
    return kind.dtype == types.uint32


@overload(length, jit_options=_INLINED)
def _compiled_length(words, k):
    return (lambda words, k: (k + 1) // 2) if _pairs(words) else (lambda words, k: k)


@overload(words_row, jit_options=_INLINED)
def _compiled_words_row(words, k):
    return (lambda words, k: _row_of_pairs(k)) if _pairs(words) else (lambda words, k: 0)


@overload(by_columns, jit_options=_INLINED)
def _compiled_by_columns(x, x_row, words, rows, columns):
    return _columns_paired if _pairs(words) else (lambda x, x_row, words, rows, columns: (x, x_row))


@overload(by_rows, jit_options=_INLINED)
def _compiled_by_rows(x, x_row, words, rows, columns):
    return _rows_paired if _pairs(words) else (lambda x, x_row, words, rows, columns: (x, x_row))


@overload(chosen, jit_options=_INLINED)
def _compiled_chosen(x, x_row, words, words_row):
    if _pairs(words):
        return lambda x, x_row, words, words_row: (words, words_row)
    return lambda x, x_row, words, words_row: (x, x_row)


@overload(staged, jit_options=_INLINED)
def _compiled_staged(target, stage):
    return (lambda target, stage: stage) if _pairs(target) else (lambda target, stage: target)
