"""Row-wise operations of neural networks: softmax and its kin, cross-entropies from logits, dropout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.arguments import number
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.ops.arithmetic import equal, greater, maximum, multiply, negative, subtract, where
from fnet.ops.index import one_hot
from fnet.ops.logits import activated, logits_behind
from fnet.ops.maths import exp, logistic, softplus, sqrt, square
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.shape import expand_dims, moveaxis, normalize_axis
from fnet.ops.summation import sum
from fnet.spec import ArraySpec
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import Primitive, spec_of

LEFT_OUT = -(2**63) + 1
"""The label of a row that does not count, which no cast of a NaN gives."""


def _same(x: ArraySpec, *others: ArraySpec) -> ArraySpec:
    return ArraySpec(x.shape, x.dtype)


def _per_row(x: ArraySpec, *others: ArraySpec) -> ArraySpec:
    return ArraySpec(x.shape[:-1], x.dtype)


def _row_sum(x: Any) -> Any:
    return sum(x, axis=-1, keepdims=True)


_softmax = Primitive(
    "softmax",
    _same,
    lowered="nn",
    vjp=lambda g, y, x: (_softmax_vjp(y, g),),
    jvp=lambda tangents, y, x: _softmax_vjp(y, tangents[0]),
)
_softmax_vjp = Primitive(
    "softmax_vjp",
    _same,
    lowered="nn",
    vjp=lambda h, out, y, g: (h * (g - _row_sum(g * y)) - g * _row_sum(h * y), _softmax_vjp(y, h)),
)
_softmax.seen_through = True
_log_softmax = Primitive(
    "log_softmax",
    _same,
    lowered="nn",
    vjp=lambda g, y, x: (_log_softmax_vjp(y, g),),
    jvp=lambda tangents, y, x: tangents[0] - _row_sum(exp(y) * tangents[0]),
)
_log_softmax_vjp = Primitive(
    "log_softmax_vjp",
    _same,
    lowered="nn",
    vjp=lambda h, out, y, g: (negative(h * exp(y) * _row_sum(g)), h - _row_sum(h * exp(y))),
)
_logsumexp = Primitive(
    "logsumexp",
    _per_row,
    lowered="nn",
    vjp=lambda g, y, x: (expand_dims(g, -1) * _softmax(x),),
    jvp=lambda tangents, y, x: sum(_softmax(x) * tangents[0], axis=-1),
)
_sparse = Primitive(
    "sparse_crossentropy",
    _per_row,
    lowered="nn",
    vjp=lambda g, y, x, labels: (_sparse_vjp(x, labels, g), None),
    jvp=lambda tangents, y, x, labels: _where_counted(labels, sum(_minus_one_hot(x, labels) * tangents[0], axis=-1)),
)
_sparse_vjp = Primitive(
    "sparse_crossentropy_vjp",
    _same,
    lowered="nn",
    vjp=lambda h, out, x, labels, g: (
        _where_counted(expand_dims(labels, -1), expand_dims(g, -1) * _softmax_vjp(_softmax(x), h)),
        None,
        _where_counted(labels, sum(_minus_one_hot(x, labels) * h, axis=-1)),
    ),
)
_dense_target = Primitive(
    "categorical_crossentropy",
    _per_row,
    lowered="nn",
    vjp=lambda g, y, x, t: (_dense_target_vjp(x, t, g), negative(expand_dims(g, -1) * _log_softmax(x))),
)
_dense_target_vjp = Primitive(
    "categorical_crossentropy_vjp",
    _same,
    lowered="nn",
    vjp=lambda h, out, x, t, g: (
        expand_dims(g, -1) * _row_sum(t) * _softmax_vjp(_softmax(x), h),
        expand_dims(g, -1) * (_row_sum(_softmax(x) * h) - h),
        sum((_softmax(x) * _row_sum(t) - t) * h, axis=-1),
    ),
)


def _minus_one_hot(x: Any, labels: Any) -> Any:
    return _softmax(x) - one_hot(labels, x.shape[-1], x.dtype)


def _where_counted(labels: Any, values: Any) -> Any:
    """The values, 0 where the label marks a row that is left out."""
    return where(equal(labels, LEFT_OUT), 0, values)


def _along(primitive: Primitive, x: Any, axis: int, call: Callable[[Primitive, Any], Any] | None = None) -> Any:
    (x,) = promote(x, floating=True)
    axis = normalize_axis(axis, x.ndim, primitive.name)
    last = axis == x.ndim - 1
    x = x if last else moveaxis(x, axis, -1)
    y = primitive(x) if call is None else call(primitive, x)
    if last:
        return y
    return moveaxis(y, -1, axis) if y.ndim == x.ndim else y


def softmax(x: Any, axis: int = -1) -> Any:
    """``e^x / sum(e^x)`` along `axis`; a row of -Inf (all masked) gives zeros.

    A cross-entropy of the result is computed from `x`.

    >>> import numpy as np
    >>> softmax(np.array([0.0, 0.0]))
    array([0.5, 0.5])
    """
    return _along(_softmax, x, axis, activated)


def logits_of(activation: str, p: Any) -> Any:
    """What the "softmax" over the last axis or the "sigmoid" that made `p` was given; None where none of them did."""
    return logits_behind(_softmax if activation == "softmax" else logistic, p)


def log_softmax(x: Any, axis: int = -1) -> Any:
    """``x - log(sum(e^x))`` along `axis`."""
    return _along(_log_softmax, x, axis)


def logsumexp(x: Any, axis: int = -1, keepdims: bool = False) -> Any:
    """``log(sum(e^x))`` along `axis`, without overflow; -Inf for a row of -Inf."""
    y = _along(_logsumexp, x, axis)
    return expand_dims(y, normalize_axis(axis, y.ndim + 1, "logsumexp")) if keepdims else y


def sparse_crossentropy(logits: Any, labels: Any, counted: Any = None) -> Any:
    """``logsumexp(logits) - logits[label]`` for each row.

    logits: (..., C), labels: (...) integers in [0, C) -> (...). counted: (...), a row where it is false has the value
    and the gradient 0, whatever its logits hold, and any label in range. Raises `ValueRangeError` naming the sample for
    a label out of range; under jit, where labels are not known in advance, that row is NaN.
    """
    (logits,) = promote(logits, floating=True)
    labels = lift(labels)
    wanted, have = logits.shape, labels.shape
    if have != wanted[:-1]:
        raise ShapeError(
            f"labels must be shaped like the logits without classes: expected {wanted[:-1]}, received {have}."
        )
    if labels.dtype.kind not in "iu":
        raise DtypeError(f"labels must be integers, received {spec_of(labels)}. Use .astype('int64').")
    check_labels(labels, wanted[-1])
    labels = astype(labels, np.int64)
    return _sparse(logits, labels if counted is None else where(counted, labels, LEFT_OUT))


def check_labels(labels: Any, classes: int) -> None:
    """Raise a `ValueRangeError` that names the first label outside [0, classes); traced labels pass."""
    if not is_known(labels) or not labels.size:
        return
    wrong = np.flatnonzero((labels < 0) | (labels >= classes))
    if wrong.size:
        value, sample = np.reshape(labels, -1)[wrong[0]], wrong[0] // math.prod(labels.shape[1:])
        raise ValueRangeError(
            f"label {value} of sample {sample} is out of range: expected 0 to {classes - 1} for {classes} classes. "
            f"Check the labels, or give the last layer more units."
        )


def categorical_crossentropy(logits: Any, targets: Any) -> Any:
    """``-sum(targets * log_softmax(logits))`` for each row; logits, targets: (..., C) -> (...)."""
    logits, targets = promote(logits, targets, floating=True)
    if logits.shape != targets.shape:
        raise ShapeError(
            f"targets must be shaped like the logits: expected {logits.shape}, received "
            f"{targets.shape}. For integer labels use the sparse form."
        )
    return _dense_target(logits, targets)


_dropout = Primitive(
    "dropout",
    _same,
    lowered="nn",
    vjp=lambda g, y, x, key, rate: (_dropout(g, key, rate), None, None),
    jvp=lambda tangents, y, x, key, rate: _dropout(tangents[0], key, rate),
)


def dropout(x: Any, key: Any, rate: float) -> Any:
    """Zero a random fraction `rate` of `x` and divide the rest by ``1 - rate``; the mask is a function of `key`.

    The backward pass recomputes the mask from the key instead of storing it. Source: Srivastava et al. 2014.
    """
    number("dropout", "rate", rate, "[0, 1]", "{argument} is the fraction dropped, expected {range}")
    (x,) = promote(x, floating=True)
    return _dropout(x, key, beside(np.full(1, rate, x.dtype), x))


def l2_normalize(x: Any, axis: int = -1, epsilon: float = 1e-12) -> Any:
    """``x / sqrt(max(sum(x^2), epsilon))`` along `axis`; a zero vector stays zero."""
    (x,) = promote(x, floating=True)
    return x / sqrt(maximum(sum(square(x), axis, keepdims=True), epsilon))


def binary_crossentropy_with_logits(logits: Any, targets: Any) -> Any:
    """``-t log(sigmoid(z)) - (1 - t) log(1 - sigmoid(z))`` element by element, accurate for every z, infinite ones too.

    Computed as ``z (1 - t) + log(1 + e^-z)`` for z > 0, else as ``log(1 + e^z) - z t``.
    """
    z, t = promote(logits, targets, floating=True)
    rest = subtract(1, t)
    above = where(equal(rest, 0), 0, multiply(z, rest)) + softplus(negative(z))
    return where(greater(z, 0), above, subtract(softplus(z), where(equal(t, 0), 0, multiply(z, t))))
