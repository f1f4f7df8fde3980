"""A recurrent layer that reads its sequence in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import ops
from fnet.errors import StructureError, ValueRangeError, did_you_mean, scope
from fnet.layer import Layer
from fnet.layers.checks import entries
from fnet.layers.constructor import constructor
from fnet.layers.recurrence import KINDS, Recurrence
from fnet.random import fold_in

_MERGES: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda a, b: ops.concatenate([a, b], axis=-1),
    "sum": ops.add,
    "mul": ops.multiply,
    "ave": lambda a, b: 0.5 * (a + b),
}


@constructor(masks="used")
def Bidirectional(layer: Layer, merge_mode: str | None = "concat", backward_layer: Layer | None = None) -> Layer:
    """`layer` from the beginning and another of its kind from the end, their outputs merged.

    ``y = merge(forward(x), backward(x))``; sequences are merged in the order of x.
    x: (N, T, D), or (x, *forward states, *backward states) -> for ``"concat"`` (N, 2 units), or (N, T, 2 units) where
    `layer` returns sequences; for ``"sum"``, ``"mul"`` and ``"ave"`` (N, units) or (N, T, units); for None the tuple of
    both. Where `layer` returns its state: the tuple (y, *forward states, *backward states).
    layer: a SimpleRNN, LSTM or GRU; backward_layer: one for the other direction, by default like `layer`.
    Params: ``forward_<name>`` and ``backward_<name>``. Source: M. Schuster and K. Paliwal 1997 (Keras
    ``Bidirectional``).

    >>> from fnet.layers import LSTM
    >>> Bidirectional(LSTM(3, return_sequences=True)).out_shape((5, 4))
    (5, 6)
    """
    if merge_mode is not None and merge_mode not in _MERGES:
        known = did_you_mean(merge_mode, _MERGES)
        raise ValueRangeError(f"Bidirectional: unknown merge_mode {merge_mode!r}.{known}")
    backward_layer = _turned(layer) if backward_layer is None else backward_layer
    _check_pair(layer, backward_layer)
    names = (f"forward_{layer.name}", f"backward_{backward_layer.name}")
    ways = tuple(Recurrence(part.kind, part.config) for part in (layer, backward_layer))

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        shapes, params = _halves(shape, lambda s: isinstance(s, tuple) and bool(s) and isinstance(s[0], tuple)), {}
        for i, (entry, way) in enumerate(zip(names, ways, strict=True)):
            with scope(entry):
                params[entry] = way.init(fold_in(key, i), shapes[i], dtype)[0]
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        inputs, results = _halves(x, lambda value: isinstance(value, tuple)), []
        for i, (entry, own) in enumerate(zip(names, entries("Bidirectional", params, *names), strict=True)):
            own_key = None if key is None else fold_in(key, i)
            with scope(entry):
                results.append(ways[i].run(own, inputs[i], own_key, train, ways[i].config["go_backwards"]))
        (ys, states), (ys_back, states_back) = results
        if not layer.config["return_sequences"]:
            ys, ys_back = states[0], states_back[0]
        elif layer.config["go_backwards"]:
            ys, ys_back = ops.flip(ys, 1), ops.flip(ys_back, 1)
        y = (ys, ys_back) if merge_mode is None else _MERGES[merge_mode](ys, ys_back)
        if layer.config["return_state"]:
            y = (*(y if merge_mode is None else (y,)), *states, *states_back)
        return y, state

    children = (layer.relabel(names[0], named=True), backward_layer.relabel(names[1], named=True))
    return Layer(init, apply, children=children, entries=names, masks="used")


def _turned(layer: Layer) -> Layer:
    """A layer of the same configuration that reads in the other direction."""
    from fnet.layers import recurrent

    if not isinstance(layer, Layer) or layer.kind not in KINDS:
        received = layer.kind if isinstance(layer, Layer) else type(layer).__name__
        raise StructureError(f"Bidirectional wraps a SimpleRNN, LSTM or GRU, received {received}.")
    make = getattr(recurrent, layer.kind)
    return make(**{**layer.config, "go_backwards": not layer.config["go_backwards"]}, name=layer.name)


def _check_pair(layer: Layer, backward_layer: Layer) -> None:
    for part in (layer, backward_layer):
        if not isinstance(part, Layer) or part.kind not in KINDS:
            received = part.kind if isinstance(part, Layer) else type(part).__name__
            raise StructureError(f"Bidirectional wraps a SimpleRNN, LSTM or GRU, received {received}.")
    if layer.config["go_backwards"] == backward_layer.config["go_backwards"]:
        raise StructureError("Bidirectional: go_backwards of layer and backward_layer must differ. Set one to True.")
    for argument in ("return_sequences", "return_state"):
        if layer.config[argument] != backward_layer.config[argument]:
            raise StructureError(f"Bidirectional: layer and backward_layer must have the same {argument}.")


def _halves(x: Any, several: Callable[[Any], bool]) -> tuple[Any, Any]:
    """What each direction gets: the sequence, with its half of the initial states."""
    if not several(x):
        return x, x
    sequence, *states = x
    half = len(states) // 2
    return (sequence, *states[:half]), (sequence, *states[half:])
