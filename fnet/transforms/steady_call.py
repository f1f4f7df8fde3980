"""The shortest way into kernels: a Python function written for one steady call.

At a few microseconds a step every loop and every attribute counts. So the comparisons of trees are written out for the
arguments at hand, and those of arrays are left to a guard of the device.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from fnet.compile.program import Program
from fnet.context import in_force
from fnet.device import Guard
from fnet.transforms.donation import Path, follow
from fnet.transforms.steady import Steady, keys


class SteadyCall:
    """Makes a steady call from the tuple of its arguments, or returns None where the call is not steady.

    reads: the attribute of a context that must be this level. program: runs the plan. owner: has the attribute
    `steady`, which is another object as soon as the memory behind `steady` is no longer in use. guard: looks at the
    arrays. repeats: whether it makes many calls in a row, from the arguments and the number of calls. Whoever makes
    this works alone in the workspace of the program.
    """

    def __init__(
        self, steady: Steady, reads: str, level: str, program: Program, owner: Any, guard: Guard, repeats: bool
    ) -> None:
        self.guard = guard
        values = {"in_force": in_force, "level": level, "steady": steady, "owner": owner, "program": program}
        values |= {"alone": program.workspace.alone, "enter": guard.enter}
        values |= {"record": guard.record, "apart": guard.apart, "look": guard.look, "runner": program.runner}
        values["guard"] = guard  # whose memory a call that has begun reads, also when this is given up meanwhile
        compared = [p for p, held in steady.held.items() if held.has_lists or not guard.sees_dicts]
        self.call = _Writer(steady, program, guard, compared, values).function(reads, repeats)


def guard_of(steady: Steady, program: Program) -> Guard | None:
    """What looks at the arrays of a steady call, where the device has it; whoever asks works alone in the workspace."""
    read = [(n, dtype, shape) for n, (_, dtype, shape) in zip(steady.numbers, steady.parts.arrays, strict=True)]
    held = [array for one in steady.held.values() for array in one.arrays]
    dicts = [d for one in steady.held.values() if not one.has_lists for d, _ in one.dicts]
    state = steady.block if steady.pairs else None
    return steady.device.guard(program.runner, program.workspace, state, read, held, dicts)


class _Writer:
    """Writes the text of a steady call, and collects the values that its names stand for."""

    def __init__(
        self, steady: Steady, program: Program, guard: Guard, compared: list[int], values: dict[str, Any]
    ) -> None:
        self.steady, self.guard, self.compared = steady, guard, compared
        self.inputs = len(program.plan.inputs)
        self.values = values
        self.names = [f"a{position}" for position in range(len(steady.names))]
        self.variables: dict[Path, str] = {(position,): name for position, name in enumerate(self.names)}
        self.results: dict[Path, str] = {}

    def function(self, reads: str, repeats: bool) -> Callable[..., Any]:
        conditions = [f"in_force().{reads} is level", *self._donated(), *self._others()]
        arrays = [self._found(path) for path, _, _ in self.steady.parts.arrays]
        run = self._guarded(arrays) if self.guard.runs and not repeats else self._walked(arrays, repeats)
        lines = [
            f"def call(args{', count' if repeats else ''}):",
            "    try:",
            f"        {', '.join(self.names)}, = args" if self.names else "        () = args",
            f"        if not ({' and '.join(conditions)}):",
            "            return None",
            "    except Exception:",
            "        return None",
            *(f"    {line}" for line in run),
        ]
        exec("\n".join(lines), self.values)  # the text holds only numbers and the names above
        return self.values["call"]

    def _guarded(self, arrays: list[str]) -> Iterator[str]:
        """Let the guard run the plan; whether the memory is still that of `steady` is found there."""
        for path, k, dtype, shape in self.steady.fresh:
            self.results[path] = f"o{k}"
            self.values |= {f"od{k}": dtype, f"os{k}": shape}
            yield f"o{k} = {self._named(self.steady.device.allocator(shape, dtype))}(os{k}, od{k})"
        taken = "".join(f"{name}, " for name in [*arrays, *(f"o{k}" for k in self.guard.outputs)])
        yield f"arrays = ({taken})"
        yield "status = enter(record, arrays)"
        yield f"if status and (status != {self.guard.shared} or not steady.are_apart(args) or enter(apart, arrays)):"
        yield "    return None"
        yield f"return {self._returned()}"

    def _walked(self, arrays: list[str], repeats: bool) -> Iterator[str]:
        """Run the plan from Python while no other program runs; once the guard can, a call of that is written."""
        inputs = ["None"] * self.inputs
        for number, name in zip(self.steady.numbers, arrays, strict=True):
            inputs[number] = name
        self.results |= {path: f"outputs[{k}]" for path, k, _, _ in self.steady.fresh}
        yield "def walk():"
        yield f"    if owner.steady is not steady{'' if repeats else ' or runner.native is not None'}:"
        yield "        return None"
        yield f"    status = enter(look, ({''.join(f'{name}, ' for name in arrays)}))"
        yield f"    if status and (status != {self.guard.shared} or not steady.are_apart(args)):"
        yield "        return None"
        yield f"    outputs = program.run([{', '.join(inputs)}]{', count' if repeats else ''})"
        yield f"    return {self._returned()}"
        yield "return alone(walk)"

    def _returned(self) -> str:
        return _display(self.steady.returned, self.results, self.values)

    def _donated(self) -> Iterator[str]:
        """The donated trees are those returned last, and hold what they held; dicts' versions are compared later."""
        for position, path in self.steady.pairs:
            self.results[path] = name = self._named(follow(self.steady.returned, path))
            yield f"a{position} is {name}"
        for position, held in self.steady.held.items():
            if position in self.compared:
                if held.is_mutable:
                    yield f"a{position} == {self._named(held.picture)}"
                for part, entries in held.dicts:
                    yield f"tuple({self._named(part)}) == {self._named(entries)}"
                for part, key, entry in held.single:
                    yield f"{self._named(part)}[{self._named(key)}] is {self._named(entry)}"
            if held.registered:
                yield f"{self._named(held)}.registered_are_same()"

    def _others(self) -> Iterator[str]:
        """The containers of the other arguments are alike, and what is no array is the same."""
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

    def _named(self, value: Any) -> str:
        """A name for a value."""
        name = f"v{len(self.values)}"
        self.values[name] = value
        return name

    def _variable(self, path: Path) -> str:
        """The name of a part; where it comes first, an expression that assigns it."""
        if path in self.variables:
            return self.variables[path]
        found = self._found(path)
        self.variables[path] = part = f"p{len(self.variables)}"
        return f"({part} := {found})"

    def _found(self, path: Path) -> str:
        """An expression for a part of a container that has a name."""
        return self.variables.get(path) or f"{self.variables[path[:-1]]}[{self._named(path[-1])}]"


def _display(part: Any, names: dict[Path, str], values: dict[str, Any], path: Path = ()) -> str:
    """The text of a tree like `part`, of new containers down to the parts with names; keys are added to `values`."""
    if path in names:
        return names[path]
    if part is None:
        return "None"
    entries = [_display(part[key], names, values, (*path, key)) for key in keys(part)]
    if type(part) is tuple:
        return f"({''.join(f'{entry}, ' for entry in entries)})"
    if type(part) is list:
        return f"[{', '.join(entries)}]"
    names_of_keys = {f"key{len(values) + i}": key for i, key in enumerate(part)}
    values |= names_of_keys
    return f"{{{', '.join(f'{key}: {entry}' for key, entry in zip(names_of_keys, entries, strict=True))}}}"
