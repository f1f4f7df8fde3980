"""What arguments of a call make of a layer: another pair of functions of the same weights."""

from __future__ import annotations

import warnings
from typing import Any, cast

from fnet.errors import StructureError
from fnet.keras.held import HeldLayer
from fnet.layers.constructor import LAYERS
from fnet.networks.functions import Apply
from fnet.networks.layer import Layer as Functional

ATTENTION_OPTIONS = ("use_causal_mask", "attention_mask", "return_attention_scores")


def in_inference(layer: HeldLayer) -> HeldLayer:
    """The layer as in inference, also where the network around it is trained: ``base(x, training=False)``."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return layer.apply(params, state, x, key=key, train=False)

    made: HeldLayer = tuple.__new__(HeldLayer, (layer.init, cast(Apply, apply)))
    made.__dict__.update(layer.__dict__, infers=True)
    return made


def warn_of_inference(net: Functional) -> None:
    """Warn that a file, a text or a clone of a network does not keep that a layer was called with training=False."""
    left = list(net.children)
    while left:
        layer = left.pop()
        if layer.__dict__.get("infers"):
            warnings.warn(
                f"{layer.name} was called with training=False, which is not kept: a model that is loaded or cloned "
                f"trains it like the others. Build the model again, and load_weights.",
                stacklevel=3,
            )
        left += layer.children


def attention_inputs(who: str, core: Functional, x: Any, given: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The inputs of a call of an attention, with its mask behind them, and the arguments that the layer is made with.

    Raises `TypeError` for a layer that takes no such arguments.
    """
    unknown = [name for name in given if _ARGUMENT[name] not in core.config]
    if unknown:
        raise TypeError(f"{who}: unexpected arguments of the call: {', '.join(unknown)}.")
    options = {_ARGUMENT[name]: True for name, value in given.items() if value is not None and value is not False}
    if "masked" in options:
        inputs = x if isinstance(x, tuple) else (x, x)
        x = (*inputs, given["attention_mask"])
    return x, options


_ARGUMENT = {
    "use_causal_mask": "causal", "attention_mask": "masked", "return_attention_scores": "return_attention_scores",
}  # fmt: skip


def with_options(layer: HeldLayer, options: dict[str, Any]) -> HeldLayer:
    """The layer made with other values of some arguments, which has the same weights."""
    if not options:
        return layer
    if layer.kind not in LAYERS:
        raise StructureError(f"{layer.name}: only layers of fnet.keras.layers take {', '.join(options)} in a call.")
    return HeldLayer.of(LAYERS[layer.kind](**{**layer.config, **options}).copy_of(layer), layer.face)
