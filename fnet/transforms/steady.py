"""Steady calls: calls of a training loop, which pass back the donated trees that the last call returned.

Their other arguments are arrays of the same dtypes and shapes as before. A steady call compares identities, dtypes and
shapes, then runs the kernels. It flattens and copies nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import numpy as np

from fnet import tree
from fnet.device import Array, Block, Device
from fnet.errors import StructureError
from fnet.transforms.donation import Path, follow

_PLAIN = (tuple, list, dict)


@dataclass(frozen=True, slots=True)
class Parts:
    """What is in the arguments that are not donated.

    containers: (path, type, keys or length) of each container, the outer ones first. arrays: (path, dtype, shape) of
    each array, in the order of the plan's inputs. objects: (path, object) of each static argument and each None.
    kind: the class of the arrays.
    """

    kind: type[Any]
    containers: list[tuple[Path, type, Any]] = field(default_factory=list)
    arrays: list[tuple[Path, np.dtype, tuple[int, ...]]] = field(default_factory=list)
    objects: list[tuple[Path, Any]] = field(default_factory=list)

    def add(self, part: Any, path: Path) -> bool:
        """Add an argument; False where it is not made of arrays in plain tuples, lists and dicts."""
        if type(part) is self.kind:
            self.arrays.append((path, part.dtype, part.shape))
            return True
        if part is None:
            self.objects.append((path, part))
            return True
        if type(part) not in _PLAIN:
            return False
        self.containers.append((path, type(part), _entries(part)))
        return all(self.add(part[key], (*path, key)) for key in keys(part))


@dataclass(slots=True)
class Fresh:
    """The arrays of a result that every call makes anew.

    known: the path of each donated tree in the result, with the number of its leaves. count: how many outputs of the
    plan have been passed. arrays: (path in the result, number of the output, dtype, shape) of each new array.
    kind: the class of the arrays.
    """

    kind: type[Any]
    known: Mapping[Path, int]
    count: int = 0
    arrays: list[tuple[Path, int, np.dtype, tuple[int, ...]]] = field(default_factory=list)

    def add(self, part: Any, path: Path = ()) -> bool:
        """Add a part; False where it is neither donated nor made of arrays in plain tuples, lists and dicts."""
        if path in self.known:
            self.count += self.known[path]
            return True
        if type(part) is self.kind:
            self.arrays.append((path, self.count, part.dtype, part.shape))
            self.count += 1
            return True
        return part is None or (type(part) in _PLAIN and all(self.add(part[key], (*path, key)) for key in keys(part)))


class Held:
    """A donated tree as a call returned it. It can be updated in place while it holds the same arrays.

    picture: a copy of its containers, None if all of them are immutable. Two containers that hold the same objects are
    equal, because Python compares identities first. Two different arrays are unequal or raise, unless they have one
    element. single: (container, key, array) of each array of one element, to be compared by identity.
    registered: (container, leaves, structure) of each container of a class of the user's. dicts: (dict, keys in order).
    has_lists: whether there is a list in it; otherwise only the dicts are mutable. arrays: (array, dtype, shape).
    """

    def __init__(self, part: Any, device: Device) -> None:
        self.part = part
        self.device, self.kind = device, device.array
        self.is_mutable = False
        self.dicts: list[tuple[dict, tuple[Any, ...]]] = []
        self.has_lists = False
        self.single: list[tuple[Any, Any, Any]] = []
        self.registered: list[tuple[Any, list[Any], tree.TreeDef]] = []
        self.arrays = [(leaf, leaf.dtype, leaf.shape) for leaf in tree.leaves(part)]
        copied = self._copied(part)
        self.picture = copied if self.is_mutable else None

    def is_same(self) -> bool:
        """Whether the tree holds what it held when it was returned."""
        try:
            if self.is_mutable and self.part != self.picture:
                return False
            if any(tuple(found) != entries for found, entries in self.dicts):
                return False
            if not all(part[key] is entry for part, key, entry in self.single) or not self.registered_are_same():
                return False
            return self.device.are_ready(self.arrays)
        except Exception:  # whatever comes of comparing an array with something else
            return False

    def registered_are_same(self) -> bool:
        """Whether the containers of the user's classes hold what they held."""
        for part, leaves, structure in self.registered:
            now, own = tree.flatten(part)
            if own != structure or not all(map(is_, now, leaves)):
                return False
        return True

    def _copied(self, part: Any) -> Any:
        kind = type(part)
        if kind in (dict, list):
            self.is_mutable = True
            if kind is list:
                self.has_lists = True
            else:
                self.dicts.append((part, tuple(part)))
            self.single += [(part, k, part[k]) for k in keys(part) if type(part[k]) is self.kind and part[k].size < 2]
            entries = [self._copied(part[key]) for key in keys(part)]
            return entries if kind is list else dict(zip(part, entries, strict=True))
        if isinstance(part, tuple):
            return tuple(map(self._copied, part))
        if part is not None and kind is not self.kind:
            self.registered.append((part, *tree.flatten(part)))
        return part


@dataclass(frozen=True, slots=True)
class Steady:
    """What a steady call looks like, and what it returns.

    names: of the arguments. returned: the result of the last call, with None in the places of new arrays.
    pairs: (position of a donated argument, its path in the result). held: the donated trees by position.
    device: where the arrays are. block: the memory of the donated ones. parts: the other arguments. numbers: which
    inputs of the plan the arrays of `parts` are. fresh: the new arrays, see `Fresh.arrays`.
    """

    names: list[str]
    returned: Any
    pairs: list[tuple[int, Path]]
    held: dict[int, Held]
    device: Device
    block: Block
    parts: Parts
    numbers: list[int]
    fresh: list[tuple[Path, int, np.dtype, tuple[int, ...]]]

    def matches(self, args: tuple[Any, ...]) -> bool:
        """Whether a call with these arguments is steady; see `are_apart`."""
        if len(args) != len(self.names):
            return False
        if any(args[position] is not follow(self.returned, path) for position, path in self.pairs):
            return False
        if not all(held.is_same() for held in self.held.values()):
            return False
        for path, kind, entries in self.parts.containers:
            part = follow(args, path)
            if type(part) is not kind or _entries(part) != entries:
                return False
        if any(follow(args, path) is not known for path, known in self.parts.objects):
            return False
        if not self.device.are_ready([(follow(args, path), dtype, shape) for path, dtype, shape in self.parts.arrays]):
            return False
        return self.are_apart(args)

    def are_apart(self, args: tuple[Any, ...]) -> bool:
        """True where no other argument shares memory with a donated array; a `StructureError` names one that does."""
        return not self.pairs or all(self._is_apart(follow(args, path), path) for path, _, _ in self.parts.arrays)

    def _is_apart(self, array: Array, path: Path) -> bool:
        share_memory = self.device.share_memory
        if not share_memory(array, self.block):
            return True
        trees = ((position, tree.leaves(follow(self.returned, where))) for position, where in self.pairs)
        shared = [p for p, leaves in trees if any(share_memory(array, leaf) for leaf in leaves)]
        read = "/".join([self.names[path[0]], *map(str, path[1:])])
        donated = self.names[min(shared, default=self.pairs[0][0])]
        raise StructureError(
            f"the argument '{read}' shares memory with the donated argument '{donated}', which this call overwrites.\n"
            f"Pass a copy, e.g. {'np.array(x)' if self.device.array is np.ndarray else 'x.copy()'}."
        )

    def inputs(self, args: tuple[Any, ...], count: int) -> list[Any]:
        """The `count` inputs of the plan, None where they are donated."""
        inputs: list[Any] = [None] * count
        for number, (path, _, _) in zip(self.numbers, self.parts.arrays, strict=True):
            inputs[number] = follow(args, path)
        return inputs

    def result(self, outputs: list[Any]) -> Any:
        """The result of a steady call: the donated trees as before, with new arrays in the other places."""
        known = {path: follow(self.returned, path) for _, path in self.pairs}
        return rebuilt(self.returned, known | {path: outputs[k] for path, k, _, _ in self.fresh})


def rebuilt(part: Any, known: dict[Path, Any], path: Path = ()) -> Any:
    """A tree like `part`, of new containers down to the `known` parts."""
    if path in known:
        return known[path]
    if part is None:
        return None
    entries = [rebuilt(part[key], known, (*path, key)) for key in keys(part)]
    return dict(zip(part, entries, strict=True)) if type(part) is dict else type(part)(entries)


def keys(container: Any) -> Iterable[Any]:
    """What the entries of a dict, tuple or list are found by."""
    return container if isinstance(container, dict) else range(len(container))


def _entries(container: Any) -> Any:
    """The keys of a dict, in their order; the length of a tuple or list."""
    return tuple(container) if type(container) is dict else len(container)
