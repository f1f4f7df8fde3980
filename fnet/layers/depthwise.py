"""Convolutions in which every channel has kernels of its own, alone or followed by a mixture of the channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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

Shapes = dict[str, tuple[int | None, ...]]


@LAYERS.named()
@layer_constructor(depthwise="kernel", bias="bias")
def DepthwiseConv1D(
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: str = "valid",
    depth_multiplier: int = 1,
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
    activation: ActivationLike = None,
    use_bias: bool = True,
    depthwise_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    depthwise_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    depthwise_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """``y[n, i, c M + m] = activation(sum over t of x[n, i strides + t dilation_rate, c] K[t, c, m] + b[c M + m])``.

    x: (N, T, C) -> (N, T', C M) with M = depth_multiplier; T' as for `Conv1D`, padding "valid" or "same".
    Params: ``kernel: (kernel_size, C, M)``, and with `use_bias` ``bias: (C M,)``.
    The input is cast to the dtype of the kernel. Raises `ShapeError` where the input does not fit the kernel.
    Source: Keras ``DepthwiseConv1D``.

    >>> DepthwiseConv1D(3, depth_multiplier=2).out_shape((10, 4))
    (8, 8)
    """
    return _depthwise(
        "DepthwiseConv1D", 1, kernel_size=kernel_size, strides=strides, padding=padding,
        depth_multiplier=depth_multiplier, data_format=data_format, dilation_rate=dilation_rate, activation=activation,
        use_bias=use_bias, depthwise_initializer=depthwise_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(depthwise="kernel", bias="bias")
def DepthwiseConv2D(
    kernel_size: Sizes,
    strides: Sizes = (1, 1),
    padding: str = "valid",
    depth_multiplier: int = 1,
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
    activation: ActivationLike = None,
    use_bias: bool = True,
    depthwise_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    depthwise_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    depthwise_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """A convolution over height and width of every channel for itself.

    x: (N, H, W, C) -> (N, H', W', C M); arguments as for `DepthwiseConv1D`, one number or one for each axis.
    Params: ``kernel: (*kernel_size, C, M)``, ``bias: (C M,)``. Raises as `DepthwiseConv1D`.
    Source: Keras ``DepthwiseConv2D``.

    >>> DepthwiseConv2D(3, strides=2, padding="same").out_shape((15, 15, 8))
    (8, 8, 8)
    """
    return _depthwise(
        "DepthwiseConv2D", 2, kernel_size=kernel_size, strides=strides, padding=padding,
        depth_multiplier=depth_multiplier, data_format=data_format, dilation_rate=dilation_rate, activation=activation,
        use_bias=use_bias, depthwise_initializer=depthwise_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(depthwise="depthwise_kernel", pointwise="pointwise_kernel", bias="bias")
def SeparableConv1D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
    depth_multiplier: int = 1,
    activation: ActivationLike = None,
    use_bias: bool = True,
    depthwise_initializer: InitializerLike = "glorot_uniform",
    pointwise_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    depthwise_regularizer: RegularizerLike = None,
    pointwise_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    depthwise_constraint: ConstraintLike = None,
    pointwise_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """A depthwise convolution, then a product with a matrix at every step: ``activation(depthwise(x, K) P + b)``.

    x: (N, T, C) -> (N, T', filters); arguments as for `DepthwiseConv1D`. Params: ``depthwise_kernel: (kernel_size, C,
    M)`` with M = depth_multiplier, ``pointwise_kernel: (1, C M, filters)``, and with `use_bias` ``bias: (filters,)``.
    Raises as `DepthwiseConv1D`. Source: Keras ``SeparableConv1D``.

    >>> SeparableConv1D(6, 3).out_shape((10, 4))
    (8, 6)
    """
    return _separable(
        "SeparableConv1D", 1, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        data_format=data_format, dilation_rate=dilation_rate, depth_multiplier=depth_multiplier, activation=activation,
        use_bias=use_bias, depthwise_initializer=depthwise_initializer, pointwise_initializer=pointwise_initializer,
        bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(depthwise="depthwise_kernel", pointwise="pointwise_kernel", bias="bias")
def SeparableConv2D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
    depth_multiplier: int = 1,
    activation: ActivationLike = None,
    use_bias: bool = True,
    depthwise_initializer: InitializerLike = "glorot_uniform",
    pointwise_initializer: InitializerLike = "glorot_uniform",
    bias_initializer: InitializerLike = "zeros",
    *,
    depthwise_regularizer: RegularizerLike = None,
    pointwise_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    depthwise_constraint: ConstraintLike = None,
    pointwise_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """A depthwise convolution over height and width, then a product with a matrix at every pixel.

    x: (N, H, W, C) -> (N, H', W', filters); arguments as for `SeparableConv1D`, one number or one for each axis.
    Params: ``depthwise_kernel: (*kernel_size, C, M)``, ``pointwise_kernel: (1, 1, C M, filters)``, and ``bias``.
    Raises as `DepthwiseConv1D`. Source: Keras ``SeparableConv2D``.

    >>> SeparableConv2D(6, 3, padding="same").out_shape((9, 9, 4))
    (9, 9, 6)
    """
    return _separable(
        "SeparableConv2D", 2, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        data_format=data_format, dilation_rate=dilation_rate, depth_multiplier=depth_multiplier, activation=activation,
        use_bias=use_bias, depthwise_initializer=depthwise_initializer, pointwise_initializer=pointwise_initializer,
        bias_initializer=bias_initializer,
    )  # fmt: skip


def _depthwise(kind: str, rank: int, *, data_format: str | None, **config: Any) -> Pair:
    multiplier = positive_integer(kind, "depth_multiplier", config["depth_multiplier"])
    window = _window(kind, rank, config, data_format)
    activate, use_bias = activations.get(config["activation"]), config["use_bias"]
    makers = [initializers.get(config[f"{leaf}_initializer"]) for leaf in ("depthwise", "bias")]

    def shapes(channels: int | None) -> Shapes:
        kernel = {"kernel": (*window.kernel_size, channels, multiplier)}
        return kernel | ({"bias": (channels and channels * multiplier,)} if use_bias else {})

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        kernel, *bias = _parameters(kind, params, shapes)
        x = astype(window.images(x, kernel.shape[-2]), kernel.dtype)
        y = ops.depthwise_conv(x, kernel, window.strides, window.padding, window.dilation_rate)
        return activate(y + bias[0] if bias else y), state

    return _init(window, makers, shapes), apply


def _separable(kind: str, rank: int, *, data_format: str | None, **config: Any) -> Pair:
    filters = positive_integer(kind, "filters", config["filters"])
    multiplier = positive_integer(kind, "depth_multiplier", config["depth_multiplier"])
    window = _window(kind, rank, config, data_format)
    activate, use_bias = activations.get(config["activation"]), config["use_bias"]
    makers = [initializers.get(config[f"{leaf}_initializer"]) for leaf in ("depthwise", "pointwise", "bias")]

    def shapes(channels: int | None) -> Shapes:
        deep = (*window.kernel_size, channels, multiplier)
        wide = (*(1,) * rank, channels and channels * multiplier, filters)
        return {"depthwise_kernel": deep, "pointwise_kernel": wide} | ({"bias": (filters,)} if use_bias else {})

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        deep, wide, *bias = _parameters(kind, params, shapes)
        x = astype(window.images(x, deep.shape[-2]), deep.dtype)
        y = ops.depthwise_conv(x, deep, window.strides, window.padding, window.dilation_rate)
        y = ops.conv(y, wide)
        return activate(y + bias[0] if bias else y), state

    return _init(window, makers, shapes), apply


def _init(window: Window, makers: Sequence[Callable], shapes: Callable[[int], Shapes]) -> Callable:
    """The init that makes a parameter of each of the shapes for the channels of its input."""

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        wanted = shapes(window.channels(shape))
        window.check_fit(shape)
        made = enumerate(zip(makers, wanted.values(), strict=False))
        return dict(zip(wanted, (make(fold_in(key, i), size, dtype) for i, (make, size) in made), strict=True)), {}

    return init


def _parameters(kind: str, params: Any, shapes: Callable[[int | None], Shapes]) -> tuple[Any, ...]:
    """The parameters, of shapes that fit the channels of the first one."""
    kernel = parameters(kind, params, shapes(None))[0]
    return parameters(kind, params, shapes(kernel.shape[-2]))


def _window(kind: str, rank: int, config: dict[str, Any], data_format: str | None) -> Window:
    arguments = (config[argument] for argument in ("kernel_size", "strides", "padding", "dilation_rate"))
    return Window(kind, rank, *arguments, data_format=data_format, strided_dilation=True)
