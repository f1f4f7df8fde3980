"""Settings as keys, such as static arguments: two are the same only if a function cannot tell them apart."""

from __future__ import annotations

import dataclasses
import numbers
from collections.abc import Hashable
from typing import Any

import numpy as np

from fnet.errors import StructureError

_EXACT = (str, bytes, type(None), int, bool)


def static_key(value: Any) -> Hashable:
    """A key that is equal for equal values of the same types only: 2 is not 2.0, 0.0 is not -0.0, NaN is NaN.

    Raises `StructureError` for a value that has no hash.
    """
    kind = type(value)
    if kind in _EXACT:
        return kind, value
    if isinstance(value, numbers.Number | np.generic):
        return kind, repr(value)
    if isinstance(value, tuple):
        return (kind, *map(static_key, value))
    if isinstance(value, frozenset):
        return kind, frozenset(map(static_key, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        hash_of(value)
        fields = tuple(static_key(getattr(value, f.name)) for f in dataclasses.fields(value) if f.compare)
        return kind, fields, value  # values of which no part differs: to compare others may raise
    if isinstance(value, slice):
        return kind, static_key((value.start, value.stop, value.step))
    hash_of(value)
    return kind, value


def hash_of(value: Any) -> int:
    """The hash of a static argument, or the error that says what to pass instead."""
    try:
        return hash(value)
    except TypeError as error:
        raise StructureError(f"static arguments must be hashable: {error}. Pass a tuple instead of a list.") from None
