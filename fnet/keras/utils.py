"""What tutorials take from ``keras.utils``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import data
from fnet.inspect import plot
from fnet.keras.naming import clear_session as clear_session
from fnet.keras.seeds import set_random_seed as set_random_seed

if TYPE_CHECKING:
    from fnet.keras.models.model import Model

pad_sequences = data.pad_sequences


def to_categorical(x: Any, num_classes: int | None = None) -> np.ndarray:
    """Rows of zeros with a one for each label: x: (N,) or (N, 1) integers -> (N, num_classes).

    >>> to_categorical([0, 2]).tolist()
    [[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    labels = np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels[..., 0]
    return data.one_hot(labels, num_classes)


def normalize(x: Any, axis: int = -1, order: int = 2) -> np.ndarray:
    """x divided by its norm along an axis; what has the norm 0 stays 0."""
    norm = np.linalg.norm(np.asarray(x), order, axis, keepdims=True)
    return np.asarray(x) / np.where(norm == 0, 1, norm)


def plot_model(model: Model, to_file: str | os.PathLike[str] = "model.png", **options: Any) -> Path:
    """Draw a model into a file, see `fnet.plot_model`. Source: Keras ``utils.plot_model``."""
    shape = None if model.functional.kind == "graph" else model.functional.shape or tuple(model.input_shape)[1:]
    return plot.plot_model(model.functional, shape, to_file, **options)
