"""Files of events that TensorBoard reads, written through the library tensorboardX."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import os
import socket
import time
from pathlib import Path
from typing import Any

SECONDS_BETWEEN = 1.0  # of writing to the disk

_numbers = itertools.count()


def library(module: str) -> Any:
    """A module of tensorboardX, by its name in that. Raises `ImportError` where it is not installed."""
    try:
        return importlib.import_module(f"tensorboardX.{module}")
    except ImportError as error:
        raise ImportError(
            f"TensorBoard: its files are written by tensorboardX ({error}). "
            f"Install it: pip install 'fnet[tensorboard]'."
        ) from error


class EventFile:
    """A new file of events in a folder, which is made.

    It is written in the thread that calls, so that this sees the `OSError` of a full disk: tensorboardX's own writers
    have a thread, which ends then, and calls would wait for it for ever.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        name = f"events.out.tfevents.{int(time.time()):010d}.{socket.gethostname()}.{os.getpid()}.{next(_numbers)}"
        self._event = library("proto.event_pb2").Event
        self._records = library("record_writer").RecordWriter(str(folder.absolute() / name))
        self._flushed = float("-inf")
        self._write(self._event(wall_time=time.time(), file_version="brain.Event:2"))

    def add(self, summary: Any, step: int) -> None:
        """Write a ``Summary`` that belongs to a step."""
        self._write(self._event(wall_time=time.time(), step=step, summary=summary))

    def add_graph(self, graph: Any) -> None:
        """Write a ``GraphDef``."""
        self._write(self._event(wall_time=time.time(), graph_def=graph.SerializeToString()))

    def close(self) -> None:
        """Write what is left to the disk; what cannot be written is lost, with an `OSError`."""
        try:
            self._records.flush()
        finally:
            with contextlib.suppress(OSError):
                self._records.close()

    def _write(self, event: Any) -> None:
        self._records.write(event.SerializeToString())
        if time.monotonic() - self._flushed > SECONDS_BETWEEN:
            self._records.flush()
            self._flushed = time.monotonic()
