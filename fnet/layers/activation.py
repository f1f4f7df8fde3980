"""Layers without parameters that act element by element, or leave their input as it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import activations, regularizers
from fnet.activations import ActivationLike
from fnet.arguments import described
from fnet.errors import DtypeError
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor(masks="kept")
def Activation(
    activation: ActivationLike,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``activation(x)``, for a name known to `fnet.activations` or a function. Source: Keras ``Activation``.

    >>> Activation("softmax").out_shape((3,))
    (3,)
    """
    function = activations.get(activation)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return function(x), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="kept", several=True)
def Lambda(
    function: Callable[[Any], Any],
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``function(x)``, a pure function of a batch, or of a tuple of them, written with `fnet.ops` or NumPy functions.

    It may depend on x alone; a layer with parameters, state or random numbers is a `fnet.Layer`. A file does not
    hold code, so a network with a Lambda cannot be saved as a whole; its weights can. Source: Keras ``Lambda``.

    >>> import numpy as np
    >>> Lambda(lambda x: x**2).apply({}, {}, np.array([[3.0]]))[0]
    array([[9.]])
    """
    if not callable(function):
        raise DtypeError(f"Lambda takes a function of a batch, received {described(function)}.")

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return function(x), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="kept")
def ActivityRegularization(
    l1: float = 0.0,
    l2: float = 0.0,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``x``, with the penalty ``(l1 sum |x| + l2 sum x^2) / N`` on it, see `fnet.apply_with_penalty`.

    Source: Keras ``ActivityRegularization``.
    """
    penalty = regularizers.l1_l2(l1, l2)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        regularizers.report(penalty, x)
        return x, state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="kept", several=True)
def Identity(
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``x``. Source: Keras ``Identity``."""

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return x, state

    return nothing, apply


def nothing(key: Any, shape: Any, dtype: Any) -> tuple[dict, dict]:
    """The init of a layer without parameters and state."""
    return {}, {}
