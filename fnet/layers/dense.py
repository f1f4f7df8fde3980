"""The fully connected layer."""

from __future__ import annotations

from typing import Any

from fnet import activations, initializers, ops
from fnet.activations import ActivationLike
from fnet.arguments import positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import ShapeError
from fnet.initializers import InitializerLike
from fnet.layers.checks import known_size, parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.ops.promotion import astype, lift
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor(masks="kept", kernel="kernel", bias="bias")
def Dense(
    units: int,
    activation: ActivationLike = None,
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    kernel_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y = activation(x K + b)`` on the last axis.

    x: (N, ..., D) -> (N, ..., units). Params: ``kernel: (D, units)``, and with `use_bias` ``bias: (units,)``.
    The input is cast to the dtype of the kernel. Raises `ShapeError` where the last axis is not D.
    Source: Keras ``Dense``.

    >>> from fnet import random
    >>> params, state = Dense(3).init(random.key(0), (4,))
    >>> params["kernel"].shape, params["bias"].shape
    ((4, 3), (3,))
    """
    units = positive_integer("Dense", "units", units)
    activate = activations.get(activation)
    make_kernel, make_bias = initializers.get(kernel_initializer), initializers.get(bias_initializer)
    shapes = {"kernel": (None, units)} | ({"bias": (units,)} if use_bias else {})

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        features = known_size("Dense", shape)
        params = {"kernel": make_kernel(fold_in(key, 0), (features, units), dtype)}
        if use_bias:
            params["bias"] = make_bias(fold_in(key, 1), (units,), dtype)
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        kernel, *bias = parameters("Dense", params, shapes)
        x = lift(x)
        received, features = x.shape, kernel.shape[0]
        if len(received) < 2 or received[-1] != features:
            one_sample = received == (features,)
            hint = "Add a batch axis: x[None]." if one_sample else "Put Flatten() before, or init for this shape."
            raise ShapeError(f"Dense: expected an input (batch, ..., {features}), received {received}. {hint}")
        y = ops.matmul(astype(x, kernel.dtype), kernel)
        return activate(y + bias[0] if bias else y), state

    return init, apply
