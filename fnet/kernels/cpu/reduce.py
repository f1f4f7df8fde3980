"""Positions of extremes along the rows of a matrix; the first wins a tie, and NaN counts as extreme."""

from __future__ import annotations

from fnet.kernels.policy import kernel


@kernel
def argmax(x, y, rows, cols):
    """``y[r] = argmax_c x[r, c]`` for x: (rows, cols) row-major, y: (rows,) int64."""
    for r in range(rows):
        place, best = 0, x[r * cols]
        for c in range(1, cols):
            value = x[r * cols + c]
            if value > best or (value != value and best == best):
                place, best = c, value
        y[r] = place


@kernel
def argmin(x, y, rows, cols):
    """``y[r] = argmin_c x[r, c]`` for x: (rows, cols) row-major, y: (rows,) int64."""
    for r in range(rows):
        place, best = 0, x[r * cols]
        for c in range(1, cols):
            value = x[r * cols + c]
            if value < best or (value != value and best == best):
                place, best = c, value
        y[r] = place
