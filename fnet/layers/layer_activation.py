"""Activations that are layers: ``Dense(4, activation=LeakyReLU(0.1))``."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar

from fnet.errors import StructureError
from fnet.networks.layer import Layer
from fnet.networks.samples import output_shape
from fnet.random import fold_in

M = TypeVar("M", bound=Callable[..., Any])
ENTRY = "activation"
"""The entry in params of an activation that has some."""

_ARGUMENTS = (ENTRY, "recurrent_activation")
_WITHOUT_PARAMETERS = ("LeakyReLU", "ReLU", "ELU", "Softmax", "Activation", "Identity")


class LayerActivation:
    """The function of a layer without parameters.

    >>> from fnet.layers import LeakyReLU
    >>> LayerActivation(LeakyReLU(0.5))(-4.0)
    array(-2.)
    """

    def __init__(self, layer: Layer) -> None:
        self.layer = layer

    def __call__(self, x: Any) -> Any:
        return self.layer.apply({}, {}, x)[0]

    def __repr__(self) -> str:
        return repr(self.layer)


def with_functions(arguments: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a constructor, with functions for activations that are layers without parameters."""
    for key in _ARGUMENTS:
        given = arguments.get(key)
        if isinstance(given, Layer) and given.kind in _WITHOUT_PARAMETERS:
            arguments[key] = LayerActivation(given)
    return arguments


def taking_layers(make: M) -> M:
    """The function of a constructor, whose activation may be a layer with parameters: they are its ``activation``.

    Such a layer comes last; `make` gets no activation. Raises `StructureError` for a recurrent layer, which has its
    activations within its steps.
    """
    parameters = inspect.signature(make).parameters
    if ENTRY not in parameters:
        return make

    @functools.wraps(make)
    def made(*args: Any, **given: Any) -> Any:
        bound = dict(zip(parameters, args, strict=False)) | given
        layers = [key for key in _ARGUMENTS if isinstance(bound.get(key), Layer)]
        if not layers:
            return make(*args, **given)
        if "recurrent_initializer" in parameters:
            raise StructureError(
                f"{make.__name__}: the activation of a recurrent layer has no parameters of its own, received "
                f"{bound[layers[0]]!r:.60}. Take a function of fnet.activations."
            )
        return _followed(make(**{**bound, ENTRY: None}), bound[ENTRY])

    return made  # type: ignore[return-value]


def _followed(pair: Any, activation: Layer) -> Layer:
    """The layer of a pair with another one behind it, whose params are an entry of its own."""
    init, apply = pair[:2]

    def init_both(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        params, state = init(key, shape, dtype)
        inner = output_shape(apply, params, state, shape, dtype)
        own, own_state = activation.init(fold_in(key, 7), inner, dtype)
        return {**params, ENTRY: own}, {**state, **({ENTRY: own_state} if own_state else {})}

    def apply_both(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        before, own_state = _split(state)
        own, inner = _split(params)
        y, after = apply(own, before, x, key=key, train=train)
        z, own_state = activation.apply(inner, own_state, y, key=key, train=train)
        return z, {**after, **({ENTRY: own_state} if ENTRY in state else {})}

    return Layer(init_both, apply_both, children=(activation,), entries=(ENTRY,), masks="used")


def _split(entries: Any) -> tuple[dict[str, Any], Any]:
    """What is not the activation's, and what is."""
    return {key: value for key, value in entries.items() if key != ENTRY}, entries.get(ENTRY, {})
