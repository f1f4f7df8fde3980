"""Combinators: functions of layers that return a layer.

Params and state of a combined layer are dicts keyed by the names of its layers, ``dense``, ``dense_1``, ... in order of
use; a layer without parameters (state) has no entry. The same Layer object used twice in one combinator shares its
weights: it has one entry. Layer i gets the key ``fold_in(key, i)``, whatever the others do with theirs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fnet import ops, tree
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError, did_you_mean, scope
from fnet.layer import Layer, is_single, output_shape
from fnet.ops.promotion import astype
from fnet.random import fold_in
from fnet.transforms.primitive import spec_of


def serial(*layers: Layer) -> Layer:
    """The layers one after the other; none at all is the identity. Associative, up to names.

    >>> from fnet.layers import Dense
    >>> serial(Dense(8, activation="relu"), Dense(2)).out_shape((4,))
    (2,)
    """
    return _chain("serial", layers, {})


def parallel(*layers: Layer) -> Layer:
    """Layer i on input i: a tuple of inputs to the tuple of outputs."""
    members = _Members("parallel", layers)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if is_single(shape) or isinstance(shape, dict) or len(shape) != len(layers):
            raise ShapeError(
                f"parallel of {len(layers)} layers expects a tuple of {len(layers)} shapes, received {shape}. "
                f"To feed one input to every layer use fanout."
            )
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i, own in enumerate(shape):
            members.init(i, params, state, key, own, dtype)
            members.out_shape(i, params, state, own, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if not isinstance(x, tuple | list) or len(x) != len(layers):
            received = f"{len(x)}" if isinstance(x, tuple | list) else f"one {type(x).__name__}"
            raise StructureError(f"parallel expects a tuple of {len(layers)} inputs, received {received}.")
        run = members.start(params, state, key, train)
        return tuple(run(i, part) for i, part in enumerate(x)), run.state

    return Layer(init, apply, name="parallel", children=layers)


def fanout(*branches: Layer, merge: str | Callable | None = "concat", axis: int = -1) -> Layer:
    """One input to every branch, and the outputs merged.

    merge: ``"concat"`` along `axis` (counted with the batch axis), ``"add"``, ``"multiply"``, ``"average"``,
    ``"maximum"`` element by element, a function called as ``merge(*outputs)``, or None for the tuple of outputs.

    >>> from fnet.layers import Dense, Identity
    >>> fanout(Identity(), Dense(3)).out_shape((4,))
    (7,)
    """
    members = _Members("fanout", branches)
    if not branches:
        raise ValueRangeError("fanout needs at least one branch, received none.")
    combine = _merge(merge, axis)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i in range(len(branches)):
            members.init(i, params, state, key, shape, dtype)
        output_shape(apply, params, state, shape, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        return combine(*(run(i, x) for i in range(len(branches)))), run.state

    return Layer(init, apply, name="fanout", config={"merge": merge, "axis": axis}, children=branches)


def residual(layer: Layer) -> Layer:
    """``x + layer(x)``, for a layer that keeps the shape."""
    members = _Members("residual", (layer,))

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        members.init(0, params, state, key, shape, dtype)
        output_shape(apply, params, state, shape, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        return tree.map(_added, x, run(0, x)), run.state

    return Layer(init, apply, name="residual", children=(layer,))


def repeat(layer: Layer, n: int) -> Layer:
    """`n` copies of the layer one after the other, each with parameters of its own."""
    if isinstance(n, bool) or not isinstance(n, int) or n < 0:
        raise ValueRangeError(f"repeat: n is a number of copies, expected an integer >= 0, received {n!r}.")
    _check_layers("repeat", (layer,))
    return _chain("repeat", tuple(layer.relabel(layer.name, named=False) for _ in range(n)), {"n": n})


def named(name: str, layer: Layer) -> Layer:
    """The layer under a name that containers do not number.

    >>> from fnet.layers import Dense
    >>> named("head", Dense(2)).name
    'head'
    """
    _check_layers("named", (layer,))
    return layer.relabel(name, named=True)


def _chain(kind: str, layers: tuple[Layer, ...], config: dict[str, Any]) -> Layer:
    members = _Members(kind, layers)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i in range(len(layers)):
            members.init(i, params, state, key, shape, dtype)
            shape = members.out_shape(i, params, state, shape, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        for i in range(len(layers)):
            x = run(i, x)
        return x, run.state

    return Layer(init, apply, name=kind, config=config, children=layers)


class _Members:
    """The layers of a container with the names of their entries."""

    def __init__(self, kind: str, layers: tuple[Layer, ...]) -> None:
        _check_layers(kind, layers)
        self.kind, self.layers = kind, layers
        self.names = entry_names(layers)

    def init(self, i: int, params: dict, state: dict, key: Any, shape: Any, dtype: Any) -> None:
        """Add the entries of layer i, unless an earlier use of the same object has made them."""
        layer, name = self.layers[i], self.names[i]
        if name in self.names[:i]:
            return
        with scope(name):
            own_params, own_state = layer.init(fold_in(key, i), shape, dtype)
        for entries, own in ((params, own_params), (state, own_state)):
            if tree.leaves(own):
                entries[name] = own

    def out_shape(self, i: int, params: dict, state: dict, shape: Any, dtype: Any) -> Any:
        name = self.names[i]
        with scope(name):
            return output_shape(self.layers[i].apply, params.get(name, {}), state.get(name, {}), shape, dtype)

    def start(self, params: Any, state: Any, key: Any, train: bool) -> _Run:
        for what, entries in (("params", params), ("state", state)):
            self._check_entries(what, entries)
        return _Run(self, params, state, key, train)

    def _check_entries(self, what: str, entries: Any) -> None:
        if not isinstance(entries, Mapping):
            raise StructureError(f"{what} of {self.kind} is a dict keyed by layer, received {type(entries).__name__}.")
        unexpected = [name for name in entries if name not in self.names]
        if unexpected:
            absent = [name for name in dict.fromkeys(self.names) if name not in entries]
            raise StructureError(
                f"{what} of another network: unexpected {_quoted(unexpected)}; the layers without an entry are "
                f"{_quoted(absent)}. Pass what init of this network returned."
            )


class _Run:
    """One application of a container: calls its layers, threads their state."""

    def __init__(self, members: _Members, params: Mapping, state: Mapping, key: Any, train: bool) -> None:
        self.members, self.params, self.key, self.train = members, params, key, train
        self.state = dict(state)

    def __call__(self, i: int, x: Any) -> Any:
        name = self.members.names[i]
        key = None if self.key is None else fold_in(self.key, i)
        with scope(name):
            params, state = self.params.get(name, {}), self.state.get(name, {})
            y, new = self.members.layers[i].apply(params, state, x, key=key, train=self.train)
            if name in self.state:
                self.state[name] = new
            elif tree.leaves(new):
                raise StructureError("apply returned a state, but there was none: create it in init.")
        return y


def entry_names(layers: Sequence[Layer]) -> tuple[str, ...]:
    """The name of each layer's entry in its container: one for each object, numbered unless the user chose it.

    Raises `StructureError` when the user gave one name to two layers.
    """
    chosen: dict[str, Layer] = {}
    for layer in layers:
        if layer.named and chosen.setdefault(layer.name, layer) is not layer:
            raise StructureError(
                f"two layers are named '{layer.name}'. Give them different names, or use one Layer object twice to "
                f"share its weights."
            )
    names: dict[int, str] = {id(layer): name for name, layer in chosen.items()}
    taken = set(chosen)
    for layer in layers:
        if id(layer) not in names:
            name, number = layer.name, 0
            while name in taken:
                number += 1
                name = f"{layer.name}_{number}"
            names[id(layer)] = name
            taken.add(name)
    return tuple(names[id(layer)] for layer in layers)


def _check_layers(kind: str, layers: tuple[Any, ...]) -> None:
    for position, layer in enumerate(layers):
        if isinstance(layer, Layer):
            continue
        if isinstance(layer, list | tuple):
            filled = any(isinstance(item, Layer) for item in layer)
            hint = f"Unpack it: {kind}(*layers)." if filled else "Wrap it: Layer(init, apply)."
        elif callable(layer):
            name = getattr(layer, "__name__", "it")
            hint = f"Call it ({name}(...)) if it makes a layer, or wrap it: Activation({name})."
        else:
            hint = "Layers are made by fnet.layers, combinators, or Layer(init, apply)."
        raise StructureError(f"{kind}: argument {position} is a {type(layer).__name__}, expected a Layer. {hint}")


def _added(x: Any, y: Any) -> Any:
    if spec_of(x).shape != spec_of(y).shape:
        raise ShapeError(
            f"residual adds input and output, so the layer must keep the shape: expected {spec_of(x).shape}, received "
            f"{spec_of(y).shape}. Change its units, or use fanout(project, layer, merge='add')."
        )
    return ops.add(astype(x, spec_of(y).dtype), y)


def _merge(merge: str | Callable | None, axis: int) -> Callable:
    """The function ``combine(*outputs)`` for what `fanout` was given."""
    if merge is None:
        return lambda *outputs: outputs
    if callable(merge):
        return merge
    if merge not in _MERGES:
        if isinstance(merge, str):
            raise ValueRangeError(f"fanout: unknown merge '{merge}'.{did_you_mean(merge, _MERGES)}")
        raise DtypeError(f"fanout: merge is a name, a function or None, received {type(merge).__name__} {merge!r}.")
    if merge == "concat":
        if isinstance(axis, bool) or not isinstance(axis, int) or axis == 0:
            raise ValueRangeError(f"fanout: axis 0 is the batch; expected another integer, received {axis!r}.")
        return functools.partial(_merged, functools.partial(ops.concatenate, axis=axis))
    return functools.partial(_merged, _MERGES[merge])


def _merged(merge: Callable, *outputs: Any) -> Any:
    shapes = [spec_of(y).shape for y in outputs]
    if len({len(shape) for shape in shapes}) > 1:
        raise ShapeError(
            f"fanout merges outputs with equally many axes, received shapes {', '.join(map(str, shapes))}. "
            f"Reshape in a branch, or give merge=None for the tuple."
        )
    return merge(outputs)


_MERGES: dict[str, Callable] = {
    "concat": ops.concatenate,
    "add": lambda outputs: functools.reduce(ops.add, outputs),
    "multiply": lambda outputs: functools.reduce(ops.multiply, outputs),
    "average": lambda outputs: functools.reduce(ops.add, outputs) * (1 / len(outputs)),
    "maximum": lambda outputs: functools.reduce(ops.maximum, outputs),
}


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:6]) + (", ..." if len(names) > 6 else "") if names else "none"
