"""Penalties on parameters and on outputs: a regularizer is a function ``penalty(x) -> scalar``.

Layers take one, or its name, as ``kernel_regularizer=`` and the like; `fnet.penalty` sums those of a network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import not_negative, one_of
from fnet.configured import Configured, configurable
from fnet.context import in_force, within
from fnet.errors import ShapeError
from fnet.names import Names, snake_case
from fnet.ops.promotion import promote
from fnet.transforms.primitive import spec_of

Regularizer = Callable[[Any], Any]
RegularizerLike = str | Callable[..., Any] | None
"""What `get` takes for a regularizer."""
REGULARIZERS: Names[Callable[..., Regularizer]] = Names("regularizer", spelling=snake_case)


@REGULARIZERS.named()
@configurable
def l1(l1: float = 0.01) -> Regularizer:
    """``l1 sum |w|``. Source: Keras ``L1``.

    >>> l1(0.5)(np.array([1.0, -3.0]))
    array(2.)
    """
    not_negative("l1", "l1", l1)
    return lambda w: _absolute(w, l1)


@REGULARIZERS.named()
@configurable
def l2(l2: float = 0.01) -> Regularizer:
    """``l2 sum w^2``, without a factor of one half. Source: Keras ``L2``.

    >>> l2(0.5)(np.array([1.0, -3.0]))
    array(5.)
    """
    not_negative("l2", "l2", l2)
    return lambda w: _squares(w, l2)


@configurable
def l1_l2(l1: float = 0.01, l2: float = 0.01) -> Regularizer:
    """``l1 sum |w| + l2 sum w^2``. Source: Keras ``l1_l2``."""
    not_negative("l1_l2", "l1", l1)
    not_negative("l1_l2", "l2", l2)
    return lambda w: ops.add(_absolute(w, l1), _squares(w, l2))


def L1L2(l1: float = 0.0, l2: float = 0.0) -> Configured[[Any], Any]:  # noqa: N802 (Keras' name)
    """As `l1_l2`, with factors of 0 by default; what the names "L1L2" and "l1_l2" mean. Source: Keras ``L1L2``.

    >>> L1L2(l2=0.1)
    l1_l2(l1=0.0, l2=0.1)
    """
    return l1_l2(l1, l2)


@REGULARIZERS.named("orthogonal_regularizer")
@configurable
def orthogonal(factor: float = 0.01, mode: str = "rows") -> Regularizer:
    """``factor`` times the mean ``|cos|`` of the angles between all pairs of rows (or columns) of a matrix.

    w: (R, C) -> scalar, 0 for a single row. Raises `ShapeError` for other than two axes.
    Source: Keras ``OrthogonalRegularizer``.

    >>> orthogonal(1.0)(np.array([[1.0, 0.0], [0.0, 2.0]]))
    array(0.)
    """
    not_negative("orthogonal", "factor", factor)
    one_of("orthogonal", "mode", mode, ("rows", "columns"))

    def penalty(w: Any) -> Any:
        (w,) = promote(w, floating=True)
        if w.ndim != 2:
            raise ShapeError(f"regularizer orthogonal: expected a matrix, received shape {w.shape}.")
        vectors = ops.l2_normalize(w if mode == "rows" else ops.transpose(w), -1)
        n = vectors.shape[0]
        products = ops.matmul(vectors, ops.transpose(vectors)) * (1 - np.eye(n, dtype=w.dtype))
        return ops.multiply(ops.sum(ops.absolute(products)), 0.5 * factor / max(n * (n - 1) / 2, 1))

    return penalty


REGULARIZERS.add(L1L2, "l1_l2")
L1, L2, OrthogonalRegularizer, orthogonal_regularizer = l1, l2, orthogonal, orthogonal


def get(regularizer: RegularizerLike) -> Regularizer | None:
    """The regularizer meant by a name (``"l2"``, ``"L1L2"``), a function, or None.

    Raises `ValueRangeError` for an unknown name, `DtypeError` for anything else.

    >>> get("L2")
    l2(l2=0.01)
    """
    if regularizer is None or regularizer is l1_l2:
        return None if regularizer is None else l1_l2()
    return REGULARIZERS.meant(regularizer, "a function penalty(x) or None")


@contextmanager
def reported_penalties() -> Iterator[list[Any]]:
    """The list of what layers report about their outputs (`report`) while they are applied inside."""
    penalties: list[Any] = []
    with within(in_force().replaced(penalties=penalties)):
        yield penalties


def report(regularizer: Regularizer, y: Any) -> None:
    """Report ``regularizer(y) / N`` of an output y: (N, ...), if anyone asks."""
    penalties = in_force().penalties
    if penalties is not None:
        penalties.append(ops.multiply(regularizer(y), 1 / max(spec_of(y).shape[0], 1)))


def report_loss(loss: Any) -> None:
    """Report an array whose sum is added to the loss as it is, if anyone asks."""
    penalties = in_force().penalties
    if penalties is not None:
        penalties.append(ops.sum(loss))


def _absolute(w: Any, factor: float) -> Any:
    return ops.multiply(ops.sum(ops.absolute(w)), float(factor))


def _squares(w: Any, factor: float) -> Any:
    return ops.multiply(ops.sum(ops.square(w)), float(factor))
