"""Decompositions of matrices into factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.arguments import one_of
from fnet.errors import ShapeError
from fnet.ops.arithmetic import add, divide, multiply, negative, subtract
from fnet.ops.diagonals import diagonal, tril
from fnet.ops.linalg import matmul
from fnet.ops.promotion import promote
from fnet.ops.shape import concatenate, expand_dims, swapaxes
from fnet.ops.systems import solve_triangular
from fnet.spec import ArraySpec
from fnet.transforms.operand import beside
from fnet.transforms.primitive import Primitive, spec_of


def _transposed(a: Any) -> Any:
    return swapaxes(a, -1, -2)


def _qr_abstract(a: ArraySpec) -> tuple[ArraySpec, ArraySpec]:
    *lead, m, n = a.shape
    return ArraySpec((*lead, m, n), a.dtype), ArraySpec((*lead, n, n), a.dtype)


def _complete_abstract(a: ArraySpec) -> tuple[ArraySpec, ArraySpec]:
    *lead, m, n = a.shape
    return ArraySpec((*lead, m, m), a.dtype), ArraySpec((*lead, m, n), a.dtype)


def _over_triangle(x: Any, r: Any) -> Any:
    """``x r^-1`` for an upper triangle r."""
    return _transposed(solve_triangular(_transposed(r), _transposed(x), lower=True))


def _qr_vjp(g: Any, y: Any, a: Any) -> tuple[Any]:
    """Source: S. Walter and L. Lehmann, Algorithmic differentiation of linear algebra functions, 2010."""
    (of_q, of_r), (q, r) = g, y
    inner = None if of_r is None else matmul(r, _transposed(of_r))
    if of_q is not None:
        less = matmul(_transposed(of_q), q)
        inner = negative(less) if inner is None else subtract(inner, less)
    whole = matmul(q, add(tril(inner), _transposed(tril(inner, -1))))
    right = whole if of_q is None else add(of_q, whole)
    return (_transposed(solve_triangular(r, _transposed(right))),)


def _qr_jvp(tangents: tuple[Any], y: Any, a: Any) -> tuple[Any, Any]:
    q, r = y
    moved = _over_triangle(tangents[0], r)
    inner = matmul(_transposed(q), moved)
    below = tril(inner, -1)
    upper = add(subtract(inner, below), _transposed(below))
    return subtract(moved, matmul(q, upper)), matmul(upper, r)


_qr = Primitive("qr", _qr_abstract, lowered="decompositions", vjp=_qr_vjp, jvp=_qr_jvp, multiple=True)
_qr_complete = Primitive("qr_complete", _complete_abstract, lowered="decompositions", multiple=True)


def _eigh_abstract(a: ArraySpec) -> tuple[ArraySpec, ArraySpec]:
    return ArraySpec(a.shape[:-1], a.dtype), a


def _over_distances(x: Any, values: Any) -> Any:
    """``x_ij / (values_j - values_i)``, and 0 on the diagonal."""
    eye = beside(np.eye(values.shape[-1], dtype=values.dtype), x)
    distances = subtract(expand_dims(values, -2), expand_dims(values, -1))
    return divide(multiply(x, subtract(beside(np.ones((), values.dtype), x), eye)), add(distances, eye))


def _eigh_vjp(g: Any, y: Any, a: Any) -> tuple[Any]:
    """Source: M. Giles, Collected matrix derivative results for forward and reverse mode, 2008, section 3.1."""
    (of_values, of_vectors), (values, vectors) = g, y
    inner = None
    if of_vectors is not None:
        inner = matmul(_over_distances(matmul(_transposed(vectors), of_vectors), values), _transposed(vectors))
    if of_values is not None:
        scaled = multiply(expand_dims(of_values, -1), _transposed(vectors))
        inner = scaled if inner is None else add(inner, scaled)
    return (matmul(vectors, inner),)


def _eigh_jvp(tangents: tuple[Any], y: Any, a: Any) -> tuple[Any, Any]:
    values, vectors = y
    inner = matmul(matmul(_transposed(vectors), tangents[0]), vectors)
    return diagonal(inner, 0, -2, -1), matmul(vectors, _over_distances(inner, values))


_eigh = Primitive("eigh", _eigh_abstract, lowered="decompositions", vjp=_eigh_vjp, jvp=_eigh_jvp, multiple=True)


def qr(a: Any, mode: str = "reduced") -> tuple[Any, Any]:
    """Q with orthonormal columns and an upper triangle R, ``Q R = a``: a: (..., M, N) -> (..., M, K), (..., K, N).

    K is min(M, N), or M where mode is "complete". Reflections as in LAPACK, so that signs are those of NumPy.
    Derivatives need K linearly independent columns in front; "complete" has none where M > N.
    Source: Golub and Van Loan, Matrix Computations, section 5.2.

    >>> q, r = qr([[3.0, 1.0], [4.0, 2.0]])
    >>> r.round(2)
    array([[-5. , -2.2],
           [ 0. ,  0.4]])
    """
    one_of("qr", "mode", mode, ("reduced", "complete"))
    (a,) = promote(a, floating=True)
    if a.ndim < 2:
        raise ShapeError(f"qr: expected matrices (..., M, N), received {spec_of(a)}.")
    m, n = a.shape[-2:]
    if m >= n:
        return tuple(_qr_complete(a) if mode == "complete" and m > n else _qr(a))
    q, r = _qr(a[..., :m])
    return q, concatenate([r, matmul(_transposed(q), a[..., m:])], -1)


def eigh(a: Any) -> tuple[Any, Any]:
    """Eigenvalues, ascending, and orthonormal eigenvectors, in columns, of symmetric matrices: (..., N, N).

    ``(a + a^T) / 2`` is used. Eigenvectors have any sign. Their derivatives need distinct eigenvalues.
    Source: Golub and Van Loan, Matrix Computations, section 8.5; derivatives: M. Giles 2008.

    >>> values, vectors = eigh(np.array([[2.0, 1.0], [1.0, 2.0]]))
    >>> values.round(6)
    array([1., 3.])
    """
    (a,) = promote(a, floating=True)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ShapeError(f"eigh: expected square matrices (..., N, N), received {spec_of(a)}.")
    return tuple(_eigh(multiply(add(a, _transposed(a)), 0.5)))
