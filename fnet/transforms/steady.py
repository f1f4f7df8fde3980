"""The shortest way into compiled code: a Python function written for one steady call.

In a training loop the donated trees that come in are those returned last, and the other arguments are arrays of the
same kind. Then only identities, dtypes and shapes are compared before the native function is called. At a few
microseconds a step every loop and every attribute counts, so the comparisons are written out for the arguments at hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet import tree

Path = tuple[Any, ...]
"""The indices and keys that lead to a part of the arguments (the first is a position) or of the result."""

_PLAIN = (tuple, list, dict)


@dataclass(frozen=True, slots=True)
class Parts:
    """What is in the arguments that are not donated: containers from the outside in, and arrays.

    containers: (path, type, keys or length); arrays: (path, dtype, shape), in the order of the inputs of the plan.
    """

    containers: list[tuple[Path, type, Any]] = field(default_factory=list)
    arrays: list[tuple[Path, np.dtype, tuple[int, ...]]] = field(default_factory=list)

    def add(self, part: Any, path: Path) -> bool:
        """Add an argument; False where it is not made of arrays in plain tuples, lists and dicts."""
        if type(part) is np.ndarray:
            self.arrays.append((path, part.dtype, part.shape))
            return True
        if type(part) not in _PLAIN:
            return False
        self.containers.append((path, type(part), _entries(part)))
        return all(self.add(part[key], (*path, key)) for key in _keys(part))


@dataclass(slots=True)
class Results:
    """What is in the result: donated arguments, each whole, and new arrays.

    kept: for each output of the plan the buffer of the donated input that it is, or None;
    donated: first and last input (exclusive) and structure of the donated arguments not met yet, by position;
    count: how many outputs were met; pairs and fresh: those of `Steady`. An array in `fresh` is new only if no donated
    argument is left: one that comes back in pieces is.
    """

    kept: Sequence[Any]
    donated: dict[int, tuple[int, int, tree.TreeDef]]
    count: int = 0
    pairs: list[tuple[int, Path]] = field(default_factory=list)
    fresh: list[tuple[Path, int, np.dtype, tuple[int, ...]]] = field(default_factory=list)

    def add(self, part: Any, path: Path = ()) -> bool:
        """Add a part; False where it is neither of both nor a plain tuple, list or dict of them."""
        position = next((p for p in self.donated if self._is_donated(part, *self.donated[p])), None)
        if position is not None:
            start, stop, _ = self.donated.pop(position)
            self.count += stop - start
            self.pairs.append((position, path))
            return True
        if type(part) is np.ndarray:
            self.fresh.append((path, self.count, part.dtype, part.shape))
            self.count += 1
            return True
        return type(part) in _PLAIN and all(self.add(part[key], (*path, key)) for key in _keys(part))

    def _is_donated(self, part: Any, start: int, stop: int, structure: tree.TreeDef) -> bool:
        """Whether a part is a donated argument, updated: same buffers, same structure."""
        own = self.kept[self.count : self.count + stop - start]
        in_place = [buffer is not None and buffer.index == i for i, buffer in enumerate(own, start)]
        return len(own) == stop - start and all(in_place) and tree.structure(part) == structure


@dataclass(frozen=True, slots=True)
class Steady:
    """What a call must look like to be steady, and what it returns.

    returned: the result of the last call, with None for the arrays that are new in every call;
    pairs: (position of a donated argument, its path in the result);
    parts: the other arguments; numbers: the inputs of the plan that their arrays are;
    fresh: (path of a new array in the result, number of the output, dtype, shape).
    """

    arity: int
    returned: Any
    pairs: list[tuple[int, Path]]
    parts: Parts
    numbers: list[int]
    fresh: list[tuple[Path, int, np.dtype, tuple[int, ...]]]

    def matches(self, args: tuple[Any, ...]) -> bool:
        """Whether a call with these arguments is steady."""
        if len(args) != self.arity:
            return False
        if any(args[position] is not follow(self.returned, path) for position, path in self.pairs):
            return False
        for path, kind, entries in self.parts.containers:
            part = follow(args, path)
            if type(part) is not kind or _entries(part) != entries:
                return False
        return all(_is_alike(follow(args, path), dtype, shape) for path, dtype, shape in self.parts.arrays)

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
    entries = [rebuilt(part[key], known, (*path, key)) for key in _keys(part)]
    return dict(zip(part, entries, strict=True)) if type(part) is dict else type(part)(entries)


def follow(part: Any, path: Path) -> Any:
    """What is at the end of a path that begins at `part`."""
    for key in path:
        part = part[key]
    return part


def _keys(container: Any) -> Iterable[Any]:
    return container if type(container) is dict else range(len(container))


def _entries(container: Any) -> Any:
    """The keys of a dict, in their order; the length of a tuple or list."""
    return tuple(container) if type(container) is dict else len(container)


def _is_alike(array: Any, dtype: np.dtype, shape: tuple[int, ...]) -> bool:
    return type(array) is np.ndarray and array.dtype is dtype and array.shape == shape and array.flags.carray


def steady_call(steady: Steady, native: Any, owner: Any) -> Callable[[tuple[Any, ...]], Any]:
    """The function of a tuple of arguments that makes a steady call, or returns None where the call is not steady.

    It also returns None while another thread is in a call.

    native: a `fnet.compile.native.Native`; owner: has the attribute `steady`, which is another object as soon as
    the memory behind `steady` is no longer in use, and the `lock` under which that changes.
    """
    names = [f"a{position}" for position in range(steady.arity)]
    variables: dict[Path, str] = {(position,): name for position, name in enumerate(names)}
    values: dict[str, Any] = {"owner": owner, "steady": steady, "function": native.call, "table": native.table}
    values |= {"acquire": owner.lock.acquire, "release": owner.lock.release, "ndarray": np.ndarray, "empty": np.empty}
    conditions = ["owner.steady is steady"]
    results: dict[Path, str] = {}
    for position, path in steady.pairs:
        results[path], values[f"r{position}"] = f"r{position}", follow(steady.returned, path)
        conditions.append(f"a{position} is r{position}")

    def variable(path: Path) -> str:
        """The name of a part; where it comes first, an expression that assigns it."""
        if path in variables:
            return variables[path]
        i = len(variables)
        variables[path], values[f"k{i}"] = f"p{i}", path[-1]
        return f"(p{i} := {variables[path[:-1]]}[k{i}])"

    for i, (path, kind, entries) in enumerate(steady.parts.containers):
        c = variable(path)
        values |= {f"c{i}": kind, f"e{i}": entries}
        size = "tuple" if kind is dict else "len"
        conditions.append(f"type({c}) is c{i} and {size}({variables[path]}) == e{i}")
    inputs = {}
    for number, (path, dtype, shape) in zip(steady.numbers, steady.parts.arrays, strict=True):
        first = variable(path)
        a = inputs[number] = variables[path]
        values |= {f"d{number}": dtype, f"s{number}": shape}
        conditions.append(f"type({first}) is ndarray and {a}.dtype is d{number} and {a}.shape == s{number}")
        conditions.append(f"{a}.flags.carray")
    for path, k, dtype, shape in steady.fresh:
        results[path] = f"o{k}"
        values |= {f"od{k}": dtype, f"os{k}": shape}
    arrays = [inputs[i] for i in native.inputs] + [f"o{k}" for k in native.outputs]
    lines = [
        "def call(args):",
        f"    if len(args) == {steady.arity}:",
        f"        {', '.join(names)}, = args" if names else "        pass",
        "        if acquire(False):",
        "            try:",
        f"                if {' and '.join(conditions)}:",
        *(f"                    o{k} = empty(os{k}, od{k})" for _, k, _, _ in steady.fresh),
        f"                    function(1, table, {', '.join(arrays)})",
        f"                    return {_display(steady.returned, results, values)}",
        "            finally:",
        "                release()",
        "    return None",
    ]
    exec("\n".join(lines), values)  # the text holds only numbers and the names above
    return values["call"]


def _display(part: Any, names: dict[Path, str], values: dict[str, Any], path: Path = ()) -> str:
    """The text of a tree like `part`, of new containers down to the parts with names; keys are added to `values`."""
    if path in names:
        return names[path]
    entries = [_display(part[key], names, values, (*path, key)) for key in _keys(part)]
    if type(part) is tuple:
        return f"({''.join(f'{entry}, ' for entry in entries)})"
    if type(part) is list:
        return f"[{', '.join(entries)}]"
    keys = {f"key{len(values) + i}": key for i, key in enumerate(part)}
    values |= keys
    return f"{{{', '.join(f'{key}: {entry}' for key, entry in zip(keys, entries, strict=True))}}}"
