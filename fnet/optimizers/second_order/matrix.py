"""Steps from a symmetric matrix, formed in full: damped until it is positive definite, then solved for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.ops.positive_systems import solve_positive
from fnet.ops.summation import sum
from fnet.optimizers.second_order.objective import dot
from fnet.transforms.jit import jit
from fnet.transforms.operand import beside

GROWTH = 4.0  # of the damping while the matrix is not positive definite
FIRST = 1e-3  # damping, as a part of the diagonal
MOST = 60  # trials


def columns(product: Callable[[Any], Any], x: Any) -> Any:
    """The products with all unit vectors of the size of x, one a row."""
    rows = []
    for place in range(x.size):
        unit = np.zeros(x.size, x.dtype)
        unit[place] = 1
        rows.append(product(beside(unit, x)))
    return np.stack(rows) if rows else beside(np.zeros((0, 0), x.dtype), x)


def descent(matrix: np.ndarray, gradient: np.ndarray, damping: float) -> tuple[np.ndarray, float, float]:
    """``p = -(A + c I + s D)^-1 g``, its slope ``g . p`` and the larger of c, `damping`, and s.

    s is the first of 0 and ever larger numbers that gives descent. D is the diagonal `scaling`, so a direction of
    negative curvature is not drowned by steep ones. Where A is not finite, or no s helps, p is ``-g`` and s infinite.
    Source: Nocedal and Wright 2006, algorithm 3.3 (Cholesky with added multiple of the identity).
    """
    scale, shift = scaling(matrix), 0.0
    for _ in range(MOST if np.all(np.isfinite(scale)) else 0):
        direction, slope = _solved(matrix, gradient, (damping + shift * scale).astype(matrix.dtype))
        if -math.inf < slope < 0:
            return direction, float(slope), max(damping, shift)
        shift = max(GROWTH * shift, FIRST)
    return -gradient, -float(dot(gradient, gradient)), math.inf


def scaling(matrix: np.ndarray) -> np.ndarray:
    """The absolute diagonal of a symmetric matrix; the sum of the absolute row where it is 0, and 1 where that is."""
    diagonal, rows = np.abs(np.diagonal(matrix)), np.abs(matrix).sum(axis=1)
    return np.where(diagonal > 0, diagonal, np.where(rows > 0, rows, 1)).astype(matrix.dtype)


@jit
def _solved(matrix: Any, gradient: Any, added: Any) -> tuple[Any, Any]:
    direction = solve_positive(matrix + added * np.eye(len(matrix), dtype=matrix.dtype), -gradient)
    return direction, sum(direction * gradient)
