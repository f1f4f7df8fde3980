"""Moving operands of tiles to where they are read fastest: rows made adjacent, squares transposed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from fnet.kernels.cpu.simd import INT, Loop, Vectors, lanes, vector_code


def row_copier(vectors: int) -> Any:
    """Make ``copy(source, source_row, target, rows)``, which moves rows of `vectors` vectors next to each other."""
    return vector_code(functools.partial(_write_copy, vectors), functools.partial(_copy_in_python, vectors))


def _write_copy(vectors: int, simd: Vectors, values: Sequence[ir.Value]) -> None:
    source, source_row, target, rows = values
    loop = Loop(simd.builder, rows, [source, target])
    read, write = loop.values
    for v in range(vectors):
        simd.store(simd.load(simd.at(read, v * simd.lanes)), simd.at(write, v * simd.lanes))
    loop.close([simd.at(read, source_row), simd.at(write, vectors * simd.lanes)])


def _copy_in_python(vectors, source, source_row, target, rows):
    width = vectors * lanes(target)
    for r in range(rows):
        target[r * width :][:width] = source[r * source_row :][:width]


def square_transposer() -> Any:
    """Make ``transpose(source, source_row, target, target_row, rows, columns)`` for a square of lanes x lanes elements.

    ``T[j, i] = S[i, j]``. Rows beyond `rows` (at least 1) repeat the last one and columns beyond `columns` are zeros:
    memory outside of S is not touched, the whole square T is written.
    """
    return vector_code(_write_transpose, _transpose_in_python)


def _write_transpose(simd: Vectors, values: Sequence[ir.Value]) -> None:
    source, source_row, target, target_row, rows, columns = values
    multiply, mask = simd.builder.mul, simd.lanes_below(columns)
    numbers = simd.rows_below(rows, simd.lanes)
    square = [simd.load(simd.at(source, multiply(number, source_row)), mask) for number in numbers]
    # Swap the off-diagonal quarters, then do the same inside of each quarter.
    half = simd.lanes // 2
    while half:
        upper = [lane if not lane & half else simd.lanes + lane - half for lane in range(simd.lanes)]
        lower = [lane + half if not lane & half else simd.lanes + lane for lane in range(simd.lanes)]
        for i in (i for i in range(simd.lanes) if not i & half):
            a, b = square[i], square[i + half]
            square[i], square[i + half] = simd.shuffle(a, b, upper), simd.shuffle(a, b, lower)
        half //= 2
    for j, vector in enumerate(square):
        simd.store(vector, simd.at(target, multiply(target_row, INT(j))))


def _transpose_in_python(source, source_row, target, target_row, rows, columns):
    for i in range(lanes(target)):
        for j in range(lanes(target)):
            target[j * target_row + i] = source[min(i, rows - 1) * source_row + j] if j < columns else 0
