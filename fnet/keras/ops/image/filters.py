"""Windows of images: as channels, and weighted by kernels."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops
from fnet.keras.ops.calls import of_arrays
from fnet.keras.ops.image.batches import floating, seen
from fnet.keras.ops.patches import patches
from fnet.transforms.operand import beside


@of_arrays
def extract_patches(
    images: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Windows of images as channels: (N, H, W, C) -> (N, rows, columns, h w C); of three sizes those of volumes."""
    taps = (size, size) if isinstance(size, int) else tuple(size)
    return seen(
        lambda x: patches("extract_patches", x, taps, strides or None, dilation_rate, padding.lower()),
        images, data_format, len(taps),
    )  # fmt: skip


def extract_patches_3d(
    volumes: Any,
    size: Any,
    strides: Any = None,
    dilation_rate: Any = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Any:
    """Windows of volumes as channels: (N, D, H, W, C) -> (N, planes, rows, columns, d h w C)."""
    taps = (size,) * 3 if isinstance(size, int) else tuple(size)
    return extract_patches(volumes, taps, strides, dilation_rate, padding, data_format)


@of_arrays
def gaussian_blur(
    images: Any, kernel_size: Sequence[int] = (3, 3), sigma: Any = (1.0, 1.0), data_format: str | None = None
) -> Any:
    """Images blurred by a Gaussian kernel of so many columns and rows, with zeros beyond the edges."""

    def of_last(x: Any) -> Any:
        across, down = (bell(int(n), sigma[i], x) for i, n in enumerate(kernel_size))
        return filtered(x, ops.outer(down, across), "same")

    return seen(of_last, images, data_format)


def bell(size: int, deviation: Any, like: Any) -> Any:
    """``exp(-d^2 / (2 sigma^2))`` at distances d from the middle of a row of pixels, of sum 1."""
    distances = beside(np.arange(size, dtype=like.dtype) - (size - 1) / 2, like)
    weights = ops.exp(-0.5 * ops.square(ops.divide(distances, deviation)))
    return ops.divide(weights, ops.sum(weights))


def filtered(x: Any, kernel: Any, padding: str) -> Any:
    """Each channel of images convolved with one kernel: (N, H, W, C), (h, w)."""
    channels = x.shape[-1]
    wide = ops.broadcast_to(ops.reshape(kernel, (*kernel.shape, 1, 1)), (*kernel.shape, channels, 1))
    return ops.depthwise_conv(x, ops.astype(wide, x.dtype), 1, padding)


@of_arrays
def sobel_edges(images: Any, data_format: str | None = None) -> Any:
    """The slopes of images down and to the right, by Sobel's kernels: (N, H, W, C) -> (N, H, W, C, 2)."""
    across = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], np.float32)
    slopes = []
    for kernel in (np.ascontiguousarray(across.T), across):
        slope = functools.partial(filtered, kernel=beside(kernel, images), padding="same")
        slopes.append(seen(slope, images, data_format))
    return ops.stack(slopes, -1)


@of_arrays
def ssim(
    image1: Any,
    image2: Any,
    max_val: float = 1.0,
    filter_size: int = 11,
    filter_sigma: float = 1.5,
    k1: float = 0.01,
    k2: float = 0.03,
    data_format: str | None = None,
) -> Any:
    """How alike images are, from -1 to 1: means, spreads and correlations of windows, averaged for each image.

    Source: Z. Wang, A. C. Bovik, H. R. Sheikh and E. P. Simoncelli, Image quality assessment, 2004.

    >>> image = np.arange(144.0).reshape(12, 12, 1) / 144
    >>> round(float(ssim(image, image)), 6)
    1.0
    """
    both = [seen(lambda x: x, floating(image), data_format) for image in (image1, image2)]
    if data_format == "channels_first":
        both = [ops.moveaxis(x, -3, -1) for x in both]
    single = len(both[0].shape) == 3
    a, b = (ops.expand_dims(x, 0) if single else x for x in both)
    row = bell(filter_size, filter_sigma, a)
    mean = functools.partial(filtered, kernel=ops.outer(row, row), padding="valid")
    of_a, of_b = mean(a), mean(b)
    c1, c2 = (k1 * max_val) ** 2, (k2 * max_val) ** 2
    spread_a, spread_b = mean(a * a) - of_a * of_a, mean(b * b) - of_b * of_b
    common = mean(a * b) - of_a * of_b
    alike = (2 * of_a * of_b + c1) * (2 * common + c2)
    alike = alike / ((of_a * of_a + of_b * of_b + c1) * (spread_a + spread_b + c2))
    found = ops.mean(alike, (1, 2, 3))
    return ops.astype(found[0] if single else found, image1.dtype)
