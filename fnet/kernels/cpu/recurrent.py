"""What the recurrent layers share: how a sequence is walked, and how its rows are shared among threads.

A step multiplies one row ``[x_t, 1, h_{t-1}]`` for each sample by the stacked weights ``[W; b; U]``, packed once for
all steps, and rounded to bfloat16 if the memory for it is of such words (`fnet.kernels.cpu.operands`). Samples
never meet, so a task takes a few of them through all steps without waiting for the others, and the number of tasks
changes no bits. The inputs and outputs of a layer are batch-major, (N, T, ...), in the order of time of the input even
where the sequence is walked backwards.

What a step makes for the backward pass lies by steps, (T, N, ...): what leaves the activations, and in a GRU also the
operands of its product, ``rows: (T, N, D + 1 + H)``. A step computes in these places, and writes its h into the operand
of the next one. Where nothing is to be kept, all steps share the places of one: (1, N, ...).

With the gradients of what enters the activations, ``dz: (T, N, padded(G))``, the gradient of the weights is one
product, ``rows' dz``, and that of the input another, ``dz W'``; only ``dh_{t-1} = dz_t U'`` must walk the steps. Where
they fit into the caches, the walk computes all three, and rows that were not kept are gathered again
(`fnet.kernels.cpu.recurrent_shares`).

Initial states and cotangents are read at strides, so that one row of zeros (stride 0) stands for absent ones. Without
initial states (``started == 0``) the first step multiplies no h, and their gradients are not computed.

A step that the mask switches off keeps the states, and leaves zeros in `rows` and `dz`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fnet.kernels.compiler.host import LEVEL_2
from fnet.kernels.cpu.operands import (
    by_columns,
    by_rows,
    length,
    packed_product,
    packed_product_fetching,
    panel_columns,
    panels_size,
    rounded_size,
    staged,
)
from fnet.kernels.cpu.product import ROWS, VECTORS, pack_panel, packed_size
from fnet.kernels.cpu.runtime.threads import threads_for
from fnet.kernels.cpu.vector.lanewise import lanewise
from fnet.kernels.cpu.vector.simd import VECTOR_BYTES, at, lanes
from fnet.kernels.cpu.vector.tile_block import BLOCK as BLOCK_COLUMNS
from fnet.kernels.policy import kernel, scalar
from fnet.kernels.sizes import Sizes

# The rows of a task: four tiles for each megabyte of the second-level cache, in which their operands stay.
BLOCK = max(1, LEVEL_2 >> 20) * 4 * ROWS

FAR = LEVEL_2 // 4  # elements of what is saved for the walk back, from which on the second-level cache loses it

# What the walks take as `sizes`: numbers of samples, steps, features and units; strides of x, of initial states; flags;
# codes of activations. The walk forward takes whether what the walk back needs is saved, and whether several cores may
# take part in that one. The walk back takes strides of dys, dh_last, dz, dc_last and c0 beside them, and how it shares
# the gradient of the weights (`fnet.kernels.cpu.recurrent_shares`), and whether that of the input is wanted.
_BOTH = "n steps features units x_row x_time h_row started backwards masked rec act"
_BACK = "dy_row dy_time dh_row dz_row dc_row c0_row parts most together wanted"
(
    N, STEPS, FEATURES, UNITS, X_ROW, X_TIME, H_ROW, STARTED, BACKWARDS, MASKED, REC, ACT, SAVING, SPREAD,
) = FORWARD_SIZES = Sizes(f"{_BOTH} saving spread")  # fmt: skip
(
    *_, DY_ROW, DY_TIME, DH_ROW, DZ_ROW, DC_ROW, C0_ROW, PARTS, MOST, TOGETHER, WANTED,
) = BACKWARD_SIZES = Sizes(f"{_BOTH} {_BACK}")  # fmt: skip

copy = lanewise(lambda math, x: (x,), (), "y")
add = lanewise(lambda math, x, y: (x + y,), (), "z")
clear = lanewise(lambda math: (math.zero(),), (), "x")


@dataclass(frozen=True)
class Memory:
    """The elements of scratch memory that a kernel needs: `work` of the data's type, `panels` of the operands'."""

    work: int
    panels: int


def memory(n: int, products: list[tuple[int, int]], dtype: npt.DTypeLike, operands: npt.DTypeLike) -> Memory:
    """The memory for n rows times matrices of these (columns, rows)."""
    strip = max(BLOCK_COLUMNS, VECTORS * VECTOR_BYTES // np.dtype(dtype).itemsize)
    staging = max(packed_size(strip, k, dtype) for _, k in products) if operands != dtype else 0
    packed = sum(panels_size(columns, k, operands) for columns, k in products)
    return Memory(staging, packed + sum(rounded_size(n, k, operands) for _, k in products))


@kernel
def tasks_for(n, multiply_adds):
    """The number of tasks for n rows that take so many multiply-adds together.

    Where the walk back is spread over cores, work counts twice: each core goes on there with what it has.
    """
    threads = threads_for(multiply_adds // 40)
    return max(1, min(n, threads * ((n + threads * BLOCK - 1) // (threads * BLOCK))))


@scalar
def time_of(step, steps, backwards):
    """The time that is read in this step of the walk; ``step == -1`` is before the first one."""
    return steps - 1 - step if backwards else step


@scalar
def place_of_state(step, rows, h_last, first, n, steps, features, units, backwards, saving):
    """Where sample `first` has the h that enters this step, and the distance to the next sample's."""
    if step == steps:
        return at(h_last, first * units), units
    k = features + 1 + units
    place = saving * time_of(step, steps, backwards) * n + first
    return at(rows, place * k + features + 1), k


# ------------------------------------------------------------------------------------------ operands of the steps


@scalar
def size_of_panels(packed, columns, k):
    """The elements of packed weights of k rows."""
    one, width = lanes(packed), panel_columns(packed)
    return (columns + width - 1) // width * width * ((length(packed, k) + one - 1) // one * one)


@kernel
def pack_weights(weights, bias, recurrent, packed, strip, features, biases, units, columns, row):
    """The panels of ``[W; b; U]``, of as many rows as the sizes say, each matrix with this distance of rows."""
    one, width = lanes(packed), panel_columns(packed)
    k = features + biases + units
    panel_rows = (length(packed, k) + one - 1) // one * one
    for j in range(0, columns, width):
        panel, count = at(packed, j * panel_rows), min(width, columns - j)
        stage = staged(panel, strip)
        pack_panel(at(weights, j), row, 1, stage, width, features, count)
        pack_panel(at(bias, j), row, 1, at(stage, features * width), width, biases, count)
        pack_panel(at(recurrent, j), row, 1, at(stage, (features + biases) * width), width, units, count)
        by_rows(stage, width, panel, k, width)


@kernel
def pack_transposed(weights, packed, strip, columns, k):
    """The panels of the transpose of k contiguous columns of `weights`, which has `columns` rows."""
    one, width = lanes(packed), panel_columns(packed)
    panel_rows = (length(packed, k) + one - 1) // one * one
    for j in range(0, columns, width):
        panel = at(packed, j * panel_rows)
        stage = staged(panel, strip)
        pack_panel(at(weights, j * k), 1, k, stage, width, k, min(width, columns - j))
        by_rows(stage, width, panel, k, width)


@kernel
def step_product(a, a_row, words, packed, c, c_row, m, n, k, packed_k, start):
    """``C = S + A B`` of a step, with the first k of the packed_k rows of B; words: where A is rounded."""
    x, x_row = by_columns(a, a_row, words, m, k)
    packed_product(x, x_row, packed, c, c_row, m, n, k, packed_k, start)


@kernel
def step_product_fetching(a, a_row, words, packed, c, c_row, m, n, k, packed_k, start, ahead, size):
    """`step_product`, while `size` elements that the next step works on come to the second-level cache."""
    x, x_row = by_columns(a, a_row, words, m, k)
    packed_product_fetching(x, x_row, packed, c, c_row, m, n, k, packed_k, start, ahead, size)


@kernel
def read_inputs(x, x_row, rows, m, features, k):
    """``[x_t, 1]`` of m samples."""
    for i in range(m):
        row = at(rows, i * k)
        copy(features, at(x, i * x_row), row)
        row[features] = 1


@kernel
def copy_rows(source, source_row, target, target_row, m, columns):
    """m rows of so many columns."""
    for i in range(m):
        copy(columns, at(source, i * source_row), at(target, i * target_row))
