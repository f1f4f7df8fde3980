"""The numbers of all epochs in a table, as text."""

from __future__ import annotations

import csv
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
        self._file: IO[str] | None = None

    def on_train_begin(self, run: Run) -> None:
        self._close()
        self.columns = None
        self._file = self.filename.open("a", newline="", encoding="utf-8")
        self.length = self._file.tell() if self.append else 0

    def on_epoch_begin(self, run: Run) -> None:
        self._cut()

    def on_epoch_end(self, run: Run) -> None:
        if self._file is None:
            return
        self._cut()
        if self.columns is None:
            names = sorted(run.logs)
            validated = any(name.startswith("val_") for name in names)
            columns = names if validated else [*names, *(f"val_{name}" for name in names)]
            self.columns = (self._columns_there(names) if self.length else None) or columns
            if self.length and not self._ends_with_a_line():
                self._file.write("\n")
        writer = csv.writer(self._file, delimiter=self.separator)
        if not self.length:
            writer.writerow(["epoch", *self.columns])
        writer.writerow([run.epoch, *(_shown(run.logs.get(name, "NA")) for name in self.columns)])
        self._file.flush()
        self.length = self._file.tell()

    def on_train_end(self, run: Run) -> None:
        self._close()

    def _columns_there(self, names: list[str]) -> list[str] | None:
        """The columns of a file that has a header, None for one that has none."""
        with self.filename.open(newline="", encoding="utf-8", errors="replace") as file:
            first, *columns = next(csv.reader(file, delimiter=self.separator), [""])
        if first != "epoch":
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

    def _cut(self) -> None:
        """Remove what an earlier run wrote, or one that was killed after the moment from which this one goes on."""
        if self._file is not None:
            end = self._file.seek(0, os.SEEK_END)
            if end > self.length:
                self._file.truncate(self.length)
                self._file.seek(self.length)
            self.length = min(self.length, end)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_file": None}


def _shown(value: Any) -> Any:
    """A number as it is, several in brackets."""
    if isinstance(value, float | str) or np.ndim(value) == 0:
        return value
    return f'"[{", ".join(map(str, np.asarray(value).tolist()))}]"'
