"""Sequences: of different lengths as one array, and windows over a series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet.arguments import one_of, positive_integer
from fnet.data.frames import as_plain
from fnet.errors import ShapeError, ValueRangeError


def pad_sequences(
    sequences: Sequence[Any],
    maxlen: int | None = None,
    dtype: Any = "int32",
    padding: str = "pre",
    truncating: str = "pre",
    value: Any = 0.0,
) -> np.ndarray:
    """Sequences of different lengths as one array (n, maxlen, ...), filled with `value`.

    maxlen: by default the longest length. padding, truncating: "pre" fills or cuts at the beginning, "post" at the end.
    Raises `ShapeError` for a sequence whose elements have another shape, `ValueRangeError` for numbers that an integer
    `dtype` does not have. Source: Keras ``pad_sequences``.

    >>> pad_sequences([[1], [2, 3, 4]], maxlen=2)
    array([[0, 1],
           [3, 4]], dtype=int32)
    """
    one_of("pad_sequences", "padding", padding, ("pre", "post"))
    one_of("pad_sequences", "truncating", truncating, ("pre", "post"))
    arrays = [np.asarray(sequence) for sequence in sequences]
    for place, array in enumerate(arrays):
        if array.ndim == 0:
            raise ShapeError(f"pad_sequences: sequence {place} is a scalar, expected a sequence. Wrap it: [value].")
    length = max(map(len, arrays), default=0) if maxlen is None else positive_integer("pad_sequences", "maxlen", maxlen)
    of_element = next((array.shape[1:] for array in arrays if len(array)), ())
    _check_fits("value", np.asarray(value), np.dtype(dtype))
    padded = np.full((len(arrays), length, *of_element), value, dtype)
    for place, array in enumerate(arrays):
        if not len(array):
            continue
        if array.shape[1:] != of_element:
            raise ShapeError(
                f"pad_sequences: elements of sequence {place} have the shape {array.shape[1:]}, those before "
                f"{of_element}."
            )
        kept = array[max(len(array) - length, 0) :] if truncating == "pre" else array[:length]
        _check_fits(f"sequence {place}", kept, padded.dtype)
        padded[place, length - len(kept) if padding == "pre" else 0 :][: len(kept)] = kept
    return padded


def _check_fits(what: str, array: np.ndarray, dtype: np.dtype) -> None:
    """Tell numbers that would become others in an integer dtype; fractions are cut off."""
    if dtype.kind not in "iu" or array.dtype.kind not in "iuf" or np.can_cast(array.dtype, dtype):
        return
    limits = np.iinfo(dtype)
    for found in (array.min().item(), array.max().item()):
        if not limits.min - 1 < found < limits.max + 1:
            raise ValueRangeError(f"pad_sequences: {what} holds {found}, which {dtype} has not. Pass a larger dtype.")


def windows(
    series: Any, length: int, stride: int = 1, sampling_rate: int = 1, targets: Any = None
) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
    """Windows over a series: ``series[i : i + length sampling_rate : sampling_rate]``, (n, length, ...).

    i: 0, stride, 2 stride, ... series: (steps, ...). targets: one for each beginning i, as in ``series[length:]`` for
    the next step; then the windows and the targets that belong to them. A window has to be whole and, with targets, to
    have one. Source: Keras ``timeseries_dataset_from_array``.

    >>> x, y = windows([1, 2, 3, 4], 2, targets=[3, 4])
    >>> x.tolist(), y.tolist()
    ([[1, 2], [2, 3]], [3, 4])
    """
    values = as_plain(series)
    for name, given in (("length", length), ("stride", stride), ("sampling_rate", sampling_rate)):
        positive_integer("windows", name, given)
    if values.ndim == 0:
        raise ShapeError("windows: series has the steps on its first axis, received a scalar.")
    span = (length - 1) * sampling_rate + 1
    last = len(values) - span if targets is None else min(len(values) - span, len(targets) - 1)
    if last < 0:
        raise ShapeError(
            f"windows: a window spans {span} steps, but series has {len(values)}"
            f"{'' if targets is None else f' and targets {len(targets)}'}. Take a smaller length."
        )
    begins = np.arange(0, last + 1, stride)
    made = values[begins[:, None] + np.arange(length) * sampling_rate]
    return made if targets is None else (made, as_plain(targets)[begins])
