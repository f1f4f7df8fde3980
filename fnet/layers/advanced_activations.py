"""Activation layers with parameters or options."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import activations, ops
from fnet.arguments import not_negative, number
from fnet.constraints import ConstraintLike
from fnet.errors import ShapeError
from fnet.initializers import InitializerLike
from fnet.layers.activation import nothing
from fnet.layers.axes import axis_numbers, axis_sizes, made, makers, named_axes, over_axes
from fnet.layers.checks import entries, masked_input, one_shape
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.masking import Masked, over
from fnet.ops.promotion import astype, lift, promote
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor(masks="kept")
def ReLU(
    max_value: float | None = None,
    negative_slope: float = 0.0,
    threshold: float = 0.0,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """`max_value` from there on, ``x`` above `threshold`, else ``negative_slope (x - threshold)``.

    Source: Keras ``ReLU``.

    >>> ReLU(max_value=6).apply({}, {}, np.array([[-1.0, 3.0, 9.0]]))[0]
    array([[0., 3., 6.]])
    """
    options = {"max_value": max_value, "negative_slope": negative_slope, "threshold": threshold}
    for argument, value in options.items():
        if not (argument == "max_value" and value is None):
            not_negative("ReLU", argument, value)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return activations.relu(x, negative_slope, max_value, threshold), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="kept")
def LeakyReLU(
    negative_slope: float = 0.3,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``x`` where positive, else ``negative_slope x``. Source: A. Maas et al. 2013 (Keras ``LeakyReLU``).

    >>> LeakyReLU(0.5).apply({}, {}, np.array([[-1.0, 3.0]]))[0]
    array([[-0.5,  3. ]])
    """
    not_negative("LeakyReLU", "negative_slope", negative_slope)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return activations.leaky_relu(x, negative_slope), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="kept")
def ELU(
    alpha: float = 1.0, *, activity_regularizer: RegularizerLike = None, trainable: bool = True, name: str | None = None
) -> Pair:
    """``x`` where ``x >= 0``, else ``alpha (e^x - 1)``. Source: D.-A. Clevert et al. 2016 (Keras ``ELU``).

    >>> ELU().apply({}, {}, np.array([[0.0, 3.0]]))[0]
    array([[0., 3.]])
    """
    number("ELU", "alpha", alpha)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return activations.elu(x, alpha), state

    return nothing, apply


@LAYERS.named()
@layer_constructor(masks="kept", alpha="alpha")
def PReLU(
    alpha_initializer: InitializerLike = "zeros",
    shared_axes: int | Sequence[int] | None = None,
    *,
    alpha_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    alpha_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``x`` where positive, else ``alpha x``, with a learned ``alpha`` for every element of a sample.

    Params: ``alpha`` of the shape of a sample, with size 1 on `shared_axes`, which count the batch axis: ``(1, 2)``
    gives an image one alpha for each channel. Source: K. He et al. 2015 (Keras ``PReLU``).

    >>> from fnet import random
    >>> PReLU(shared_axes=(1, 2)).init(random.key(0), (8, 8, 3))[0]["alpha"].shape
    (1, 1, 3)
    """
    shared = () if shared_axes is None else named_axes("PReLU", shared_axes)
    trained = makers(alpha=alpha_initializer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        numbers = range(1, len(one_shape("PReLU", shape)) + 1)
        own = tuple(sorted(set(numbers) - set(axis_numbers("PReLU", shared, (None, *shape)))))
        sizes = dict(zip(own, axis_sizes("PReLU", shape, own), strict=True))
        return made(trained, key, tuple(sizes.get(a, 1) for a in numbers), dtype), {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        (alpha,) = entries("PReLU", params, "alpha")
        x = astype(lift(x), alpha.dtype)
        _check_slopes(alpha.shape, x.shape, axis_numbers("PReLU", shared, x.shape))
        above = ops.greater(x, 0)
        return ops.where(above, x, alpha * ops.where(above, 0, x)), state

    return init, apply


@LAYERS.named()
@layer_constructor(masks="used")
def Softmax(
    axis: int | Sequence[int] = -1,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``e^x / sum(e^x)`` with the sum over `axis`, which counts the batch axis.

    What a mask leaves out is not in the sum, and is 0 in the result. Source: Keras ``Softmax``.

    >>> Softmax().apply({}, {}, np.array([[0.0, 0.0]]))[0]
    array([[0.5, 0.5]])
    """
    _, softmax = over_axes("Softmax", named_axes("Softmax", axis), {}, ops.softmax)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        values, mask = masked_input("Softmax", x)
        if mask is None:
            return softmax(params, state, values)
        (values,) = promote(values, floating=True)
        y, _ = softmax(params, state, ops.where(over(mask, values), values, -np.inf))
        return Masked(y, mask), state

    return nothing, apply


def _check_slopes(alpha: tuple[int, ...], shape: tuple[int, ...], shared: tuple[int, ...]) -> None:
    expected = tuple(1 if axis in shared else size for axis, size in enumerate(shape))[1:]
    if alpha != expected:
        raise ShapeError(
            f"PReLU: an input of shape {shape} needs 'alpha' of shape {expected}, received {alpha}. Init the layer for "
            f"this shape, or share slopes over axes of variable size."
        )
