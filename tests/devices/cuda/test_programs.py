"""Whole programs on an emulated card, thread by thread: eager, as a plan and as a gradient, the results of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, ops
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.emulated import Emulated

RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(5, 6)).astype(np.float32), RNG.normal(size=6).astype(np.float32)
LABELS = RNG.integers(0, 6, 5)


def several(x: Any, y: Any) -> Any:
    z = ops.tanh(x * y + 1)
    z = z - ops.mean(z, axis=0)
    z = np.concatenate([z[:, ::-1], z.T.reshape(5, 6)], axis=1)
    return ops.sum(ops.softmax(z) * z), z, ops.max(z, axis=1), np.argmax(z, axis=1)


def loss(x: Any, y: Any, labels: Any) -> Any:
    return ops.mean(ops.sparse_crossentropy(ops.gelu(x * y) + ops.exp(-y), labels))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Emulated:
    card = Emulated(is_checked=True)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    return card


@pytest.mark.parametrize(
    ("function", "operands"),
    [(several, (X, Y)), (fnet.grad(loss, argnums=(0, 1)), (X, Y, LABELS))],
    ids=["several", "gradient"],
)
@pytest.mark.parametrize("way", [lambda f: f, fnet.jit], ids=["eager", "jit"])
def test_a_program_gives_what_it_gives_on_the_cpu(
    function: Callable[..., Any], operands: tuple[Any, ...], way: Any, card: Emulated
) -> None:
    expected = function(*operands)
    received = fnet.to_host(way(function)(*(fnet.to_device(x, "cuda") for x in operands)))
    for one, other in zip(fnet.tree.leaves(received), fnet.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)
    assert card.kernels


def test_signs_of_integers(card: Emulated) -> None:
    x = np.array([-3, 0, 7])
    np.testing.assert_array_equal(fnet.to_host(np.sign(fnet.to_device(x, "cuda"))), [-1, 0, 1])
