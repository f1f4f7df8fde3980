"""What arguments of a call make of a layer: another pair of functions of the same weights."""

from __future__ import annotations

from typing import Any

from fnet.errors import StructureError
from fnet.keras.held import HeldLayer
from fnet.layers.constructor import LAYERS
from fnet.networks.layer import Layer as Functional

ATTENTION_OPTIONS = ("use_causal_mask", "attention_mask", "return_attention_scores")


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


def without_attention_mask(x: Any, options: dict[str, Any]) -> Any:
    """The inputs that weights are made for: of `attention_inputs` those without the mask."""
    return x[:-1] if "masked" in options else x


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
