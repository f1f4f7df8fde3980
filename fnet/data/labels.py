"""Labels as vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet.arguments import positive_integer
from fnet.data.frames import as_plain
from fnet.errors import DtypeError, ShapeError, ValueRangeError


def one_hot(labels: Any, num_classes: int | None = None, dtype: Any = "float32") -> np.ndarray:
    """Vectors of zeros with a one at the label: (..., num_classes).

    labels: integers from 0 on, of any shape; a last axis of size 1 is left out. num_classes: by default the largest
    label and one. Raises `DtypeError` for labels that are no integers, `ValueRangeError` for one that is out of range.
    Source: Keras ``to_categorical``.

    >>> one_hot([1, 0, 2])
    array([[0., 1., 0.],
           [1., 0., 0.],
           [0., 0., 1.]], dtype=float32)
    """
    given = as_plain(labels)
    if given.dtype.kind not in "iub" and not (given.dtype.kind == "f" and np.array_equal(given, np.trunc(given))):
        raise DtypeError(f"one_hot: labels are integers, received dtype {given.dtype}. Encode categories as integers.")
    numbers = given.astype("int64")
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    if num_classes is None:
        if not numbers.size:
            raise ValueRangeError(
                "one_hot: no labels, from which the number of classes is not known. Pass num_classes."
            )
        num_classes = max(int(numbers.max()) + 1, 1)
    positive_integer("one_hot", "num_classes", num_classes)
    wrong = numbers[(numbers < 0) | (numbers >= num_classes)]
    if wrong.size:
        raise ValueRangeError(f"one_hot: expected labels from 0 to {num_classes - 1}, received {wrong[0]}.")
    return (numbers[..., None] == np.arange(num_classes)).astype(dtype)


def label_of_each(function: str, argument: str, given: Any, n: int) -> np.ndarray:
    """One label for each of `n` samples: (n,); rows of one-hot targets stand for the place of their largest number."""
    labels = np.asarray(given)
    if labels.ndim == 2:
        labels = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0]
    if labels.shape != (n,):
        raise ShapeError(
            f"{function}: {argument} has one label for each of {n} samples, received the shape {labels.shape}."
        )
    return labels
