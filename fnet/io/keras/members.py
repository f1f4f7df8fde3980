"""The layers of a network with their variables, as Keras' files list them."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import FileError, StructureError, plain
from fnet.io.keras.calls import Calls, calls_of, model_calls
from fnet.io.keras.translation import MODELS, row_of
from fnet.io.keras.variables import Leaves, Variable, Variables
from fnet.networks.layer import Layer
from fnet.networks.operations import operation_of
from fnet.networks.parameters import trainable
from fnet.networks.storage import Stored

_COUNTED = re.compile(r"_\d+$")
_MOST = 50  # differences that an error lists
CLASSES = {"GroupQueryAttention": "GroupedQueryAttention"}
"""Keras' own names of classes that it shows under other names."""
Numbers = Callable[[str, tuple[int, ...]], np.ndarray]
"""Reads the array at a path of a file, which has this shape."""


@dataclass(frozen=True)
class Member:
    """A layer of a model, or a model within it: its name, the name of its class in Keras, and its variables."""

    name: str
    class_name: str
    variables: Variables


def members_of(calls: Calls, params: Any, state: Any, trained: Any) -> list[Member]:
    """The layers of a network in the order of ``model.layers`` in Keras; the inputs among them have no variables.

    Operations are no layers to Keras.
    trained: the tree of bools that says which parameters are trained. A layer that Keras does not have has its leaves.
    """
    names = unique_names(calls)
    found = []
    for of_layer in calls.operations():
        call = of_layer[0]
        if call.layer is not None and operation_of(call.layer) is not None:
            continue
        if call.layer is None or call.path is None:
            class_name = "InputLayer" if call.layer is None else call.layer.kind
            found.append(Member(names[call.operation], class_name, Variables()))
            continue
        own_params, own_state, own_trained = (at_path(own, call.path) for own in (params, state, trained))
        if call.layer.kind in MODELS:
            own_calls = call.inner or model_calls(call.layer)
            variables = nested(members_of(own_calls, own_params, own_state, own_trained)).below(call.path)
            found.append(Member(names[call.operation], own_calls.class_name, variables))
            continue
        row = row_of(call.layer)
        variables = Variables(leaves=Leaves()) if row is None else row.variables(call.layer)
        own = {"params": own_params, "state": own_state}
        variables = variables.resolved([path for path, _ in tree.leaves_with_path(own)])
        if not any(tree.leaves(own_trained)):
            variables = variables.frozen()
        variables = variables.below(call.path) if call.path else variables
        found.append(Member(names[call.operation], row.class_name if row else call.layer.kind, variables))
    return found


def view(net: Layer, params: Any, state: Any, models: bool = False) -> list[Member] | None:
    """The layers of a network for files of its weights; None where Keras has no form for the network or its arrays.

    models: whether a `serial` or `graph` within the network is a model within a model.
    """
    if any(isinstance(x, Stored) for x in tree.leaves(params, is_leaf=lambda x: isinstance(x, Stored))):
        return None
    try:
        return members_of(calls_of(net, models=models), params, state, trainable(net, params))
    except StructureError:
        return None


def nested(members: Iterable[Member]) -> Variables:
    """The variables of a model that is a layer of another one."""
    members = list(members)
    return Variables(children={
        f"layers/{name}": member.variables for name, member in zip(element_names(members), members, strict=True)
    })  # fmt: skip


def unique_names(calls: Calls) -> dict[Any, str]:
    """A name for each layer, which is what its path says; Keras takes no '/' in names, and no name twice."""
    return _named(calls, set(), None) if calls.names is None else calls.names


def name_apart(calls: Calls) -> None:
    """Name the layers so that no two in all models have one name, but for names that somebody has chosen.

    Keras, which names layers so, writes the older files of a model only then.
    """
    taken: set[str] = set()
    levels = [calls]
    while levels:
        own = levels.pop(0)
        chosen = {call.operation for call in own.calls if call.layer is not None and call.layer.named}
        own.names = _named(own, taken, chosen)
        levels += {id(call.inner): call.inner for call in own.calls if call.inner is not None}.values()


def _named(calls: Calls, taken: set[str], chosen: Container[Any] | None) -> dict[Any, str]:
    """A name for each layer that is not among those `taken`; they are taken then.

    chosen: the operations whose names only have to differ within this model; the others are counted anew.
    """
    names: dict[Any, str] = {}
    for of_layer in calls.operations():
        first, number = of_layer[0], 0
        is_chosen = chosen is not None and first.operation in chosen
        own, stem = first.name, first.name if chosen is None or is_chosen else _COUNTED.sub("", first.name)
        while own in (names.values() if is_chosen else taken):
            number += 1
            own = f"{stem}_{number}"
        names[first.operation] = own
        taken.add(own)
    return names


def element_names(members: Iterable[Member]) -> list[str]:
    """The names of layers in ``.weights.h5`` files: their classes in small letters, numbered.

    >>> element_names([Member(name, kind, Variables()) for name, kind in (("a", "Conv2D"), ("b", "Conv2D"))])
    ['conv2d', 'conv2d_1']
    """
    used: dict[str, int] = {}
    names = []
    for member in members:
        name = re.sub(
            "(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", CLASSES.get(member.class_name, member.class_name))
        )
        name = re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
        used[name] = used.get(name, -1) + 1
        names.append(f"{name}_{used[name]}" if used[name] else name)
    return names


def at_path(entries: Any, path: str) -> Any:
    """What is at a path of nested dicts, {} where there is nothing."""
    for name in path.split("/") if path else []:
        entries = entries.get(name, {}) if isinstance(entries, Mapping) else {}
    return entries


def filled(
    templates: Mapping[str, Any], wanted: Iterable[tuple[str, Variable]], found: Callable[[str], Any | None],
    read: Numbers, bytes_in_file: int,
) -> dict[str, np.ndarray]:  # fmt: skip
    """The arrays of a file for the leaves of `templates`, which tell shapes and dtypes, by path.

    wanted: where in the file which variable is. found: the shape of what is there, None for nothing. A `FileError`
    lists all that is missing or has another shape, before anything is read.
    """
    wanted = list(wanted)
    forms = {path: variable.to_keras(hollow(templates[variable.path])) for path, variable in wanted}
    missing = [path for path in forms if found(path) is None]
    other = {path: found(path) for path, form in forms.items() if path not in missing and found(path) != form.shape}
    if missing or other:
        parts = [f"missing {', '.join(repr(plain(path)) for path in missing[:_MOST])}"] if missing else []
        parts += [f"'{plain(p)}' is {plain(str(other[p]))}, expected {forms[p].shape}" for p in list(other)[:_MOST]]
        more = len(missing[_MOST:]) + len(list(other)[_MOST:])
        parts += [f"{more} more differ"] if more else []
        raise FileError(f"it has the weights of another network: {'; '.join(parts)}.")
    if sum(form.nbytes for form in forms.values()) > 1100 * bytes_in_file + (1 << 20):
        raise FileError("its arrays are larger than a file of this size can hold: it is damaged or hostile.")
    return {
        variable.path: np.ascontiguousarray(
            variable.from_keras(read(path, forms[path].shape)), templates[variable.path].dtype
        ).reshape(templates[variable.path].shape)
        for path, variable in wanted
    }


def hollow(template: Any) -> np.ndarray:
    """An array of this shape and dtype that takes no memory."""
    return np.broadcast_to(np.zeros((), template.dtype), template.shape)
