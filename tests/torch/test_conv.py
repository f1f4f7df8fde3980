"""Convolutions beside PyTorch's: values and gradients of every kind, float32 and float64."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import ops
from fnet.layers import Conv2D, Conv2DTranspose, SeparableConv2D

torch = pytest.importorskip("torch")
F = torch.nn.functional
TOLERANCE = {np.float32: 1e-4, np.float64: 1e-11}
DTYPES = pytest.mark.parametrize("dtype", TOLERANCE)


def drawn(*shape: int, seed: int = 0, dtype: Any = np.float64) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(dtype)


def first(x: np.ndarray) -> Any:
    """Channels first, with a gradient."""
    return torch.tensor(np.ascontiguousarray(np.moveaxis(x, -1, 1)), requires_grad=True)


def kernel_first(w: np.ndarray) -> Any:
    """The last two axes of a kernel first, the very last one foremost."""
    return torch.tensor(np.ascontiguousarray(np.moveaxis(w, (-1, -2), (0, 1))), requires_grad=True)


def last(x: Any) -> np.ndarray:
    return np.moveaxis(x.detach().numpy(), 1, -1)


def kernel_last(w: Any) -> np.ndarray:
    return np.moveaxis(w.detach().numpy(), (0, 1), (-1, -2))


def compare(ours: Any, theirs: Any, x: np.ndarray, w: np.ndarray) -> None:
    y, pull = fnet.vjp(ours, x, w)
    a, b = first(x), kernel_first(w)
    expected = theirs(a, b)
    g = drawn(*y.shape, seed=9, dtype=x.dtype)
    wanted = torch.autograd.grad(expected, (a, b), torch.tensor(np.ascontiguousarray(np.moveaxis(g, -1, 1))))
    limit = TOLERANCE[x.dtype.type]
    for got, want in zip((y, *pull(g)), (last(expected), last(wanted[0]), kernel_last(wanted[1])), strict=True):
        np.testing.assert_allclose(got, want, rtol=limit, atol=limit * max(1, np.abs(want).max()))


@DTYPES
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("stride, dilation, pad", [(1, 1, 0), (1, 1, 1), (2, 1, 1), (1, 2, 2), (3, 2, 0)])
@pytest.mark.parametrize("channels, filters", [(2, 6), (4, 34), (18, 64)])
def test_two_axes(dtype: Any, groups: int, stride: int, dilation: int, pad: int, channels: int, filters: int) -> None:
    x, w = drawn(3, 9, 8, channels, dtype=dtype), drawn(3, 2, channels // groups, filters, dtype=dtype, seed=1)
    compare(
        lambda x, w: ops.conv(x, w, stride, [(pad, pad)] * 2, dilation, groups),
        lambda x, w: F.conv2d(x, w, None, stride, pad, dilation, groups),
        x,
        w,
    )


@DTYPES
def test_one_axis_and_three(dtype: Any) -> None:
    x, w = drawn(3, 20, 5, dtype=dtype), drawn(4, 5, 7, dtype=dtype, seed=1)
    compare(lambda x, w: ops.conv(x, w, 2), lambda x, w: F.conv1d(x, w, stride=2), x, w)
    x, w = drawn(2, 5, 6, 4, 3, dtype=dtype), drawn(3, 2, 2, 3, 5, dtype=dtype, seed=1)
    compare(lambda x, w: ops.conv(x, w, (1, 2, 1)), lambda x, w: F.conv3d(x, w, stride=(1, 2, 1)), x, w)


@DTYPES
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_transposed(dtype: Any, stride: int) -> None:
    x, w = drawn(2, 5, 6, 4, dtype=dtype), drawn(3, 3, 7, 4, dtype=dtype, seed=1)
    ours = lambda x, w: ops.conv_transpose(x, w, stride)  # noqa: E731
    compare(ours, lambda x, w: F.conv_transpose2d(x, w, stride=stride), x, w)


@DTYPES
@pytest.mark.parametrize("multiplier", [1, 3])
@pytest.mark.parametrize("stride", [1, 2])
def test_depthwise(dtype: Any, multiplier: int, stride: int) -> None:
    channels = 21
    x, w = drawn(2, 7, 8, channels, dtype=dtype), drawn(3, 3, channels, multiplier, dtype=dtype, seed=1)

    def theirs(x: Any, w: Any) -> Any:
        # From (multiplier, channels, ...) to PyTorch's filters c * multiplier + m.
        filters = w.transpose(0, 1).reshape(channels * multiplier, 1, 3, 3)
        return F.conv2d(x, filters, stride=stride, padding=1, groups=channels)

    compare(lambda x, w: ops.depthwise_conv(x, w, stride, [(1, 1)] * 2), theirs, x, w)


@DTYPES
def test_a_network_of_convolutions(dtype: Any) -> None:
    net = fnet.serial(
        Conv2D(16, 3, activation="relu", padding="same"),
        SeparableConv2D(8, 3, strides=2),
        Conv2DTranspose(3, 3, strides=2),
    )
    params, state = net.init(fnet.random.key(0), (10, 10, 3), dtype)
    x, names = drawn(2, 10, 10, 3, dtype=dtype), list(params)
    y, gradients = fnet.value_and_grad(lambda p: np.sum(net.apply(p, state, x)[0] ** 2))(params)
    one, two, three = ({k: torch.tensor(v, requires_grad=True) for k, v in params[name].items()} for name in names)
    front = lambda w: w.movedim((-1, -2), (0, 1))  # noqa: E731
    h = torch.relu(F.conv2d(first(x), front(one["kernel"]), one["bias"], padding=1))
    h = F.conv2d(h, front(two["depthwise_kernel"]).transpose(0, 1), stride=2, groups=16)
    h = F.conv2d(h, front(two["pointwise_kernel"]), two["bias"])
    h = F.conv_transpose2d(h, front(three["kernel"]), three["bias"], stride=2)
    expected = (h**2).sum()
    expected.backward()
    limit = 10 * TOLERANCE[dtype]
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=limit)
    for name, leaves in zip(names, (one, two, three), strict=True):
        for leaf, value in leaves.items():
            wanted = value.grad.numpy()
            np.testing.assert_allclose(gradients[name][leaf], wanted, rtol=limit, atol=limit * np.abs(wanted).max())
