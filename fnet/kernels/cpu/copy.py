"""Strided copies: transposes, slices, broadcasts, concatenations and padding are all this one loop nest."""

from __future__ import annotations

from numba import uint64

from fnet.kernels.policy import kernel
from fnet.kernels.sizes import Sizes

DEPTH = 5
(
    X_FIRST, Y_FIRST, N0, N1, N2, N3, N4, X0, X1, X2, X3, X4, Y0, Y1, Y2, Y3, Y4,
) = SIZES = Sizes("x_first y_first n0 n1 n2 n3 n4 x0 x1 x2 x3 x4 y0 y1 y2 y3 y4")  # fmt: skip


@kernel
def copy_strided(x, y, sizes):
    """``y[y_first + i . y_strides] = x[x_first + i . x_strides]`` over an (n0, n1, n2, n3, n4) index space.

    sizes: `SIZES`. Indices are unsigned where they are used: Numba asks of signed ones whether they count from the end.
    """
    x_first, x0, x1, x2, x3, x4 = sizes[X_FIRST], sizes[X0], sizes[X1], sizes[X2], sizes[X3], sizes[X4]
    y_first, y0, y1, y2, y3, y4 = sizes[Y_FIRST], sizes[Y0], sizes[Y1], sizes[Y2], sizes[Y3], sizes[Y4]
    n0, n1, n2, n3, n4 = sizes[N0], sizes[N1], sizes[N2], sizes[N3], sizes[N4]
    for i0 in range(n0):
        for i1 in range(n1):
            for i2 in range(n2):
                for i3 in range(n3):
                    p = x_first + i0 * x0 + i1 * x1 + i2 * x2 + i3 * x3
                    q = y_first + i0 * y0 + i1 * y1 + i2 * y2 + i3 * y3
                    if y4 != 1 or (x4 != 1 and x4 != 0):
                        for i4 in range(n4):
                            y[uint64(q + i4 * y4)] = x[uint64(p + i4 * x4)]
                    elif x4 == 1:
                        for i4 in range(n4):
                            y[uint64(q + i4)] = x[uint64(p + i4)]
                    else:
                        value = x[uint64(p)]
                        for i4 in range(n4):
                            y[uint64(q + i4)] = value


@kernel
def fill(y, x, n):
    """``y[i] = x[0]``."""
    value = x[0]
    for i in range(n):
        y[i] = value
