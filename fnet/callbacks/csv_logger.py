"""The numbers of all epochs in a table, as text."""

from __future__ import annotations

import csv
import io
import os
import warnings
from pathlib import Path
from typing import IO, Any

import numpy as np

from fnet.arguments import flag
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.errors import ValueRangeError
from fnet.train.callback import Callback
from fnet.train.run import Run

_BEGINNING = "epoch"


@CALLBACKS.named()
class CSVLogger(Callback):
    """A line of numbers for each epoch, in a file that is complete after every epoch.

    The columns are ``epoch``, counted from 0, and the names of the logs of the first epoch, sorted; without validation
    in it, those with ``val_`` too. What an epoch does not have is ``NA``. separator: one character between numbers.
    append: go on at the end of the file; the header is written if that is empty, otherwise its columns are those of the
    file, and a name that it does not have is warned of. Raises `ValueRangeError` for another separator, `OSError` for a
    file that cannot be written. Source: Keras ``CSVLogger``.

    >>> CSVLogger("training.csv", append=True)
    CSVLogger(filename='training.csv', append=True)
    """

    remembered = ("columns", "length")

    @known_arguments
    def __init__(self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False) -> None:
        if not (isinstance(separator, str) and len(separator) == 1 and separator not in '"\r\n'):
            raise ValueRangeError(f"CSVLogger: separator is one character, received {separator!r:.40}.")
        self.filename, self.separator = Path(filename), separator
        self.append = flag("CSVLogger", "append", append)
        self.columns: list[str] | None = None
        self.length = 0  # of what is in the file for good, in bytes
        self._file: IO[bytes] | None = None
        self._is_begun = False  # whether the file has the beginning of a table, and nothing else

    def on_train_begin(self, run: Run) -> None:
        self._close()
        self.columns = None
        self._file = open(self.filename, "wb", opener=_kept)  # noqa: SIM115  (it stays open during the training)
        self.length = self._file.seek(0, os.SEEK_END) if self.append else 0

    def on_epoch_begin(self, run: Run) -> None:
        self._cut()

    def on_epoch_end(self, run: Run) -> None:
        if self._file is None:
            return
        self._cut()
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.separator)
        if self.columns is None:
            names = sorted(run.logs)
            validated = any(name.startswith("val_") for name in names)
            columns = names if validated else [*names, *(f"val_{name}" for name in names)]
            self.columns = (self._columns_there(names) if self.length else None) or columns
            if self.length and not self._ends_with_a_line():
                text.write("\n")
        if not self.length:
            writer.writerow([_BEGINNING, *self.columns])
        writer.writerow([run.epoch, *(_shown(run.logs.get(name, "NA")) for name in self.columns)])
        self._file.write(text.getvalue().encode())
        self._file.flush()
        self.length, self._is_begun = self._file.tell(), False

    def on_train_end(self, run: Run) -> None:
        self._close()

    def _columns_there(self, names: list[str]) -> list[str] | None:
        """The columns of a file that has a header, None for one that has none."""
        with self.filename.open(newline="", encoding="utf-8", errors="replace") as file:
            first, *columns = next(csv.reader(file, delimiter=self.separator), [""])
        if first != _BEGINNING:
            return None
        lost = [name for name in names if name not in columns]
        if lost:
            warnings.warn(
                f"CSVLogger: '{self.filename}' has no column for {', '.join(lost)}, which are left out. Choose another "
                f"file, or append=False.",
                stacklevel=8,  # at the call of fit
            )
        return columns

    def _ends_with_a_line(self) -> bool:
        with self.filename.open("rb") as file:
            file.seek(self.length - 1)
            return file.read(1) in b"\r\n"

    def _length_there(self, length: int) -> int:
        """The length of what is in the file; of the mere beginning of a table it is 0."""
        if length != len(_BEGINNING):
            return length
        return 0 if self.filename.read_bytes() == _BEGINNING.encode() else length

    def _cut(self) -> None:
        """Remove what an earlier run wrote, or one that was killed after the moment from which this one goes on.

        A new table keeps its first letters. Of a file that was cut to nothing, ext4 waits for the disk at its close.
        """
        if self._file is None:
            return
        end = self._length_there(self._file.seek(0, os.SEEK_END))
        if end > self.length:
            if not self.length:
                self._file.seek(0)
                self._file.write(_BEGINNING.encode())
                self._is_begun = True
            self._file.truncate(self.length or len(_BEGINNING))
        self.length = min(self.length, end)
        self._file.seek(self.length)

    def _close(self) -> None:
        if self._file is not None:
            if self._is_begun:  # an epoch that did not end
                self._file.truncate(0)
            self._file.close()
            self._file, self._is_begun = None, False

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None, "_is_begun": False}


def _kept(path: str, flags: int) -> int:
    """Open a file to write, with what is in it."""
    return os.open(path, flags & ~os.O_TRUNC, 0o666)


def _shown(value: Any) -> Any:
    """A number as it is, several in brackets."""
    if isinstance(value, float | str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, np.asarray(value).tolist()))}]"'
