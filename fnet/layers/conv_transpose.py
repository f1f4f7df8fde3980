"""Transposed convolutions over one, two or three axes: they enlarge images, as the gradients of convolutions do."""

from __future__ import annotations

from typing import Any

from fnet import activations, initializers, ops
from fnet.activations import ActivationLike
from fnet.arguments import positive_integer
from fnet.constraints import ConstraintLike
from fnet.initializers import InitializerLike
from fnet.layers.checks import parameters
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.window import Window
from fnet.ops.promotion import astype
from fnet.ops.window import Sizes
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike


@LAYERS.named()
@layer_constructor(kernel="kernel", bias="bias")
def Conv1DTranspose(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
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
    """``activation(y + b)`` with ``y[n, i strides + t dilation_rate - before, f] += x[n, i, c] K[t, f, c]``.

    x: (N, T, C) -> (N, T', filters), with ``T' = (T - 1) strides + max(span, strides)`` for padding "valid", span being
    ``(kernel_size - 1) dilation_rate + 1``, and ``T' = T strides`` for "same"; with output_padding (below strides)
    ``T' = (T - 1) strides + output_padding`` and span for "valid", ``span % 2`` for "same".
    Params: ``kernel: (kernel_size, filters, C)``, and with `use_bias` ``bias: (filters,)``.
    The input is cast to the dtype of the kernel. Raises `ShapeError` where the input does not fit the kernel, and
    `ValueRangeError` where both strides and dilation_rate are above 1. Source: Keras ``Conv1DTranspose``.

    >>> Conv1DTranspose(8, 3, strides=2, padding="same").out_shape((20, 4))
    (40, 8)
    """
    return _transposed(
        "Conv1DTranspose", 1, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        output_padding=output_padding, data_format=data_format, dilation_rate=dilation_rate, activation=activation,
        use_bias=use_bias, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(kernel="kernel", bias="bias")
def Conv2DTranspose(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = (1, 1),
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
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
    """The transpose of a convolution over height and width.

    x: (N, H, W, C) -> (N, H', W', filters); arguments and sizes as for `Conv1DTranspose`, one number or one for each
    axis. Params: ``kernel: (*kernel_size, filters, C)``, ``bias: (filters,)``. Raises as `Conv1DTranspose`.
    Source: Keras ``Conv2DTranspose``.

    >>> Conv2DTranspose(3, 4, strides=2).out_shape((7, 7, 16))
    (16, 16, 3)
    """
    return _transposed(
        "Conv2DTranspose", 2, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        output_padding=output_padding, data_format=data_format, dilation_rate=dilation_rate, activation=activation,
        use_bias=use_bias, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(kernel="kernel", bias="bias")
def Conv3DTranspose(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = (1, 1, 1),
    padding: str = "valid",
    output_padding: Sizes | None = None,
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1, 1),
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
    """The transpose of a convolution over depth, height and width.

    x: (N, D, H, W, C) -> (N, D', H', W', filters); arguments, params and sizes as for `Conv2DTranspose`.
    Raises as `Conv1DTranspose`. Source: Keras ``Conv3DTranspose``.

    >>> Conv3DTranspose(3, 2, strides=2).out_shape((4, 4, 2, 5))
    (8, 8, 4, 3)
    """
    return _transposed(
        "Conv3DTranspose", 3, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        output_padding=output_padding, data_format=data_format, dilation_rate=dilation_rate, activation=activation,
        use_bias=use_bias, kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


def _transposed(kind: str, rank: int, *, data_format: str | None, **config: Any) -> Pair:
    filters = positive_integer(kind, "filters", config["filters"])
    window = Window(
        kind, rank, config["kernel_size"], config["strides"], config["padding"], config["dilation_rate"],
        data_format=data_format,
    )  # fmt: skip
    extra = window.extra(config["output_padding"])
    activate, use_bias = activations.get(config["activation"]), config["use_bias"]
    make_kernel, make_bias = (initializers.get(config[f"{leaf}_initializer"]) for leaf in ("kernel", "bias"))
    shapes = {"kernel": (*window.kernel_size, filters, None)} | ({"bias": (filters,)} if use_bias else {})

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        channels = window.channels(shape)
        params = {"kernel": make_kernel(fold_in(key, 0), (*window.kernel_size, filters, channels), dtype)}
        if use_bias:
            params["bias"] = make_bias(fold_in(key, 1), (filters,), dtype)
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        kernel, *bias = parameters(kind, params, shapes)
        x = astype(window.images(x, kernel.shape[-1]), kernel.dtype)
        y = ops.conv_transpose(x, kernel, window.strides, window.padding, window.dilation_rate, extra)
        return activate(y + bias[0] if bias else y), state

    return init, apply
