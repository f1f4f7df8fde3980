"""A layer that brings raw numbers into the range that a network is made for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.arguments import number
from fnet.layers.activation import nothing
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype, lift
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside


@LAYERS.named()
@layer_constructor(masks="kept")
def Rescaling(
    scale: float | Sequence[float],
    offset: float | Sequence[float] = 0.0,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = x scale + offset``, as for bytes of images in [0, 1]: ``Rescaling(1 / 255)``.

    scale, offset: numbers, or one for each channel, the last axis. x: (N, ..., C), of any type; integers give float32.
    Source: Keras ``Rescaling``.

    >>> import numpy as np
    >>> Rescaling(0.5, -1.0).apply({}, {}, np.array([[0, 4]], "uint8"))[0]
    array([[-1.,  1.]], dtype=float32)
    """
    factor, shift = _numbers("scale", scale), _numbers("offset", offset)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x = lift(x)
        x = x if x.dtype.kind == "f" else astype(x, np.float32)
        return ops.add(ops.multiply(x, _like(factor, x)), _like(shift, x)), state

    return nothing, apply


def _numbers(argument: str, given: Any) -> Any:
    """A number, or a tuple of them."""
    if isinstance(given, list | tuple | np.ndarray):
        return tuple(number("Rescaling", argument, part) for part in np.asarray(given).tolist())
    return number("Rescaling", argument, given)


def _like(values: Any, x: Any) -> Any:
    return beside(np.asarray(values, x.dtype), x) if isinstance(values, tuple) else values
