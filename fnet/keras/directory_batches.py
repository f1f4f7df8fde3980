"""Files in folders, one folder a class, as batches: what `text_dataset_from_directory` and its kin share."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fnet import random
from fnet.arguments import number, one_of, positive_integer
from fnet.data.folders import files_by_class
from fnet.data.labels import one_hot
from fnet.data.stream import Stream
from fnet.errors import StructureError, ValueRangeError
from fnet.keras.seeds import next_key

Read = Callable[[list[Path]], Any]


def batches_of_files(
    who: str,
    directory: str | os.PathLike[str],
    suffixes: tuple[str, ...],
    read: Read,
    labels: Any,
    label_mode: str | None,
    class_names: Sequence[str] | None,
    batch_size: int | None,
    shuffle: bool,
    seed: int | None,
    validation_split: float | None,
    subset: str | None,
    follow_links: bool,
    verbose: bool,
) -> Any:
    """Batches ``(read(paths), labels)`` of the files with some suffixes in a folder, which has a folder for each class.

    read: makes one array of the files of a batch. See `fnet.keras.utils.text_dataset_from_directory` for the others.
    """
    if label_mode is not None:
        one_of(who, "label_mode", label_mode, ("int", "binary", "categorical"))
    files = files_by_class(directory, suffixes, None if label_mode is None else labels, class_names, follow_links)
    mode = None if files.labels is None else label_mode
    if mode == "binary" and len(files.class_names or ()) != 2:
        raise ValueRangeError(f"{who}: label_mode='binary' is for two classes, received {files.class_names}.")
    if verbose:
        of = "" if files.class_names is None else f" belonging to {len(files.class_names)} classes"
        print(f"Found {len(files.paths)} files{of}.")
    order = _in_one_order(who, len(files.paths), shuffle, seed, validation_split is not None)
    size = None if batch_size is None else positive_integer(who, "batch_size", batch_size)
    key = (next_key() if seed is None else random.key(seed)) if shuffle else None

    def stream(part: np.ndarray, own_key: Any) -> Stream:
        paths = [files.paths[i] for i in part]
        numbers = None if files.labels is None else _as(mode, files.labels[part], len(files.class_names or ()))
        made = _stream(paths, numbers, size, read, own_key)
        made.class_names, made.file_paths = files.class_names, [os.fspath(path) for path in paths]
        return made

    parts = _parts(who, order, validation_split, subset)
    made = [stream(part, key if i == 0 and subset != "validation" else None) for i, part in enumerate(parts)]
    return made if subset == "both" else made[0]


def _stream(paths: list[Path], labels: np.ndarray | None, size: int | None, read: Read, key: Any) -> Stream:
    def begin(passes: int) -> Iterator[Any]:
        order = np.arange(len(paths)) if key is None else random.permutation(random.fold_in(key, passes), len(paths))
        for at in range(0, len(paths), size or 1):
            chosen = order[at : at + (size or 1)]
            values, numbers = read([paths[i] for i in chosen]), None if labels is None else labels[chosen]
            if size is None:
                values, numbers = values[0], None if numbers is None else numbers[0]
            yield values if numbers is None else (values, numbers)

    return Stream(begin, -(-len(paths) // (size or 1)))


def _as(mode: str | None, labels: np.ndarray, classes: int) -> np.ndarray:
    """The labels in the form of a mode."""
    if mode == "binary":
        return labels.astype("float32")[:, None]
    return one_hot(labels, classes) if mode == "categorical" else labels


def _in_one_order(who: str, count: int, shuffle: bool, seed: int | None, splits: bool) -> np.ndarray:
    """The files in the order in which Keras parts them for this seed."""
    if shuffle and splits and seed is None:
        raise StructureError(
            f"{who}: validation_split with shuffle=True needs a seed, or files for training are in both parts: seed=1."
        )
    order = np.arange(count)
    if shuffle and seed is not None:
        np.random.RandomState(seed).shuffle(order)
    return order


def _parts(who: str, order: np.ndarray, split: float | None, subset: str | None) -> list[np.ndarray]:
    if split is None or subset is None:
        if (split is None) != (subset is None):
            raise StructureError(f"{who}: validation_split and subset belong together. Give both, or none.")
        return [order]
    one_of(who, "subset", subset, ("training", "validation", "both"))
    tests = int(number(who, "validation_split", split, "(0, 1)") * len(order))
    training, validation = order[: len(order) - tests], order[len(order) - tests :]
    chosen = {"training": [training], "validation": [validation], "both": [training, validation]}[subset]
    if not all(len(part) for part in chosen):
        raise ValueRangeError(f"{who}: validation_split={split} of {len(order)} files leaves a part without any.")
    return chosen
