"""Data frames and series of pandas and polars as arrays; neither is imported, both are known where they are in use."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet.errors import DtypeError, ValueRangeError

_NUMBERS = "fiub"
_NUMBER_TYPES = int | float | np.number | np.bool_
_KINDS = {  # of columns without numbers, by words in the name of their dtype, which are looked for in this order
    "category": "category",
    "categorical": "category",
    "enum": "category",
    "datetime": "date",
    "date": "date",
    "timedelta": "duration",
    "duration": "duration",
    "struct": "other",
    "str": "text",
    "object": "text",
    "list": "list",
    "array": "list",
}


class Library(NamedTuple):
    """What to do about a column of a kind; texts in which {c} is the column, {x} the frame and {n} the column's name.

    of_series: other texts for a series. fill, fill_series, drop: about missing values.
    """

    fixes: dict[str, str]
    of_series: dict[str, str]
    fill: str
    fill_series: str
    drop: str


PANDAS = Library(
    {
        "category": "Pass its codes, {c}.cat.codes, or one-hot columns: pandas.get_dummies({x}, columns=[{n}]).",
        "text": "Encode it: {c}.astype('category').cat.codes, or pandas.get_dummies({x}, columns=[{n}]).",
        "date": "Pass a difference: ({c} - {c}.min()).dt.total_seconds().",
        "duration": "Pass {c}.dt.total_seconds().",
        "list": "Give every sample the same shape, and pass them on their own: np.stack(list({c})).",
        "numbers": "Convert it: {x}.astype({{{n}: 'float32'}}).",
        "other": "Convert it: {c}.astype('float32').",
    },
    {
        "numbers": "Convert it: {x}.astype('float32').",
        "category": "Pass its codes, {c}.cat.codes, or one-hot columns: pandas.get_dummies({c}).",
        "text": "Encode it: {c}.astype('category').cat.codes, or pandas.get_dummies({c}).",
    },
    "{x}.fillna({{{n}: value}})",
    "{x}.fillna(value)",
    "{x}.dropna()",
)
POLARS = Library(
    {
        "category": "Pass its codes, {c}.to_physical(), or one-hot columns: {x}.to_dummies({n}).",
        "text": "Encode it: {c}.cast(polars.Categorical).to_physical(), or {x}.to_dummies({n}).",
        "date": "Pass {c}.dt.epoch('s').",
        "duration": "Pass {c}.dt.total_seconds().",
        "list": "Give every sample the same shape, and pass them on their own: np.stack({c}.to_list()).",
        "other": "Convert it: {c}.cast(polars.Float32).",
    },
    {
        "category": "Pass its codes, {c}.to_physical(), or one-hot columns: {c}.to_dummies().",
        "text": "Encode it: {c}.cast(polars.Categorical).to_physical(), or {c}.to_dummies().",
    },
    "{x}.with_columns(polars.col({n}).fill_null(value))",
    "{x}.fill_null(value)",
    "{x}.drop_nulls()",
)


class Column(NamedTuple):
    """A column of a frame, or a series.

    dtype: of its numbers, None where it has others. missing: says which samples have none. values: gives them in a
    dtype, with NaN for what is missing. items: gives them as objects.
    """

    name: Any
    dtype: np.dtype | None
    kind: str
    missing: Callable[[], np.ndarray]
    values: Callable[[np.dtype], np.ndarray]
    items: Callable[[], Sequence[Any]]


def is_frame(x: Any) -> bool:
    """Whether it is a data frame or a series.

    >>> is_frame(np.ones(3))
    False
    """
    return not isinstance(x, np.ndarray) and _library(x) is not None


def frame_array(name: str, frame: Any) -> np.ndarray:
    """The numbers of a frame, (samples, columns), or of a series, (samples,); errors call it `name`. No index counts.

    Raises `DtypeError` for a column without numbers, `ValueRangeError` for one with missing values: NaN in pandas, null
    in polars, where NaN is a number. Both name the column, and say what to do.
    """
    library = _library(frame)
    assert library is not None
    columns = _columns(name, frame)
    for column in columns:
        missing = column.missing()
        if column.dtype is None and not missing.all():
            raise _without_numbers(name, frame, column, missing, library)
        if missing.any():
            raise _missing(name, frame, column, missing, library)
    return _joined(columns, frame)


def as_plain(x: Any) -> np.ndarray:
    """`x` as an array, as NumPy makes it; a frame of numbers alone with NaN for what is missing.

    >>> as_plain([1, 2])
    array([1, 2])
    """
    library = None if isinstance(x, np.ndarray) else _library(x)
    if library is None:
        return np.asarray(x)
    columns = _columns("x", x)
    known = [column.dtype.kind for column in columns if column.dtype is not None]
    if len(known) < len(columns):
        return np.asarray(x)
    return _joined(
        columns, x, any(k != "f" and column.missing().any() for k, column in zip(known, columns, strict=True))
    )


def _library(x: Any) -> Library | None:
    for name, library in (("pandas", PANDAS), ("polars", POLARS)):
        module = sys.modules.get(name)
        classes = [getattr(module, kind, None) for kind in ("DataFrame", "Series", "LazyFrame")]
        if module is not None and isinstance(x, tuple(kind for kind in classes if kind is not None)):
            return library
    return None


def _columns(name: str, frame: Any) -> list[Column]:
    if _library(frame) is PANDAS:
        if frame.ndim == 1:
            return [_pandas_column(frame.name, frame)]
        return [_pandas_column(label, frame.iloc[:, place]) for place, label in enumerate(frame.columns)]
    if not hasattr(frame, "shape"):
        raise DtypeError(
            f"{name} is a LazyFrame, whose numbers are not there yet. Collect it: {_data(name)}.collect()."
        )
    return [_polars_column(column) for column in (frame if len(frame.shape) == 2 else [frame])]


def _pandas_column(label: Any, column: Any) -> Column:
    own = column.dtype
    dtype = None
    if getattr(own, "kind", "O") in _NUMBERS:
        known = (own, getattr(own, "numpy_dtype", None), getattr(own, "subtype", None))
        dtype = next((each for each in known if isinstance(each, np.dtype)), np.dtype(np.float64))
    return Column(
        label,
        dtype,
        _kind(own),
        lambda: np.asarray(column.isna()),
        lambda wanted: column.to_numpy(wanted, na_value=np.nan) if column.hasnans else column.to_numpy(wanted),
        column.tolist,
    )


def _polars_column(column: Any) -> Column:
    own = column.dtype
    dtype: np.dtype | None = None
    numbers = column
    if own.is_decimal() or str(own) in ("Int128", "UInt128"):
        numbers, dtype = column.cast(float), np.dtype(np.float64)
    elif own.is_numeric() or str(own) == "Boolean":
        dtype = np.dtype(bool) if str(own) == "Boolean" else column.head(0).to_numpy().dtype

    def values(wanted: np.dtype) -> np.ndarray:
        return np.asarray((numbers.cast(float) if column.null_count() else numbers).to_numpy(), wanted)

    return Column(column.name, dtype, _kind(own), lambda: column.is_null().to_numpy(), values, lambda: column.to_list())


def _kind(dtype: Any) -> str:
    text = str(dtype).lower()
    return next((kind for word, kind in _KINDS.items() if text.startswith(word)), "other")


def _joined(columns: list[Column], frame: Any, misses: bool = False) -> np.ndarray:
    """The numbers of the columns in the least dtype that takes them all, with NaN if some are missing."""
    dtypes = [column.dtype for column in columns if column.dtype is not None]
    wanted = np.result_type(*dtypes, *([np.float64] if misses else [])) if dtypes else np.dtype(np.float64)
    if len(frame.shape) == 1:
        return columns[0].values(wanted)
    array = np.empty((len(columns), len(frame)), wanted)
    for place, column in enumerate(columns):
        array[place] = column.values(wanted)
    return array.T


def _without_numbers(name: str, frame: Any, column: Column, missing: np.ndarray, library: Library) -> DtypeError:
    """The error for a column that holds something else than numbers."""
    words = _words(name, frame, column)
    fixes = library.fixes if words["in"] else library.fixes | library.of_series
    items = [(i, item) for i, item in enumerate(column.items()) if not missing[i]]
    others = [pair for pair in items if column.kind != "text" or not isinstance(pair[1], _NUMBER_TYPES)]
    if not others:
        return DtypeError(
            f"{name} must hold numbers or booleans, received numbers as objects{words['in']}, as of a data frame of "
            f"several dtypes. {fixes.get('numbers', fixes['other']).format(**words)}"
        )
    place, value = others[0]
    kind = "list" if isinstance(value, np.ndarray | list | tuple) else column.kind
    found = "arrays as objects, first" if kind == "list" else f"{value!r:.40}"
    return DtypeError(
        f"{name} must hold numbers or booleans, received {found} in sample {place}{words['of']}. "
        f"{fixes.get(kind, fixes['other']).format(**words)}"
    )


def _missing(name: str, frame: Any, column: Column, missing: np.ndarray, library: Library) -> ValueRangeError:
    """The error for a column with missing values."""
    words = _words(name, frame, column)
    fill = library.fill if words["in"] else library.fill_series
    return ValueRangeError(
        f"{name} misses {missing.sum()} of {len(missing)} values, the first in sample {missing.argmax()}{words['of']}. "
        f"Fill them in, {fill.format(**words)}, or leave these samples out of all data, {library.drop.format(**words)}."
    )


def _words(name: str, frame: Any, column: Column) -> dict[str, str]:
    """How the frame (x), the column (c) and its name (n) are written, and where it is (in, of); a series is nowhere."""
    data, label = _data(name), repr(column.name)
    if len(frame.shape) == 1:
        return {"x": data, "c": data, "n": label, "in": "", "of": ""}
    return {"x": data, "c": f"{data}[{label}]", "n": label, "in": f" in column {label}", "of": f", column {label}"}


def _data(name: str) -> str:
    """The name of the argument that a leaf belongs to."""
    return name.rpartition(" ")[2].split("/")[0]
