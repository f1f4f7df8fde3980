"""A folder with the last checkpoints of a training, and the best."""

from __future__ import annotations

import math
import os
import re
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeVar

from fnet.arguments import integer, known_word, number
from fnet.errors import FileError
from fnet.io.atomic import remove_abandoned
from fnet.io.checkpoint import trees

T = TypeVar("T")
_NAME = re.compile(r"checkpoint-(\d{12,})(?:-([\d.e+-]+|-?inf|nan))?\.h5")


class Rotation:
    """Keeps the last `keep` checkpoints of a folder, and the `keep_best` with the best values.

    A file takes its place when it is complete and verified, and only then older ones are removed. Its name has the step
    and the value, so nothing else needs to be kept, and a process that is killed at any moment leaves the folder in
    order. folder: made with the first checkpoint. mode: "min" or "max" is better; of equal values the earlier one.
    Raises `ValueRangeError` for numbers below 1 (`keep`) and 0 (`keep_best`) and for another mode.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     rotation = Rotation(folder, keep=2, keep_best=1)
    ...     for step, loss in enumerate([0.5, 0.25, 0.75, 1.0]):
    ...         path = rotation.save(step, {"step": step}, loss)
    ...     [path.name[17:] for path in rotation.paths()], latest(folder, {"step": 0})
    (['000001-0.25.h5', '000002-0.75.h5', '000003-1.0.h5'], {'step': 3})
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        keep: int = 3,
        keep_best: int = 0,
        mode: Literal["min", "max"] = "min",
    ) -> None:
        self.folder = Path(folder)
        self.keep = integer("Rotation", "keep", keep, 1)
        self.keep_best = integer("Rotation", "keep_best", keep_best, 0)
        self.mode = known_word("Rotation", "mode", mode, ("min", "max"))

    def save(self, step: int, tree: Any, value: float | None = None) -> Path:
        """Save a tree as the checkpoint of a step, as `fnet.checkpoint.save`, and remove what is no longer kept.

        value: what the best are chosen by. Returns the path of the file.
        """
        return self.write(step, lambda path: trees.save(path, tree), value)

    def write(self, step: int, save: Callable[[Path], None], value: float | None = None) -> Path:
        """As `save`, of a file that ``save(path)`` writes."""
        step = integer("Rotation", "step", step, 0)
        shown = "" if value is None else f"-{number('Rotation', 'value', value)!r}"
        path = self.folder / f"checkpoint-{step:012d}{shown}.h5"
        self.folder.mkdir(parents=True, exist_ok=True)
        save(path)
        remove_abandoned(self.folder, _NAME)
        for other in self._superfluous(path, step):
            other.unlink(missing_ok=True)
        return path

    def paths(self) -> list[Path]:
        """The checkpoints, the earliest first."""
        return [found.path for found in _found(self.folder)]

    def best(self) -> Path | None:
        """The checkpoint with the best value, None where none has one."""
        ranked = self._ranked(_found(self.folder))
        return ranked[0].path if ranked else None

    def clear(self) -> None:
        """Remove all checkpoints, and the folder if nothing else is in it."""
        for path in reversed(self.paths()):
            path.unlink(missing_ok=True)
        remove_abandoned(self.folder, _NAME)
        with suppress(OSError):  # other files are there, or it is gone already
            self.folder.rmdir()

    def _superfluous(self, newest: Path, step: int) -> list[Path]:
        """All but the last ones, the best and the newest, which comes before others where a run began anew.

        It takes the place of a checkpoint of its step that has another value.
        """
        found = _found(self.folder)
        current = [one for one in found if one.step != step or one.path == newest]
        kept = {newest, *(one.path for one in [*current[-self.keep :], *self._ranked(current)[: self.keep_best]])}
        return [one.path for one in found if one.path not in kept]

    def _ranked(self, found: list[_Checkpoint]) -> list[_Checkpoint]:
        valued = [one for one in found if one.value is not None]
        return sorted(valued, key=lambda one: (one.value or 0.0) * (1 if self.mode == "min" else -1))


class _Checkpoint(NamedTuple):
    step: int
    path: Path
    value: float | None


def latest(folder: str | os.PathLike[str], like: Any) -> Any:
    """The tree of the latest sound checkpoint in a folder of `Rotation`, None where there is none at all.

    like: see `fnet.checkpoint.load`. A damaged file is skipped for the one before, with a warning that names it.
    Raises `FileError` where there are files and none can be read, or where they are of another tree.
    """
    return read_latest(folder, lambda path: trees.load(path, like))


def read_latest(folder: str | os.PathLike[str], read: Callable[[Path], T]) -> T | None:
    """As `latest`, of files that ``read(path)`` reads."""
    errors = []
    for _, path, _ in reversed(_found(Path(folder))):
        try:
            found = read(path)
        except FileNotFoundError:  # another process has removed it since
            continue
        except (FileError, OSError) as error:
            errors.append(error)
            continue
        for skipped in errors:
            warnings.warn(f"a checkpoint cannot be read, and the one before is used: {skipped}", stacklevel=3)
        return found
    if errors:
        raise FileError(
            f"none of the checkpoints in '{folder}' can be read. The latest: {errors[0]} "
            f"Remove the folder to begin anew."
        )
    return None


def _found(folder: Path) -> list[_Checkpoint]:
    """The checkpoints in a folder, the earliest first."""
    try:
        entries = list(folder.iterdir())
    except FileNotFoundError:
        return []
    found = []
    for path in entries:
        name = _NAME.fullmatch(path.name)
        if name:
            value = _number(name[2])
            found.append(_Checkpoint(int(name[1]), path, value))
    return sorted(found, key=lambda one: (one.step, one.path.name))


def _number(text: str | None) -> float | None:
    """The value in a name; None for none, and for what orders nothing."""
    try:
        value = float(text or "nan")
    except ValueError:
        return None
    return None if math.isnan(value) else value
