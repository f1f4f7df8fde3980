"""Numbers of Keras: activations, sizes and padding of "same", pooling at the edge, fans, shapes of parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fnet import activations, initializers, random, tree
from fnet.layers import (
    AlphaDropout,
    AveragePooling1D,
    BatchNormalization,
    Conv1D,
    Conv1DTranspose,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    MaxPooling1D,
    SeparableConv2D,
)

KEY = random.key(0)
POINTS = np.array([-3, -1, -0.5, 0, 0.5, 1, 3])
ACTIVATIONS = {
    "gelu": [-0.0040497, -0.1586553, -0.1542688, 0, 0.3457312, 0.8413447, 2.9959503],
    "selu": [-1.6705687, -1.1113307, -0.6917582, 0, 0.5253505, 1.050701, 3.152103],
    "mish": [-0.1456475, -0.3034015, -0.2207438, 0, 0.3752452, 0.8650984, 2.986535],
    "silu": [-0.1422776, -0.2689414, -0.1887703, 0, 0.3112297, 0.7310586, 2.8577224],
    "hard_sigmoid": [0, 1 / 3, 0.4166667, 0.5, 0.5833333, 0.6666667, 1],
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name: str, dtype: str) -> None:
    y = activations.get(name)(POINTS.astype(dtype))
    np.testing.assert_allclose(y, ACTIVATIONS[name], rtol=2e-6, atol=1e-7)


def test_gelu_by_tanh() -> None:
    expected = [-0.0036374, -0.158808, -0.154286, 0, 0.345714, 0.841192, 2.9963626]
    np.testing.assert_allclose(activations.gelu(POINTS, approximate=True), expected, rtol=1e-5)


# (size, kernel, stride, dilation): size of the output, zeros in front, zeros behind.
SAME = {
    (5, 3, 1, 1): (5, 1, 1), (5, 3, 2, 1): (3, 1, 1), (6, 3, 2, 1): (3, 0, 1), (5, 2, 1, 1): (5, 0, 1),
    (5, 2, 2, 1): (3, 0, 1), (7, 4, 2, 1): (4, 1, 2), (28, 5, 2, 1): (14, 1, 2), (6, 3, 1, 2): (6, 2, 2),
}  # fmt: skip


@pytest.mark.parametrize("case", SAME)
def test_padding_same(case: Any) -> None:
    size, kernel, stride, dilation = case
    out, before, behind = SAME[case]
    layer = Conv1D(1, kernel, stride, "same", dilation_rate=dilation)
    x = np.random.default_rng(0).normal(size=(1, size, 1))
    params, state = layer.init(KEY, (size, 1), "float64")
    y, _ = layer.apply(params, state, x)
    padded = np.pad(x[0, :, 0], (before, behind))
    expected = [padded[i * stride :: dilation][:kernel] @ params["kernel"][:, 0, 0] for i in range(out)]
    np.testing.assert_allclose(y[0, :, 0], expected, rtol=1e-12)
    if dilation == 1:
        windows = [slice(max(i * stride - before, 0), i * stride - before + kernel) for i in range(out)]
        pooled, _ = MaxPooling1D(kernel, stride, "same").apply({}, {}, x)
        np.testing.assert_array_equal(pooled[0, :, 0], [x[0, w, 0].max() for w in windows])
        mean, _ = AveragePooling1D(kernel, stride, "same").apply({}, {}, x)
        np.testing.assert_allclose(mean[0, :, 0], [x[0, w, 0].mean() for w in windows], rtol=1e-12)


def test_convolutions_do_not_turn_the_kernel() -> None:
    params = {"kernel": np.array([1.0, 10.0]).reshape(2, 1, 1), "bias": np.zeros(1)}
    y, _ = Conv1D(1, 2).apply(params, {}, np.array([1.0, 2.0, 3.0]).reshape(1, 3, 1))
    np.testing.assert_array_equal(y.ravel(), [21, 32])


def test_sizes_of_transposed_convolutions() -> None:
    for stride, kernel in ((1, 3), (2, 3), (3, 2), (2, 2)):
        assert Conv1DTranspose(1, kernel, stride).out_shape((5, 1)) == (5 * stride + max(kernel - stride, 0), 1)
        assert Conv1DTranspose(1, kernel, stride, "same").out_shape((5, 1)) == (5 * stride, 1)


SHAPES: list[tuple[Any, Any, dict[str, tuple[int, ...]]]] = [
    (Dense(300), (784,), {"kernel": (784, 300), "bias": (300,)}),
    (Conv2D(16, 3), (9, 9, 32), {"kernel": (3, 3, 32, 16), "bias": (16,)}),
    (Conv2D(16, (3, 2), groups=4), (9, 9, 32), {"kernel": (3, 2, 8, 16), "bias": (16,)}),
    (Conv1DTranspose(16, 3), (9, 32), {"kernel": (3, 16, 32), "bias": (16,)}),
    (DepthwiseConv2D(3, depth_multiplier=2), (9, 9, 5), {"kernel": (3, 3, 5, 2), "bias": (10,)}),
    (
        SeparableConv2D(7, 3, depth_multiplier=2),
        (9, 9, 5),
        {"depthwise_kernel": (3, 3, 5, 2), "pointwise_kernel": (1, 1, 10, 7), "bias": (7,)},
    ),
]


@pytest.mark.parametrize(("layer", "shape", "expected"), SHAPES, ids=lambda v: repr(v)[:40])
def test_parameters(layer: Any, shape: Any, expected: Any) -> None:
    params, _ = layer.init(KEY, shape)
    assert {path: leaf.shape for path, leaf in tree.leaves_with_path(params)} == expected
    for path, leaf in tree.leaves_with_path(params):
        fan_in, fan_out = initializers.fans(leaf.shape)
        limit = 0 if path == "bias" else np.sqrt(6 / (fan_in + fan_out))
        assert limit * 0.9 <= np.abs(leaf).max() <= limit


def test_depthwise_channels_are_in_groups_of_the_multiplier() -> None:
    params = {"kernel": np.array([[1.0, 2.0], [10.0, 20.0]]).reshape(1, 1, 2, 2), "bias": np.zeros(4)}
    y, _ = DepthwiseConv2D(1, depth_multiplier=2).apply(params, {}, np.array([3.0, 5.0]).reshape(1, 1, 1, 2))
    np.testing.assert_array_equal(y.ravel(), [3, 6, 50, 100])


def test_batch_normalization_moves_by_one_minus_momentum_with_the_biased_variance() -> None:
    layer = BatchNormalization(momentum=0.9)
    x = np.array([[1.0], [3.0]])
    y, state = layer.apply(*layer.init(KEY, (1,), "float64"), x, train=True)
    assert state["moving_mean"] == pytest.approx(0.2) and state["moving_variance"] == pytest.approx(0.9 + 0.1)
    np.testing.assert_allclose(y.ravel(), np.array([-1, 1]) / np.sqrt(1.001), rtol=1e-12)


def test_alpha_dropout_has_the_constants_of_keras() -> None:
    rate, limit = 0.3, -1.6732632423543772 * 1.0507009873554805
    scale = ((1 - rate) * (1 + rate * limit**2)) ** -0.5
    y, _ = AlphaDropout(rate).apply({}, {}, np.ones((40, 40)), key=KEY, train=True)
    expected = np.array([limit, 1.0]) * scale - scale * limit * rate
    np.testing.assert_allclose(np.unique(y), np.sort(expected), rtol=1e-12)
