"""Keras' older layout of weights in HDF5, in files ``*.h5``: a group for each layer, a dataset for each variable.

Attributes list the names of layers and variables, and their order tells which is which. Source:
Keras 3 (``legacy_h5_format.py``) and ``tf.keras`` 2 (``hdf5_format.py``), which read what the other writes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fnet.errors import FileError, plain
from fnet.io import hdf5
from fnet.io.keras.members import Member, Numbers, filled, nested
from fnet.io.keras.variables import Variable, Variables

GROUP = "model_weights"
_LARGEST = 64512  # bytes of a list of names in one attribute
KERAS_VERSION = "3.0.0"  # whose files these are like


def write(group: Any, members: Sequence[Member], put: Callable[[Any, str, Variable], None]) -> None:
    """Write the layers into a group; ``put(group, name, variable)`` writes an array."""
    write_names(group, "layer_names", [member.name for member in members])
    group.attrs["backend"] = np.bytes_("tensorflow")
    group.attrs["keras_version"] = np.bytes_(KERAS_VERSION)
    for member in members:
        own = group.create_group(member.name)
        flat = [(f"{member.name}/{name}", variable) for name, variable in member.variables.flat()]
        write_names(own, "weight_names", [name for name, _ in flat])
        for name, variable in flat:
            put(own, name, variable)
    if "top_level_model_weights" not in group:
        write_names(group.create_group("top_level_model_weights"), "weight_names", [])


def read(
    file: Any,
    path: str,
    members: Sequence[Member],
    templates: Mapping[str, Any],
    numbers: Numbers,
    chain: bool = False,
) -> dict[str, np.ndarray]:
    """The arrays of the layers by their paths in ``{"params": ..., "state": ...}``, matched by their order.

    path: of the group, "" for the file itself. chain: whether the layers follow one another, so that those of a model
    in the file are some of them in a row. A `FileError` lists all differences.
    """
    group = hdf5.group(file, path)
    own = [member for member in members if member.variables.flat()]
    there = [(name, names) for name in hdf5.names(group, "layer_names") if (names := _weights(file, path, name))]
    if chain and len(own) > len(there):
        own = _joined_members(own, [len(names) for _, names in there]) or own
    if len(own) != len(there):
        raise FileError(
            f"it has the weights of another network: {len(there)} layers with weights "
            f"({', '.join(plain(name) for name, _ in there[:20]) or 'none'}), expected {len(own)} "
            f"({', '.join(member.name for member in own[:20]) or 'none'})."
        )
    wanted, differ = list[tuple[str, Variable]](), list[str]()
    for member, (name, names) in zip(own, there, strict=True):
        flat = _in_order(member.variables, names)
        if len(flat) != len(names):
            differ.append(f"'{plain(name)}' has {len(names)} weights, expected {len(flat)} for '{member.name}'")
        wanted += [(_joined(path, name, weight), variable) for weight, (_, variable) in zip(names, flat, strict=False)]
    if differ:
        raise FileError(f"it has the weights of another network: {'; '.join(differ[:50])}.")
    if len({weight for weight, _ in wanted}) < len(wanted):
        raise FileError("it lists an array twice: it is damaged or hostile.")
    return filled(
        templates, wanted, lambda at: hdf5.shape(file, at), numbers, hdf5.size(file),
    )  # fmt: skip


def _joined_members(members: Sequence[Member], counts: Sequence[int]) -> list[Member] | None:
    """Members of so many variables each, made of members that follow one another; None where that cannot be."""
    left, made = list(members), list[Member]()
    for count in counts:
        parts = list[Member]()
        while left and sum(len(part.variables.flat()) for part in parts) < count:
            parts.append(left.pop(0))
        names = f"{parts[0].name} to {parts[-1].name}" if len(parts) > 1 else ""
        made += [Member(names, "", nested(parts))] if names else parts
    fits = [len(member.variables.flat()) for member in made] == list(counts)
    return made if fits and not left else None


def _in_order(variables: Variables, names: Sequence[str]) -> list[tuple[str, Variable]]:
    """The variables in the order of the file, which depends on what was frozen when it was written.

    It is the order in which their names, such as ``kernel``, are those of the file; that of the network where none is.
    """
    every = list(variables.ordered())
    by_kind = [[pair for pair in every if pair[1].path.startswith("params/") is kind] for kind in (True, False)]
    orders = (variables.flat(), [*by_kind[0], *by_kind[1]], every)
    own = [_last(name) for name in names]
    return next((order for order in orders if [_last(name) for name, _ in order] == own), orders[0])


def _last(name: str) -> str:
    """The last part of a name, without the number of an output of TensorFlow.

    >>> _last("dense/kernel:0")
    'kernel'
    """
    return name.rpartition("/")[2].partition(":")[0]


def nearest(file: Any, path: str, views: Sequence[list[Member]]) -> list[Member]:
    """Of several views of a network, the one with as many layers as the file has; else the first."""
    count = sum(bool(_weights(file, path, name)) for name in hdf5.names(hdf5.group(file, path), "layer_names"))
    fitting = (members for members in views if sum(bool(member.variables.flat()) for member in members) == count)
    return next(fitting, views[0])


def is_there(file: Any) -> str | None:
    """The path of the group with the layers, None where the file has none."""
    if hdf5.has_names(file, "layer_names"):
        return ""
    return GROUP if hdf5.is_group(file, GROUP) and hdf5.has_names(hdf5.group(file, GROUP), "layer_names") else None


def write_names(group: Any, attribute: str, names: Sequence[str]) -> None:
    """A list of names as an attribute, in several where it is long."""
    data, parts = np.asarray([name.encode() for name in names], dtype=None if names else "S1"), 1
    if data.dtype.itemsize > _LARGEST:
        raise FileError(f"the name '{max(names, key=len):.60}...' is longer than an attribute of HDF5 may be.")
    while any(part.nbytes > _LARGEST for part in np.array_split(data, parts)):
        parts += 1
    if parts == 1:
        group.attrs[attribute] = data
    for i, part in enumerate(np.array_split(data, parts) if parts > 1 else []):
        group.attrs[f"{attribute}{i}"] = part


def _weights(file: Any, path: str, name: str) -> list[str]:
    return hdf5.names(hdf5.group(file, _joined(path, name)), "weight_names")


def _joined(*parts: str) -> str:
    return "/".join(part for part in parts if part)
