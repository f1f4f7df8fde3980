"""A training that goes on where it was when its process was killed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from fnet.arguments import integer
from fnet.callbacks.constructor import CALLBACKS, known_arguments
from fnet.device import device_of
from fnet.errors import FileError, scope
from fnet.io.checkpoint.rotation import Rotation, read_latest
from fnet.io.records import load_record, save_record
from fnet.train.callback import Callback
from fnet.train.position import RunPosition
from fnet.train.run import Run
from fnet.tree import leaves

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment,unused-ignore]


@CALLBACKS.named()
class BackupAndRestore(Callback):
    """Back up the training after every epoch, or every `save_freq` steps; `fit`, called again, goes on from there.

    Where the process was killed, at whatever moment, the same call of `fit` gives the bits of one that was never
    stopped: parameters, optimizer, order of samples, the numbers of the epoch, the record, and what callbacks of
    `fnet.callbacks` and of your own (`Callback.memory`) remember. `epochs` may be larger than before.
    backup_dir: a folder for one training alone, made if needed. A backup takes its place when it is complete and
    verified; one that is damaged later is skipped, with a warning, for the one before. double_checkpoint: keep the two
    last ones. delete_checkpoint: remove them when `fit` has ended, but not after Ctrl-C or an error.
    Raises `StructureError` that says what differs where the backup is of a training with other data or arguments,
    `FileError` where another process trains with this folder. Source: Keras ``BackupAndRestore``.

    >>> BackupAndRestore("backup", save_freq=100)
    BackupAndRestore(backup_dir='backup', save_freq=100)
    """

    @known_arguments
    def __init__(
        self,
        backup_dir: str | os.PathLike[str],
        save_freq: Literal["epoch"] | int = "epoch",
        double_checkpoint: bool = False,
        delete_checkpoint: bool = True,
    ) -> None:
        self.backup_dir = Path(backup_dir)
        self.save_freq = "epoch" if save_freq == "epoch" else integer(
            "BackupAndRestore", "save_freq", save_freq, 1, "expected {argument} to be 'epoch' or a number of steps"
        )  # fmt: skip
        self.delete_checkpoint = delete_checkpoint
        self._rotation = Rotation(self.backup_dir, keep=2 if double_checkpoint else 1)
        self._lock: int | None = None

    @property
    def batch_interval(self) -> int | None:
        return None if isinstance(self.save_freq, str) else self.save_freq

    def on_train_begin(self, run: Run) -> None:
        self.backup_dir.mkdir(parents=True, exist_ok=True)
        self._acquire()
        put = device_of(leaves(run.ts)).put
        found = read_latest(self.backup_dir, lambda path: load_record(path, put))
        if found is not None:
            with scope(str(self.backup_dir)):
                run.go_on(RunPosition(**found))

    def on_train_batch_end(self, run: Run) -> None:
        run.hand_position(self._save)

    def on_epoch_end(self, run: Run) -> None:
        if self.save_freq == "epoch":
            run.hand_position(self._save)

    def on_train_end(self, run: Run) -> None:
        if self._lock is None:  # it has not begun
            return
        if self.delete_checkpoint and not run.interrupted and run.error is None:
            self._rotation.clear()
        os.close(self._lock)
        self._lock = None

    def _save(self, position: RunPosition) -> None:
        self._rotation.write(position.done, lambda path: save_record(path, position._asdict()))

    def _acquire(self) -> None:
        """Hold the lock of the folder, which ends with this run or its process."""
        handle = os.open(self.backup_dir, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise FileError(
                f"another run of fit trains with backup_dir '{self.backup_dir}' now. Give each its own folder."
            ) from None
        except (OSError, AttributeError):  # the file system or the operating system has no such locks
            pass
        self._lock = handle

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_lock": None}
