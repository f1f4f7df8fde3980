"""Layers that are random in training and do nothing in inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fnet import ops
from fnet.arguments import fraction, integer_or_none
from fnet.errors import DtypeError, ShapeError
from fnet.layers.activation import nothing
from fnet.layers.checks import stream
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import promote
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside


@LAYERS.named()
@layer_constructor(masks="kept")
def Dropout(
    rate: float,
    noise_shape: Sequence[int | None] | None = None,
    seed: int | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """In training, each element is 0 with probability `rate`, the fraction dropped, else divided by ``1 - rate``.

    noise_shape: with the batch axis, None for the size of the input; elements along an axis of size 1 are dropped
    together. seed: folded into the key, so that the layer draws other numbers from it. A rate of 0 changes nothing, a
    rate of 1 gives zeros. Source: N. Srivastava et al. 2014 (Keras ``Dropout``).

    >>> import numpy as np
    >>> from fnet import random
    >>> y, _ = Dropout(0.5).apply({}, {}, np.ones((1, 4), "float32"), key=random.key(0), train=True)
    >>> set(y.ravel().tolist()) <= {0.0, 2.0}
    True
    """
    rate, seed = fraction("Dropout", "rate", rate), integer_or_none("Dropout", "seed", seed)
    if not isinstance(noise_shape, Sequence | None) or isinstance(noise_shape, str):
        raise DtypeError(f"Dropout: noise_shape is a tuple with an entry for each axis, received {noise_shape!r:.40}.")
    noise = None if noise_shape is None else tuple(noise_shape)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        if not train or rate == 0:
            return x, state
        key = stream("Dropout", key, seed)
        if noise is None:
            return ops.dropout(x, key, rate), state
        (x,) = promote(x, floating=True)
        return dropped_together(x, key, rate, _sizes(noise, x.shape)), state

    return nothing, apply


def dropped_together(x: Any, key: Any, rate: float, sizes: tuple[int, ...]) -> Any:
    """Dropout of `x` with one decision for all elements along the axes of size 1 in `sizes`, which broadcast to it."""
    ones = ops.broadcast_to(beside(ops.astype(1.0, x.dtype), x), sizes)
    factor = ops.dropout(ones, key, rate)
    return ops.where(ops.greater(factor, 0), x * factor, 0)


def _sizes(noise_shape: tuple[int | None, ...], shape: tuple[int, ...]) -> tuple[int, ...]:
    if len(noise_shape) != len(shape) or any(n not in (None, 1, m) for n, m in zip(noise_shape, shape, strict=True)):
        raise ShapeError(
            f"Dropout: noise_shape has None, 1 or its size for each axis of an input {shape}, received {noise_shape}."
        )
    return tuple(m if n is None else n for n, m in zip(noise_shape, shape, strict=True))
