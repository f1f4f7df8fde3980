"""Which part of a result stands for which donated argument: found by its place and structure, never by its shape.

In this order: the whole result for the only donated argument; what a dict or named tuple holds under the argument's
name; the first part of the result, from the outside in, that has the structure of the argument and stands for none
before it. So ``return params, state, loss`` and ``return loss, params, state`` both mean what they say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fnet import tree
from fnet.errors import DtypeError, FnetError, ShapeError, StructureError
from fnet.spec import ArraySpec

Path = tuple[Any, ...]
"""The indices and keys that lead to a part of the arguments (the first is a position) or of the result."""


@dataclass(frozen=True, slots=True)
class Donated:
    """A donated argument: its position and name, its first input, its structure, the specs of its leaves."""

    position: int
    name: str
    first: int
    structure: tree.TreeDef
    specs: Sequence[ArraySpec]


@dataclass(frozen=True, slots=True)
class Feeding:
    """How results go back into the arguments that they stand for.

    found: where in the result the donated arguments are, by position; paths: of those that come back with the same
    shapes and dtypes; inputs: the input that each of their outputs goes back into; is_weak: whether numbers of Python
    are donated, which may change their dtype; fault: why an argument does not go back, None where all do.
    """

    found: dict[int, Path]
    paths: dict[int, Path]
    inputs: dict[int, int]
    is_weak: bool
    fault: FnetError | None

    def fed(self, args: tuple[Any, ...], result: Any) -> tuple[Any, ...]:
        """The arguments of the next call."""
        return tuple(follow(result, self.found[p]) if p in self.found else arg for p, arg in enumerate(args))


def feeding(structure: tree.TreeDef, outputs: Sequence[ArraySpec], donated: Sequence[Donated]) -> Feeding:
    """How a result of this structure and these specs goes back into the donated arguments."""
    result = tree.unflatten(structure, range(len(outputs)))
    found = _places(result, donated)
    inputs: dict[int, int] = {}
    paths: dict[int, Path] = {}
    fault: FnetError | None = None
    for argument in donated:
        if argument.position not in found:
            fault = fault or _no_place(argument, len(paths), tree.unflatten(structure, outputs))
            continue
        numbers = _leaves(follow(result, found[argument.position]), argument)
        assert numbers is not None
        specs = [outputs[k] for k in numbers]
        if all((a.shape, a.dtype) == (b.shape, b.dtype) for a, b in zip(argument.specs, specs, strict=True)):
            paths[argument.position] = found[argument.position]
            inputs |= {k: argument.first + i for i, k in enumerate(numbers)}
        fault = fault or _changed(argument, specs)
    return Feeding(found, paths, inputs, any(s.weak for argument in donated for s in argument.specs), fault)


def follow(part: Any, path: Path) -> Any:
    """What is at the end of a path that begins at `part`."""
    for key in path:
        part = part[key]
    return part


def _places(result: Any, donated: Sequence[Donated]) -> dict[int, Path]:
    """By position, the path of the part of `result` that stands for a donated argument, where there is one."""
    if len(donated) == 1 and _leaves(result, donated[0]) is not None:
        return {donated[0].position: ()}
    names = {argument.name for argument in donated}
    named = {name: path for name, path in _named(result) if name in names}
    found: dict[int, Path] = {}
    for argument in donated:
        taken = [*found.values(), *named.values()]
        if argument.name in named:
            candidates = iter([named[argument.name]])
        else:
            candidates = (path for path in _paths(result) if not any(_touch(path, other) for other in taken))
        for path in candidates:
            if _leaves(follow(result, path), argument) is not None:
                found[argument.position] = path
                break
    return found


def _leaves(part: Any, argument: Donated) -> list[Any] | None:
    """The leaves of a part in the order of those of an argument; None if its structure is another one."""
    leaves, own = tree.flatten(part)
    if own == argument.structure:
        return leaves
    if len(leaves) != argument.structure.num_leaves:
        return None
    try:
        return tree.flatten_like(argument.structure, part)
    except StructureError:
        return None


def _named(part: Any) -> Iterator[tuple[str, Path]]:
    """The names at the root of a dict or a named tuple, with their paths."""
    if isinstance(part, dict):
        yield from ((key, (key,)) for key in part if isinstance(key, str))
    else:
        yield from ((name, (i,)) for i, name in enumerate(getattr(part, "_fields", ())))


def _paths(result: Any) -> Iterator[Path]:
    """The paths of all parts below the root, from the outside in."""
    waiting: list[tuple[Path, Any]] = [((), result)]
    while waiting:
        deeper: list[tuple[Path, Any]] = []
        for path, part in waiting:
            keys: Any = part if isinstance(part, dict) else range(len(part)) if isinstance(part, tuple | list) else ()
            deeper += [((*path, key), part[key]) for key in keys]
        yield from (path for path, _ in deeper)
        waiting = deeper


def _touch(a: Path, b: Path) -> bool:
    """Whether one of two parts holds the other."""
    return a[: len(b)] == b[: len(a)]


def _no_place(argument: Donated, index: int, result: Any) -> FnetError:
    """The error for a donated argument that nothing in the result stands for; `index`: where it was to be found."""
    part = dict(_named(result)).get(argument.name, (index,) if type(result) in (tuple, list) else ())
    difference = "it returns too few parts"
    try:
        tree.flatten_like(argument.structure, follow(result, part))
    except StructureError as error:
        difference = error.message.rstrip(".")
    except IndexError:
        pass
    return StructureError(
        f"repeat cannot feed the donated argument '{argument.name}' back, no result stands for it: {difference}.\n"
        f"Return it in its structure, the donated arguments first and in their order."
    )


def _changed(argument: Donated, outputs: list[ArraySpec]) -> FnetError | None:
    """The error for a leaf that comes back with another shape or dtype, None if there is none.

    A number of Python is an array of the other dtype in the next call.
    """
    for path, was, now in zip(argument.structure.paths(), argument.specs, outputs, strict=True):
        if was.shape != now.shape or (was.dtype != now.dtype and not was.weak):
            kind = ShapeError if was.shape != now.shape else DtypeError
            where = f"{argument.name}/{path}" if path else argument.name
            return kind(
                f"repeat cannot feed the donated argument '{where}' back: expected {was}, received {now}.\n"
                f"Keep its shape and dtype in the function, e.g. with x.astype('{was.dtype}')."
            )
    return None
