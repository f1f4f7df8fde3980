"""The shortest way into compiled code: a Python function written for one steady call.

In a training loop the donated trees that come in are those returned last, and the other arguments are arrays of the
same kind. Then only identities, dtypes and shapes are compared before the native function is called. At a few
microseconds a step every loop and every attribute counts, so the comparisons are written out for the arguments at hand.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Path = tuple[Any, ...]
"""The position of an argument, then the indices and keys that lead to a part of it."""


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
        if type(part) not in (tuple, list, dict):
            return False
        entries = _entries(part)
        self.containers.append((path, type(part), entries))
        keys = entries if type(part) is dict else range(entries)
        return all(self.add(part[key], (*path, key)) for key in keys)


@dataclass(frozen=True, slots=True)
class Steady:
    """What a call must look like to be steady, and what it returns.

    returned: the result of the last call; pairs: (position of a donated argument, its place in the result);
    parts: the other arguments; numbers: the inputs of the plan that their arrays are;
    fresh: (place of a result that is a new array, number of the output, dtype, shape).
    """

    arity: int
    returned: tuple[Any, ...]
    pairs: list[tuple[int, int]]
    parts: Parts
    numbers: list[int]
    fresh: list[tuple[int, int, np.dtype, tuple[int, ...]]]

    def matches(self, args: tuple[Any, ...]) -> bool:
        """Whether a call with these arguments is steady."""
        if len(args) != self.arity or any(args[position] is not self.returned[place] for position, place in self.pairs):
            return False
        for path, kind, entries in self.parts.containers:
            part = _follow(args, path)
            if type(part) is not kind or _entries(part) != entries:
                return False
        return all(_is_alike(_follow(args, path), dtype, shape) for path, dtype, shape in self.parts.arrays)

    def inputs(self, args: tuple[Any, ...], count: int) -> list[Any]:
        """The `count` inputs of the plan, None where they are donated."""
        inputs: list[Any] = [None] * count
        for number, (path, _, _) in zip(self.numbers, self.parts.arrays, strict=True):
            inputs[number] = _follow(args, path)
        return inputs

    def result(self, outputs: list[Any]) -> tuple[Any, ...]:
        """The result of a steady call: the donated trees as before, with new arrays in the other places."""
        parts = list(self.returned)
        for place, k, _, _ in self.fresh:
            parts[place] = outputs[k]
        return tuple(parts)


def _entries(container: Any) -> Any:
    """The keys of a dict, in their order; the length of a tuple or list."""
    return tuple(container) if type(container) is dict else len(container)


def _follow(args: tuple[Any, ...], path: Path) -> Any:
    part: Any = args
    for key in path:
        part = part[key]
    return part


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
    values: dict[str, Any] = {"owner": owner, "steady": steady, "function": native.function, "table": native.table}
    values |= {"acquire": owner.lock.acquire, "release": owner.lock.release, "ndarray": np.ndarray, "empty": np.empty}
    conditions = ["owner.steady is steady"]
    for position, place in steady.pairs:
        values[f"r{place}"] = steady.returned[place]
        conditions.append(f"a{position} is r{place}")

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
    for _, k, dtype, shape in steady.fresh:
        values |= {f"od{k}": dtype, f"os{k}": shape}
    arrays = [inputs[i] for i in native.inputs] + [f"o{k}" for k in native.outputs]
    parts = {place: f"o{k}" for place, k, _, _ in steady.fresh} | {place: f"r{place}" for _, place in steady.pairs}
    lines = [
        "def call(args):",
        f"    if len(args) == {steady.arity}:",
        f"        {', '.join(names)}, = args" if names else "        pass",
        "        if acquire(False):",
        "            try:",
        f"                if {' and '.join(conditions)}:",
        *(f"                    o{k} = empty(os{k}, od{k})" for _, k, _, _ in steady.fresh),
        f"                    function(1, table, {', '.join(arrays)})",
        f"                    return ({', '.join(parts[place] for place in range(len(steady.returned)))},)",
        "            finally:",
        "                release()",
        "    return None",
    ]
    exec("\n".join(lines), values)  # the text holds only numbers and the names above
    return values["call"]
