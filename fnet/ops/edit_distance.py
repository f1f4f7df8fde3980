"""How many edits turn one sequence of labels into another."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.errors import DtypeError, ShapeError
from fnet.ops.promotion import astype, lift
from fnet.spec import ArraySpec
from fnet.transforms.primitive import Primitive, spec_of

_INT = np.dtype(np.int64)


_edit_distance = Primitive("edit_distance", lambda a, b: ArraySpec(a.shape[:1], _INT), lowered="edit_distance")


def edit_distance(a: Any, b: Any) -> Any:
    """The fewest insertions, deletions and replacements of labels that turn each row of `a` into that of `b`.

    a: (B, L), b: (B, M) integers, of which negative ones are padding and do not count -> int64 (B,). Raises
    `DtypeError` for other than integers, `ShapeError` for other shapes. Source: Levenshtein 1966.

    >>> import numpy as np
    >>> edit_distance(np.array([[1, 2, 3, -1]]), np.array([[1, 3]]))
    array([1])
    """
    a, b = _labels("a", a), _labels("b", b)
    if a.shape[0] != b.shape[0]:
        raise ShapeError(f"edit_distance: expected as many rows in a as in b, received {a.shape} and {b.shape}.")
    return _edit_distance(a, b)


def _labels(name: str, x: Any) -> Any:
    x = lift(x)
    if x.dtype.kind not in "iu":
        raise DtypeError(f"edit_distance: {name} holds integers, received {spec_of(x)}. Use .astype('int64').")
    if x.ndim != 2:
        raise ShapeError(f"edit_distance: expected {name} of shape (batch, labels), received {x.shape}.")
    return astype(x, _INT)
