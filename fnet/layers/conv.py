"""Convolutions over one, two or three axes, channels last."""

from __future__ import annotations

from typing import Any

from fnet import activations, initializers, ops
from fnet.activations import ActivationLike
from fnet.arguments import positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import ShapeError
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
def Conv1D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = 1,
    groups: int = 1,
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
    """``y[n, i, f] = activation(sum over t, c of x[n, i strides + t dilation_rate, c] K[t, c, f] + b[f])``.

    x: (N, T, C) -> (N, T', filters), with ``T' = (T - span) // strides + 1`` for padding "valid", span being
    ``(kernel_size - 1) dilation_rate + 1``, and ``ceil(T / strides)`` for "same" (zeros on both sides, the larger half
    behind) and "causal" (zeros in front only). Group i of the filters sees group i of the channels.
    Params: ``kernel: (kernel_size, C / groups, filters)``, and with `use_bias` ``bias: (filters,)``.
    The input is cast to the dtype of the kernel. Raises `ShapeError` where the input does not fit the kernel, and
    `ValueRangeError` where both strides and dilation_rate are above 1. Source: Keras ``Conv1D``.

    >>> Conv1D(8, 3, padding="causal").out_shape((20, 4))
    (20, 8)
    """
    return _convolution(
        "Conv1D", 1, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        data_format=data_format, dilation_rate=dilation_rate, groups=groups, activation=activation, use_bias=use_bias,
        kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(kernel="kernel", bias="bias")
def Conv2D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = (1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1),
    groups: int = 1,
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
    """``y[n, i, j, f] = activation(sum over s, t, c of x[n, i + s, j + t, c] K[s, t, c, f] + b[f])``.

    x: (N, H, W, C) -> (N, H', W', filters); arguments and sizes as for `Conv1D`, one number or one for each axis;
    padding is "valid" or "same". Params: ``kernel: (*kernel_size, C / groups, filters)``, ``bias: (filters,)``.
    Raises as `Conv1D`. Source: Keras ``Conv2D``.

    >>> Conv2D(32, 3, activation="relu").out_shape((28, 28, 1))
    (26, 26, 32)
    """
    return _convolution(
        "Conv2D", 2, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        data_format=data_format, dilation_rate=dilation_rate, groups=groups, activation=activation, use_bias=use_bias,
        kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


@LAYERS.named()
@layer_constructor(kernel="kernel", bias="bias")
def Conv3D(
    filters: int,
    kernel_size: Sizes,
    strides: Sizes = (1, 1, 1),
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Sizes = (1, 1, 1),
    groups: int = 1,
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
    """``y = activation(x * K + b)`` over depth, height and width.

    x: (N, D, H, W, C) -> (N, D', H', W', filters); arguments, params and sizes as for `Conv2D`.
    Raises as `Conv1D`. Source: Keras ``Conv3D``.

    >>> Conv3D(4, 3, strides=2, padding="same").out_shape((8, 8, 5, 1))
    (4, 4, 3, 4)
    """
    return _convolution(
        "Conv3D", 3, filters=filters, kernel_size=kernel_size, strides=strides, padding=padding,
        data_format=data_format, dilation_rate=dilation_rate, groups=groups, activation=activation, use_bias=use_bias,
        kernel_initializer=kernel_initializer, bias_initializer=bias_initializer,
    )  # fmt: skip


def _convolution(kind: str, rank: int, *, data_format: str | None, **config: Any) -> Pair:
    filters, groups = (positive_integer(kind, argument, config[argument]) for argument in ("filters", "groups"))
    if filters % groups:
        raise ShapeError(f"{kind}: groups must divide the filters, received filters={filters} and groups={groups}.")
    window = Window(
        kind, rank, config["kernel_size"], config["strides"], config["padding"], config["dilation_rate"],
        paddings=("valid", "same", "causal")[: 3 if rank == 1 else 2], data_format=data_format,
    )  # fmt: skip
    activate, use_bias = activations.get(config["activation"]), config["use_bias"]
    make_kernel, make_bias = (initializers.get(config[f"{leaf}_initializer"]) for leaf in ("kernel", "bias"))
    shapes = {"kernel": (*window.kernel_size, None, filters)} | ({"bias": (filters,)} if use_bias else {})

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        channels = window.channels(shape)
        window.check_fit(shape)
        if channels % groups:
            raise ShapeError(f"{kind}: groups must divide the channels, received shape {shape} and groups={groups}.")
        params = {"kernel": make_kernel(fold_in(key, 0), (*window.kernel_size, channels // groups, filters), dtype)}
        if use_bias:
            params["bias"] = make_bias(fold_in(key, 1), (filters,), dtype)
        return params, {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        kernel, *bias = parameters(kind, params, shapes)
        x = astype(window.images(x, kernel.shape[-2] * groups), kernel.dtype)
        y = ops.conv(x, kernel, window.strides, window.padding, window.dilation_rate, groups)
        return activate(y + bias[0] if bias else y), state

    return init, apply
