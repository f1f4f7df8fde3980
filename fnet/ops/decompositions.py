"""Decompositions of matrices into factors."""

from __future__ import annotations

from typing import Any

from fnet.arguments import one_of
from fnet.errors import ShapeError
from fnet.ops.arithmetic import add, negative, subtract
from fnet.ops.diagonals import tril
from fnet.ops.linalg import matmul
from fnet.ops.promotion import promote
from fnet.ops.shape import concatenate, swapaxes
from fnet.ops.systems import solve_triangular
from fnet.spec import ArraySpec
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
