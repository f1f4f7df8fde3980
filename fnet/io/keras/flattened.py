"""Weights of models within models, in Keras 3's layout, for a chain of the same layers without models in it.

The file tells the order of layers of one class in one model, and that the layers of a model follow one another. Where
classes and shapes leave just one order of all layers, it is that of the chain. Else the config of an archive tells it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fnet.errors import FileError
from fnet.io import hdf5
from fnet.io.keras.members import Member, element_names, hollow
from fnet.io.keras.variables import Variable, Variables
from fnet.networks.layer import DEEPEST

_MOST_STEPS = 20_000  # of the search, which else could go on for ever in a hostile file
_NUMBERED = re.compile(r"(.*?)(?:_(\d+))?")


@dataclass(frozen=True, eq=False)
class _Model:
    """A model in the file: for each class its elements in their order, each the path of a layer or a model."""

    queues: tuple[tuple[tuple[str, Any], ...], ...]


class _TooLongError(Exception):
    """The search for the order was given up."""


def assigned(
    file: Any,
    top: str,
    members: Sequence[Member],
    templates: Mapping[str, Any],
    told: Callable[[], Sequence[Member]] | None = None,
) -> list[tuple[str, Variable]] | None:
    """Where in the file which variable of the chain is; None where no order of the file's layers is that of the chain.

    told: gives the layers of the file in their order, of a file that has a config. Raises `FileError` where several
    orders are that of the chain, and nothing tells which.
    """
    members = [member for member in members if member.variables.flat()]
    search = _Search(file, members, templates)
    whole = _model(file, top)
    found: list[list[str]] = []
    try:
        for end, links in search.ways(whole, 0) if whole is not None else ():
            found += [_unlinked(links)] if end == len(members) else []
            if len(found) > 1 and told is not None:
                found = [list(_layer_paths(top, told()))]
                if len(found[0]) != len(members) or not all(search.fits(path, i) for i, path in enumerate(found[0])):
                    return None
                break
            if len(found) > 1:
                raise FileError(
                    "the layers of its models have several orders in which they fit this network, and the file does "
                    "not tell which. Build the network of networks, as in the file: serial(serial(...), ...)."
                )
    except _TooLongError:
        return None
    if not found:
        return None
    pairs = zip(found[0], members, strict=True)
    return [pair for path, member in pairs for pair in member.variables.by_path(f"{path}/")]


class _Search:
    """The ways to walk through the layers of models in the order of the chain."""

    def __init__(self, file: Any, members: Sequence[Member], templates: Mapping[str, Any]) -> None:
        self.file, self.steps = file, 0
        self.classes = [_class_of(name) for name in element_names(members)]
        self.shapes = [
            {
                path: variable.to_keras(hollow(templates[variable.path])).shape
                for path, variable in m.variables.by_path()
            }
            for m in members
        ]
        self.known: dict[tuple[str, int], bool] = {}

    def ways(self, model: _Model, start: int) -> Iterator[tuple[int, Any]]:
        """The ways through a model from a place of the chain: where each ends, and the layers that it takes, linked."""
        stack: list[tuple[int, tuple[int, ...], Any]] = [(start, (0,) * len(model.queues), None)]
        full = tuple(map(len, model.queues))
        while stack:
            self.steps += 1
            if self.steps > _MOST_STEPS:
                raise _TooLongError
            at, taken, links = stack.pop()
            if taken == full:
                yield at, links
            for number, (queue, count) in enumerate(zip(model.queues, taken, strict=True)):
                if count == len(queue):
                    continue
                after = (*taken[:number], count + 1, *taken[number + 1 :])
                path, inner = queue[count]
                if inner is not None:
                    stack += [(end, after, (links, below)) for end, below in self.ways(inner, at)]
                elif self.fits(path, at):
                    stack.append((at + 1, after, (links, path)))

    def fits(self, path: str, at: int) -> bool:
        """Whether the layer at a path of the file has the class and the shapes of the layer at a place of the chain."""
        if at == len(self.classes) or _class_of(path.rpartition("/")[2]) != self.classes[at]:
            return False
        if (path, at) not in self.known:
            shapes = self.shapes[at]
            fits = all(hdf5.shape(self.file, f"{path}/{name}") == shape for name, shape in shapes.items())
            counts = {group: sum(n.rpartition("/")[0] == group for n in shapes) for n in shapes
                      for group in [n.rpartition("/")[0]]}  # fmt: skip
            more = (hdf5.shape(self.file, f"{path}/{group}/{count}") for group, count in counts.items())
            self.known[path, at] = fits and all(shape is None for shape in more)
        return self.known[path, at]


def _model(file: Any, path: str, depth: int = 0) -> _Model | None:
    """The model whose layers are at a path; None for one without weights."""
    if depth > DEEPEST:
        raise FileError(f"models in it are nested deeper than {DEEPEST} levels.")
    queues: dict[str, list[tuple[int, str, Any]]] = {}
    group = hdf5.group(file, path)
    for name in group:
        own = f"{path}/{name}"
        if not hdf5.is_group(group, name):
            continue
        is_model = hdf5.is_group(hdf5.group(file, own), "layers")
        inner = _model(file, f"{own}/layers", depth + 1) if is_model else None
        if inner is not None or (not is_model and _has_arrays(file, own)):
            number = _NUMBERED.fullmatch(name)
            assert number is not None
            queues.setdefault(number[1], []).append((int(number[2] or 0), own, inner))
    ordered = (sorted(elements, key=lambda element: element[0]) for elements in queues.values())
    return _Model(tuple(tuple(element[1:] for element in elements) for elements in ordered)) if queues else None


def _layer_paths(top: str, members: Sequence[Member]) -> Iterator[str]:
    """The paths of the layers that have weights, in their order, those in models within the model among them."""

    def of(path: str, variables: Variables) -> Iterator[str]:
        inner = [name for name in variables.children if name.startswith("layers/")]
        for name in inner:
            yield from of(f"{path}/{name}", variables.children[name])
        if not inner and variables.flat():
            yield path

    for name, member in zip(element_names(members), members, strict=True):
        yield from of(f"{top}/{name}", member.variables)


def _has_arrays(file: Any, path: str, depth: int = 0) -> bool:
    group = hdf5.group(file, path)
    return depth < DEEPEST and any(
        not hdf5.is_group(group, name) or _has_arrays(file, f"{path}/{name}", depth + 1) for name in group
    )


def _class_of(name: str) -> str:
    """The class that a name of an element says: ``dense`` for ``dense_1``."""
    number = _NUMBERED.fullmatch(name)
    assert number is not None
    return number[1]


def _unlinked(links: Any) -> list[str]:
    """The paths of a linked list, of which a model's are one of their own."""
    paths: list[str] = []
    stack = [links]
    while stack:
        part = stack.pop()
        if isinstance(part, str):
            paths.append(part)
        elif part is not None:
            stack += part
    return paths[::-1]
