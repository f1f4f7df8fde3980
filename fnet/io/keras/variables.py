"""The variables of a layer as Keras orders and names them, with the leaves of fnet's trees that they are."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

Change = Callable[[np.ndarray], np.ndarray]


def same(array: np.ndarray) -> np.ndarray:
    """The array, where both sides keep it alike."""
    return array


@dataclass(frozen=True)
class Variable:
    """One variable of Keras.

    name: Keras' name, as ``kernel``. path: of the leaf in ``{"params": ..., "state": ...}``. trainable: whether Keras
    trains it, where its layer is trained. to_keras, from_keras: what is done to the array on the way. key: what stands
    for its number in ``.weights.h5`` files, of a variable that is in these files alone.
    """

    name: str
    path: str
    trainable: bool = True
    to_keras: Change = same
    from_keras: Change = same
    key: str | None = None


@dataclass(frozen=True)
class Leaves:
    """The leaves of a layer at `path` that are not known yet, but for those of the layers in it that are described."""

    path: str = ""
    trainable: bool = True


@dataclass(frozen=True)
class Variables:
    """The variables that a layer owns, in Keras' order, and those of the layers in it by the names of attributes.

    leaves: what else it has, of a layer whose arrays nobody has described: `resolved` finds them.

    >>> dense = Variables((Variable("kernel", "params/kernel"), Variable("bias", "params/bias")))
    >>> [(path, v.path) for path, v in Variables(children={"layer": dense.below("dense")}).by_path()]
    [('layer/vars/0', 'params/dense/kernel'), ('layer/vars/1', 'params/dense/bias')]
    """

    own: tuple[Variable, ...] = ()
    children: Mapping[str, Variables] = field(default_factory=dict)
    leaves: Leaves | None = None

    def below(self, entry: str) -> Variables:
        """The same of a layer that is an entry of a container: paths lead through this entry."""
        return Variables(
            tuple(replace(variable, path=_below(entry, variable.path)) for variable in self.own),
            {name: child.below(entry) for name, child in self.children.items()},
            self.leaves and replace(self.leaves, path=f"{entry}/{self.leaves.path}".rstrip("/")),
        )

    def frozen(self) -> Variables:
        """The same, none of them trained."""
        return Variables(
            tuple(replace(variable, trainable=False) for variable in self.own),
            {name: child.frozen() for name, child in self.children.items()},
            self.leaves and replace(self.leaves, trainable=False),
        )

    def resolved(self, paths: Collection[str]) -> Variables:
        """The same with the leaves of layers that nobody has described, found among the `paths` of all leaves.

        First those of params, then those of the state. The arrays in a dict are those of a layer, the attribute of the
        dict's name; the arrays in a list are the layer's own.
        """
        own = Variables(self.own, {name: child.resolved(paths) for name, child in self.children.items()})
        if self.leaves is None:
            return own
        found = list[tuple[list[str], Variable]]()
        known = {variable.path for _, variable in own.ordered()}
        for tree in ("params", "state"):
            prefix = "/".join(part for part in (tree, self.leaves.path) if part) + "/"
            for path in paths:
                parts = path.removeprefix(prefix).split("/")
                if path.startswith(prefix) and parts[0] not in self.children and path not in known:
                    trains = tree == "params" and self.leaves.trainable
                    found.append((parts, Variable("/".join(parts), path, trains)))
        more = _by_attribute(found)
        return Variables(own.own + more.own, {**own.children, **more.children})

    def by_path(self, prefix: str = "") -> Iterator[tuple[str, Variable]]:
        """The variables by their paths in a ``.weights.h5`` file."""
        for i, variable in enumerate(self.own):
            yield f"{prefix}vars/{variable.key or i}", variable
        for name, child in self.children.items():
            yield from child.by_path(f"{prefix}{name}/")

    def ordered(self) -> Iterator[tuple[str, Variable]]:
        """All variables after their names, layer by layer: the order of those of a frozen layer in Keras.

        One that a layer has, and a layer in it, too, comes once.
        """
        seen: set[str] = set()
        for name, variable in self._named(""):
            if variable.path not in seen:
                yield name, variable
            seen.add(variable.path)

    def _named(self, prefix: str) -> Iterator[tuple[str, Variable]]:
        for variable in self.own:
            if variable.key is None:
                yield f"{prefix}{variable.name}", variable
        for name, child in self.children.items():
            yield from child._named(f"{prefix}{name}/")

    def flat(self) -> list[tuple[str, Variable]]:
        """All variables after their names, first what is trained: the order of ``.h5`` files and ``get_weights``."""
        pairs = list(self.ordered())
        return [pair for pair in pairs if pair[1].trainable] + [pair for pair in pairs if not pair[1].trainable]


def _by_attribute(found: list[tuple[list[str], Variable]]) -> Variables:
    """Variables by the parts of their paths: what is in a dict is an attribute's."""
    own = [(parts, variable) for parts, variable in found if all(part.isdigit() for part in parts[1:])]
    inner: dict[str, list[tuple[list[str], Variable]]] = {}
    for parts, variable in found:
        if not all(part.isdigit() for part in parts[1:]):
            inner.setdefault(parts[0], []).append((parts[1:], variable))
    named: dict[str, Variable] = {}
    for parts, variable in own:
        name = "_".join(parts)
        while name in named or name in inner:  # in params and in state, say
            name += "_"
        named[name] = replace(variable, name=name)
    return Variables(tuple(named.values()), {name: _by_attribute(pairs) for name, pairs in inner.items()})


def params(*names: str) -> tuple[Variable, ...]:
    """Variables that are the leaves of these names in params."""
    return tuple(Variable(name, f"params/{name}") for name in names)


def state(*names: str) -> tuple[Variable, ...]:
    """Variables that Keras does not train: the leaves of these names in the state."""
    return tuple(Variable(name, f"state/{name}", trainable=False) for name in names)


def _below(entry: str, path: str) -> str:
    tree, _, rest = path.partition("/")
    return f"{tree}/{entry}/{rest}"


def nothing(layer: object) -> Variables:
    """The variables of a layer that has none."""
    return Variables()
