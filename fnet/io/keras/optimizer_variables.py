"""The state of an optimizer as the list of variables that Keras keeps: count of steps, learning rate, slots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet import tree
from fnet.errors import FileError, StructureError, plain
from fnet.io.keras.optimizers import constant_rate, registered_name
from fnet.io.keras.variables import Variable, same
from fnet.optimizers import Optimizer
from fnet.optimizers.rates import Rates

Fetch = Callable[[int, tuple[int, ...]], np.ndarray]
"""``fetch(i, shape)``: the i-th variable of a file, which has this shape."""

_GROUPS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "adadelta": (("accumulated_gradient", "accumulated_change"),),
    "adagrad": (("accumulator",),),
    "adam": (("momentum", "velocity"), ("velocity_hat",)),
    "adamax": (("momentum", "norm"),),
    "adamw": (("momentum", "velocity"), ("velocity_hat",)),
    "ftrl": (("accumulator", "linear"),),
    "lamb": (("momentum", "velocity"),),
    "lion": (("momentum",),),
    "nadam": (("momentum", "velocity"),),
    "schedule_free_adamw": (("momentum", "velocity"),),
    "rmsprop": (("velocity",), ("momentum",), ("average_gradient",)),
    "sgd": (("momentum",),),
}
"""The slots of rules in Keras' order; those of a group stand together for each parameter."""
_OLD_NAMES = {
    "m": "momentum",
    "v": "velocity",
    "vhat": "velocity_hat",
    "rms": "velocity",
    "mg": "average_gradient",
    "accum_grad": "accumulated_gradient",
    "accum_var": "accumulated_change",
}
"""fnet's names of slots by those in files of tf.keras before 2.11."""
_NEW_NAMES = {"accumulated_gradient": "accumulated_grad", "accumulated_change": "accumulated_delta_var"}
"""Keras 3's names of slots, where they are not fnet's."""
_INNER = ("", "optimizer/", "optimizer/optimizer/")
_STEPS = frozenset(f"{inner}{part}step" for inner in _INNER for part in ("", "muon/", "adam/"))
"""Where states count steps: an optimizer within a mean of parameters, within an accumulation of gradients."""


class _Slot(NamedTuple):
    """A variable of Keras.

    name: what Keras calls it. way: the keys in the state that lead to the tree of the slot. variable: the parameter
    that it belongs to, None for a number of the whole optimizer. unused: what Keras keeps and never reads, in place of
    a leaf of the state. leaf: the path of an array of an optimizer of the user's own, which belongs to no parameter.
    """

    name: str
    way: tuple[str, ...]
    variable: Variable | None = None
    unused: np.ndarray | None = None
    leaf: str | None = None


def write_state(optimizer: Optimizer, opt_state: Any, trained: Sequence[Variable]) -> list[tuple[str, np.ndarray]]:
    """The variables that Keras keeps, after their names, in Keras' order.

    trained: the variables of the network that are trained, in Keras' order.
    """
    written = [("iteration", np.asarray(_count_of(opt_state)))]
    given = constant_rate(optimizer)
    if given is not None:
        rate = next((leaf for path, leaf in tree.leaves_with_path(opt_state) if _is_rate(path)), given)
        written.append(("learning_rate", np.asarray(rate, np.float32)))
    for slot in _slots(optimizer, opt_state, trained):
        if slot.unused is not None:
            written.append((slot.name, slot.unused))
        elif slot.leaf is not None:
            written.append((slot.name, np.asarray(dict(tree.leaves_with_path(opt_state))[slot.leaf])))
        elif slot.variable is None:
            written.append((slot.name, np.asarray(_at(opt_state, slot.way), np.float32)))
        else:
            leaf = _leaves(opt_state, slot.way)[_place(slot.variable)]
            written.append((slot.name, slot.variable.to_keras(np.asarray(leaf))))
    return written


def read_state(
    optimizer: Optimizer,
    params: Any,
    trained: Sequence[Variable],
    names: Sequence[str],
    fetch: Fetch,
    is_older: bool = False,
) -> Any:
    """The state of the optimizer that the variables of a file make; a fresh one for a file of an unused optimizer.

    params: the parameters that are trained. names: of the variables in the file, in its order. is_older: whether Keras
    2 wrote it, which keeps neither rate nor fillers; the names in its ``.h5`` files tell that, too.
    Raises `FileError` for another number of variables, or for values that no state has.
    """
    state = optimizer.init(params)
    slots = list(_slots(optimizer, state, trained))
    rated = constant_rate(optimizer) is not None
    old = is_older or any(name.endswith(":0") for name in names)
    if old:
        slots = [slot for slot in slots if slot.unused is None or slot.unused.ndim]
        slots = [slot for slot in slots if slot.variable is not None]
        rated = False
    first = 2 if rated else 1
    if not names:
        return state
    places: Sequence[int] = range(first, first + len(slots))
    if old and names[0].rpartition("/")[2] == "iter:0":
        places = _by_old_names(names, slots)
    count = _counted(fetch(0, ()))
    if len(names) > first or slots == []:
        if len(names) != first + len(slots):
            raise FileError(
                f"the optimizer has {len(names)} variables in the file, expected {first + len(slots)} of "
                f"{optimizer.name} for this network. Load the network alone: fnet.load_model."
            )
        for slot, place in zip(slots, places, strict=True):
            state = _filled(state, slot, place, fetch)
    elif count:
        raise FileError(f"the optimizer has done {count} steps, and the file has none of its slots. Use another file.")
    if registered_name(optimizer) is None:
        state = _with_count(state, count, optimizer.config.get("gradient_accumulation_steps"))
    else:
        state = _with_count(state, count, None, frozenset(["step"]))
    if old and optimizer.name == "nadam":
        state = _with_product(state, optimizer)
    return _with_rate(optimizer, state, params, fetch) if rated and len(names) > 1 else state


def _slots(optimizer: Optimizer, opt_state: Any, trained: Sequence[Variable]) -> Iterator[_Slot]:
    """What Keras keeps beside the count of steps and the learning rate, in its order."""
    if registered_name(optimizer) is not None:
        yield from _slots_of_own(opt_state, trained)
        return
    way: tuple[str, ...] = ()
    if optimizer.config.get("gradient_accumulation_steps") is not None:
        accumulated, way = (*way, "gradients"), (*way, "optimizer")
    if optimizer.config.get("use_ema"):
        yield from (_Slot(_named(v, "average"), (*way, "average"), v) for v in trained)
        way = (*way, "optimizer")
    if optimizer.config.get("gradient_accumulation_steps") is not None:
        yield from (_Slot(_named(v, "gradient_accumulator"), accumulated, v) for v in trained)
    if optimizer.name == "muon":
        yield from _slots_of_muon(opt_state, way, trained)
    elif optimizer.name == "adafactor":
        yield from _slots_of_adafactor(opt_state, way, trained)
    else:
        own = _at(opt_state, way)
        for group in _GROUPS[optimizer.name]:
            kept = [name for name in group if name in own]
            yield from (_Slot(_named(v, _NEW_NAMES.get(name, name)), (*way, name), v) for v in trained for name in kept)
    if optimizer.name == "nadam":
        yield _Slot("momentum_product", (*way, "momentum_product"))


def _slots_of_muon(opt_state: Any, way: tuple[str, ...], trained: Sequence[Variable]) -> Iterator[_Slot]:
    """A momentum for each parameter, and a velocity for those that are Adam's."""
    matrices = _leaves(opt_state, (*way, "muon", "momentum"))
    for v in trained:
        part = "muon" if _place(v) in matrices else "adam"
        yield _Slot(_named(v, "momentum"), (*way, part, "momentum"), v)
        if part == "adam":
            yield _Slot(_named(v, "velocity"), (*way, "adam", "velocity"), v)


def _slots_of_adafactor(opt_state: Any, way: tuple[str, ...], trained: Sequence[Variable]) -> Iterator[_Slot]:
    """Means over rows and columns, and a velocity; Keras keeps all three for every parameter, and some unused."""
    rows, columns = _leaves(opt_state, (*way, "row_mean")), _leaves(opt_state, (*way, "column_mean"))
    for v in trained:
        row, column = rows[_place(v)], columns[_place(v)]
        if row.ndim:
            if v.to_keras is not same:
                raise StructureError(
                    f"Keras keeps '{_place(v)}' in another shape, and the means of adafactor cannot be changed to it. "
                    f"Save the network without the trainer."
                )
            yield _Slot(_named(v, "row"), (*way, "row_mean"), v)
            yield _Slot(_named(v, "column"), (*way, "column_mean"), v)
            shape = (*row.shape, column.shape[-1])
            yield _Slot(_named(v, "velocity"), (), v, np.zeros(shape, row.dtype))
        else:
            yield _Slot(_named(v, "row"), (), v, np.zeros((), np.int32))
            yield _Slot(_named(v, "column"), (), v, np.zeros((), np.int32))
            yield _Slot(_named(v, "velocity"), (*way, "velocity"), v)


def _slots_of_own(opt_state: Any, trained: Sequence[Variable]) -> Iterator[_Slot]:
    """What an optimizer of the user's own keeps beside the count of steps and the learning rate.

    First come the parts that are like the parameters, one parameter after the other, as Keras'
    ``add_optimizer_variables`` has them.
    """
    places = {_place(v) for v in trained}

    def parts(state: Any, way: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(state, Mapping):
            if set(tree.structure(state).paths()) == places:
                yield way
            else:
                for key, part in state.items():
                    yield from parts(part, (*way, key))

    ways = list(parts(opt_state, ()))
    yield from (_Slot(_named(v, way[-1]), way, v) for v in trained for way in ways)
    inside = tuple("/".join((*way, "")) for way in ways)
    for path in tree.structure(opt_state).paths():
        name = path.rpartition("/")[2]
        if not (path.startswith(inside) or path == "step" or name == "learning_rate"):
            yield _Slot(name, (), leaf=path)


def _filled(state: Any, slot: _Slot, place: int, fetch: Fetch) -> Any:
    """The state with one variable of the file in it."""
    if slot.unused is not None:
        fetch(place, slot.unused.shape)
        return state
    if slot.leaf is not None:
        path = slot.leaf
        like = dict(tree.leaves_with_path(state))[path]
        kept = np.ascontiguousarray(fetch(place, like.shape), like.dtype).reshape(like.shape)
        return tree.map_with_path(lambda where, leaf: kept if where == path else leaf, state)
    if slot.variable is None:
        return _replaced(state, slot.way, lambda leaf: np.asarray(fetch(place, ()), leaf.dtype))
    where, variable = _place(slot.variable), slot.variable

    def changed(path: str, leaf: Any) -> Any:
        if path != where:
            return leaf
        found = fetch(place, variable.to_keras(np.asarray(leaf)).shape)
        return np.ascontiguousarray(variable.from_keras(found), leaf.dtype)

    return _replaced(state, slot.way, lambda part: tree.map_with_path(changed, part))


def _by_old_names(names: Sequence[str], slots: Sequence[_Slot]) -> list[int]:
    """Where the slots are in a file whose names end in the slot: ``Adam/dense/kernel/m:0``."""
    places: dict[tuple[str, int], int] = {}
    parameters: dict[str, int] = {}
    for i, name in enumerate(names[1:], start=1):
        parameter, _, kept = name.removesuffix(":0").rpartition("/")
        number = parameters.setdefault(parameter, len(parameters))
        places[_OLD_NAMES.get(kept, kept), number] = i
    order: dict[str, int] = {}
    found = []
    for slot in slots:
        assert slot.variable is not None
        key = (slot.way[-1], order.setdefault(slot.variable.path, len(order)))
        if key not in places:
            raise FileError(
                f"the optimizer has the variables {plain(', '.join(names), 200)} in the file, and none for "
                f"{slot.way[-1]}. Load the network alone: fnet.load_model."
            )
        found.append(places[key])
    return found


def _with_count(state: Any, count: int, accumulated: int | None, steps: frozenset[str] = _STEPS) -> Any:
    """The state after `count` calls; where gradients are accumulated, all but the first count is of updates."""
    updates = count // (accumulated or 1)

    def counted(path: str, leaf: Any) -> Any:
        if path not in steps:
            return leaf
        return np.array(count if path == "step" else updates, leaf.dtype)

    return tree.map_with_path(counted, state)


def _with_product(state: Any, optimizer: Optimizer) -> Any:
    """The state of nadam with the product that tf.keras 2 does not write."""
    t = np.arange(1, int(_at(state, ("step",))) + 1)
    product = np.prod((1.0 - 0.5 * 0.96**t) * optimizer.config["beta_1"])
    return {**state, "momentum_product": np.array(product)} if "momentum_product" in state else state


def _with_rate(optimizer: Optimizer, state: Any, params: Any, fetch: Fetch) -> Any:
    """The state with the learning rate of the file in it, where that is another than the optimizer was given."""
    found = float(fetch(1, ()))
    if not np.isfinite(found) or found < 0:
        raise FileError(f"the optimizer has the learning rate {found} in the file, expected a number >= 0.")
    if np.float32(found) == np.float32(constant_rate(optimizer) or 0.0):
        return state
    try:
        rates = Rates(optimizer.init, optimizer.name, params)
    except StructureError as error:
        raise FileError(str(error)) from None
    return rates.changed(rates.held(state), found)


def _counted(array: np.ndarray) -> int:
    count = float(array)
    if not 0 <= count <= 2**53 or count != int(count):
        raise FileError(f"the optimizer has done {count} steps in the file, expected a count.")
    return int(count)


def _count_of(opt_state: Any) -> Any:
    counts = (leaf for path, leaf in tree.leaves_with_path(opt_state) if path in _STEPS)
    return next(counts, np.zeros((), np.int64))  # of the user's own without one


def _is_rate(path: str) -> bool:
    return path == "learning_rate" or path.endswith(("optimizer/learning_rate", "muon/learning_rate"))


def _leaves(state: Any, way: Sequence[str]) -> dict[str, Any]:
    return dict(tree.leaves_with_path(_at(state, way)))


def _at(state: Any, way: Sequence[str]) -> Any:
    for key in way:
        state = state[key]
    return state


def _replaced(state: Any, way: Sequence[str], change: Callable[[Any], Any]) -> Any:
    """The state with what is at the end of the way changed."""
    if not way:
        return change(state)
    return {key: _replaced(part, way[1:], change) if key == way[0] else part for key, part in state.items()}


def _place(variable: Variable) -> str:
    """The path of a parameter in the tree of parameters."""
    return variable.path.partition("/")[2]


def _named(variable: Variable, slot: str) -> str:
    return f"{_place(variable).replace('/', '_')}_{slot}"
