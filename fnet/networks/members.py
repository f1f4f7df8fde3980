"""What all containers do: keep the entries of their layers in params and state, and call the layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from fnet import tree
from fnet.configured import Recipe
from fnet.context import in_force
from fnet.errors import StructureError, scope
from fnet.networks.layer import Layer
from fnet.networks.position import at, current
from fnet.networks.samples import output_samples, output_shape
from fnet.networks.watching import watched
from fnet.random import fold_in


class Members:
    """The layers of a container with the names of their entries."""

    def __init__(self, kind: str, layers: tuple[Layer, ...]) -> None:
        check_layers(kind, layers)
        self.kind, self.layers = kind, layers
        self.names = entry_names(layers)
        self.known = frozenset(self.names)

    def init(self, i: int, params: dict, state: dict, key: Any, shape: Any, dtype: Any) -> None:
        """Add the entries of layer i, unless an earlier use of the same object has added them."""
        layer, name = self.layers[i], self.names[i]
        position = current().below(name)
        if name in self.names[:i] or position.path in position.carried:
            return
        with scope(name, layer), at(position):
            own_params, own_state = layer.init(fold_in(key, i), shape, dtype)
        position.keep((own_params, own_state))
        for entries, own in ((params, own_params), (state, own_state)):
            if tree.leaves(own):
                entries[name] = own

    def out_shape(self, i: int, params: dict, state: dict, shape: Any, dtype: Any) -> Any:
        name = self.names[i]
        with scope(name, self.layers[i]), at(current().below(name)):
            own = current().entry or (params.get(name, {}), state.get(name, {}))
            return output_shape(self.layers[i].apply, *own, shape, dtype)

    def out_samples(self, i: int, params: dict, state: dict, samples: Any) -> Any:
        """The tree of `Samples` that layer i makes of a tree of them."""
        name = self.names[i]
        shapes, dtypes = tree.map(lambda s: s.shape, samples), tree.map(lambda s: s.dtype, samples)
        with scope(name, self.layers[i]), at(current().below(name)):
            own = current().entry or (params.get(name, {}), state.get(name, {}))
            return output_samples(self.layers[i].apply, *own, shapes, dtypes)

    def layer(self, init: Callable, apply: Callable, config: dict[str, Any], recipe: Recipe) -> Layer:
        """The container with this pair."""
        shown = {} if self.kind == "fanout" and config == {"merge": "concat", "axis": -1} else config
        return Layer(
            init,
            apply,
            name=self.kind,
            config=config,
            shown=shown,
            children=self.layers,
            entries=self.names,
            masks="used",
            recipe=recipe,
            container=True,
            shape=self.layers[0].shape if self.kind == "serial" and self.layers else None,
        )

    def start(self, params: Any, state: Any, key: Any, train: bool) -> Application:
        for what, entries in (("params", params), ("state", state)):
            self._check_entries(what, entries)
        return Application(self, params, state, key, train)

    def _check_entries(self, what: str, entries: Any) -> None:
        if not isinstance(entries, Mapping):
            raise StructureError(f"{what} of {self.kind} is a dict keyed by layer, received {type(entries).__name__}.")
        if not entries.keys() <= self.known:
            unexpected = [name for name in entries if name not in self.known]
            absent = [name for name in dict.fromkeys(self.names) if name not in entries]
            raise StructureError(
                f"{what} of another network: unexpected {_quoted(unexpected)}; the layers without an entry are "
                f"{_quoted(absent)}. Pass what init of this network returned."
            )


@dataclass
class LayerEntry:
    """Params and state that go into a call of a layer; after the call, `state` is the new state."""

    params: Any
    state: Any


class Application:
    """One application of a container: it calls the layers and keeps their new state."""

    def __init__(self, members: Members, params: Mapping, state: Mapping, key: Any, train: bool) -> None:
        self.members, self.params, self.key, self.train = members, params, key, train
        self.state = dict(state)

    def __call__(self, i: int, x: Any, train: bool | None = None, key: Any = None) -> Any:
        """The output of layer i; `train` and `key` where the call says them, and not the network."""
        name, layer = self.members.names[i], self.members.layers[i]
        train = self.train if train is None else train
        key = self.key if key is None else key
        key = None if key is None else fold_in(key, i)
        if in_force().jit_level is not None:  # no place to note, nobody to tell
            with scope(name, layer):
                params, state = self.params.get(name, {}), self.state.get(name, {})
                y, state = layer.apply(params, state, x, key=key, train=train)
                self._keep(name, state)
            return y
        with self.entry(i) as entry:
            params, state = entry.params, entry.state
            y, entry.state = watched(name, layer, x, lambda: layer.apply(params, state, x, key=key, train=train))
        return y

    @contextmanager
    def entry(self, i: int) -> Iterator[LayerEntry]:
        """The entry of layer i for a ``with`` statement that applies the layer. Its `state` at the end is kept."""
        name, position = self.members.names[i], current()
        own = LayerEntry(self.params.get(name, {}), self.state.get(name, {}))
        with scope(name, self.members.layers[i]):
            if position.is_plain:
                yield own
            else:
                position = position.below(name)
                own = own if position.entry is None else LayerEntry(*position.entry)
                with at(position):
                    yield own
                position.keep((own.params, own.state))
            self._keep(name, own.state, position.is_shared)

    def _keep(self, name: str, state: Any, is_shared: bool = False) -> None:
        """The new state of a layer; where the layer had none, it must have none now."""
        if name in self.state:
            self.state[name] = state
        elif (type(state) is not dict or state) and tree.leaves(state) and not is_shared:
            raise StructureError("apply returned a state, but there was none: create it in init.")


def entry_names(layers: Sequence[Layer]) -> tuple[str, ...]:
    """The name of each layer's entry in its container. An object has one name. A name that nobody chose is numbered.

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


def unpacked(layers: tuple[Any, ...]) -> tuple[Any, ...]:
    """The layers. A single list or tuple of layers is unpacked, as Keras' Sequential takes one."""
    several = len(layers) == 1 and isinstance(layers[0], list | tuple) and not isinstance(layers[0], Layer)
    return tuple(layers[0]) if several and all(isinstance(layer, Layer) for layer in layers[0]) else layers


def check_layers(kind: str, layers: tuple[Any, ...]) -> None:
    """Raise a `StructureError` for what is no Layer; it says how to make one."""
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


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names[:6]) + (", ..." if len(names) > 6 else "") if names else "none"
