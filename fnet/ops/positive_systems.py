"""Linear systems with a symmetric positive definite matrix."""

from __future__ import annotations

from typing import Any

from fnet.errors import ShapeError
from fnet.ops.arithmetic import add, multiply, negative
from fnet.ops.linalg import matmul, outer
from fnet.ops.promotion import promote
from fnet.ops.shape import transpose
from fnet.spec import ArraySpec
from fnet.transforms.primitive import Primitive


def _abstract(a: ArraySpec, b: ArraySpec) -> ArraySpec:
    return ArraySpec(b.shape, b.dtype)


def _vjp(g: Any, x: Any, a: Any, b: Any) -> tuple[Any, Any]:
    pulled = _solve(a, g)
    return negative(outer(pulled, x)), pulled


def _jvp(tangents: tuple[Any, Any], x: Any, a: Any, b: Any) -> Any:
    of_a, of_b = tangents
    right = of_b if of_a is None else negative(matmul(of_a, x))
    return _solve(a, right if of_a is None or of_b is None else add(of_b, right))


_solve = Primitive("solve_positive", _abstract, lowered="solve", vjp=_vjp, jvp=_jvp)


def solve_positive(a: Any, b: Any) -> Any:
    """``x`` with ``a x = b`` for a symmetric positive definite `a`, by Cholesky's factors ``a = L L^T``.

    a: (N, N), of which ``(a + a^T) / 2`` is used; b: (N,) -> (N,). All of x is NaN where `a` is not positive definite,
    or is singular up to rounding. Raises `ShapeError` for other shapes. Source: Golub and Van Loan, Matrix
    Computations, section 4.2.

    >>> import numpy as np
    >>> solve_positive(np.array([[4.0, 2.0], [2.0, 3.0]]), np.array([8.0, 8.0]))
    array([1., 2.])
    """
    a, b = promote(a, b, floating=True)
    matrix, vector = a.shape, b.shape
    if len(vector) != 1 or matrix != (*vector, *vector):
        raise ShapeError(
            f"solve_positive: expected a square matrix and a vector as long, (N, N) and (N,), received {matrix} and "
            f"{vector}. Solve for the columns of a matrix one by one."
        )
    return _solve(multiply(add(a, transpose(a)), 0.5), b)
