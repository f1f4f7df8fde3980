"""Keras 3's layout of weights in HDF5, in files ``*.weights.h5`` and in archives: paths say which variable is which.

The path of a variable leads from the model over attributes to it: ``layers/lstm/cell/vars/0``. Source: Keras 3,
``saving_lib.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fnet.io import hdf5
from fnet.io.keras.flattened import assigned
from fnet.io.keras.members import Member, Numbers, element_names, filled
from fnet.io.keras.variables import Variable

GROUP = "layers"
_OLDER = "_layer_checkpoint_dependencies"  # its name in files of the first versions of Keras 3


def write(file: Any, members: Sequence[Member], put: Callable[[Any, str, Variable], None]) -> None:
    """Write the layers into a file; ``put(file, path, variable)`` writes an array."""
    for name, member in zip(element_names(members), members, strict=True):
        file.require_group(f"{GROUP}/{name}/vars").attrs["name"] = member.name
        for path, variable in member.variables.by_path(f"{GROUP}/{name}/"):
            put(file, path, variable)
    file.create_group("vars")


def read(file: Any, members: Sequence[Member], templates: Mapping[str, Any], numbers: Numbers) -> dict[str, np.ndarray]:
    """The arrays of the layers by their paths in ``{"params": ..., "state": ...}``; a `FileError` lists differences."""
    return filled(
        templates, _wanted(file, members), lambda at: hdf5.shape(file, at), numbers, hdf5.size(file),
    )  # fmt: skip


def read_chain(
    file: Any,
    members: Sequence[Member],
    templates: Mapping[str, Any],
    numbers: Numbers,
    told: Callable[[], Sequence[Member]] | None = None,
) -> dict[str, np.ndarray] | None:
    """The arrays as in `read` for the layers of a chain, which are in models within models in the file.

    None where they are not, see `flattened.assigned`, also of `told`.
    """
    if all(hdf5.shape(file, path) is not None for path, _ in _wanted(file, members)):
        return None
    wanted = assigned(file, _top(file), members, templates, told)
    if wanted is None:
        return None
    return filled(templates, wanted, lambda at: hdf5.shape(file, at), numbers, hdf5.size(file))


def nearest(file: Any, views: Sequence[list[Member]]) -> list[Member]:
    """Of several views of a network, the one of which the file has most; the first of several."""

    def there(members: list[Member]) -> int:
        return sum(hdf5.shape(file, path) is not None for path, _ in _wanted(file, members))

    return max(views, key=there)


def _wanted(file: Any, members: Sequence[Member]) -> list[tuple[str, Variable]]:
    top = _top(file)
    return [
        pair
        for name, member in zip(element_names(members), members, strict=True)
        for pair in member.variables.by_path(f"{top}/{name}/")
    ]


def _top(file: Any) -> str:
    return GROUP if hdf5.is_group(file, GROUP) else _OLDER


def is_there(file: Any) -> bool:
    """Whether the file has this layout."""
    return any(hdf5.is_group(file, name) for name in (GROUP, _OLDER))
