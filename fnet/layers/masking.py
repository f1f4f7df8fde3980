"""A layer that says which steps of a sequence are padding."""

from __future__ import annotations

import math
from typing import Any

from fnet import ops
from fnet.arguments import number
from fnet.errors import ShapeError
from fnet.layers.checks import masked_input, one_shape
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.masking import Masked, both, over
from fnet.ops.promotion import lift
from fnet.regularizers import RegularizerLike
from fnet.transforms.primitive import spec_of


@LAYERS.named()
@layer_constructor(masks="used")
def Masking(
    mask_value: float = 0.0,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """Steps whose features all are `mask_value`, which may be NaN, do not count from here on, and are set to 0.

    x: (N, T, ...) -> a `fnet.masking.Masked` of the same shape, whose mask (N, T) is true at steps with another value;
    where the input has a mask, at those that count in it, too. Source: Keras ``Masking``.

    >>> import numpy as np
    >>> y, _ = Masking().apply({}, {}, np.array([[[1.0, 0.0], [0.0, 0.0]]]))
    >>> y.mask
    array([[ True, False]])
    """
    value = number("Masking", "mask_value", mask_value)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if len(one_shape("Masking", shape)) < 2:
            raise ShapeError(f"Masking takes samples of shape (steps, features), received {shape}.")
        return {}, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        values, given = masked_input("Masking", x)
        values = lift(values)
        spec = spec_of(values)
        if spec.ndim < 3:
            raise ShapeError(f"Masking: expected an input (batch, steps, features), received {spec.shape}.")
        differs = ops.logical_not(ops.isnan(values)) if math.isnan(value) else ops.not_equal(values, value)
        mask = both(given, ops.any(differs, axis=tuple(range(2, spec.ndim))))
        return Masked(ops.where(over(mask, values), values, 0), mask), state

    return init, apply
