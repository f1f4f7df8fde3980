"""Systems of linear equations with any matrix, its determinant and inverse, and Cholesky's factor."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.ops.arithmetic import add, equal, multiply, negative, where
from fnet.ops.diagonals import trace, tril
from fnet.ops.linalg import matmul
from fnet.ops.maths import exp
from fnet.ops.promotion import promote
from fnet.ops.shape import broadcast_to, expand_dims, squeeze, swapaxes
from fnet.spec import ArraySpec
from fnet.transforms.linear_maps import broadcast_shapes, zeros_like
from fnet.transforms.operand import beside
from fnet.transforms.primitive import Primitive, spec_of


def _transposed(a: Any) -> Any:
    return swapaxes(a, -1, -2)


def _solve_abstract(a: ArraySpec, b: ArraySpec, **params: Any) -> ArraySpec:
    return ArraySpec(b.shape, b.dtype)


def _solve_vjp(g: Any, x: Any, a: Any, b: Any) -> tuple[Any, Any]:
    pulled = _solve(_transposed(a), g)
    return negative(matmul(pulled, _transposed(x))), pulled


def _solve_jvp(tangents: tuple[Any, Any], x: Any, a: Any, b: Any) -> Any:
    of_a, of_b = tangents
    right = of_b if of_a is None else negative(matmul(of_a, x))
    return _solve(a, right if of_a is None or of_b is None else add(of_b, right))


def _triangular_vjp(g: Any, x: Any, a: Any, b: Any, *, lower: bool) -> tuple[Any, Any]:
    pulled = _triangular(_transposed(a), g, lower=not lower)
    return negative(_triangle(matmul(pulled, _transposed(x)), lower)), pulled


def _triangular_jvp(tangents: tuple[Any, Any], x: Any, a: Any, b: Any, *, lower: bool) -> Any:
    of_a, of_b = tangents
    right = of_b if of_a is None else negative(matmul(_triangle(of_a, lower), x))
    return _triangular(a, right if of_a is None or of_b is None else add(of_b, right), lower=lower)


def _triangle(x: Any, lower: bool) -> Any:
    return tril(x) if lower else _transposed(tril(_transposed(x)))


def _slogdet_abstract(a: ArraySpec) -> tuple[ArraySpec, ArraySpec]:
    one = ArraySpec(a.shape[:-2], a.dtype)
    return one, one


def _slogdet_vjp(g: Any, y: Any, a: Any) -> tuple[Any]:
    if g[1] is None:
        return (None,)
    return (multiply(expand_dims(expand_dims(g[1], -1), -1), _transposed(_inverse(a))),)


def _slogdet_jvp(tangents: tuple[Any], y: Any, a: Any) -> tuple[Any, Any]:
    return zeros_like(y[0]), trace(_solve(a, tangents[0]), axis1=-2, axis2=-1)


def _half(x: Any) -> Any:
    """The lower triangle with half of the diagonal."""
    weights = np.tri(x.shape[-1], dtype=x.dtype) - np.eye(x.shape[-1], dtype=x.dtype) / 2
    return multiply(x, beside(weights, x))


def _cholesky_vjp(g: Any, y: Any, a: Any) -> tuple[Any]:
    """Source: I. Murray, Differentiation of the Cholesky decomposition, 2016, equation 8."""
    upper = _transposed(y)
    inner = _triangular(upper, _half(matmul(upper, g)), lower=False)
    whole = _transposed(_triangular(upper, _transposed(inner), lower=False))
    return (multiply(add(whole, _transposed(whole)), 0.5),)


def _cholesky_jvp(tangents: tuple[Any], y: Any, a: Any) -> Any:
    inner = _triangular(y, tangents[0], lower=True)
    return matmul(y, _half(_transposed(_triangular(y, _transposed(inner), lower=True))))


_solve = Primitive("solve", _solve_abstract, lowered="systems", vjp=_solve_vjp, jvp=_solve_jvp)
_triangular = Primitive(
    "solve_triangular", _solve_abstract, lowered="systems", vjp=_triangular_vjp, jvp=_triangular_jvp
)
_slogdet = Primitive("slogdet", _slogdet_abstract, lowered="systems", vjp=_slogdet_vjp, jvp=_slogdet_jvp, multiple=True)
_cholesky = Primitive("cholesky", lambda a: a, lowered="systems", vjp=_cholesky_vjp, jvp=_cholesky_jvp)


def solve(a: Any, b: Any) -> Any:
    """``x`` with ``a x = b``, by elimination with row exchanges: a: (..., N, N), b: (N,) or (..., N, K).

    Where a is singular, elements of x are infinite or NaN. Raises `ShapeError` for other shapes.
    Source: Golub and Van Loan, Matrix Computations, section 3.4; derivatives: M. Giles 2008.

    >>> solve(np.array([[2.0, 0.0], [1.0, 4.0]]), np.array([2.0, 9.0]))
    array([1., 2.])
    """
    return _solved("solve", a, b, _solve)


def solve_triangular(a: Any, b: Any, lower: bool = False) -> Any:
    """``x`` with ``a x = b`` for a triangular a, of which the other triangle is not read; shapes as in `solve`.

    >>> solve_triangular(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([4.0, 8.0]))
    array([1., 2.])
    """

    def primitive(a: Any, b: Any) -> Any:
        return _triangular(a, b, lower=bool(lower))

    return _solved("solve_triangular", a, b, primitive)


def _solved(name: str, a: Any, b: Any, primitive: Any) -> Any:
    a, b = promote(a, b, floating=True)
    _check_square(name, a)
    is_vector = b.ndim == 1
    columns = expand_dims(b, -1) if is_vector else b
    if not b.ndim or columns.shape[-2] != a.shape[-1]:
        raise ShapeError(
            f"{name}: expected a right side (N,) or (..., N, K) for matrices {a.shape}, received {spec_of(b)}."
        )
    lead = broadcast_shapes(name, a.shape[:-2], columns.shape[:-2])
    matrices = broadcast_to(a, (*lead, *a.shape[-2:]))
    x = primitive(matrices, broadcast_to(columns, (*lead, *columns.shape[-2:])))
    return squeeze(x, -1) if is_vector else x


def _inverse(a: Any) -> Any:
    eye = beside(np.eye(a.shape[-1], dtype=a.dtype), a)
    return _solve(a, broadcast_to(eye, a.shape))


def inv(a: Any) -> Any:
    """The inverse of matrices: a: (..., N, N); infinite or NaN where one is singular.

    >>> inv(np.array([[2.0, 0.0], [0.0, 4.0]]))
    array([[0.5 , 0.  ],
           [0.  , 0.25]])
    """
    (a,) = promote(a, floating=True)
    _check_square("inv", a)
    return _inverse(a)


def slogdet(a: Any) -> tuple[Any, Any]:
    """The sign of the determinant and the logarithm of its size: a: (..., N, N) -> (...), (...).

    0 and -inf where a is singular, where there is no derivative (NaN).

    >>> sign, size = slogdet(np.array([[0.0, 2.0], [1.0, 0.0]]))
    >>> float(sign), round(float(size), 4)
    (-1.0, 0.6931)
    """
    (a,) = promote(a, floating=True)
    _check_square("slogdet", a)
    return tuple(_slogdet(a))


def det(a: Any) -> Any:
    """The determinant of matrices: a: (..., N, N) -> (...). Where it is 0, its derivative is NaN.

    >>> round(float(det(np.array([[1.0, 2.0], [3.0, 4.0]]))), 4)
    -2.0
    """
    sign, size = slogdet(a)
    return multiply(sign, exp(size))


def logdet(a: Any) -> Any:
    """The logarithm of the determinant; NaN where that is negative."""
    sign, size = slogdet(a)
    return where(equal(sign, -1), np.asarray(np.nan, size.dtype), size)


def cholesky(a: Any, upper: bool = False) -> Any:
    """L with ``L L^T = a``, or its transpose by `upper`, for symmetric positive definite matrices: a: (..., N, N).

    ``(a + a^T) / 2`` is used. NaN where a matrix is not positive definite, or singular up to rounding.

    >>> cholesky(np.array([[4.0, 2.0], [2.0, 5.0]]))
    array([[2., 0.],
           [1., 2.]])
    """
    (a,) = promote(a, floating=True)
    _check_square("cholesky", a)
    factor = _cholesky(multiply(add(a, _transposed(a)), 0.5))
    return _transposed(factor) if upper else factor


def cholesky_inverse(factor: Any, upper: bool = False) -> Any:
    """The inverse of the matrix whose Cholesky factor is given."""
    (factor,) = promote(factor, floating=True)
    _check_square("cholesky_inverse", factor)
    eye = beside(np.eye(factor.shape[-1], dtype=factor.dtype), factor)
    root = _triangular(factor, broadcast_to(eye, factor.shape), lower=not upper)
    return matmul(root, _transposed(root)) if upper else matmul(_transposed(root), root)


def _check_square(name: str, a: Any) -> None:
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"{name}: expected square matrices (..., N, N), received {spec_of(a)}.")
