"""Files in folders, one folder for each class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fnet.arguments import positive_integer
from fnet.errors import FileError, ShapeError, ValueRangeError


class LabelledFiles(NamedTuple):
    """Files in the order of their paths, the number of the class of each, and the names of the classes."""

    paths: list[Path]
    labels: np.ndarray | None
    class_names: list[str] | None


def files_by_class(
    folder: str | os.PathLike[str],
    suffixes: Sequence[str],
    labels: Any = "inferred",
    class_names: Sequence[str] | None = None,
    follow_links: bool = False,
) -> LabelledFiles:
    """The files with some suffixes below a folder, which has a folder for each class.

    labels: "inferred", from the names of these folders in their order; None without labels; or one integer for each
    file, in the order of the paths, wherever it lies. class_names: another order of folders, or some of them.
    Raises `FileError` where there is no such folder, or no such file. Source: Keras ``index_directory``.
    """
    root = Path(folder)
    if not root.is_dir():
        raise FileError(f"there is no folder {os.fspath(folder)!r}.")
    if not isinstance(labels, str) or labels != "inferred":
        paths = _below(root, suffixes, follow_links)
        _check_any(paths, folder, suffixes)
        if labels is None:
            return LabelledFiles(paths, None, None)
        numbers = np.asarray(labels)
        if numbers.shape != (len(paths),):
            raise ShapeError(f"labels: expected one for each of {len(paths)} files, received shape {numbers.shape}.")
        return LabelledFiles(paths, numbers.astype("int32"), [str(label) for label in sorted(set(numbers.tolist()))])
    found = sorted(part.name for part in root.iterdir() if part.is_dir() and not part.name.startswith("."))
    names = found if class_names is None else list(class_names)
    if not set(names) <= set(found):
        raise ValueRangeError(f"class_names: expected some of the folders {found}, received {names}.")
    of_class = [_below(root / name, suffixes, follow_links) for name in names]
    paths = [path for own in of_class for path in own]
    _check_any(paths, folder, suffixes)
    return LabelledFiles(paths, np.repeat(np.arange(len(names), dtype="int32"), [len(own) for own in of_class]), names)


def read_text(path: Path, max_length: int | None = None) -> str:
    """The text of a file in UTF-8, of at most so many bytes; what is no text in UTF-8 stands for itself."""
    if max_length is not None:
        positive_integer("read_text", "max_length", max_length)
    with path.open("rb") as file:
        return file.read(-1 if max_length is None else max_length).decode("utf-8", "replace")


def text_files(
    folder: str | os.PathLike[str], class_names: Sequence[str] | None = None, max_length: int | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """``(texts, labels, class_names)`` of the files ``*.txt`` in a folder, which has a folder for each class.

    texts: (N,) strings, labels: (N,) integers; a layer `fnet.layers.TextVectorization` makes numbers of texts.
    max_length: of a text in bytes; longer ones are cut off. Source: Keras ``text_dataset_from_directory``.
    """
    files = files_by_class(folder, (".txt",), class_names=class_names)
    assert files.labels is not None and files.class_names is not None
    return np.array([read_text(path, max_length) for path in files.paths], object), files.labels, files.class_names


def _below(folder: Path, suffixes: Sequence[str], follow_links: bool) -> list[Path]:
    walked = sorted(os.walk(folder, followlinks=follow_links), key=lambda found: found[0])
    return [
        Path(at) / name for at, _, names in walked for name in sorted(names) if name.lower().endswith(tuple(suffixes))
    ]


def _check_any(paths: list[Path], folder: Any, suffixes: Sequence[str]) -> None:
    if not paths:
        raise FileError(f"there are no files {', '.join(f'*{s}' for s in suffixes)} in {os.fspath(folder)!r}.")
