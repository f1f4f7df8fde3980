"""Whether trees can be those of a network, which is asked before anything is written.

Only what does not depend on the shape of the input can be compared: the entries of containers, and of each layer the
names of its arrays, their ranks, and the sizes that do not change with the input.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import StructureError, did_you_mean, scope
from fnet.networks.graph import wiring_of
from fnet.networks.layer import Layer
from fnet.networks.sharing import first_uses, joined
from fnet.networks.storage import Stored
from fnet.spec import ArraySpec
from fnet.transforms.stage import eval_shape

_CONTAINERS = ("serial", "parallel", "fanout", "residual", "repeat", "graph")
_MOST_AXES = 4  # of an input without its batch axis
_SIZES = (240, 480)  # of all of them; what differs depends on the input
_ENOUGH = 4  # shapes that a layer takes
_KEY = ArraySpec((2,), np.dtype(np.uint32))

Sizes = dict[str, tuple[int | None, ...]]
"""The shapes of arrays by path; None for sizes that depend on the input."""


def check_trees(net: Layer, params: Any, state: Any) -> None:
    """Raise a `StructureError` that names the layer where `params` or `state` are not of `net`: swapped, or foreign."""
    _check(net, params, state, "", set(first_uses(net.children, net.entries)))


def _check(net: Layer, params: Any, state: Any, path: str, further: set[str]) -> None:
    """further: the paths of layers whose entry is elsewhere, at their first use."""
    if net.recipe is None:  # of a layer of the user's own nothing is known
        return
    if net.kind == "stored":
        check_trees(net.config["layer"], params, state)
    elif net.kind in _CONTAINERS:
        for what, entries in (("params", params), ("state", state)):
            if not isinstance(entries, Mapping):
                found = type(entries).__name__
                raise StructureError(f"{what} of {net.kind} is a dict keyed by layer, received {found}.")
            for name in entries:
                if name not in net.entries and not (what == "state" and _is_drawn_from(net, name)):
                    raise StructureError(
                        f"{what} of another network: {net.kind} has no layer '{name}'.{did_you_mean(name, net.entries)}"
                    )
        for name, child in dict(zip(net.entries, net.children, strict=True)).items():
            if joined(path, name) not in further:
                with scope(name, child):
                    _check(child, params.get(name, {}), state.get(name, {}), joined(path, name), further)
    elif (known := _known(net)) is not None:
        for what, sizes, own in zip(("params", "state"), known, (params, state), strict=True):
            learns = what == "state" and net.learning is not None  # vocabularies have any size
            _compare(what, {p: (None,) * len(s) for p, s in sizes.items()} if learns else sizes, _shapes(own))


def _is_drawn_from(net: Layer, name: str) -> bool:
    """Whether an entry of the state is that from which a graph draws random numbers."""
    wiring = wiring_of(net)
    return wiring is not None and wiring.draws is not None and wiring.draws.entry == name


def _compare(what: str, expected: Sizes, found: Sizes) -> None:
    if expected.keys() != found.keys():
        raise StructureError(
            f"{what} of another network, or params and state swapped: expected the arrays {_listed(expected)}, "
            f"received {_listed(found)}."
        )
    for path, sizes in expected.items():
        own = found[path]
        if len(sizes) != len(own) or any(size not in (None, n) for size, n in zip(sizes, own, strict=True)):
            raise StructureError(
                f"{what} of another network: '{path}' has the shape {own}, expected {sizes}, None for any size."
            )


@functools.lru_cache(maxsize=512)
def _known(layer: Layer) -> tuple[Sizes, Sizes] | None:
    """What is known of a layer's params and state; None where no usual shape of inputs tells."""
    found: list[tuple[Any, Any]] = []
    for axes in range(_MOST_AXES + 1):
        if len(found) == _ENOUGH:
            break
        try:
            found += [_specs(layer, (size,) * axes) for size in _SIZES]
        except Exception:  # no shape for this layer, or one whose init looks at its key
            continue
    params, state = (_common([_shapes(trees[part]) for trees in found]) for part in (0, 1))
    return None if params is None or state is None else (params, state)


def _specs(layer: Layer, shape: tuple[int, ...]) -> tuple[Any, Any]:
    """What init makes for a shape; nothing is computed."""
    return eval_shape(lambda key: layer.init(key, shape, np.float32), _KEY)


def _common(found: list[Sizes]) -> Sizes | None:
    """What all the shapes have in common; None if the arrays or their ranks differ, or nothing was found."""
    if not found or any(shapes.keys() != found[0].keys() for shapes in found):
        return None
    common: Sizes = {}
    for path, first in found[0].items():
        if any(len(shapes[path]) != len(first) for shapes in found):
            return None
        axes = zip(*(shapes[path] for shapes in found), strict=True)
        common[path] = tuple(sizes[0] if len(set(sizes)) == 1 else None for sizes in axes)
    return common


def _shapes(params: Any) -> Sizes:
    leaves = tree.leaves_with_path(params, is_leaf=lambda x: isinstance(x, Stored))
    return {path: tuple(leaf.shape) if hasattr(leaf, "shape") else np.shape(leaf) for path, leaf in leaves}


def _listed(names: Sizes) -> str:
    return ", ".join(f"'{name}'" for name in names) or "none"
