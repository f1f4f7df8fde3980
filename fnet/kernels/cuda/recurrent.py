"""What the recurrent layers share: the product of a step, activations and their slopes, and the operands of all steps.

The products of all inputs are made ahead, ``z: (N, T, G)``; a step then is one launch, ordered behind the one before.
A block has a tile of samples (x of its grid) and of units (y), a thread one unit of one sample with all of its gates.
What belongs to one time is a window whose rows, one a sample, lie at a distance that `sizes` or a number tells. What is
saved for the walk back, and the slopes dz of what enters the activations, lie by steps, (T, N, ...).

In the walk back dh has two parts: ``carry: (N, H)``, what the step behind left past its product, and ``dz' U'`` of that
step, which the next launch adds. A step that the mask switches off keeps the states and leaves zeros in dz.
"""

from __future__ import annotations

import numpy as np

from fnet.activation_codes import RELU, SIGMOID, TANH
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import relu, sigmoid, tanh
from fnet.kernels.sizes import Sizes

TILE = 16
THREADS = TILE * TILE
PITCH = TILE + 1  # a column more, so that the elements of a column lie in different banks
TURNED = TILE * (TILE + 1)

_0, _1 = np.float32(0), np.float32(1)

# Of a step: numbers of samples and units, distances of rows of z, ys, the mask, dys; flags; codes of activations.
N, UNITS, Z_ROW, Y_ROW, MASK_ROW, DY_ROW, MASKED, SAVING, REC, ACT = STEP_SIZES = Sizes(
    "n units z_row y_row mask_row dy_row masked saving rec act"
)
# Of the operands of all steps.
ALL_N, STEPS, FEATURES, ALL_UNITS, H_ROW, BACKWARDS, ALL_MASKED = ROWS_SIZES = Sizes(
    "n steps features units h_row backwards masked"
)


@device_function
def activate(code, x):
    """The activation of this code."""
    if code == TANH:
        return tanh(x)
    if code == SIGMOID:
        return sigmoid(x)
    if code == RELU:
        return relu(x)
    return x


@device_function
def times_slope(g, code, y):
    """`g` times the derivative of the activation of this code where its value is y."""
    if code == TANH:
        return g * (_1 - y * y)
    if code == SIGMOID:
        return g * (y - y * y)
    if code == RELU and y <= _0:
        return type(g)(_0)
    return g


@device_function
def put_gates(x, place, units, values):
    """Write the numbers of the gates of a unit, a tuple, which lie `units` apart."""
    for gate in range(len(values)):
        x[place + gate * units] = values[gate]


@device_function
def sample_of_thread():
    """The sample that a thread works on, if there are so many."""
    return cuda.blockIdx.x * TILE + cuda.threadIdx.y


@device_function
def unit_of_thread():
    """The unit that a thread works on, if there are so many."""
    return cuda.blockIdx.y * TILE + cuda.threadIdx.x


@device_function
def products(left, right, h, h_row, recurrent, n, units, depth, gates):
    """``h U`` for the sample and unit of a thread, in each of its gates (0 for those from `gates` on).

    h: (N, H) with this distance of rows; recurrent: (H, gates H); depth: H, or 0 where no h comes before; left, right:
    shared memory for a tile of h, and for one of each gate. All threads of a block must come.
    """
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    sample, unit = sample_of_thread(), unit_of_thread()
    zero = h.dtype.type(0)
    s0, s1, s2, s3 = zero, zero, zero, zero
    p = 0
    while p < depth:
        left[ty * TILE + tx] = h[sample * h_row + p + tx] if sample < n and p + tx < depth else zero
        inside, place = unit < units and p + ty < depth, (p + ty) * gates * units + unit
        for gate in range(gates):
            right[(gate * TILE + ty) * TILE + tx] = recurrent[place + gate * units] if inside else zero
        cuda.syncthreads()
        for j in range(min(TILE, depth - p)):
            value = left[ty * TILE + j]
            s0 += value * right[j * TILE + tx]
            if gates > 1:
                s1 += value * right[(TILE + j) * TILE + tx]
                s2 += value * right[(2 * TILE + j) * TILE + tx]
            if gates > 3:
                s3 += value * right[(3 * TILE + j) * TILE + tx]
        cuda.syncthreads()
        p += TILE
    return s0, s1, s2, s3


@device_function
def product_back(left, right, dz, recurrent, n, units, depth):
    """``dz U'`` for the sample and unit of a thread; dz: (N, depth), recurrent: (H, depth).

    left, right: shared memory for a tile, and for one of rows of `PITCH`. All threads of a block must come.
    """
    tx, ty = cuda.threadIdx.x, cuda.threadIdx.y
    sample, row = sample_of_thread(), cuda.blockIdx.y * TILE + ty
    zero = dz.dtype.type(0)
    total = zero
    p = 0
    while p < depth:
        left[ty * TILE + tx] = dz[sample * depth + p + tx] if sample < n and p + tx < depth else zero
        right[tx * PITCH + ty] = recurrent[row * depth + p + tx] if row < units and p + tx < depth else zero
        cuda.syncthreads()
        for j in range(min(TILE, depth - p)):
            total += left[ty * TILE + j] * right[j * PITCH + tx]
        cuda.syncthreads()
        p += TILE
    return total


@kernel(threads=THREADS)
def add_product_back(dz, recurrent, carry, sizes, depth):
    """``carry += dz U'``: the gradient of the h before the first step. sizes: `STEP_SIZES`; dz: (N, depth)."""
    left, right = cuda.shared.array(THREADS, dz.dtype), cuda.shared.array(TURNED, dz.dtype)
    n, units = sizes[N], sizes[UNITS]
    total = product_back(left, right, dz, recurrent, n, units, depth)
    sample, unit = sample_of_thread(), unit_of_thread()
    if sample < n and unit < units:
        carry[sample * units + unit] += total


@kernel(threads=256)
def gather(x, h0, ys, mask, rows, sizes):
    """The operands ``[x_t, 1, h_{t-1}]`` of all steps, rows: (T, N, D + 1 + H), zeros where the mask is off.

    sizes: `ROWS_SIZES`. x: (N, T, D); h0: (N, H), N at the stride h_row; ys: (N, T, H); mask: (N, T), read if
    ``masked != 0``.
    """
    n, steps, features, units = sizes[ALL_N], sizes[STEPS], sizes[FEATURES], sizes[ALL_UNITS]
    k = features + 1 + units
    i = cuda.grid(1)
    while i < steps * n * k:
        place, column = i // k, i % k
        t, sample = place // n, place % n
        if sizes[ALL_MASKED] != 0 and mask[sample * steps + t] == 0:
            rows[i] = _0
        elif column < features:
            rows[i] = x[(sample * steps + t) * features + column]
        elif column == features:
            rows[i] = _1
        else:
            unit, before = column - features - 1, t + 1 if sizes[BACKWARDS] != 0 else t - 1
            if before < 0 or before >= steps:
                rows[i] = h0[sample * sizes[H_ROW] + unit]
            else:
                rows[i] = ys[(sample * steps + before) * units + unit]
        i += cuda.gridsize(1)
