"""Matrix products: matmul in NumPy's sense, and what reduces to it (dot, outer, tensordot, einsum)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.errors import ShapeError, ValueRangeError
from fnet.ops.arithmetic import multiply
from fnet.ops.promotion import astype, promote
from fnet.ops.shape import broadcast_to, expand_dims, reshape, squeeze, swapaxes, transpose
from fnet.ops.summation import sum
from fnet.precision import current_precision
from fnet.spec import ArraySpec
from fnet.transforms.primitive import Primitive, spec_of


def _matmul_abstract(a: ArraySpec, b: ArraySpec, *bias: ArraySpec, **params: str) -> ArraySpec:
    return ArraySpec((*a.shape[:-1], b.shape[-1]), a.dtype)


def _matmul_vjp(g: Any, y: Any, a: Any, b: Any, precision: str = "highest") -> tuple[Any, Any]:
    return matrix_product(g, swapaxes(b, -1, -2), precision), matrix_product(swapaxes(a, -1, -2), g, precision)


def _matmul_jvp(tangents: tuple[Any, Any], y: Any, a: Any, b: Any, precision: str = "highest") -> Any:
    ta, tb = tangents
    parts = [matrix_product(ta, b, precision)] if ta is not None else []
    parts += [matrix_product(a, tb, precision)] if tb is not None else []
    return parts[0] if len(parts) == 1 else parts[0] + parts[1]


_matmul = Primitive("matmul", _matmul_abstract, lowered="linalg", vjp=_matmul_vjp, jvp=_matmul_jvp)
_stacked = Primitive("stacked_matmul", _matmul_abstract, lowered="linalg", vjp=_matmul_vjp, jvp=_matmul_jvp)
_product_of_integers = Primitive("product_of_integers", _matmul_abstract, lowered="linalg")


def matrix_product(a: Any, b: Any, precision: str | None = None) -> Any:
    """The product of matrices, or of stacks of them, at a level of precision, by default the current one.

    Derivatives keep the level of their product. Integers stay integers; booleans tell whether there is a pair of True.
    """
    kind = a.dtype.kind
    if kind == "b":
        return astype(_product_of_integers(astype(a, np.int64), astype(b, np.int64)), bool)
    if kind in "iu":
        return _product_of_integers(a, b)
    return (_matmul if a.ndim == 2 else _stacked)(a, b, **precision_of(a, precision))


def precision_of(x: Any, level: str | None = None) -> dict[str, str]:
    """The parameter ``precision`` of a primitive for products of x, where it makes a difference."""
    level = current_precision() if level is None else level
    return {"precision": level} if level != "highest" and x.dtype == np.float32 else {}


def matmul(a: Any, b: Any, *, floating: bool = True) -> Any:
    """Matrix product over the last two axes, ``y[..., i, j] = sum_p a[..., i, p] b[..., p, j]``.

    a: (..., M, K), b: (..., K, N) -> (..., M, N); leading axes broadcast, vectors are promoted as in NumPy.
    floating: integers become floating-point numbers; False: their products are integers, and those of booleans
    booleans, as in NumPy.
    Raises `ShapeError` when the inner sizes differ.

    >>> import numpy as np
    >>> matmul(np.ones((2, 3)), np.ones((3, 4))).shape
    (2, 4)
    """
    a, b = promote(a, b, floating=floating)
    left, right = a.shape, b.shape
    if not left or not right:
        raise ShapeError(f"matmul needs arrays with at least one axis, received {left} and {right}; multiply scalars.")
    if left[-1] != right[-2 if len(right) > 1 else 0]:
        raise ShapeError(
            f"matmul cannot multiply {left} by {right}: the last size of the first, {left[-1]}, must equal the "
            f"{'second-last' if len(right) > 1 else 'only'} size of the second, {right[-2 if len(right) > 1 else 0]}."
        )
    if len(left) == 1:
        return squeeze(matmul(expand_dims(a, 0), b, floating=floating), -2 if len(right) > 1 else -1)
    if len(right) == 1:
        return squeeze(matmul(a, expand_dims(b, 1), floating=floating), -1)
    if len(left) == len(right) == 2:
        return matrix_product(a, b)
    if len(right) == 2:
        flat = matrix_product(reshape(a, (math.prod(left[:-1]), left[-1])), b)
        return reshape(flat, (*left[:-1], right[-1]))
    try:
        lead = np.broadcast_shapes(left[:-2], right[:-2])
    except ValueError:
        raise ShapeError(f"matmul: leading axes of {left} and {right} do not broadcast.") from None
    stacks = [reshape(broadcast_to(x, lead + s[-2:]), (math.prod(lead), *s[-2:])) for x, s in ((a, left), (b, right))]
    return reshape(matrix_product(*stacks), (*lead, left[-2], right[-1]))


def dot(a: Any, b: Any, *, floating: bool = True) -> Any:
    """`numpy.dot`: the inner product of vectors, the matrix product of matrices, a product with a scalar.

    floating: as for `matmul`.
    """
    if spec_of(a).ndim == 0 or spec_of(b).ndim == 0:
        return multiply(a, b)
    if spec_of(b).ndim <= 2:
        return matmul(a, b, floating=floating)
    return tensordot(a, b, ([-1], [-2]), floating=floating)


def outer(a: Any, b: Any) -> Any:
    """``y[i, j] = a[i] b[j]`` of two vectors (other ranks are flattened)."""
    return multiply(reshape(a, (-1, 1)), reshape(b, (1, -1)))


def tensordot(a: Any, b: Any, axes: int | tuple[Sequence[int], Sequence[int]] = 2, *, floating: bool = True) -> Any:
    """Sum of products over pairs of axes, as `numpy.tensordot`; floating: as for `matmul`."""
    na, nb = spec_of(a).ndim, spec_of(b).ndim
    if isinstance(axes, int):
        axes = (list(range(na - axes, na)), list(range(axes)))
    over_a, over_b = (
        ([axes[0]] if isinstance(axes[0], int) else axes[0]),
        ([axes[1]] if isinstance(axes[1], int) else axes[1]),
    )
    if len(over_a) != len(over_b):
        raise ShapeError(f"tensordot: expected as many axes of the first as of the second, received {axes}.")
    letters = "abcdefghijklmnopqrstuvwxyz"
    left = list(letters[:na])
    right = list(letters[na : na + nb])
    for i, j in zip(over_a, over_b, strict=True):
        right[j] = left[i]
    shared = {left[i] for i in over_a}
    kept = [c for c in left + right if c not in shared]
    return einsum(f"{''.join(left)},{''.join(right)}->{''.join(kept)}", a, b, floating=floating)


def einsum(subscripts: str, *operands: Any, floating: bool = True) -> Any:
    """Einstein summation in NumPy's notation, contracted from left to right as matrix products.

    Every letter is an axis; letters missing on the right of ``->`` are summed. Repeated letters within one operand
    and the ellipsis are not supported. floating: as for `matmul`.

    >>> import numpy as np
    >>> einsum("ij,kj->ik", np.ones((2, 3)), np.ones((4, 3))).shape
    (2, 4)
    """
    terms, result = _parse(subscripts, operands)
    values = promote(*operands, floating=floating)
    term, value = terms[0], values[0]
    for k, (next_term, next_value) in enumerate(zip(terms[1:], values[1:], strict=True), start=2):
        later = set(result).union(*terms[k:])
        term, value = _contract(term, value, next_term, next_value, later)
    gone = tuple(i for i, c in enumerate(term) if c not in result)
    value = _summed(value, gone)
    left = [c for c in term if c in result]
    return transpose(value, [left.index(c) for c in result])


def _parse(subscripts: str, operands: tuple[Any, ...]) -> tuple[list[str], str]:
    text = subscripts.replace(" ", "")
    inputs, arrow, result = text.partition("->")
    terms = inputs.split(",")
    if not arrow:
        result = "".join(sorted(c for c in set(inputs) - {","} if inputs.count(c) == 1))
    if "." in text:
        raise ValueRangeError("einsum: the ellipsis is not supported; name every axis, or use fnet.ops.matmul.")
    if len(terms) != len(operands):
        raise ValueRangeError(f"einsum: '{subscripts}' names {len(terms)} operands, received {len(operands)}.")
    sizes: dict[str, int] = {}
    for term, x in zip(terms, operands, strict=True):
        shape = spec_of(x).shape
        if len(term) != len(shape) or len(set(term)) != len(term):
            raise ShapeError(f"einsum: '{term}' must name each of the {len(shape)} axes of {shape} once.")
        for letter, size in zip(term, shape, strict=True):
            if sizes.setdefault(letter, size) != size:
                raise ShapeError(f"einsum: axis '{letter}' has sizes {sizes[letter]} and {size}.")
    if not set(result) <= set(sizes) or len(set(result)) != len(result):
        raise ValueRangeError(f"einsum: '{result}' must name axes of the operands, each once.")
    return terms, result


def _contract(a_term: str, a: Any, b_term: str, b: Any, later: set[str]) -> tuple[str, Any]:
    """One pair as a stacked matrix product: shared kept axes stack, shared dropped axes contract."""
    a_term, a = _drop(a_term, a, later | set(b_term))
    b_term, b = _drop(b_term, b, later | set(a_term))
    shared = [c for c in a_term if c in b_term]
    stack, contracted = [c for c in shared if c in later], [c for c in shared if c not in later]
    rows, columns = [c for c in a_term if c not in shared], [c for c in b_term if c not in shared]
    size = dict(zip(a_term, a.shape, strict=True)) | dict(zip(b_term, b.shape, strict=True))

    def grouped(term: str, x: Any, *groups: list[str]) -> Any:
        order = [term.index(c) for group in groups for c in group]
        return reshape(transpose(x, order), [math.prod(size[c] for c in group) for group in groups])

    left = grouped(a_term, a, stack, rows, contracted)
    right = grouped(b_term, b, stack, contracted, columns)
    product = matrix_product(left, right) if stack else matrix_product(left[0], right[0])
    kept = stack + rows + columns
    return "".join(kept), reshape(product, [size[c] for c in kept])


def _drop(term: str, x: Any, needed: set[str]) -> tuple[str, Any]:
    """Sum out at once the axes that nothing else names."""
    gone = tuple(i for i, c in enumerate(term) if c not in needed)
    return "".join(c for c in term if c in needed), _summed(x, gone)


def _summed(x: Any, axes: tuple[int, ...]) -> Any:
    """The sum over axes in the dtype of x; of booleans, whether there is a True."""
    return astype(sum(x, axis=axes), x.dtype) if axes else x
