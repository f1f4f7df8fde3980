"""Texts in folders as batches, in the words of Keras."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fnet.data.folders import read_text
from fnet.keras.directory_batches import batches_of_files


def text_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: Any = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    batch_size: int | None = 32,
    max_length: int | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> Any:
    """Batches ``(texts, labels)`` of the files ``*.txt`` in a folder, which has a folder for each class.

    The batches are read when they are asked for, each pass in another order with `shuffle`. They have ``class_names``,
    and `map`, `take`, `skip`, `cache` and `prefetch` as of ``tf.data``. label_mode: "int"; "binary", (N, 1) floats;
    "categorical", one-hot rows; None, texts alone. validation_split, subset: the part for "training" or "validation",
    or "both" of them; for the same `seed` it is the part that Keras takes. batch_size: None gives one text at a time.
    Source: Keras ``text_dataset_from_directory``.
    """

    def read(paths: list[Path]) -> np.ndarray:
        return np.array([read_text(path, max_length) for path in paths], object)

    return batches_of_files(
        "text_dataset_from_directory", directory, (".txt",), read, labels, label_mode, class_names, batch_size, shuffle,
        seed, validation_split, subset, follow_links, verbose,
    )  # fmt: skip
