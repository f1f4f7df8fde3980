"""Steps from a symmetric matrix, formed in full: damped until it is positive definite, then solved for."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.ops.solve import solve_positive
from fnet.ops.summation import sum
from fnet.optimizers.second_order.objective import dot
from fnet.transforms.jit import jit

GROWTH = 4.0  # of the damping while the matrix is not positive definite
FIRST = 1e-3  # damping, of the largest element on the diagonal
MOST = 60  # trials


def columns(product: Callable[[np.ndarray], np.ndarray], n: int, dtype: np.dtype) -> np.ndarray:
    """The products with all n unit vectors, one a row."""
    rows = []
    for place in range(n):
        unit = np.zeros(n, dtype)
        unit[place] = 1
        rows.append(product(unit))
    return np.stack(rows) if rows else np.zeros((0, 0), dtype)


def descent(matrix: np.ndarray, gradient: np.ndarray, damping: float) -> tuple[np.ndarray, float, float]:
    """``p = -(A + c I)^-1 g``, its slope ``g . p`` and c, the first of `damping` and larger ones that gives descent.

    Where A is not finite, or no c helps, p is ``-g`` and c infinite.
    Source: Nocedal and Wright 2006, algorithm 3.3 (Cholesky with added multiple of the identity).
    """
    shift = damping
    step = FIRST * float(np.max(np.abs(np.diagonal(matrix)), initial=0)) or FIRST
    for _ in range(MOST if math.isfinite(step) else 0):
        direction, slope = _solved(matrix, gradient, np.asarray(shift, matrix.dtype))
        if -math.inf < slope < 0:
            return direction, float(slope), shift
        shift = max(GROWTH * shift, step)
    return -gradient, -float(dot(gradient, gradient)), math.inf


@jit
def _solved(matrix: Any, gradient: Any, shift: Any) -> tuple[Any, Any]:
    direction = solve_positive(matrix + shift * np.eye(len(matrix), dtype=matrix.dtype), -gradient)
    return direction, sum(direction * gradient)
