"""Normalisations: kernel calls for columns (batches), rows and groups, and their gradients."""

from __future__ import annotations

import math

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref
from fnet.devices.lowering import lowering
from fnet.kernels import cpu


def _small(epsilon: float, x: Ref, emit: Emitter) -> Ref:
    """The number that is added to variances."""
    return emit.constant(np.full(1, epsilon, x.dtype))


# ------------------------------------------------------------------------------------------------ batches


@lowering(absorbs=("relu",))
def batch_normalization(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, activation: str = "linear"
) -> None:
    """Two passes over columns, cut into parts of rows."""
    scratch, sizes = _column_work(inputs[0], emit)
    small, code = _small(epsilon, inputs[0], emit), activation_code(activation)
    emit.call(cpu.normalize_columns.batch_norm, *inputs, small, *outputs, *scratch, *sizes, code)


@lowering(masks_behind="batch_normalization")
def batch_normalization_vjp(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, activation: str = "linear"
) -> None:
    """The kernel recomputes what relu left out."""
    *before, g = inputs
    scratch, sizes = _column_work(g, emit)
    small, code = _small(epsilon, g, emit), activation_code(activation)
    emit.call(cpu.normalize_columns.batch_norm_vjp, *before, small, g, *outputs, *scratch, *sizes, code)


def _column_work(x: Ref, emit: Emitter) -> tuple[list[Ref], list[int]]:
    """Scratch memory and the sizes that the kernels of columns take."""
    rows, cols = math.prod(x.shape[:-1]), x.shape[-1]
    scratch = _work(cpu.normalize_columns.work_sizes(rows, cols), x, emit)
    return scratch, [rows, cols, *cpu.normalize_columns.plan(rows, cols)]


def _work(sizes: tuple[int, int], x: Ref, emit: Emitter) -> list[Ref]:
    """Scratch memory for sums in the dtype of x, and for records in float64."""
    parts, records = sizes
    return [emit.scratch(parts, x.dtype), emit.scratch(records, np.dtype(np.float64))]


# --------------------------------------------------------------------------------------------------- rows


@lowering()
def layer_normalization(
    emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, centered: bool
) -> None:
    """Each row by itself."""
    *lead, cols = inputs[0].shape
    rows, k = math.prod(lead), cpu.normalize_rows
    small = _small(epsilon, inputs[0], emit)
    emit.call(k.layer_norm, *inputs, small, *outputs, rows, cols, int(centered), k.plan(rows, cols))


@lowering()
def layer_normalization_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, centered: bool) -> None:
    """Each task adds up the gradients of scale and offset over its rows."""
    *lead, cols = inputs[0].shape
    rows, k = math.prod(lead), cpu.normalize_rows
    tasks = k.plan(rows, cols)
    size = k.record_size(cols)
    work = emit.scratch(tasks * size, inputs[0].dtype)
    emit.call(k.layer_norm_vjp, *inputs, *outputs, work, size, rows, cols, int(centered), tasks)


# ------------------------------------------------------------------------------------------------- groups


@lowering()
def group_normalization(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, epsilon: float, groups: int) -> None:
    """Each sample by itself."""
    scratch, sizes = _group_work(inputs[0], emit)
    small = _small(epsilon, inputs[0], emit)
    emit.call(cpu.normalize_groups.group_norm, *inputs, small, *outputs, *scratch, *sizes, groups)


@lowering()
def group_normalization_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, groups: int) -> None:
    """Each sample by itself; the gradients of scale and offset are added up behind that."""
    scratch, sizes = _group_work(inputs[0], emit)
    emit.call(cpu.normalize_groups.group_norm_vjp, *inputs, *outputs, *scratch, *sizes, groups)


def _group_work(x: Ref, emit: Emitter) -> tuple[list[Ref], list[int]]:
    """Scratch memory and the sizes that the kernels of groups take."""
    samples, *inner, cols = x.shape
    return _work(cpu.normalize_groups.work_sizes(samples, cols), x, emit), [samples, math.prod(inner), cols]
