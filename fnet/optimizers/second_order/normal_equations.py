"""The normal equations of least squares, ``J^T J p = -J^T r``: formed in full, or known by products only."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from fnet.arguments import one_of
from fnet.ops.linalg import matmul
from fnet.ops.shape import transpose
from fnet.optimizers.second_order.matrix import columns
from fnet.optimizers.second_order.objective import FlatResiduals
from fnet.transforms.jit import jit

DENSE = 1000  # parameters up to which "auto" forms J^T J
FORCING = 1e-2  # relative residual at which conjugate gradients stop
SOLVERS = ("auto", "dense", "cg")


def check_solver(method: str, solver: str) -> None:
    """Raise a `ValueRangeError` for an unknown solver."""
    one_of(method, "solver", solver, SOLVERS, "expected {argument} {words}")


def is_dense(solver: str, n: int) -> bool:
    """Whether to form the matrix for n parameters."""
    return solver == "dense" or (solver == "auto" and n <= DENSE)


def normal_matrix(flat: FlatResiduals, x: np.ndarray) -> np.ndarray:
    """``J^T J``: (n, n), from n products with J."""
    return _squared(columns(partial(flat.push, x), x))


@jit
def _squared(transposed: Any) -> Any:
    return matmul(transposed, transpose(transposed))
