"""Operations of layers and losses with Keras' arguments."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet import activations, losses, ops
from fnet.errors import ValueRangeError
from fnet.keras.ops.calls import call, of_arrays

_EPSILON = 1e-7  # Keras' fuzz


def _of(name: str) -> Any:
    return activations.ACTIVATIONS[name]


def gelu(x: Any, approximate: bool = True) -> Any:
    """``x Phi(x)``, by default with Phi approximated by a hyperbolic tangent."""
    return call(_of("gelu"), x, approximate)


def softmax(x: Any, axis: Any = -1) -> Any:
    """``e^x / sum e^x`` along an axis, or along several together."""
    return _together(ops.softmax, x, axis)


def log_softmax(x: Any, axis: Any = -1) -> Any:
    """The logarithm of `softmax`."""
    return _together(ops.log_softmax, x, axis)


def _together(function: Any, x: Any, axis: Any) -> Any:
    """A function along one axis, or along several as one."""
    if isinstance(axis, int):
        return call(function, x, axis)

    def of_array(x: Any) -> Any:
        axes = tuple(a % x.ndim for a in (range(x.ndim) if axis is None else axis))
        order = [*(a for a in range(x.ndim) if a not in axes), *axes]
        moved = ops.transpose(x, order)
        rows = ops.reshape(moved, (*moved.shape[: x.ndim - len(axes)], -1))
        return ops.transpose(ops.reshape(function(rows, -1), moved.shape), np.argsort(order).tolist())

    return of_arrays(of_array)(x)


def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Any:
    """``log(sum(e^x))`` over an axis, several, or all, without overflow."""
    if isinstance(axis, int):
        return call(ops.logsumexp, x, axis, keepdims)

    def of_array(x: Any) -> Any:
        axes = tuple(a % x.ndim for a in (range(x.ndim) if axis is None else axis))
        order = [*(a for a in range(x.ndim) if a not in axes), *axes]
        moved = ops.transpose(x, order)
        found = ops.logsumexp(ops.reshape(moved, (*moved.shape[: x.ndim - len(axes)], -1)), -1)
        return ops.reshape(found, [1 if a in axes else n for a, n in enumerate(x.shape)]) if keepdims else found

    return of_arrays(of_array)(x)


@of_arrays
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """Zeros with a one for each label along a new axis: x: (...) integers -> (..., num_classes)."""
    found = ops.one_hot(x, num_classes, dtype or "float32")
    return found if axis == -1 else ops.moveaxis(found, -1, axis)


@of_arrays
def multi_hot(inputs: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """Zeros with a one for each label of a sample: inputs: (..., labels) -> (..., num_classes)."""
    hot = ops.one_hot(inputs, num_classes, dtype or "float32")
    return ops.max(hot, 0 if hot.ndim == 2 else 1) if axis == -1 and hot.ndim < 3 else ops.max(hot, -2)


@of_arrays
def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Any:
    """x divided by its norm of an order along axes, which is at least `epsilon`."""
    least = _EPSILON if epsilon is None else epsilon
    if order == 2:
        size = ops.sum(ops.square(x), axis, keepdims=True)
        return ops.multiply(x, ops.rsqrt(ops.maximum(size, least**2)))
    powers = ops.sum(ops.power(ops.absolute(x), float(order)), axis, keepdims=True)
    return ops.divide(x, ops.maximum(ops.power(powers, 1.0 / order), least))


def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Any, Any]:
    """The mean and the variance over axes."""
    return call(ops.mean, x, axes, keepdims), call(ops.var, x, axes, keepdims)


@of_arrays
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Any:
    """``(x - mean) scale / sqrt(variance + epsilon) + offset`` with given statistics of an axis."""
    shape = [1] * x.ndim
    shape[axis] = -1
    factor = ops.rsqrt(ops.add(variance, epsilon))
    factor = factor if scale is None else ops.multiply(factor, scale)
    shift = ops.negative(ops.multiply(mean, factor))
    shift = shift if offset is None else ops.add(shift, offset)
    return ops.add(ops.multiply(x, ops.reshape(factor, shape)), ops.reshape(shift, shape))


@of_arrays
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Any:
    """``(x - mean) gamma / sqrt(variance + epsilon) + beta`` with the statistics over axes."""
    mean, variance = ops.mean(x, axis, keepdims=True), ops.var(x, axis, keepdims=True)
    found = ops.multiply(ops.subtract(x, mean), ops.rsqrt(ops.add(variance, _EPSILON if epsilon is None else epsilon)))
    found = found if gamma is None else ops.multiply(found, _along(gamma, x, axis))
    return found if beta is None else ops.add(found, _along(beta, x, axis))


@of_arrays
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Any:
    """``x scale / sqrt(mean(x^2) + epsilon)`` over axes."""
    least = _EPSILON if epsilon is None else epsilon
    found = ops.multiply(x, ops.rsqrt(ops.add(ops.mean(ops.square(x), axis, keepdims=True), least)))
    return found if scale is None else ops.multiply(found, _along(scale, x, axis))


def _along(weights: Any, x: Any, axis: Any) -> Any:
    """Weights of some axes of x, with size 1 for the others."""
    axes = [a % x.ndim for a in ([axis] if isinstance(axis, int) else axis)]
    return ops.reshape(weights, [n if a in axes else 1 for a, n in enumerate(x.shape)]) if np.ndim(weights) else weights


def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Any:
    """``-target log(output) - (1 - target) log(1 - output)``, element by element."""
    return call(_binary_of_logits if from_logits else _binary, target, output)


def _binary_of_logits(target: Any, output: Any) -> Any:
    return ops.binary_crossentropy_with_logits(output, target)


def _binary(target: Any, output: Any) -> Any:
    p = ops.clip(output, _EPSILON, 1 - _EPSILON)
    known = ops.add(
        ops.multiply(target, ops.log(p)), ops.multiply(ops.subtract(1, target), ops.log(ops.subtract(1, p)))
    )
    return ops.negative(known)


@of_arrays
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """``-sum target log(output)`` along an axis, whose outputs are divided by their sum."""
    if axis not in (-1, output.ndim - 1):
        target, output = ops.moveaxis(target, axis, -1), ops.moveaxis(output, axis, -1)
    return losses.categorical_crossentropy(target, output, from_logits=from_logits, reduction="none")


@of_arrays
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Any:
    """``-log(output[target])``: target: (...) labels, or (..., 1)."""
    if axis not in (-1, output.ndim - 1):
        output = ops.moveaxis(output, axis, -1)
    if np.ndim(target) == output.ndim and target.shape[-1] == 1:
        target = ops.squeeze(target, -1)
    return losses.sparse_categorical_crossentropy(target, output, from_logits=from_logits, reduction="none")


def of_channels_last(function: Any, x: Any, data_format: str | None) -> Any:
    """A function of channels-last arrays on those of another data format."""
    if data_format not in (None, "channels_last", "channels_first"):
        raise ValueRangeError(f"expected data_format 'channels_last' or 'channels_first', received {data_format!r}.")
    if data_format != "channels_first":
        return function(x)
    return ops.moveaxis(function(ops.moveaxis(x, 1, -1)), -1, 1)


@of_arrays
def max_pool(inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None) -> Any:
    """The largest element of each window."""
    return of_channels_last(lambda x: ops.max_pool(x, pool_size, strides, padding.lower()), inputs, data_format)


@of_arrays
def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: Any = None
) -> Any:
    """The mean of each window."""
    return of_channels_last(lambda x: ops.average_pool(x, pool_size, strides, padding.lower()), inputs, data_format)


@of_arrays
def conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A convolution; where the kernel has fewer channels than the inputs, in as many groups as it needs."""

    def of_last(x: Any) -> Any:
        groups = x.shape[-1] // kernel.shape[-2]
        return ops.conv(x, kernel, strides, padding.lower(), dilation_rate, groups)

    return of_channels_last(of_last, inputs, data_format)


@of_arrays
def depthwise_conv(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A convolution of each channel by itself; kernel: (*sizes, channels, multiplier)."""
    return of_channels_last(
        lambda x: ops.depthwise_conv(x, kernel, strides, padding.lower(), dilation_rate), inputs, data_format
    )


@of_arrays
def separable_conv(
    inputs: Any,
    depthwise_kernel: Any,
    pointwise_kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """A convolution of each channel by itself, then one of 1 x 1 windows."""

    def of_last(x: Any) -> Any:
        apart = ops.depthwise_conv(x, depthwise_kernel, strides, padding.lower(), dilation_rate)
        return ops.conv(apart, pointwise_kernel)

    return of_channels_last(of_last, inputs, data_format)


@of_arrays
def conv_transpose(
    inputs: Any,
    kernel: Any,
    strides: Any = 1,
    padding: str = "valid",
    output_padding: Any = None,
    data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Any:
    """The transpose of a convolution; kernel: (*sizes, filters, channels)."""
    return of_channels_last(
        lambda x: ops.conv_transpose(x, kernel, strides, padding.lower(), dilation_rate, output_padding),
        inputs,
        data_format,
    )


@of_arrays
def dot_product_attention(
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    scale: float | None = None,
    is_causal: bool = False,
    flash_attention: bool | None = None,
    attn_logits_soft_cap: float | None = None,
) -> Any:
    """Attention: query (B, T, N, H), key and value (B, S, K, H) -> (B, T, N, H); N / K queries share a key.

    bias, mask: (B, N, T, S) or what broadcasts to it. With a bias or a cap the weights are computed as a whole.
    """
    heads, shared = query.shape[2], key.shape[2]
    if heads != shared:
        key, value = (ops.repeat(x, heads // shared, 2) for x in (key, value))
    if bias is None and attn_logits_soft_cap is None:
        return ops.dot_product_attention(query, key, value, mask, scale=scale, causal=is_causal)
    scores = ops.einsum("bthd,bshd->bhts", query, key)
    scores = ops.multiply(scores, query.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores if bias is None else ops.add(scores, bias)
    if attn_logits_soft_cap is not None:
        scores = ops.multiply(ops.tanh(ops.divide(scores, attn_logits_soft_cap)), attn_logits_soft_cap)
    if is_causal:
        seen = np.tri(scores.shape[-2], scores.shape[-1], dtype=bool)
        mask = seen if mask is None else ops.logical_and(mask, seen)
    scores = scores if mask is None else ops.where(mask, scores, -np.inf)
    return ops.einsum("bhts,bshd->bthd", ops.softmax(scores), value)


@of_arrays
def ctc_loss(target: Any, output: Any, target_length: Any, output_length: Any, mask_index: int = 0) -> Any:
    """-log of the probability of the labels: target (B, L), output (B, T, C) logits -> (B,)."""
    return ops.ctc(output, target, target_length, output_length, mask_index)


@of_arrays
def psnr(x1: Any, x2: Any, max_val: float) -> Any:
    """The ratio of the largest signal to the noise, ``20 log10(max_val) - 10 log10(mean((x1 - x2)^2))``."""
    noise = ops.mean(ops.square(ops.subtract(x1, x2)))
    return ops.subtract(20 * math.log10(max_val), ops.multiply(ops.log10(noise), 10.0))


@of_arrays
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels as blocks of pixels: (N, H, W, b b C) -> (N, b H, b W, C)."""

    def of_last(x: Any) -> Any:
        batch, height, width, depth = x.shape
        parts = ops.reshape(x, (batch, height, width, block_size, block_size, depth // block_size**2))
        spread = ops.transpose(parts, (0, 1, 3, 2, 4, 5))
        return ops.reshape(spread, (batch, height * block_size, width * block_size, depth // block_size**2))

    return of_channels_last(of_last, x, data_format)


@of_arrays
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of pixels as channels: (N, b H, b W, C) -> (N, H, W, b b C)."""

    def of_last(x: Any) -> Any:
        batch, height, width, depth = x.shape
        sizes = (batch, height // block_size, block_size, width // block_size, block_size, depth)
        parts = ops.transpose(ops.reshape(x, sizes), (0, 1, 3, 2, 4, 5))
        return ops.reshape(parts, (batch, height // block_size, width // block_size, block_size**2 * depth))

    return of_channels_last(of_last, x, data_format)
