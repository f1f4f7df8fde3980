"""What the recurrent layers share: activations and their slopes, and the operands of all steps."""

from __future__ import annotations

import numpy as np

from fnet.activation_codes import RELU, SIGMOID, TANH
from fnet.kernels.cuda.runtime.kernel import cuda, device_function, kernel
from fnet.kernels.cuda.scalars import relu, sigmoid, tanh
from fnet.kernels.sizes import Sizes

_0, _1 = np.float32(0), np.float32(1)

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
