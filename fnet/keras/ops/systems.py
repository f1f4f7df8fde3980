"""Operations of ``keras.ops.linalg`` whose arguments are not those of `fnet.ops`."""

from __future__ import annotations

from typing import Any

from fnet import ops
from fnet.keras.ops.calls import of_arrays


@of_arrays
def solve(a: Any, b: Any) -> Any:
    """``x`` with ``a x = b``: a: (..., N, N), b: (..., N) or (..., N, K)."""
    return _of_columns(ops.solve, a, b)


@of_arrays
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """The same for a triangular a, of which the other triangle is not read."""
    return _of_columns(lambda a, b: ops.solve_triangular(a, b, lower), a, b)


def _of_columns(function: Any, a: Any, b: Any) -> Any:
    """Solutions for vectors as matrices of one column."""
    is_vector = b.ndim == a.ndim - 1
    x = function(a, ops.expand_dims(b, -1) if is_vector else b)
    return ops.squeeze(x, -1) if is_vector else x
