"""What tutorials take from ``keras.utils``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from fnet import data, random, tree
from fnet.data import batches, windows
from fnet.errors import FileError, ValueRangeError
from fnet.inspect import plot
from fnet.keras.audio_dataset import audio_dataset_from_directory as audio_dataset_from_directory
from fnet.keras.feature_space import FeatureSpace as FeatureSpace
from fnet.keras.image_files import array_to_img as array_to_img
from fnet.keras.image_files import image_dataset_from_directory as image_dataset_from_directory
from fnet.keras.image_files import img_to_array as img_to_array
from fnet.keras.image_files import load_img as load_img
from fnet.keras.image_files import save_img as save_img
from fnet.keras.naming import clear_session as clear_session
from fnet.keras.progress import Progbar as Progbar
from fnet.keras.py_dataset import PyDataset as PyDataset
from fnet.keras.saving import CustomObjectScope as CustomObjectScope
from fnet.keras.saving import custom_object_scope as custom_object_scope
from fnet.keras.saving import deserialize_keras_object as deserialize_keras_object
from fnet.keras.saving import get_registered_name as get_registered_name
from fnet.keras.saving import get_registered_object as get_registered_object
from fnet.keras.saving import register_keras_serializable as register_keras_serializable
from fnet.keras.saving import serialize_keras_object as serialize_keras_object
from fnet.keras.seeds import next_key
from fnet.keras.seeds import set_random_seed as set_random_seed
from fnet.keras.text_dataset import text_dataset_from_directory as text_dataset_from_directory
from fnet.networks.node import SymbolicNode
from fnet.train.sources.batches import unpacked

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
    return plot.plot_model(model.functional, _shape(model), to_file, **options)


def model_to_dot(model: Model, **options: Any) -> str:
    """The text that describes the drawing of a model, see `fnet.model_to_dot`."""
    return plot.model_to_dot(model.functional, _shape(model), **options)


def is_keras_tensor(x: Any) -> bool:
    """Whether x is a symbolic value: an `Input`, or what follows from one."""
    return isinstance(x, SymbolicNode)


def get_source_inputs(tensor: Any) -> list[Any]:
    """The symbolic inputs that a symbolic value follows from, each once."""
    found: dict[int, Any] = {}
    stack = [tensor]
    while stack:
        node = stack.pop()
        if node.call is None:
            found.setdefault(id(node), node)
        else:
            stack += reversed(tree.leaves(node.call.inputs))
    return list(found.values())


def timeseries_dataset_from_array(
    data: Any,
    targets: Any,
    sequence_length: int,
    sequence_stride: int = 1,
    sampling_rate: int = 1,
    batch_size: int | None = 128,
    shuffle: bool = False,
    seed: int | None = None,
    start_index: int | None = None,
    end_index: int | None = None,
) -> Any:
    """Batches of windows over a series, with targets or without, see `fnet.data.windows` and `fnet.data.batches`.

    start_index, end_index: the part of the series and of the targets that is used.

    >>> x, y = next(iter(timeseries_dataset_from_array([1, 2, 3, 4], [3, 4], 2, batch_size=2)))
    >>> x.tolist(), y.tolist()
    ([[1, 2], [2, 3]], [3, 4])
    """
    begin, end = slice(start_index, end_index).indices(len(data))[:2]
    own = targets if targets is None else targets[begin:end]
    found = windows(data[begin:end], sequence_length, sequence_stride, sampling_rate, own)
    key = (random.key(seed) if seed is not None else next_key()) if shuffle else None
    count = len(found[0] if isinstance(found, tuple) else found)
    return batches(found, count if batch_size is None else batch_size, key)


def split_dataset(
    dataset: Any,
    left_size: float | int | None = None,
    right_size: float | int | None = None,
    shuffle: bool = False,
    seed: int | None = None,
) -> tuple[Any, Any]:
    """Two parts of an array, or of a tuple or list of arrays: sizes are numbers of samples, or fractions of them.

    >>> left, right = split_dataset(np.arange(4), left_size=0.75)
    >>> left.tolist(), right.tolist()
    ([0, 1, 2], [3])
    """
    if isinstance(dataset, list) and dataset and isinstance(dataset[0], np.ndarray):
        dataset = tuple(dataset)
    parts = dataset if isinstance(dataset, tuple) else (dataset,)
    count = len(parts[0])
    if left_size is None and right_size is None:
        raise ValueRangeError("split_dataset: give left_size or right_size, a number of samples or a fraction of them.")
    left = _number(left_size, count) if left_size is not None else count - _number(right_size, count)
    right = _number(right_size, count) if right_size is not None else count - left
    if not 0 < left < count or not 0 < right <= count - left:
        raise ValueRangeError(f"split_dataset: parts of {left} and {right} of {count} samples; each has at least one.")
    order = np.arange(count)
    if shuffle:
        order = random.permutation(random.key(seed) if seed is not None else next_key(), count)
    pieces = order[:left], order[left : left + right]
    made = [tuple(np.asarray(part)[piece] for part in parts) for piece in pieces]
    return (made[0], made[1]) if isinstance(dataset, tuple) else (made[0][0], made[1][0])


Sequence = PyDataset  # its older name


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """The batch of these parts: x alone, ``(x, y)`` or ``(x, y, sample_weight)``."""
    if sample_weight is not None:
        return x, y, sample_weight
    return x if y is None and not isinstance(x, list | tuple) else (x,) if y is None else (x, y)


def unpack_x_y_sample_weight(data: Any) -> tuple[Any, Any, Any]:
    """``(x, y, sample_weight)`` of a batch, None for what it does not have."""
    return unpacked(tuple(data) if isinstance(data, list) else data, "data: ")


def get_file(*args: Any, **options: Any) -> NoReturn:
    """Raise a `FileError`: fnet downloads nothing."""
    raise FileError(
        "get_file: fnet downloads nothing. Fetch the file by a browser or a command of yours, and open it by its path; "
        "fnet.keras.datasets lists small data sets that are installed already."
    )


def _number(size: Any, count: int) -> int:
    return int(size) if isinstance(size, int | np.integer) else round(size * count)


def _shape(model: Model) -> Any:
    return None if model.functional.kind == "graph" else model.functional.shape or tuple(model.input_shape)[1:]
