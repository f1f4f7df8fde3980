"""Convolutions as operations and layers: Keras' sizes and padding, identities, derivatives of any order, errors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import ops, random
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers import (
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Conv2DTranspose,
    Conv3D,
    Dense,
    DepthwiseConv1D,
    DepthwiseConv2D,
    SeparableConv1D,
    SeparableConv2D,
)
from fnet.ops.window import transposed_axes, window_axes
from fnet.testing import check_grads
from tests.kernels.cpu import conv_reference as reference
from tests.ops.table import close, laid_out, layouts

COVERED = {"conv", "conv_transpose", "depthwise_conv"}
KEY = random.key(0)
CASES = [
    {},
    {"padding": "same"},
    {"strides": 2, "padding": "same"},
    {"strides": (1, 3)},
    {"dilation": 2, "padding": "same"},
    {"strides": 2, "dilation": 2, "padding": [(1, 2), (0, 3)]},
]


def drawn(*shapes, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    return [np.asarray(rng.normal(size=s), dtype) for s in shapes]


# ------------------------------------------------------------------------------------------- sizes and padding


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "dilation", "outputs", "left", "right"),
    [
        (5, 3, 1, 1, 5, 1, 1), (5, 3, 2, 1, 3, 1, 1), (6, 3, 2, 1, 3, 0, 1), (5, 2, 1, 1, 5, 0, 1),
        (5, 2, 2, 1, 3, 0, 1), (7, 4, 2, 1, 4, 1, 2), (28, 5, 2, 1, 14, 1, 2), (6, 3, 1, 2, 6, 2, 2),
    ],
)  # fmt: skip
def test_same_padding_is_that_of_keras(size, kernel, stride, dilation, outputs, left, right):
    (axis,) = window_axes("conv", [size], [kernel], stride, "same", dilation)
    assert (axis.outputs, axis.before) == (outputs, left)
    (x, w) = drawn((1, size, 1), (kernel, 1, 1))
    padded = np.pad(x, [(0, 0), (left, right), (0, 0)])
    close(ops.conv(x, w, stride, "same", dilation), ops.conv(padded, w, stride, "valid", dilation))


def test_causal_output_sees_the_past_only():
    x, w = drawn((2, 9, 3), (3, 3, 4))
    y = ops.conv(x, w, padding="causal", dilation=2)
    assert y.shape == (2, 9, 4)
    changed = x.copy()
    changed[:, 5:] += 1
    np.testing.assert_array_equal(ops.conv(changed, w, padding="causal", dilation=2)[:, :5], y[:, :5])
    close(y, ops.conv(np.pad(x, [(0, 0), (4, 0), (0, 0)]), w, dilation=2))


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("kernel", range(1, 6))
@pytest.mark.parametrize("stride", range(1, 5))
@pytest.mark.parametrize("extra", [None, 0, 1])
def test_transposed_sizes_are_those_of_keras(padding, kernel, stride, extra):
    if extra is not None and extra >= stride:
        return
    (axis,) = transposed_axes("conv_transpose", [5], [kernel], stride, padding, 1, extra)
    if padding == "valid":
        expected = 5 * stride + max(kernel - stride, 0) if extra is None else 4 * stride + kernel + extra
    else:
        expected = 5 * stride if extra is None else 4 * stride + kernel % 2 + extra
    assert axis.size == expected
    if extra is None:  # the transpose of the convolution of the larger array
        (forward,) = window_axes("conv", [axis.size], [kernel], stride, padding, 1)
        assert forward == axis


# --------------------------------------------------------------------------------------------- values and laws


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_values(case, groups, dtype):
    x, w = drawn((2, 8, 9, 4), (3, 2, 4 // groups, 6), dtype=dtype)
    axes = window_axes(
        "conv", (8, 9), (3, 2), case.get("strides", 1), case.get("padding", "valid"), case.get("dilation", 1)
    )
    close(ops.conv(x, w, groups=groups, **case), reference.conv(x, w, axes, groups).astype(dtype), 40)


@pytest.mark.parametrize("shape", [(7,), (5, 4), (3, 4, 5)], ids=str)
def test_any_number_of_axes_and_groups_equal_to_channels(shape):
    x, w = drawn((2, *shape, 3), (*(2,) * len(shape), 3, 2))
    axes = window_axes("conv", shape, (2,) * len(shape), 1, "same", 1)
    grouped = ops.conv(x, w.reshape(*w.shape[:-2], 1, 6), padding="same", groups=3)
    close(grouped, reference.conv(x, w.reshape(*w.shape[:-2], 1, 6), axes, 3), 20)
    close(ops.depthwise_conv(x, w, padding="same"), grouped, 20)


def test_delta_kernel_is_the_identity_and_one_by_one_a_dense_layer():
    x, w = drawn((2, 5, 6, 3), (1, 1, 3, 4))
    delta = np.zeros((3, 3, 3, 3))
    delta[1, 1] = np.eye(3)
    np.testing.assert_array_equal(ops.conv(x, delta, padding="same"), x)
    close(ops.conv(x, w), x @ w[0, 0], 5)
    close(ops.conv(x, w, strides=2), (x @ w[0, 0])[:, ::2, ::2], 5)


def test_translation_and_linearity():
    x, z, w = drawn((1, 12, 3), (1, 12, 3), (3, 3, 5))
    y = ops.conv(x, w)
    np.testing.assert_array_equal(ops.conv(np.roll(x, 2, 1), w)[:, 2:], y[:, :-2])
    close(ops.conv(2 * x + z, w), 2 * y + ops.conv(z, w), 60)


@settings(deadline=None, max_examples=25)
@given(st.data(), layouts(), layouts(), st.sampled_from(CASES))
def test_transpose_is_the_adjoint_in_any_layout(data, one, other, case):
    case = {k: v for k, v in case.items() if k != "padding"} | {
        "padding": data.draw(st.sampled_from(["valid", "same"]))
    }
    g, w = drawn((2, 3, 4, 5), (3, 2, 2, 5), seed=data.draw(st.integers(0, 99)))
    x_like = ops.conv_transpose(laid_out(g, one), laid_out(w, other), **case)
    (x,) = drawn(x_like.shape, seed=1)
    assert np.sum(ops.conv(x, w, **case) * g) == pytest.approx(np.sum(x * x_like), rel=1e-10, abs=1e-10)


def test_integers_become_floats_and_float32_stays():
    x, w = np.arange(12).reshape(1, 6, 2), np.ones((2, 2, 3), "float32")
    assert ops.conv(x.astype("int8"), w).dtype == np.float32
    y = ops.conv(x, np.ones((2, 2, 3), "int64"))
    np.testing.assert_array_equal(y, np.repeat(6.0 + 8 * np.arange(5).reshape(1, 5, 1), 3, -1))
    assert y.dtype == np.float64


@pytest.mark.parametrize("padding", ["valid", "same"])
def test_empty_batches(padding):
    x, w = np.ones((0, 5, 5, 2)), np.ones((3, 3, 2, 4))
    y, pull = fnet.vjp(lambda x, w: ops.conv(x, w, padding=padding), x, w)
    dx, dw = pull(y)
    assert y.shape[0] == 0 and dx.shape == x.shape
    np.testing.assert_array_equal(dw, np.zeros_like(w))


# ------------------------------------------------------------------------------------------------- derivatives


@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.parametrize("groups", [1, 2])
def test_derivatives_of_both_orders(case, groups):
    check_grads(
        lambda x, w: ops.conv(x, w, groups=groups, **case), *drawn((2, 6, 7, 2), (3, 2, 2 // groups, 4)), order=2
    )


@pytest.mark.parametrize("case", CASES, ids=str)
def test_depthwise_derivatives_of_both_orders(case):
    check_grads(lambda x, w: ops.depthwise_conv(x, w, **case), *drawn((2, 6, 7, 3), (3, 2, 3, 2)), order=2)


@pytest.mark.parametrize("case", CASES[:5], ids=str)
def test_transposed_derivatives_of_both_orders(case):
    check_grads(lambda x, w: ops.conv_transpose(x, w, **case), *drawn((2, 3, 4, 2), (3, 2, 3, 2)), order=2)


def test_third_derivatives():
    x, w = drawn((1, 5, 2), (2, 2, 3))

    def second(x, w):
        return fnet.grad(lambda x: np.sum(fnet.grad(lambda x: np.sum(ops.conv(x, w) ** 3))(x) ** 2))(x)

    check_grads(second, x, w)


# ---------------------------------------------------------------------------------------------------- compiled


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", None])
@pytest.mark.parametrize(
    "layer", [lambda a: Conv2D(5, 3, activation=a), lambda a: Conv2DTranspose(5, 3, strides=2, activation=a)]
)
def test_bias_and_activation_are_part_of_the_kernel_call(layer, activation):
    layer = layer(activation)
    params, state = layer.init(KEY, (6, 6, 3))
    (x,) = drawn((2, 6, 6, 3), dtype=np.float32)
    params["bias"] = drawn((5,), dtype=np.float32)[0]
    compiled = fnet.jit(lambda params, x: layer.apply(params, {}, x)[0])
    assert str(compiled.plan(params, x)).count("conv") == 2  # packing and the product
    assert "2 calls" in str(compiled.plan(params, x))
    np.testing.assert_allclose(compiled(params, x), layer.apply(params, state, x)[0], rtol=1e-6, atol=1e-6)


def test_depthwise_epilogue_is_part_of_the_kernel_call():
    layer = DepthwiseConv2D(3, activation="relu")
    params, state = layer.init(KEY, (6, 6, 3))
    (x,) = drawn((2, 6, 6, 3), dtype=np.float32)
    compiled = fnet.jit(lambda params, x: layer.apply(params, {}, x)[0])
    assert "1 calls" in str(compiled.plan(params, x))
    np.testing.assert_array_equal(compiled(params, x), layer.apply(params, state, x)[0])


def test_gradients_under_jit_agree():
    layer = Conv2D(5, 3, strides=2, padding="same", activation="tanh")
    params, _ = layer.init(KEY, (7, 6, 3))
    (x,) = drawn((4, 7, 6, 3), dtype=np.float32)
    gradient = fnet.grad(lambda params, x: np.sum(layer.apply(params, {}, x)[0] ** 2), argnums=(0, 1))
    eager, compiled = gradient(params, x), fnet.jit(gradient)(params, x)
    for a, b in zip(fnet.tree.leaves(eager), fnet.tree.leaves(compiled), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("channels", "filters", "strides"), [(40, 5, 2), (256, 70, 1), (64, 256, 1)])
def test_many_channels_and_few_filters(channels, filters, strides):
    """Kernels of their own: the same numbers as in float64, the same bits compiled."""
    x, w = drawn((2, 5, 4, channels), (3, 3, channels, filters))

    def results(x, w):
        y, pull = fnet.vjp(lambda x, w: ops.conv(x, w, strides=strides, padding="same"), x, w)
        return y, *pull(y)

    single = [a.astype(np.float32) for a in (x, w)]
    exact, eager, compiled = results(x, w), results(*single), fnet.jit(results)(*single)
    for a, b, c in zip(exact, eager, compiled, strict=True):
        np.testing.assert_allclose(b, a, rtol=1e-4, atol=1e-4 * np.abs(a).max())
        np.testing.assert_array_equal(b, c)


# ------------------------------------------------------------------------------------------------------ layers


@pytest.mark.parametrize(
    ("layer", "shape", "expected", "params"),
    [
        (Conv1D(4, 3), (None, 2), (None, 4), {"kernel": (3, 2, 4), "bias": (4,)}),
        (Conv2D(4, (3, 5), groups=2), (8, 8, 6), (6, 4, 4), {"kernel": (3, 5, 3, 4), "bias": (4,)}),
        (Conv2D(4, 3, 2, "same", use_bias=False), (None, 7, 1), (None, 4, 4), {"kernel": (3, 3, 1, 4)}),
        (Conv3D(2, 3), (5, 6, 7, 1), (3, 4, 5, 2), {"kernel": (3, 3, 3, 1, 2), "bias": (2,)}),
        (Conv1DTranspose(4, 3, 2), (5, 2), (11, 4), {"kernel": (3, 4, 2), "bias": (4,)}),
        (Conv2DTranspose(4, 3, 2, "same"), (5, None, 2), (10, None, 4), {"kernel": (3, 3, 4, 2), "bias": (4,)}),
        (DepthwiseConv1D(3, depth_multiplier=2), (5, 3), (3, 6), {"kernel": (3, 3, 2), "bias": (6,)}),
        (DepthwiseConv2D(3, padding="same"), (5, 5, 3), (5, 5, 3), {"kernel": (3, 3, 3, 1), "bias": (3,)}),
        (
            SeparableConv1D(4, 3, depth_multiplier=2), (5, 3), (3, 4),
            {"depthwise_kernel": (3, 3, 2), "pointwise_kernel": (1, 6, 4), "bias": (4,)},
        ),
        (
            SeparableConv2D(4, 3, use_bias=False), (5, 5, 3), (3, 3, 4),
            {"depthwise_kernel": (3, 3, 3, 1), "pointwise_kernel": (1, 1, 3, 4)},
        ),
    ],
)  # fmt: skip
def test_shapes_and_names_are_those_of_keras(layer, shape, expected, params):
    assert layer.out_shape(shape) == expected
    made, state = layer.init(KEY, shape)
    assert {name: leaf.shape for name, leaf in made.items()} == params
    assert list(made) == list(params) and state == {}


def test_layer_names_are_those_of_keras():
    layers = [
        Conv1D(1, 1), Conv2D(1, 1), Conv3D(1, 1), Conv1DTranspose(1, 1), Conv2DTranspose(1, 1), DepthwiseConv1D(1),
        DepthwiseConv2D(1), SeparableConv1D(1, 1), SeparableConv2D(1, 1), Conv2D(1, 1, name="stem"),
    ]  # fmt: skip
    assert [layer.name for layer in layers] == [
        "conv1d", "conv2d", "conv3d", "conv1d_transpose", "conv2d_transpose", "depthwise_conv1d", "depthwise_conv2d",
        "separable_conv1d", "separable_conv2d", "stem",
    ]  # fmt: skip
    named = [f(name="n") for f in (DepthwiseConv1D, DepthwiseConv2D) for f in (lambda name, f=f: f(1, name=name),)]
    assert [*(n.name for n in named), Conv1DTranspose(1, 1, name="n").name, SeparableConv1D(1, 1, name="n").name] == [
        "n"
    ] * 4


def test_layer_is_the_operation():
    layer = Conv2D(5, 3, strides=2, padding="same", activation="relu", bias_initializer="random_normal")
    params, state = layer.init(KEY, (8, 8, 3), "float64")
    (x,) = drawn((2, 8, 8, 3))
    y, _ = layer.apply(params, state, x)
    close(y, np.maximum(ops.conv(x, params["kernel"], 2, "same") + params["bias"], 0), 5)
    dense, _ = Dense(5).init(KEY, (3,), "float64")
    one, _ = Conv2D(5, 1).apply({"kernel": dense["kernel"][None, None], "bias": dense["bias"]}, {}, x)
    np.testing.assert_array_equal(one, Dense(5).apply(dense, {}, x)[0])


def test_separable_is_depthwise_then_pointwise():
    layer = SeparableConv2D(4, 3, padding="same", depth_multiplier=2)
    params, state = layer.init(KEY, (6, 6, 3), "float64")
    (x,) = drawn((2, 6, 6, 3))
    inner = ops.depthwise_conv(x, params["depthwise_kernel"], padding="same")
    close(layer.apply(params, state, x)[0], inner @ params["pointwise_kernel"][0, 0], 20)


def conv2d_on(*shape):
    layer = Conv2D(4, 3)
    params, state = layer.init(KEY, (8, 8, 2))
    return layer.apply(params, state, np.ones(shape, "float32"))


X, W = np.ones((1, 5, 5, 2)), np.ones((3, 3, 2, 4))


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (
            lambda: ops.conv(X, W[0]),
            ShapeError,
            r"conv: expected an input \(batch, \*sizes, channels\) .*and \(3, 2, 4\)",
        ),
        (lambda: ops.conv(X[0, 0], W[0, 0]), ShapeError, r"received \(5, 2\) and \(2, 4\)"),
        (lambda: ops.conv(X[..., :1], W), ShapeError, r"for 1 channels, received \(3, 3, 2, 4\)"),
        (
            lambda: ops.conv(X, W, groups=2),
            ShapeError,
            r"in 2 groups needs a kernel \(\*sizes, channels / groups, filt",
        ),
        (
            lambda: ops.conv(X, W[:, :, :1, :3], groups=2),
            ShapeError,
            "groups must divide the filters, received 3 filters",
        ),
        (lambda: ops.conv(X, W, groups=0), ValueRangeError, "groups must be a positive integer, received 0"),
        (
            lambda: ops.conv(X[:, :2], W),
            ShapeError,
            r"the kernel \(3, 3\).* is larger than the padded input \(2, 5\).*'same'",
        ),
        (lambda: ops.conv(X, W, dilation=3), ShapeError, r"spans \(7, 7\) with its dilation"),
        (lambda: ops.conv(X, W[:0]), ShapeError, "at least one tap on each axis"),
        (lambda: ops.conv(X, W, strides=0), ValueRangeError, "conv: strides must be at least 1, received 0"),
        (lambda: ops.conv(X, W, strides=1.5), DtypeError, "strides must be an integer or 2 integers, received 1.5"),
        (lambda: ops.conv(X, W, dilation=(1, 1, 1)), DtypeError, "dilation must be an integer or 2 integers"),
        (
            lambda: ops.conv(X, W, padding="causal"),
            ValueRangeError,
            r"one of \['valid', 'same'\] for 2 axes, received 'cau",
        ),
        (lambda: ops.conv(X, W, padding=[(1, 1)]), ValueRangeError, r"or 2 pairs \(before, after\)"),
        (lambda: ops.conv(X, W, padding=[(1, 1), (0, -1)]), ValueRangeError, "of sizes from 0 on"),
        (lambda: ops.conv_transpose(X, W), ShapeError, r"kernel \(\*sizes, filters, channels\) for 2 channels"),
        (lambda: ops.conv_transpose(X[..., :1], W[..., :1], padding="causal"), ValueRangeError, "'valid' or 'same'"),
        (
            lambda: ops.conv_transpose(X[..., :1], W[..., :1], strides=2, output_padding=2),
            ValueRangeError,
            "output_padding must be below strides, received 2 and strides 2",
        ),
        (
            lambda: ops.depthwise_conv(X[..., :1], W),
            ShapeError,
            r"kernel \(\*sizes, channels, multiplier\) for 1 channels",
        ),
        (lambda: Conv2D(0, 3), ValueRangeError, "Conv2D: filters is a positive integer, received 0"),
        (lambda: Conv2D(4, 0), ValueRangeError, "Conv2D: kernel_size is a positive integer, received 0"),
        (lambda: Conv2D(4, (3, -1)), ValueRangeError, "kernel_size is a positive integer, received -1"),
        (lambda: Conv2D(4, (3, 3, 3)), ShapeError, r"kernel_size is an integer or 2 of them, received \(3, 3, 3\)"),
        (lambda: Conv1D(4, "3"), DtypeError, "Conv1D: kernel_size is a positive integer, received str '3'"),
        (lambda: Conv2D(4, 3, groups=3), ShapeError, "groups must divide the filters, received filters=4 and groups=3"),
        (
            lambda: Conv2D(4, 3, strides=2, dilation_rate=2),
            ValueRangeError,
            "strides and dilation_rate cannot both be abov",
        ),
        (lambda: Conv2D(4, 3, padding="full"), ValueRangeError, "padding is one of valid, same, received 'full'"),
        (lambda: Conv2D(4, 3, padding="causal"), ValueRangeError, "padding is one of valid, same, received 'causal'"),
        (
            lambda: Conv1D(4, 3, padding="half"),
            ValueRangeError,
            "padding is one of valid, same, causal, received 'half'",
        ),
        (
            lambda: Conv2D(4, 3, data_format="channels_first"),
            ValueRangeError,
            r"data_format is channels_last, received 'channels_first'\. Move the channels .*np\.moveaxis\(x, 1, -1\)",
        ),
        (
            lambda: Conv2D(4, 3).init(KEY, (8, 8)),
            ShapeError,
            r"samples of shape \(height, width, channels\), received \(8",
        ),
        (lambda: Conv2D(4, 3).init(KEY, (2, None, 3)), ShapeError, r"Conv2D: the kernel \(3,\).*padded input \(2,\)"),
        (
            lambda: Conv2D(4, 3, groups=2).init(KEY, (8, 8, 3)),
            ShapeError,
            r"divide the channels, received shape \(8, 8, 3",
        ),
        (lambda: Conv1D(4, 3).init(KEY, (8, None)), ShapeError, "axis -1, so its size must be known"),
        (lambda: conv2d_on(8, 8, 2), ShapeError, r"expected an input \(batch, height, width, channels\).*x\[None\]"),
        (
            lambda: conv2d_on(1, 2, 8, 8),
            ShapeError,
            r"expected 2 channels on the last axis, received an input \(1, 2, 8, 8\)",
        ),
        (lambda: conv2d_on(1, 2, 2, 2), ShapeError, r"is larger than the padded input \(2, 2\)"),
        (
            lambda: Conv1DTranspose(4, 3, strides=2, output_padding=2),
            ValueRangeError,
            "from 0 to strides - 1, received 2",
        ),
        (lambda: Conv2DTranspose(4, 3, strides=2, dilation_rate=2), ValueRangeError, "cannot both be above 1"),
        (lambda: DepthwiseConv2D(3, depth_multiplier=0), ValueRangeError, "depth_multiplier is a positive integer"),
        (lambda: SeparableConv2D(0, 3), ValueRangeError, "SeparableConv2D: filters is a positive integer"),
    ],
)
def test_errors(call, error, text):
    with pytest.raises(error, match=text):
        call()
