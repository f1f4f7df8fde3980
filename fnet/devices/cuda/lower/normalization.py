"""Normalisations: kernel calls for columns (batches), rows and groups, and their gradients."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import BLOCKS, THREADS, channels_grid, held_grid, rows_grid
from fnet.devices.lowering import lowering
from fnet.kernels import cuda

COLUMNS = 32  # of a block that sums over rows
_ROWS = 16  # of a thread, at least, where the rows are cut into parts

_SIZE = np.dtype(np.float64)


def _small(epsilon: float, x: Ref, emit: Emitter) -> Ref:
    """The number that is added to variances."""
    return emit.constant(np.full(1, epsilon, x.dtype))


# ------------------------------------------------------------------------------------------------ batches


@lowering(absorbs=("relu",))
def batch_normalization(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, activation: str = "linear"
) -> None:
    """Two passes over columns: their moments, and what is made of them."""
    x, (y, mean, variance) = inputs[0], outputs
    rows, columns = math.prod(x.shape[:-1]), x.shape[-1]
    if not columns:
        return
    grid, *work = _column_work(rows, columns, emit)
    emit.call(cuda.normalize_columns.column_moments[grid], x, mean, variance, *work, rows, columns)
    if rows:
        launch, small = cuda.normalize_columns.scale_columns[_lines(rows, columns)], _small(epsilon, x, emit)
        emit.call(launch, *inputs, mean, variance, small, y, rows, columns, int(activation == "relu"))


@lowering(masks_behind="batch_normalization")
def batch_normalization_vjp(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, activation: str = "linear"
) -> None:
    """The kernels recompute what relu left out."""
    x, g = inputs[0], inputs[-1]
    dx, dgamma, dbeta = outputs
    rows, columns = math.prod(x.shape[:-1]), x.shape[-1]
    if not columns:
        return
    grid, *work = _column_work(rows, columns, emit)
    small, slopes, relu = _small(epsilon, x, emit), emit.scratch(2 * columns, x.dtype), int(activation == "relu")
    before = *inputs[:-1], small, g
    launch = cuda.normalize_columns.column_products[grid]
    emit.call(launch, *before, dgamma, dbeta, slopes, *work, rows, columns, relu)
    if rows:
        launch = cuda.normalize_columns.gradient_columns[_lines(rows, columns)]
        emit.call(launch, *before, slopes, dx, rows, columns, relu)


def _column_work(rows: int, columns: int, emit: Emitter) -> tuple[tuple, Ref, Ref]:
    """The grid of sums over columns, and memory for the sums of parts of the rows and for who comes last."""
    across = min(columns, COLUMNS)
    down, blocks = THREADS // across, -(-columns // across)
    parts = max(1, min(rows // (_ROWS * down), math.isqrt(rows)))  # one block adds up the parts
    return ((blocks, parts), (across, down)), emit.scratch(2 * columns * parts, _SIZE), emit.counters(blocks)


def _lines(rows: int, columns: int) -> tuple:
    """The grid of kernels whose threads keep to their columns."""
    (blocks, _), block = channels_grid(1, rows, columns)
    return min(blocks, BLOCKS), block


# --------------------------------------------------------------------------------------- rows, and groups


@lowering()
def layer_normalization(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, centered: bool
) -> None:
    """Each row by itself."""
    *lead, columns = inputs[0].shape
    rows = math.prod(lead)
    if rows:
        launch, small = cuda.normalize_rows.row_norm[held_grid(rows, columns)], _small(epsilon, inputs[0], emit)
        emit.call(launch, *inputs, small, *outputs, rows, columns, int(centered))


@lowering()
def layer_normalization_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, centered: bool) -> None:
    """Each row by itself; then the gradients of scale and offset, in parts of the rows."""
    *lead, columns = inputs[0].shape
    rows = math.prod(lead)
    if rows * columns:
        launch = cuda.normalize_rows.row_norm_vjp[held_grid(rows, columns)]
        emit.call(launch, *inputs, outputs[0], rows, columns, int(centered))
    _vector_gradients(emit, inputs, outputs, rows, 1, columns)


@lowering()
def group_normalization(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, groups: int) -> None:
    """Each group of each sample by itself."""
    samples, *inner, columns = inputs[0].shape
    samples, rows, width = _parts_of((samples, math.prod(inner), columns), groups)
    if samples:
        launch = cuda.normalize_groups.group_norm[rows_grid(samples * groups, rows * width)]
        small = _small(epsilon, inputs[0], emit)
        emit.call(launch, *inputs, small, *outputs, samples * groups, rows, width, groups)


@lowering()
def group_normalization_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, groups: int) -> None:
    """Each group of each sample by itself; then the gradients of scale and offset, in parts of the rows."""
    samples, *inner, columns = inputs[0].shape
    samples, rows, width = _parts_of((samples, math.prod(inner), columns), groups)
    if outputs[0].size:
        launch = cuda.normalize_groups.group_norm_vjp[rows_grid(samples * groups, rows * width)]
        emit.call(launch, *inputs, outputs[0], samples * groups, rows, width, groups)
    _vector_gradients(emit, inputs, outputs, samples * rows, max(rows, 1), width)


def _vector_gradients(emit: Emitter, inputs: list[Ref], outputs: list[Ref], lines: int, rows: int, width: int) -> None:
    """Emit the gradients of scale and offset; rows, width: how many lines share moments, and how many columns."""
    x, _, mean, inverse, g = inputs
    columns = outputs[1].size
    if columns:
        grid, *work = _column_work(lines, columns, emit)
        launch = cuda.normalize_columns.group_products[grid]
        emit.call(launch, x, mean, inverse, g, *outputs[1:], *work, lines, columns, rows, width)


def _parts_of(shape: tuple[int, int, int], groups: int) -> tuple[int, int, int]:
    """Samples, rows of a sample and columns of a group: no rows and one column where there is nothing."""
    samples, rows, columns = shape
    return (samples, rows, columns // groups) if rows * columns else (samples, 0, max(1, columns // groups))
