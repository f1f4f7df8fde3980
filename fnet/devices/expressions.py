"""Scalar expressions in generated text: templates filled, folds, and the functions that they call."""

from __future__ import annotations

import re

import numpy as np

from fnet.compile.loops import Write, initial

_SUFFIX = {"f4": "f32", "f8": "f64"}
_CALLS = re.compile(r"\b([a-z]\w*_(?:f32|f64|i64|u64))\(")
_FOLDS = {
    "sum": "accumulate_{t}({0}, {1})",
    "prod": "{0} * {1}",
    "max": "maximum_{t}({0}, {1})",
    "min": "minimum_{t}({0}, {1})",
}
_INTEGER_FOLDS = {**_FOLDS, "sum": "{0} + {1}", "max": "max({0}, {1})", "min": "min({0}, {1})"}


def expression(template: str, dtype: str, *args: str) -> str:
    """Fill a template: arguments by position, ``{t}`` by the suffix of the scalar functions for `dtype`."""
    return template.format(*args, t=_SUFFIX.get(dtype, dtype))


def type_name(dtype: str) -> str:
    """The name of the NumPy scalar type, e.g. ``np.float32``."""
    return f"np.{np.dtype(dtype).name}" if dtype not in ("?", "b1") else "np.bool_"


def folded(fold: str, dtype: str, total: str, value: str) -> str:
    """The expression of a fold and one more value, both of this dtype."""
    template = (_FOLDS if dtype in _SUFFIX else _INTEGER_FOLDS)[fold]
    return f"{type_name(dtype)}({expression(template, dtype, total, value)})"


def first(write: Write) -> str:
    """What a fold starts from."""
    start = initial(write.fold or "", np.dtype(write.dtype))
    return f"{'-' if start < 0 else ''}np.inf" if isinstance(start, float) else str(start)


def called(text: str) -> list[str]:
    """The scalar functions that a text calls, in the order of their names."""
    return sorted(set(_CALLS.findall(text)))
