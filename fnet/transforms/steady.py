"""The shortest way into compiled code: a Python function written for one steady call.

In a training loop the donated trees that come in are those returned last, and the other arguments are arrays of the
same kind. Then only identities, dtypes and shapes are compared before the native function is called. At a few
microseconds a step every loop and every attribute counts, so the comparisons are written out for the arguments at hand.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import is_
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import StructureError
from fnet.transforms.donation import Path, follow

_PLAIN = (tuple, list, dict)


@dataclass(frozen=True, slots=True)
class Parts:
    """What is in the arguments that are not donated: containers from the outside in, arrays, and other objects.

    containers: (path, type, keys or length); arrays: (path, dtype, shape), in the order of the inputs of the plan;
    objects: (path, static argument or None).
    """

    containers: list[tuple[Path, type, Any]] = field(default_factory=list)
    arrays: list[tuple[Path, np.dtype, tuple[int, ...]]] = field(default_factory=list)
    objects: list[tuple[Path, Any]] = field(default_factory=list)

    def add(self, part: Any, path: Path) -> bool:
        """Add an argument; False where it is not made of arrays in plain tuples, lists and dicts."""
        if type(part) is np.ndarray:
            self.arrays.append((path, part.dtype, part.shape))
            return True
        if part is None:
            self.objects.append((path, part))
            return True
        if type(part) not in _PLAIN:
            return False
        self.containers.append((path, type(part), _entries(part)))
        return all(self.add(part[key], (*path, key)) for key in _keys(part))


@dataclass(slots=True)
class Fresh:
    """The arrays of a result that are new in every call: those beside the donated arguments, whose paths are `known`.

    count: how many outputs of the plan were met; arrays: (path, number of the output, dtype, shape).
    """

    known: Mapping[Path, int]
    count: int = 0
    arrays: list[tuple[Path, int, np.dtype, tuple[int, ...]]] = field(default_factory=list)

    def add(self, part: Any, path: Path = ()) -> bool:
        """Add a part; False where it is neither donated nor made of arrays in plain tuples, lists and dicts."""
        if path in self.known:
            self.count += self.known[path]
            return True
        if type(part) is np.ndarray:
            self.arrays.append((path, self.count, part.dtype, part.shape))
            self.count += 1
            return True
        return part is None or (type(part) in _PLAIN and all(self.add(part[key], (*path, key)) for key in _keys(part)))


class Held:
    """A donated tree as it was returned: to be updated in place, it must still hold the same arrays.

    picture: a copy of its containers, None if all of them are immutable. Containers are equal at once where they hold
    the same objects. Other arrays are not equal, or have no truth value, but for those of one element: they are in
    `single`, as (container, key, array). registered: (container of the user's own class, its leaves).
    """

    def __init__(self, part: Any) -> None:
        self.part = part
        self.is_mutable = False
        self.single: list[tuple[Any, Any, Any]] = []
        self.registered: list[tuple[Any, list[Any]]] = []
        copied = self._copied(part)
        self.picture = copied if self.is_mutable else None

    def is_same(self) -> bool:
        """Whether nothing in it was exchanged, added or taken out."""
        try:
            if self.is_mutable and self.part != self.picture:
                return False
            return all(part[key] is entry for part, key, entry in self.single) and self.registered_are_same()
        except Exception:  # whatever comes of comparing an array with something else
            return False

    def registered_are_same(self) -> bool:
        """The same of the parts that are of the user's own classes."""
        found = ((tree.leaves(part), leaves) for part, leaves in self.registered)
        return all(len(now) == len(leaves) and all(map(is_, now, leaves)) for now, leaves in found)

    def _copied(self, part: Any) -> Any:
        kind = type(part)
        if kind in (dict, OrderedDict, list):
            self.is_mutable = True
            self.single += [(part, k, part[k]) for k in _keys(part) if type(part[k]) is np.ndarray and part[k].size < 2]
            entries = [self._copied(part[key]) for key in _keys(part)]
            return entries if kind is list else dict(zip(part, entries, strict=True))
        if isinstance(part, tuple):
            return tuple(map(self._copied, part))
        if part is not None and kind is not np.ndarray:
            self.registered.append((part, tree.leaves(part)))
        return part


@dataclass(frozen=True, slots=True)
class Steady:
    """What a call must look like to be steady, and what it returns.

    names: of the arguments; returned: the result of the last call, with None for the arrays that are new in every call;
    pairs: (position of a donated argument, its path in the result); held: the donated trees, by position;
    block: the memory of the donated arrays; parts: the other arguments; numbers: the inputs of the plan that their
    arrays are; fresh: (path of a new array in the result, number of the output, dtype, shape).
    """

    names: list[str]
    returned: Any
    pairs: list[tuple[int, Path]]
    held: dict[int, Held]
    block: Any
    parts: Parts
    numbers: list[int]
    fresh: list[tuple[Path, int, np.dtype, tuple[int, ...]]]

    def matches(self, args: tuple[Any, ...]) -> bool:
        """Whether a call with these arguments is steady; see `is_apart`."""
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
        if not all(_is_alike(follow(args, path), dtype, shape) for path, dtype, shape in self.parts.arrays):
            return False
        return not self.pairs or all(self.is_apart(follow(args, path), path) for path, _, _ in self.parts.arrays)

    def is_apart(self, array: np.ndarray, path: Path) -> bool:
        """True for an array that is read, at this path; a `StructureError` if it shares memory with a donated one."""
        if not np.may_share_memory(array, self.block):
            return True
        trees = ((position, tree.leaves(follow(self.returned, where))) for position, where in self.pairs)
        shared = [p for p, leaves in trees if any(np.may_share_memory(array, leaf) for leaf in leaves)]
        read = "/".join([self.names[path[0]], *map(str, path[1:])])
        donated = self.names[min(shared, default=self.pairs[0][0])]
        raise StructureError(
            f"the argument '{read}' shares memory with the donated argument '{donated}', which this call overwrites.\n"
            f"Pass a copy, e.g. np.array(x)."
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
    entries = [rebuilt(part[key], known, (*path, key)) for key in _keys(part)]
    return dict(zip(part, entries, strict=True)) if type(part) is dict else type(part)(entries)


def _keys(container: Any) -> Iterable[Any]:
    return container if isinstance(container, dict) else range(len(container))


def _entries(container: Any) -> Any:
    """The keys of a dict, in their order; the length of a tuple or list."""
    return tuple(container) if type(container) is dict else len(container)


def _is_alike(array: Any, dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    return type(array) is np.ndarray and array.dtype is dtype and array.shape == shape and array.flags.carray


def steady_call(steady: Steady, native: Any, owner: Any) -> Callable[[tuple[Any, ...]], Any]:
    """The function of a tuple of arguments that makes a steady call, or returns None where the call is not steady.

    native: a `fnet.compile.native.Native`; owner: has the attribute `steady`, which is another object as soon as
    the memory behind `steady` is no longer in use, and `workspace`, whose lock is held while that changes.
    """
    return _Writer(steady, native, owner).function()


class _Writer:
    """Writes the text of a steady call, and collects the values that its names stand for."""

    def __init__(self, steady: Steady, native: Any, owner: Any) -> None:
        self.steady, self.native = steady, native
        self.values: dict[str, Any] = {"owner": owner, "steady": steady, "workspace": owner.workspace}
        self.values |= {"function": native.call, "table": native.table, "ndarray": np.ndarray, "empty": np.empty}
        self.names = [f"a{position}" for position in range(len(steady.names))]
        self.variables: dict[Path, str] = {(position,): name for position, name in enumerate(self.names)}
        self.results: dict[Path, str] = {}
        self.arrays: dict[int, str] = {}

    def function(self) -> Callable[[tuple[Any, ...]], Any]:
        conditions = [*self._donated(), *self._others()]
        for path, k, dtype, shape in self.steady.fresh:
            self.results[path] = f"o{k}"
            self.values |= {f"od{k}": dtype, f"os{k}": shape}
        arrays = [self.arrays[i] for i in self.native.inputs] + [f"o{k}" for k in self.native.outputs]
        lines = [
            "def call(args):",
            f"    if len(args) == {len(self.names)}:",
            f"        {', '.join(self.names)}, = args" if self.names else "        pass",
            "        with workspace.lock:",  # entered at once: Ctrl-C cannot leave it locked
            "            try:",
            f"                if not ({' and '.join(conditions)}):",
            "                    return None",
            "            except Exception:",
            "                return None",
            *(f"            {condition}" for condition in self._apart()),
            *(f"            o{k} = empty(os{k}, od{k})" for _, k, _, _ in self.steady.fresh),
            f"            function(1, table, {', '.join(arrays)})",
            f"            return {_display(self.steady.returned, self.results, self.values)}",
            "    return None",
        ]
        exec("\n".join(lines), self.values)  # the text holds only numbers and the names above
        return self.values["call"]

    def _donated(self) -> Iterator[str]:
        """The donated trees are those returned last, and hold what they held."""
        yield "owner.steady is steady"
        for position, path in self.steady.pairs:
            self.results[path] = name = self._named(follow(self.steady.returned, path))
            yield f"a{position} is {name}"
        for position, held in self.steady.held.items():
            if held.is_mutable:
                yield f"a{position} == {self._named(held.picture)}"
            for part, key, entry in held.single:
                yield f"{self._named(part)}[{self._named(key)}] is {self._named(entry)}"
            if held.registered:
                yield f"{self._named(held)}.registered_are_same()"

    def _others(self) -> Iterator[str]:
        """The other arguments are alike."""
        for path, kind, entries in self.steady.parts.containers:
            part = self._variable(path)
            yield f"type({part}) is {self._named(kind)}"
            if entries:
                size = "tuple" if kind is dict else "len"
                yield f"{size}({self.variables[path]}) == {self._named(entries)}"
            else:
                yield f"not {self.variables[path]}"
        for path, known in self.steady.parts.objects:
            yield f"{self._variable(path)} is {self._named(known)}"
        for number, (path, dtype, shape) in zip(self.steady.numbers, self.steady.parts.arrays, strict=True):
            first = self._variable(path)
            a = self.arrays[number] = self.variables[path]
            yield f"type({first}) is ndarray and {a}.dtype is {self._named(dtype)}"
            yield f"{a}.shape == {self._named(shape)} and {a}.flags.carray"

    def _apart(self) -> Iterator[str]:
        """No array that is read is a donated one, or shows part of it: what it is a view of tells most of them."""
        if self.steady.pairs:
            owning = self._named(self.steady.block.base)
            for path, _, _ in self.steady.parts.arrays:
                a = self.variables[path]
                known = f"type(b) is ndarray and b.base is None and b is not {owning}"
                yield f"(b := {a}.base) is None or {known} or steady.is_apart({a}, {self._named(path)})"

    def _named(self, value: Any) -> str:
        """A name for a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return name

    def _variable(self, path: Path) -> str:
        """The name of a part; where it comes first, an expression that assigns it."""
        if path in self.variables:
            return self.variables[path]
        part = f"p{len(self.variables)}"
        self.variables[path] = part
        return f"({part} := {self.variables[path[:-1]]}[{self._named(path[-1])}])"


def _display(part: Any, names: dict[Path, str], values: dict[str, Any], path: Path = ()) -> str:
    """The text of a tree like `part`, of new containers down to the parts with names; keys are added to `values`."""
    if path in names:
        return names[path]
    if part is None:
        return "None"
    entries = [_display(part[key], names, values, (*path, key)) for key in _keys(part)]
    if type(part) is tuple:
        return f"({''.join(f'{entry}, ' for entry in entries)})"
    if type(part) is list:
        return f"[{', '.join(entries)}]"
    keys = {f"key{len(values) + i}": key for i, key in enumerate(part)}
    values |= keys
    return f"{{{', '.join(f'{key}: {entry}' for key, entry in zip(keys, entries, strict=True))}}}"
