"""A recurrent layer that reads its sequence in both directions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import ops
from fnet.arguments import known_word
from fnet.errors import StructureError
from fnet.layers.constructor import LAYERS, layer_constructor
from fnet.layers.conv_lstm import ConvLSTM1D, ConvLSTM2D, ConvLSTM3D
from fnet.layers.recurrent import GRU, LSTM, SimpleRNN
from fnet.layers.rnn import RNN
from fnet.layers.sequence import is_several
from fnet.masking import join_mask, split_mask
from fnet.networks.layer import Layer
from fnet.networks.members import Members
from fnet.networks.samples import is_single
from fnet.regularizers import RegularizerLike

_MERGES: dict[str, Callable[[Any, Any], Any]] = {
    "concat": lambda a, b: ops.concatenate([a, b], axis=-1),
    "sum": ops.add,
    "mul": ops.multiply,
    "ave": lambda a, b: 0.5 * (a + b),
}
_WRAPPED: dict[str, Callable[..., Layer]] = {
    make.__name__: make for make in (SimpleRNN, LSTM, GRU, RNN, ConvLSTM1D, ConvLSTM2D, ConvLSTM3D)
}


@LAYERS.named()
@layer_constructor(masks="used")
def Bidirectional(
    layer: Layer,
    merge_mode: str | None = "concat",
    backward_layer: Layer | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Layer:
    """`layer` from the beginning and another of its kind from the end, their outputs merged.

    ``y = merge(forward(x), backward(x))``; sequences are merged in the order of x.
    x: (N, T, D), or (x, *forward states, *backward states) -> for ``"concat"`` (N, 2 units), or (N, T, 2 units) where
    `layer` returns sequences; for ``"sum"``, ``"mul"`` and ``"ave"`` (N, units) or (N, T, units); for None the tuple of
    both. Where `layer` returns its state: the tuple (y, *forward states, *backward states).
    layer: a SimpleRNN, LSTM, GRU, RNN or ConvLSTM; backward_layer: one for the other direction, like `layer` if None.
    In sequences the output of a masked step is 0, as if `layer` had ``zero_output_for_mask=True``, and the sequence
    returned has the mask of x. Params and state: ``forward_<name>`` and ``backward_<name>``.
    Source: M. Schuster and K. Paliwal 1997 (Keras ``Bidirectional``).

    >>> from fnet.layers import LSTM
    >>> Bidirectional(LSTM(3, return_sequences=True)).out_shape((5, 4))
    (5, 6)
    """
    known_word("Bidirectional", "merge_mode", merge_mode, (None, *_MERGES))
    forward, backward = _pair(layer, backward_layer)
    members = Members("Bidirectional", (forward, backward))
    sequences, with_states = layer.config["return_sequences"], layer.config["return_state"]

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params: dict[str, Any] = {}
        state: dict[str, Any] = {}
        for i, own in enumerate(_halves(shape, isinstance(shape, tuple) and not is_single(shape))):
            members.init(i, params, state, key, own, dtype)
        return params, state

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        ahead, back = (run(i, own) for i, own in enumerate(_halves(x, is_several(x))))
        (y, *states), (y_back, *states_back) = (ahead, back) if with_states else ((ahead,), (back,))
        y_back = _turned(y_back) if sequences else y_back
        merged = (y, y_back) if merge_mode is None else (_merged(_MERGES[merge_mode], y, y_back),)
        several = with_states or merge_mode is None
        return ((*merged, *states, *states_back) if several else merged[0]), run.state

    return Layer(init, apply, children=(forward, backward), entries=members.names, masks="used", container=True)


def _pair(layer: Any, backward_layer: Any) -> tuple[Layer, Layer]:
    """The layers of both directions, under their names."""
    for part in (layer,) if backward_layer is None else (layer, backward_layer):
        if not isinstance(part, Layer) or part.kind not in _WRAPPED:
            received = part.kind if isinstance(part, Layer) else type(part).__name__
            raise StructureError(f"Bidirectional wraps a SimpleRNN, LSTM, GRU or RNN, received {received}.")
    if backward_layer is None:
        backward_layer = _like(layer, go_backwards=not layer.config["go_backwards"])
    if layer.config["go_backwards"] == backward_layer.config["go_backwards"]:
        raise StructureError("Bidirectional: go_backwards of layer and backward_layer must differ. Set one to True.")
    for argument in ("return_sequences", "return_state"):
        if layer.config[argument] != backward_layer.config[argument]:
            raise StructureError(f"Bidirectional: layer and backward_layer must have the same {argument}.")
    silent = {"zero_output_for_mask": layer.config["return_sequences"]}
    names = (f"forward_{layer.name}", f"backward_{backward_layer.name}")
    forward, backward = (
        _like(part, **silent).relabel(name, named=True)
        for part, name in zip((layer, backward_layer), names, strict=True)
    )
    return forward, backward


def _like(layer: Layer, **changes: Any) -> Layer:
    """A layer like this one, with other values of some arguments."""
    made = _WRAPPED[layer.kind](**{**layer.config, **changes}, name=layer.name).copy_of(layer)
    return made if layer.trainable is True else made.with_trainable(layer.trainable)


def _halves(x: Any, several: bool) -> tuple[Any, Any]:
    """The input of each direction: the sequence, and half of the initial states."""
    if not several or not x:
        return x, x
    sequence, *states = x
    half = len(states) // 2
    return (sequence, *states[:half]), (sequence, *states[half:])


def _turned(y: Any) -> Any:
    """The sequence and its mask in reverse order."""
    values, mask = split_mask(y)
    return join_mask(ops.flip(values, 1), None if mask is None else ops.flip(mask, 1))


def _merged(merge: Callable[[Any, Any], Any], y: Any, y_back: Any) -> Any:
    (values, mask), (values_back, _) = split_mask(y), split_mask(y_back)
    return join_mask(merge(values, values_back), mask)
