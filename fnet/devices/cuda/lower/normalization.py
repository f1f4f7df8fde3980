"""Normalisations: kernel calls for columns (batches), rows and groups, and their gradients."""

from __future__ import annotations

import math

import numpy as np

from fnet.compile.emit import Emitter, Ref
from fnet.devices.cuda.grids import BLOCKS, THREADS, channels_grid, rows_grid, warps
from fnet.devices.lowering import lowering
from fnet.kernels import cuda

COLUMNS = 32  # of a block that sums over rows
_ROWS = 16  # of a thread, at least, where the rows are cut into parts
_PARTS = 512

_SIZE = np.dtype(np.float64)


def _small(epsilon: float, x: Ref, emit: Emitter) -> Ref:
    """The number that is added to variances."""
    return emit.constant(np.full(1, epsilon, x.dtype))


# ------------------------------------------------------------------------------------------------ batches


@lowering(absorbs=("relu",))
def batch_normalization(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, activation: str = "linear"
) -> None:
    """Two passes over columns: their moments, in parts of the rows, and what is made of them."""
    x, (y, mean, variance) = inputs[0], outputs
    rows, columns = math.prod(x.shape[:-1]), x.shape[-1]
    if not columns:
        return
    grid, parts, work = _column_work(rows, columns, emit)
    emit.call(cuda.normalize_columns.column_moments[grid], x, work, rows, columns)
    merge = cuda.normalize_columns.merge_moments[warps(columns)]
    emit.call(merge, x, work, mean, variance, rows, columns, parts)
    if rows:
        launch, small = cuda.normalize_columns.scale_columns[_lines(rows, columns)], _small(epsilon, x, emit)
        emit.call(launch, *inputs, mean, variance, small, y, rows, columns, int(activation == "relu"))


@lowering(masks_behind="batch_normalization")
def batch_normalization_vjp(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, activation: str = "linear"
) -> None:
    """The kernels recompute what relu left out."""
    x, gamma, _, _, variance, g = inputs
    dx, dgamma, dbeta = outputs
    rows, columns = math.prod(x.shape[:-1]), x.shape[-1]
    if not columns:
        return
    grid, parts, work = _column_work(rows, columns, emit)
    small, slopes, relu = _small(epsilon, x, emit), emit.scratch(2 * columns, x.dtype), int(activation == "relu")
    before = *inputs[:-1], small, g
    emit.call(cuda.normalize_columns.column_products[grid], *before, work, rows, columns, relu)
    merge = cuda.normalize_columns.merge_products[warps(columns)]
    emit.call(merge, work, gamma, variance, small, dgamma, dbeta, slopes, rows, columns, parts)
    if rows:
        launch = cuda.normalize_columns.gradient_columns[_lines(rows, columns)]
        emit.call(launch, *before, slopes, dx, rows, columns, relu)


def _column_work(rows: int, columns: int, emit: Emitter) -> tuple[tuple, int, Ref]:
    """The grid of sums over columns, in how many parts the rows are cut, and memory for the sums of the parts."""
    across = min(columns, COLUMNS)
    down = THREADS // across
    parts = max(1, min(_PARTS, rows // (_ROWS * down)))
    return ((-(-columns // across), parts), (across, down)), parts, emit.scratch(2 * columns * parts, _SIZE)


def _lines(rows: int, columns: int) -> tuple:
    """The grid of kernels whose threads keep to their columns."""
    (blocks, _), block = channels_grid(1, rows, columns)
    return min(blocks, BLOCKS), block


# --------------------------------------------------------------------------------------- rows, and groups


@lowering()
def layer_normalization(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, centered: bool
) -> None:
    """A row is a group of its own."""
    *lead, columns = inputs[0].shape
    _normalize(emit, inputs, outputs, (math.prod(lead), 1, columns), 1, epsilon, centered)


@lowering()
def layer_normalization_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, centered: bool) -> None:
    """Each row by itself; then the gradients of scale and offset, in parts of the rows."""
    *lead, columns = inputs[0].shape
    _gradients(emit, inputs, outputs, (math.prod(lead), 1, columns), 1, centered)


@lowering()
def group_normalization(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, groups: int) -> None:
    """Each group of each sample by itself."""
    samples, *inner, columns = inputs[0].shape
    _normalize(emit, inputs, outputs, (samples, math.prod(inner), columns), groups, epsilon, True)


@lowering()
def group_normalization_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, groups: int) -> None:
    """Each group of each sample by itself; then the gradients of scale and offset, in parts of the rows."""
    samples, *inner, columns = inputs[0].shape
    _gradients(emit, inputs, outputs, (samples, math.prod(inner), columns), groups, True)


def _normalize(
    emit: Emitter,
    inputs: list[Ref],
    outputs: list[Ref],
    shape: tuple[int, int, int],
    groups: int,
    epsilon: float,
    centered: bool,
) -> None:
    """Emit the normalisation of samples, rows and columns; shape: how many there are."""
    samples, rows, width = _parts_of(shape, groups)
    if samples:
        launch = cuda.normalize_groups.group_norm[rows_grid(samples * groups, rows * width)]
        small = _small(epsilon, inputs[0], emit)
        emit.call(launch, *inputs, small, *outputs, samples * groups, rows, width, groups, int(centered))


def _gradients(
    emit: Emitter,
    inputs: list[Ref],
    outputs: list[Ref],
    shape: tuple[int, int, int],
    groups: int,
    centered: bool,
) -> None:
    """Emit the gradients of a normalisation of samples, rows and columns."""
    (samples, rows, width), columns = _parts_of(shape, groups), shape[2]
    x, gamma, mean, inverse, g = inputs
    dx, dgamma, dbeta = outputs
    if not columns:
        return
    if dx.size:
        launch = cuda.normalize_groups.group_norm_vjp[rows_grid(samples * groups, rows * width)]
        emit.call(launch, x, gamma, mean, inverse, g, dx, samples * groups, rows, width, groups, int(centered))
    lines = samples * rows
    grid, parts, work = _column_work(lines, columns, emit)
    emit.call(
        cuda.normalize_columns.group_products[grid], x, mean, inverse, g, work, lines, columns, max(rows, 1), width
    )
    emit.call(cuda.normalize_columns.merge_group_products[warps(columns)], work, dgamma, dbeta, columns, parts)


def _parts_of(shape: tuple[int, int, int], groups: int) -> tuple[int, int, int]:
    """Samples, rows of a sample and columns of a group: no rows and one column where there is nothing."""
    samples, rows, columns = shape
    return (samples, rows, columns // groups) if rows * columns else (samples, 0, max(1, columns // groups))
