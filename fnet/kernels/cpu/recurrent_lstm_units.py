"""The LSTM forward by units instead of samples, for weights that do not fit into the cache of a core.

Tasks by samples (`fnet.kernels.cpu.recurrent_lstm`) read all weights in every step, each for its few samples. Here a
task has some of the units in every step, for all samples, and so the same part of the weights. It needs what the others
made of the state: a step is two loops of tasks, gates and cells first, then outputs. The results have the same bits.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from fnet.kernels.compiler.host import LEVEL_2
from fnet.kernels.cpu.operands import panels_size
from fnet.kernels.cpu.product import VECTORS
from fnet.kernels.cpu.recurrent import (
    ACT,
    BACKWARDS,
    BLOCK,
    FEATURES,
    H_ROW,
    MASKED,
    REC,
    SAVING,
    STARTED,
    STEPS,
    UNITS,
    X_ROW,
    X_TIME,
    N,
    copy,
    copy_rows,
    pack_weights,
    place_of_state,
    read_inputs,
    size_of_panels,
    step_product,
    time_of,
)  # fmt: skip
from fnet.kernels.cpu.recurrent_lstm import put_out, update_cell
from fnet.kernels.cpu.runtime.threads import parallel_for, threads_for
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.vector.tiles import FROM_ZERO
from fnet.kernels.policy import kernel, scalar


def pays(n: int, features: int, units: int, dtype: npt.DTypeLike, operands: npt.DTypeLike) -> bool:
    """Whether `forward` is faster than that by samples, and has whole panels of units.

    >>> pays(64, 32, 32, "float32", "float32")
    False
    """
    size, width = np.dtype(dtype).itemsize, VECTORS * VECTOR_BYTES // np.dtype(dtype).itemsize
    weights = panels_size(4 * units, features + 1 + units, dtype) * size
    return operands == dtype and units % width == 0 and weights > LEVEL_2 and 0 < n <= 2 * BLOCK


@kernel
def forward(x, weights, bias, recurrent, h0, c0, mask, ys, h_last, c_last, gates, cells, rows, panels, work, sizes):
    """All steps of all samples; the arguments are those of `recurrent_lstm.forward`."""
    n, steps, features, units, x_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[X_ROW]
    x_time, h_row, backwards, saving = sizes[X_TIME], sizes[H_ROW], sizes[BACKWARDS], sizes[SAVING]
    k, columns, packed = features + 1 + units, 4 * units, at(panels, 0)
    count = min(threads_for(n * k * columns // 40), units // _width(packed))
    operands = (at(x, 0), packed, at(c0, 0), at(mask, 0), at(ys, 0), at(h_last, 0), at(gates, 0), at(cells, 0))
    parallel_for(
        _pack_units, count, count, count, at(weights, 0), at(bias, 0), at(recurrent, 0), packed, at(work, 0), features,
        units,
    )  # fmt: skip
    h, h_step = place_of_state(0, at(rows, 0), at(h_last, 0), 0, n, steps, features, units, backwards, 0)
    copy_rows(at(h0, 0), h_row, h, h_step, n, units)
    first = time_of(0, steps, backwards)
    read_inputs(at(x, first * x_time), x_row, at(rows, 0), n, features, k)
    for s in range(steps):
        parallel_for(_update_units, count, count, count, s, at(rows, 0), operands, at(sizes, 0))
        parallel_for(_put_units_out, count, count, count, s, at(rows, 0), operands, at(sizes, 0))
    last = saving * time_of(steps - 1, steps, backwards)
    if steps:
        copy_rows(at(cells, last * n * units), units, at(c_last, 0), units, n, units)
    else:
        copy_rows(at(c0, 0), h_row, at(c_last, 0), units, n, units)


@scalar
def _width(packed):
    """The units of a panel."""
    return VECTORS * lanes(packed)


@scalar
def _units_of(task, count, units, width):
    """The first unit of a task, and how many it has."""
    panels = units // width
    first = task * panels // count * width
    return first, (task + 1) * panels // count * width - first


@kernel
def _pack_units(task, count, weights, bias, recurrent, packed, strip, features, units):
    """The panels of the weights of some units."""
    first, own = _units_of(task, count, units, _width(packed))
    for gate in range(4):
        j = gate * units + first
        panels = at(packed, size_of_panels(packed, j, features + 1 + units))
        pack_weights(
            at(weights, j), at(bias, j), at(recurrent, j), panels, strip, features, 1, units, own, 4 * units
        )  # fmt: skip


@kernel
def _update_units(task, count, s, rows, operands, sizes):
    """The gates and cells of some units in a step."""
    n, steps, features, units, h_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[H_ROW]
    started, backwards, masked, rec, act = sizes[STARTED], sizes[BACKWARDS], sizes[MASKED], sizes[REC], sizes[ACT]
    saving = sizes[SAVING]
    _, packed, c0, mask, _, _, gates, cells = operands
    first, own = _units_of(task, count, units, _width(packed))
    k, columns, t = features + 1 + units, 4 * units, time_of(s, steps, backwards)
    place = saving * t * n
    z, depth = at(gates, place * columns + first), k if s or started else features + 1
    for gate in range(4):
        panels = at(packed, size_of_panels(packed, gate * units + first, k))
        step_product(
            rows, k, packed, panels, at(z, gate * units), columns, n, own, depth, k, FROM_ZERO
        )  # fmt: skip
    c, c_row = at(c0, first), h_row
    if s:
        c, c_row = at(cells, saving * time_of(s - 1, steps, backwards) * n * units + first), units
    for i in range(n):
        before, kept, z_i = at(c, i * c_row), at(cells, (place + i) * units + first), at(z, i * columns)
        if masked and mask[i * steps + t] == 0:
            copy(own, before, kept)
            continue
        z_f, z_g, z_o = at(z_i, units), at(z_i, 2 * units), at(z_i, 3 * units)
        update_cell(own, rec, act, z_i, z_f, z_g, z_o, before, z_i, z_f, z_g, z_o, kept)


@kernel
def _put_units_out(task, count, s, rows, operands, sizes):
    """The outputs of some units in a step, and the inputs of some samples in the next one."""
    n, steps, features, units, x_row = sizes[N], sizes[STEPS], sizes[FEATURES], sizes[UNITS], sizes[X_ROW]
    x_time, backwards, masked, act, saving = sizes[X_TIME], sizes[BACKWARDS], sizes[MASKED], sizes[ACT], sizes[SAVING]
    x, packed, _, mask, ys, h_last, gates, cells = operands
    first, own = _units_of(task, count, units, _width(packed))
    k, columns, t = features + 1 + units, 4 * units, time_of(s, steps, backwards)
    place = saving * t * n
    h, h_step = place_of_state(s + 1, rows, h_last, 0, n, steps, features, units, backwards, 0)
    for i in range(n):
        p, to, operand = i * steps + t, at(h, i * h_step + first), at(rows, i * k)
        y = at(ys, p * units + first)
        if masked and mask[p] == 0:
            state = at(operand, features + 1 + first)
            copy(own, state, to)
            copy(own, to, y)
            continue
        put_out(own, act, at(gates, (place + i) * columns + 3 * units + first), at(cells, (place + i) * units + first),
                to, y)  # fmt: skip
    if s + 1 < steps:
        later = time_of(s + 1, steps, backwards)
        i, end = task * n // count, (task + 1) * n // count
        to = at(rows, i * k)
        read_inputs(at(x, i * x_row + later * x_time), x_row, to, end - i, features, k)
