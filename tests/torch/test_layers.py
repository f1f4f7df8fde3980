"""Every layer with a counterpart in PyTorch, over drawn configurations: values and gradients with the same weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers, tree
from fnet.masking import Masked, unmasked

torch = pytest.importorskip("torch")
F = torch.nn.functional

# What a case draws: the layer, the shape of a sample, and the same function of PyTorch's (params, x).
Case = tuple[Any, Any, Callable[[Any, Any], Any]]
Draw = Callable[[np.random.Generator], Case]
CASES: dict[str, Draw] = {}


def case(draw: Draw) -> Draw:
    CASES[draw.__name__] = draw
    return draw


def one(rng: np.random.Generator, *choices: Any) -> Any:
    return choices[rng.integers(len(choices))]


def size(rng: np.random.Generator, low: int = 1, high: int = 7) -> int:
    return int(rng.integers(low, high + 1))


def first(x: Any) -> Any:
    """Channels second, where PyTorch has them."""
    return x.movedim(-1, 1)


def last(x: Any) -> Any:
    return x.movedim(1, -1)


def filters_first(kernel: Any) -> Any:
    """(..., in, out) as (out, in, ...)."""
    return kernel.movedim((-1, -2), (0, 1))


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": F.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid, "gelu": F.gelu, "silu": F.silu, "mish": F.mish,
    "softplus": F.softplus, "elu": F.elu, "selu": F.selu, "celu": F.celu, "softsign": F.softsign,
    "hard_tanh": F.hardtanh, "hard_silu": F.hardswish, "hard_sigmoid": F.hardsigmoid, "relu6": F.relu6,
    "log_sigmoid": F.logsigmoid, "tanh_shrink": F.tanhshrink, "soft_shrink": F.softshrink,
    "hard_shrink": F.hardshrink, "glu": F.glu, "exponential": torch.exp,
    "softmax": lambda x: F.softmax(x, -1), "log_softmax": lambda x: F.log_softmax(x, -1),
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
}  # fmt: skip


@case
def dense(rng: np.random.Generator) -> Case:
    name = one(rng, *ACTIVATIONS)
    shape = (*(size(rng) for _ in range(rng.integers(0, 3))), size(rng))
    return layers.Dense(2 * size(rng), name), shape, lambda p, x: ACTIVATIONS[name](x @ p["kernel"] + p["bias"])


@case
def activation(rng: np.random.Generator) -> Case:
    name = one(rng, *ACTIVATIONS)
    return layers.Activation(name), (size(rng), 4), lambda p, x: ACTIVATIONS[name](x)


@case
def einsum_dense(rng: np.random.Generator) -> Case:
    equation, out, bias = one(
        rng, ("abc,cde->abde", (None, 2, 3), "de"), ("...bc,cd->...bd", (None, 5), "d"), ("abc,cbd->ad", (4,), "d")
    )
    layer = layers.EinsumDense(equation, out, "tanh", bias)
    return layer, (size(rng), size(rng)), lambda p, x: torch.tanh(torch.einsum(equation, x, p["kernel"]) + p["bias"])


def convolution(rank: int) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        groups, kernel = one(rng, 1, 2), [size(rng, 1, 3) for _ in range(rank)]
        strides, dilation = one(rng, ((1,) * rank, one(rng, 1, 2)), (tuple(size(rng, 1, 3) for _ in range(rank)), 1))
        channels, filters = groups * size(rng, 1, 4), groups * size(rng, 1, 9)
        layer = getattr(layers, f"Conv{rank}D")(filters, kernel, strides, dilation_rate=dilation, groups=groups)
        convolve = getattr(F, f"conv{rank}d")

        def theirs(p: Any, x: Any) -> Any:
            return last(convolve(first(x), filters_first(p["kernel"]), p["bias"], strides, 0, dilation, groups))

        return layer, (*(size(rng, 5, 8) for _ in range(rank)), channels), theirs

    return draw


def transposed_convolution(rank: int) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        stride = size(rng, 1, 3)
        kernel = stride + size(rng, 0, 2)
        layer = getattr(layers, f"Conv{rank}DTranspose")(size(rng), kernel, stride)
        convolve = getattr(F, f"conv_transpose{rank}d")

        def theirs(p: Any, x: Any) -> Any:
            kernel = filters_first(p["kernel"]).contiguous()
            return last(convolve(first(x), kernel, p["bias"], stride))

        return layer, (*(size(rng, 2, 5) for _ in range(rank)), size(rng, 1, 4)), theirs

    return draw


def depthwise(rank: int, separable: bool) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        multiplier, channels, kernel, stride = size(rng, 1, 3), size(rng, 1, 5), size(rng, 1, 3), size(rng, 1, 2)
        filters = (size(rng),) if separable else ()
        name = "SeparableConv" if separable else "DepthwiseConv"
        layer = getattr(layers, f"{name}{rank}D")(*filters, kernel, stride, depth_multiplier=multiplier)
        convolve = getattr(F, f"conv{rank}d")

        def theirs(p: Any, x: Any) -> Any:
            deep = p["depthwise_kernel" if separable else "kernel"]
            deep = deep.reshape(*deep.shape[:-2], 1, channels * multiplier)
            bias = None if separable else p["bias"]
            y = convolve(first(x), filters_first(deep), bias, stride, groups=channels)
            return last(convolve(y, filters_first(p["pointwise_kernel"]), p["bias"]) if separable else y)

        return layer, (*(size(rng, 4, 7) for _ in range(rank)), channels), theirs

    return draw


for _rank in (1, 2, 3):
    CASES[f"conv{_rank}d"] = convolution(_rank)
    CASES[f"conv{_rank}d_transpose"] = transposed_convolution(_rank)
for _rank in (1, 2):
    CASES[f"depthwise_conv{_rank}d"] = depthwise(_rank, False)
    CASES[f"separable_conv{_rank}d"] = depthwise(_rank, True)


def pooling(rank: int, ours: str, theirs: str) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        window, stride = [size(rng, 1, 3) for _ in range(rank)], [size(rng, 1, 3) for _ in range(rank)]
        pool = getattr(F, f"{theirs}{rank}d")
        layer = getattr(layers, f"{ours}{rank}D")(window, stride)
        return (
            layer,
            (*(size(rng, 3, 7) for _ in range(rank)), size(rng)),
            lambda p, x: last(pool(first(x), window, stride)),
        )

    return draw


def global_pooling(rank: int, name: str) -> Draw:
    def draw(rng: np.random.Generator) -> Case:
        axes = tuple(range(1, rank + 1))
        layer = getattr(layers, f"Global{name}Pooling{rank}D")()
        reduce = (lambda x: x.mean(axes)) if name == "Average" else (lambda x: x.amax(axes))
        return layer, (*(size(rng) for _ in range(rank)), size(rng)), lambda p, x: reduce(x)

    return draw


for _rank in (1, 2, 3):
    CASES[f"max_pooling{_rank}d"] = pooling(_rank, "MaxPooling", "max_pool")
    CASES[f"average_pooling{_rank}d"] = pooling(_rank, "AveragePooling", "avg_pool")
    CASES[f"global_max_pooling{_rank}d"] = global_pooling(_rank, "Max")
    CASES[f"global_average_pooling{_rank}d"] = global_pooling(_rank, "Average")


@case
def up_sampling2d(rng: np.random.Generator) -> Case:
    factors, mode = (size(rng, 1, 3), size(rng, 1, 3)), one(rng, "nearest", "bilinear")
    extra = {"align_corners": False} if mode == "bilinear" else {}
    layer = layers.UpSampling2D(factors, interpolation=mode)
    return layer, (3, 4, 2), lambda p, x: last(F.interpolate(first(x), scale_factor=factors, mode=mode, **extra))


@case
def zero_padding2d(rng: np.random.Generator) -> Case:
    t, b, le, r = (size(rng, 0, 2) for _ in range(4))
    return layers.ZeroPadding2D(((t, b), (le, r))), (3, 4, 2), lambda p, x: F.pad(x, (0, 0, le, r, t, b))


@case
def cropping2d(rng: np.random.Generator) -> Case:
    t, b, le, r = (size(rng, 0, 2) for _ in range(4))
    return layers.Cropping2D(((t, b), (le, r))), (6, 7, 2), lambda p, x: x[:, t : 6 - b, le : 7 - r]


@case
def layer_normalization(rng: np.random.Generator) -> Case:
    count, shape = one(rng, 1, 2), (size(rng), size(rng, 2), size(rng, 2))
    layer = layers.LayerNormalization(tuple(range(-count, 0)))
    return layer, shape, lambda p, x: F.layer_norm(x, shape[-count:], p["gamma"], p["beta"], 1e-3)


@case
def group_normalization(rng: np.random.Generator) -> Case:
    groups = size(rng, 1, 3)
    layer = layers.GroupNormalization(groups)
    return (
        layer,
        (4, 3, groups * size(rng, 1, 3)),
        lambda p, x: last(F.group_norm(first(x), groups, p["gamma"], p["beta"], 1e-3)),
    )


@case
def rms_normalization(rng: np.random.Generator) -> Case:
    width = size(rng, 2)
    return layers.RMSNormalization(), (3, width), lambda p, x: F.rms_norm(x, (width,), p["scale"], 1e-6)


@case
def batch_normalization(rng: np.random.Generator) -> Case:
    shape = (*(size(rng) for _ in range(rng.integers(0, 3))), size(rng))

    def theirs(p: Any, x: Any) -> Any:
        return last(F.batch_norm(first(x), None, None, p["gamma"], p["beta"], True, 0.0, 1e-3))

    return layers.BatchNormalization(), shape, theirs


@case
def prelu(rng: np.random.Generator) -> Case:
    return layers.PReLU("uniform"), (1, size(rng)), lambda p, x: last(F.prelu(first(x), p["alpha"][0]))


@case
def rectifiers(rng: np.random.Generator) -> Case:
    slope = float(rng.uniform(0, 1))
    layer, theirs = one(
        rng,
        (layers.LeakyReLU(slope), lambda x: F.leaky_relu(x, slope)),
        (layers.ELU(slope), lambda x: F.elu(x, slope)),
        (layers.ReLU(max_value=slope), lambda x: F.hardtanh(x, 0, slope)),
        (layers.Softmax(1), lambda x: F.softmax(x, 1)),
        (layers.UnitNormalization(), lambda x: F.normalize(x, dim=-1)),
    )
    return layer, (3, 4), lambda p, x: theirs(x)


@case
def embedding(rng: np.random.Generator) -> Case:
    return (
        layers.Embedding(9, size(rng), mask_zero=one(rng, True, False)),
        "ids",
        lambda p, x: F.embedding(x, p["embeddings"]),
    )


@case
def reshaping(rng: np.random.Generator) -> Case:
    layer, theirs = one(
        rng,
        (layers.Flatten(), lambda x: x.flatten(1)),
        (layers.Flatten("channels_first"), lambda x: x.movedim(1, -1).flatten(1)),
        (layers.Permute((3, 1, 2)), lambda x: x.permute(0, 3, 1, 2)),
        (layers.Reshape((4, -1)), lambda x: x.reshape(len(x), 4, -1)),
    )
    return layer, (2, 3, 4), lambda p, x: theirs(x)


def heads(p: Any, role: str, x: Any) -> Any:
    """(N, H, T, D), where PyTorch wants heads."""
    return torch.einsum("ntf,fhd->nhtd", x, p[role]["kernel"]) + p[role]["bias"][:, None]


@case
def multi_head_attention(rng: np.random.Generator) -> Case:
    causal, grouped, width = one(rng, True, False), one(rng, True, False), size(rng, 2)
    layer = (
        layers.GroupQueryAttention(4, 4, 2, causal=causal)
        if grouped
        else layers.MultiHeadAttention(3, 4, causal=causal)
    )

    def theirs(p: Any, x: Any) -> Any:
        q, k, v = (heads(p, role, x) for role in ("query", "key", "value"))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=causal, enable_gqa=grouped)
        out = p["attention_output"]
        return torch.einsum("nhtd,hdf->ntf", y, out["kernel"]) + out["bias"]

    return layer, (size(rng, 2), width), theirs


@case
def attention_under_a_mask(rng: np.random.Generator) -> Case:
    steps = size(rng, 2)
    lengths = rng.integers(1, steps + 1, 4)
    mask = np.arange(steps) < lengths[:, None]
    inner = layers.Attention(use_scale=True)
    outer = fnet.Layer(
        inner.init, lambda p, s, x, key=None, train=False: inner.apply(p, s, Masked(x, mask), key=key, train=train),
        masks="used",
    )  # fmt: skip

    def theirs(p: Any, x: Any) -> Any:
        seen = torch.tensor(mask)[:, None] & torch.tensor(mask)[:, :, None]
        y = F.scaled_dot_product_attention(x * p["scale"], x, x, attn_mask=seen, scale=1.0)
        return torch.where(torch.tensor(mask)[..., None], y, 0.0)

    return outer, (steps, size(rng)), theirs


def drawn(shape: Any, rng: np.random.Generator, dtype: Any) -> np.ndarray:
    return rng.integers(0, 9, (4, 5)) if shape == "ids" else rng.normal(size=(4, *shape)).astype(dtype)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("name", CASES)
def test_values_and_gradients(name: str, seed: int) -> None:
    dtype = np.float64 if seed % 2 else np.float32
    rng = np.random.default_rng(seed)
    layer, shape, theirs = CASES[name](rng)
    x = drawn(shape, rng, dtype)
    params, state = layer.init(fnet.random.key(seed), x.shape[1:], dtype)
    params = tree.map(lambda p: p + rng.normal(0, 0.2, p.shape).astype(dtype), params)

    def ours(params: Any, x: Any) -> Any:
        return unmasked(layer.apply(params, state, x, key=fnet.random.key(1), train=True)[0])

    y, pull = fnet.vjp(ours, params, x)
    weights = rng.normal(size=y.shape).astype(dtype)
    pulled = pull(weights)
    tensors = tree.map(lambda p: torch.tensor(p, requires_grad=True), params)
    image = torch.tensor(x, requires_grad=x.dtype.kind == "f")
    expected = theirs(tensors, image)
    leaves = [*tree.leaves(tensors), *([image] if image.requires_grad else [])]
    gradients = torch.autograd.grad(expected, leaves, torch.tensor(weights), allow_unused=True) if leaves else ()
    got = [*tree.leaves(pulled[0]), *([pulled[1]] if image.requires_grad else [])]
    tolerance = {"rtol": 2e-4, "atol": 2e-5} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-10}
    np.testing.assert_allclose(y, expected.detach().numpy(), **tolerance)
    for a, b in zip(got, gradients, strict=True):
        np.testing.assert_allclose(a, 0 if b is None else b.numpy(), **tolerance)
