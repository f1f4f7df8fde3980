"""Running sums along rows, and sums of weights by index, both in the order of the elements."""

from __future__ import annotations

from fnet.kernels.policy import kernel


@kernel
def cumsum(x, zero, y, rows, columns, backwards):
    """``y[r, c] = x[r, 0] + ... + x[r, c]``, from the end if `backwards`, added up in the type of ``zero[0]``."""
    for r in range(rows):
        total = zero[0]
        for i in range(columns):
            c = r * columns + (columns - 1 - i if backwards else i)
            total += x[c]
            y[c] = total


@kernel
def bincount(index, weights, y, count, length):
    """``y[k] = sum of weights[i] where index[i] = k``; an index outside [0, length) is left out."""
    for k in range(length):
        y[k] = 0
    for i in range(count):
        if 0 <= index[i] < length:
            y[index[i]] += weights[i]
