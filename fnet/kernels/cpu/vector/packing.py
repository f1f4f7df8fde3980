"""Copies of operands in the order in which tiles read them: rows side by side, columns transposed."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, lanes, vector_code


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


def band_copier() -> Any:
    """Make ``copy(source, source_row, target, target_row, rows, columns)`` for rows of at most one vector.

    Elements of the source from `columns` on are not touched; whole vectors are written, zeros at their ends.
    """
    return vector_code(_write_band_copy, _band_copy_in_python)


def _write_band_copy(simd: Vectors, values: Sequence[ir.Value]) -> None:
    source, source_row, target, target_row, rows, columns = values
    mask = simd.lanes_below(columns)
    loop = Loop(simd.builder, rows, [source, target])
    read, write = loop.values
    simd.store(simd.load(read, mask), write)
    loop.close([simd.at(read, source_row), simd.at(write, target_row)])


def _band_copy_in_python(source, source_row, target, target_row, rows, columns):
    columns = min(columns, lanes(target))
    for r in range(rows):
        target[r * target_row :][: lanes(target)] = 0
        target[r * target_row :][:columns] = source[r * source_row :][:columns]


def transposing_copier() -> Any:
    """Make ``copy(source, source_row, target, target_row, rows, columns)``: ``T[j, i] = S[i, j]`` for i < lanes.

    Rows beyond `rows` (at least 1) repeat the last one. `columns` are rounded up to whole vectors, those beyond are
    zeros: memory outside of S is not touched, whole squares of T are written.
    """
    return vector_code(_write_transposing_copy, _transposing_copy_in_python)


def _write_transposing_copy(simd: Vectors, values: Sequence[ir.Value]) -> None:
    source, source_row, target, target_row, rows, columns = values
    builder, width = simd.builder, INT(simd.lanes)
    addresses = [simd.at(source, builder.mul(number, source_row)) for number in simd.rows_below(rows, simd.lanes)]

    def copy_square(first: ir.Value, mask: ir.Value | None) -> None:
        square = [simd.load(simd.at(address, first), mask) for address in addresses]
        for j, vector in enumerate(transposed(simd, square)):
            simd.store(vector, simd.at(target, builder.mul(target_row, builder.add(first, INT(j)))))

    squares = builder.sdiv(columns, width)
    loop = Loop(builder, squares, [])
    copy_square(builder.mul(loop.index, width), None)
    loop.close([])
    done = builder.mul(squares, width)
    with builder.if_then(builder.icmp_signed("<", done, columns)):
        copy_square(done, simd.lanes_below(builder.sub(columns, done)))


def _transposing_copy_in_python(source, source_row, target, target_row, rows, columns):
    width = lanes(target)
    for j in range(-(-columns // width) * width):
        for i in range(width):
            target[j * target_row + i] = source[min(i, rows - 1) * source_row + j] if j < columns else 0


def transposed(simd: Vectors, square: list[ir.Value]) -> list[ir.Value]:
    """The columns of a square of lanes x lanes elements, given its rows, all in registers.

    Neighbouring blocks of rows are merged until one is left. The first merges interleave elements within the units of
    128 bits, the later ones move whole units: each shuffle is one cheap instruction. Where the elements go is followed
    along, to put the finished columns in order.
    """
    unit = 16 // simd.bytes
    blocks = [[(row, [(i, j) for j in range(simd.lanes)])] for i, row in enumerate(square)]
    size = 1
    while len(blocks) > 1:
        picks = _interleaved(simd.lanes, unit, size) if size < unit else _alternate_units(simd.lanes, unit)
        blocks = [
            [
                (simd.shuffle(x, y, pick), [(x_at + y_at)[lane] for lane in pick])
                for (x, x_at), (y, y_at) in zip(upper, lower, strict=True)
                for pick in picks
            ]
            for upper, lower in zip(blocks[::2], blocks[1::2], strict=True)
        ]
        size *= 2
    return [vector for vector, places in sorted(blocks[0], key=lambda column: column[1][0][1])]


def _interleaved(lanes: int, unit: int, size: int) -> list[list[int]]:
    """The low (high) halves of every unit of two vectors, `size` elements from one, then from the other."""
    picks = []
    for half in (0, unit // 2):
        first = [start + half + i for start in range(0, lanes, unit) for i in range(0, unit // 2, size)]
        picks.append([lane + i for start in first for lane in (start, start + lanes) for i in range(size)])
    return picks


def _alternate_units(lanes: int, unit: int) -> list[list[int]]:
    """The even (odd) units of two vectors."""
    return [[s + i for s in range(odd * unit, 2 * lanes, 2 * unit) for i in range(unit)] for odd in (0, 1)]
