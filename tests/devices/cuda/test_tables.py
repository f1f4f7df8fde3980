"""Every loss and every layer of the tables on a card without a card: what the CPU gives, to rounding."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, tree
from fnet.devices.cuda.device import Cuda
from tests.devices.cuda.emulated import Emulated
from tests.losses.table import LOSSES, LossCase
from tests.tables import LAYERS, Row, inputs

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulated]:
    made = Emulated(is_late=True)
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", made))
    yield made


def there(values: Any) -> Any:
    return fnet.to_device(values, "cuda")


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_every_loss_and_its_derivative(case: LossCase):
    arguments = *case.make(np.random.default_rng(0), (6,)), np.linspace(0.5, 2, 6)

    def value(y: Any, p: Any, weights: Any) -> Any:
        return case.loss(y, p, sample_weight=weights)

    np.testing.assert_allclose(float(value(*there(arguments))), float(value(*arguments)), rtol=1e-9)
    gradient = fnet.grad(value, argnums=1)
    jitted = fnet.jit(gradient)
    for _ in range(2):  # launch by launch, and as a graph
        received = fnet.to_host(jitted(*there(arguments)))
        np.testing.assert_allclose(received, gradient(*arguments), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("row", LAYERS, ids=lambda row: row.id)
def test_every_layer(row: Row):
    layer = row.make()
    params, state = layer.init(fnet.random.key(0), row.shape, np.float32)
    x = tree.map(lambda leaf: leaf.astype(np.float32) if leaf.dtype == np.float64 else leaf, inputs(row))

    def run(params: Any, state: Any, x: Any, key: Any) -> Any:
        return layer.apply(params, state, x, key=key, train=True)

    arguments = params, state, x, fnet.random.key(3)
    received = run(*there(arguments))
    for got, expected in zip(tree.leaves(received), tree.leaves(run(*arguments)), strict=True):
        np.testing.assert_allclose(fnet.to_host(got), expected, rtol=1e-4, atol=1e-5)
