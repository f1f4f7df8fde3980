"""Values and gradients beside PyTorch's, where it is installed: activations, losses, operations, a network."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import losses, ops
from fnet.activations import ACTIVATIONS
from fnet.layers import Dense, Flatten

torch = pytest.importorskip("torch")
F = torch.nn.functional

DTYPES = [np.float32, np.float64]
ACTIVATION_PAIRS: dict[str, Callable[[Any], Any]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.2),
    "sigmoid": torch.sigmoid,
    "log_sigmoid": F.logsigmoid,
    "hard_sigmoid": lambda x: torch.clamp(x / 6 + 0.5, 0, 1),  # F.hardsigmoid rounds its slope to float32
    "tanh": torch.tanh,
    "tanh_shrink": F.tanhshrink,
    "hard_tanh": F.hardtanh,
    "softmax": lambda x: F.softmax(x, -1),
    "log_softmax": lambda x: F.log_softmax(x, -1),
    "elu": F.elu,
    "selu": F.selu,
    "celu": F.celu,
    "gelu": F.gelu,
    "softplus": F.softplus,
    "softsign": F.softsign,
    "silu": F.silu,
    "hard_silu": F.hardswish,
    "mish": F.mish,
    "exponential": torch.exp,
    "glu": F.glu,
    "soft_shrink": F.softshrink,
    "hard_shrink": F.hardshrink,
}
OP_PAIRS: dict[str, tuple[Callable, Callable, tuple[tuple[int, ...], ...]]] = {
    "matmul": (ops.matmul, torch.matmul, ((5, 7), (7, 3))),
    "matmul of stacks": (ops.matmul, torch.matmul, ((2, 1, 4, 3), (5, 3, 2))),
    "matrix times vector": (ops.matmul, torch.matmul, ((4, 6), (6,))),
    "einsum": (
        lambda a, b: ops.einsum("bij,bkj->bik", a, b),
        lambda a, b: torch.einsum("bij,bkj->bik", a, b),
        ((2, 3, 4), (2, 5, 4)),
    ),
    "logsumexp": (lambda x: ops.logsumexp(x, axis=0), lambda x: torch.logsumexp(x, 0), ((4, 3),)),
    "var": (lambda x: ops.var(x, axis=(0, 2)), lambda x: torch.var(x, (0, 2), correction=0), ((3, 2, 4),)),
    "std": (lambda x: ops.std(x, axis=1), lambda x: torch.std(x, 1, correction=0), ((3, 5),)),
    "prod": (lambda x: ops.prod(x, axis=1), lambda x: torch.prod(x, 1), ((3, 4),)),
    "max": (lambda x: ops.max(x, axis=1), lambda x: torch.amax(x, 1), ((3, 4),)),
    "erf": (ops.erf, torch.erf, ((3, 4),)),
    "logaddexp": (ops.logaddexp, torch.logaddexp, ((3, 4), (4,))),
    "l2_normalize": (ops.l2_normalize, lambda x: F.normalize(x, dim=-1), ((3, 4),)),
    "indexing": (lambda x: x[[2, 0, 2], 1:], lambda x: x[[2, 0, 2], 1:], ((3, 4),)),
}
LABELS = np.array([2, 0, 1, 2])
TARGETS = np.array([[0.2, 0.5, 0.3], [1.0, 0.0, 0.0], [0.0, 0.9, 0.1], [0.3, 0.3, 0.4]])
LOSS_PAIRS: dict[str, tuple[Callable, Callable]] = {
    "mse": (lambda z: losses.mean_squared_error(TARGETS, z), lambda z: F.mse_loss(z, torch.tensor(TARGETS))),
    "mae": (lambda z: losses.mean_absolute_error(TARGETS, z), lambda z: F.l1_loss(z, torch.tensor(TARGETS))),
    "binary from logits": (
        lambda z: losses.binary_crossentropy(TARGETS, z, from_logits=True),
        lambda z: F.binary_cross_entropy_with_logits(z, torch.tensor(TARGETS)),
    ),
    "binary from probabilities": (
        lambda z: losses.binary_crossentropy(TARGETS, ops.sigmoid(z)),
        lambda z: F.binary_cross_entropy(torch.sigmoid(z), torch.tensor(TARGETS)),
    ),
    "categorical from logits": (
        lambda z: losses.categorical_crossentropy(TARGETS, z, from_logits=True),
        lambda z: F.cross_entropy(z, torch.tensor(TARGETS)),
    ),
    "categorical with smoothing": (
        lambda z: losses.categorical_crossentropy(np.eye(3)[LABELS], z, from_logits=True, label_smoothing=0.1),
        lambda z: F.cross_entropy(z, torch.tensor(LABELS), label_smoothing=0.1),
    ),
    "sparse from logits": (
        lambda z: losses.sparse_categorical_crossentropy(LABELS, z, from_logits=True),
        lambda z: F.cross_entropy(z, torch.tensor(LABELS)),
    ),
    "sparse from probabilities": (
        lambda z: losses.sparse_categorical_crossentropy(LABELS, ops.softmax(z)),
        lambda z: F.nll_loss(torch.log_softmax(z, -1), torch.tensor(LABELS)),
    ),
}


def compare(ours: Callable, theirs: Callable, *operands: np.ndarray) -> None:
    """Value and the pulled-back cotangent of ones, eager and compiled, against PyTorch's."""
    dtype = operands[0].dtype
    tensors = [torch.tensor(x, requires_grad=True) for x in operands]
    expected = theirs(*tensors)
    gradients = torch.autograd.grad(expected.sum(), tensors)

    def both(*operands: Any) -> Any:
        value, pull = fnet.vjp(ours, *operands)
        return value, pull(fnet.tree.map(np.ones_like, value))

    tolerance = {"rtol": 2e-5, "atol": 2e-6} if dtype == np.float32 else {"rtol": 1e-11, "atol": 1e-13}
    for value, pulled in (both(*operands), fnet.jit(both)(*operands)):
        assert value.dtype == dtype
        np.testing.assert_allclose(value, expected.detach().numpy(), **tolerance)
        for got, want in zip(pulled, gradients, strict=True):
            np.testing.assert_allclose(got, want.numpy(), **tolerance)


def drawn(dtype: Any, *shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.uniform(-4, 4, size=shape).astype(dtype) for shape in shapes]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ACTIVATION_PAIRS)
def test_activations(name, dtype):
    compare(ACTIVATIONS[name], ACTIVATION_PAIRS[name], *drawn(dtype, (5, 6)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", OP_PAIRS)
def test_operations(name, dtype):
    ours, theirs, shapes = OP_PAIRS[name]
    compare(ours, theirs, *drawn(dtype, *shapes))


@pytest.mark.parametrize("name", LOSS_PAIRS)
def test_losses(name):
    ours, theirs = LOSS_PAIRS[name]
    compare(ours, theirs, *drawn(np.float64, (4, 3)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_network_with_copied_weights(dtype):
    net = fnet.serial(Flatten(), Dense(8, activation="tanh"), Dense(6, activation="relu"), Dense(3))
    params, state = net.init(fnet.random.key(0), (2, 5), dtype)
    params = fnet.tree.map(lambda p: p + np.asarray(0.1, dtype), params)
    (x,) = drawn(dtype, (4, 2, 5))

    def ours(*leaves: Any) -> Any:
        tree = fnet.tree.unflatten(fnet.tree.structure(params), leaves)
        y, _ = net.apply(tree, state, x)
        return losses.sparse_categorical_crossentropy(LABELS, y, from_logits=True)

    def theirs(k0: Any, b0: Any, k1: Any, b1: Any, k2: Any, b2: Any) -> Any:
        h = torch.tanh(torch.tensor(x).flatten(1) @ k0 + b0)
        return F.cross_entropy(torch.relu(h @ k1 + b1) @ k2 + b2, torch.tensor(LABELS))

    compare(ours, theirs, *fnet.tree.leaves(params))
