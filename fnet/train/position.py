"""Where a run is: all that the rest of it depends on beside its arguments, so that another process can go on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from fnet import tree
from fnet.errors import StructureError
from fnet.io import manifest
from fnet.train.dataset import Dataset
from fnet.transfer import to_host
from fnet.transforms.primitive import spec_of

_MOST_BYTES = 1 << 24  # of an array of which the identity has a checksum; of a larger one rows are picked
_STRETCHES = 16  # of neighbouring rows, which are picked of a data set
_MOST_LISTED = 8


class RunPosition(NamedTuple):
    """The moment after a step or after an epoch, when all callbacks have seen it: plain data with arrays.

    identity: of the run, see `identity`. epoch, batch: so many steps of epoch number `epoch` are done; of an epoch that
    is over, epoch is the next one and batch 0. done: steps of the run. stopping: whether a callback has asked to stop.
    held: whether the state of the optimizer holds the learning rates. leaves: of the `Training` tree that steps carry.
    key, step: from which the order of the epoch's samples derives. history, epochs: the record. logs: of the latest
    epoch. memories: of the callbacks.
    """

    identity: dict[str, str]
    epoch: int
    batch: int
    done: int
    stopping: bool
    held: bool
    leaves: list[Any]
    key: Any
    step: int
    history: dict[str, list[Any]]
    epochs: list[int]
    logs: dict[str, Any]
    memories: dict[str, dict[str, Any]]


def identity(arguments: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, str]:
    """What a run was called with, as texts by name, which are the same in every process.

    arguments: things with a text. arrays: trees of arrays; each gives its shape, its dtype and a checksum, that of an
    array or a data set of more than 16 MB is of some of its rows.
    """
    texts = {name: re.sub(r" at 0x[0-9a-f]+", "", repr(value)) for name, value in arguments.items()}
    return texts | {path: _of_array(leaf) for path, leaf in tree.leaves_with_path(dict(arrays))}


def check_identity(found: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Raise a `StructureError` that says what differs between the run of a backup and this one."""
    names = [name for name in dict.fromkeys((*expected, *found)) if found.get(name) != expected.get(name)]
    if not names:
        return
    parts = [_difference(name, found.get(name, "none"), expected.get(name, "none")) for name in names[:_MOST_LISTED]]
    more = f"; and {len(names) - _MOST_LISTED} more" if len(names) > _MOST_LISTED else ""
    raise StructureError(
        f"the backup is of another training: {'; '.join(parts)}{more}. "
        f"Call fit as before, or remove the folder to begin anew."
    )


def _difference(name: str, found: str, expected: str) -> str:
    alike = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b), 0)
    begin = max(alike - 20, 0)
    was, now = (f"{'...' if begin else ''}{text[begin : begin + 60]}" for text in (found, expected))
    return f"{name} was {was}, is {now}"


def _of_array(leaf: Any) -> str:
    if isinstance(leaf, Dataset):
        return f"{leaf.dtype} {leaf.shape} with the checksum {manifest.digest(_picked(leaf))[:16]}"
    spec = spec_of(leaf)
    n = spec.shape[0] if spec.shape else 1
    size = int(np.prod(spec.shape)) * spec.dtype.itemsize
    if size > _MOST_BYTES:
        rows = max(1, _MOST_BYTES * n // size)
        leaf = leaf[np.linspace(0, n - 1, rows).astype(int)] if type(leaf) is np.ndarray else leaf[:rows]
    return f"{spec.dtype} {spec.shape} with the checksum {manifest.digest(np.asarray(to_host(leaf)))[:16]}"


def _picked(data: Dataset) -> np.ndarray:
    """The samples of a small data set; stretches from all over a large one."""
    n = len(data)
    rows = max(1, min(n, _MOST_BYTES * n // max(data.nbytes, 1)) // _STRETCHES)
    begins = range(0, n, rows) if data.nbytes <= _MOST_BYTES else np.linspace(0, n - rows, _STRETCHES).astype(int)
    return np.concatenate([np.asarray(data.read(int(at), min(int(at) + rows, n))) for at in begins])
