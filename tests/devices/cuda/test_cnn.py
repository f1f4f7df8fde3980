"""The training of a small network of convolutions on a card without a card: the CPU's results, to rounding."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, losses, optimizers, tree
from fnet.devices.cuda.device import Cuda
from fnet.devices.cuda.lower import conv, linalg
from fnet.devices.cuda.tiling import Tiling
from tests.devices.cuda.emulated import Emulated


@pytest.mark.parametrize("count, filters", [(6, 2), pytest.param(24, 4, marks=pytest.mark.slow)])
def test_a_network_of_convolutions_is_trained_there(count: int, filters: int, monkeypatch: pytest.MonkeyPatch):
    card = Emulated()
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(count, 6, 6, 1)).astype(np.float32), rng.integers(0, 3, count)

    def trained(place: Any) -> Any:
        layers = fnet.layers
        net = fnet.serial(
            layers.Conv2D(filters, 3, padding="same", use_bias=False),  # whose gradient would be nothing but rounding
            layers.BatchNormalization(), layers.Activation("relu"), layers.MaxPooling2D(2), layers.DepthwiseConv2D(2),
            layers.AveragePooling2D(2), layers.Flatten(), layers.LayerNormalization(), layers.Dense(3),
        )  # fmt: skip
        loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
        trainer = fnet.Trainer(net, loss, optimizer=optimizers.adam(0.01), metrics=["accuracy"])
        ts = place(trainer.init(fnet.random.key(0), (6, 6, 1)))
        ts, history = trainer.fit(ts, place(x), place(y), batch_size=count // 2, epochs=2, verbose=False)
        return fnet.to_host(ts), dict(history), fnet.to_host(trainer.predict(ts, place(x)))

    there, here = trained(lambda values: fnet.to_device(values, "cuda")), trained(lambda values: values)
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), there, here)
    assert card.seen["replayed"] > 0
    assert {"column_products", "max_pool_vjp", "average_pool_vjp", "row_norm_vjp", "channel_products"} <= set(
        card.kernels
    )


@pytest.mark.slow
def test_a_network_is_trained_by_tensor_cores(monkeypatch: pytest.MonkeyPatch):
    card = Emulated()
    monkeypatch.setitem(device.FOUND, "cuda", Cuda("cuda", card))
    monkeypatch.setattr(linalg, "tiling", lambda m, n, k, *_: Tiling(64, k, 1))
    monkeypatch.setattr(conv, "conv_tiling", lambda m, n, k, *_: (Tiling(128, k, 1, _[-1] or n < 4), True))
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 6, 6, 3)).astype(np.float32), rng.integers(0, 3, 4)

    def trained(place: Any, level: Any) -> Any:
        layers = fnet.layers
        net = fnet.serial(
            layers.Conv2D(4, 3, strides=2, padding="same", activation="relu"),
            layers.Conv2D(4, 2, groups=2, activation="tanh"), layers.Conv2D(3, 1), layers.Flatten(), layers.Dense(3),
        )  # fmt: skip
        loss = partial(losses.sparse_categorical_crossentropy, from_logits=True)
        trainer = fnet.Trainer(net, loss, optimizer=optimizers.sgd(0.05))
        with fnet.precision(level):
            ts = place(trainer.init(fnet.random.key(0), (6, 6, 3)))
            ts, _ = trainer.fit(ts, place(x), place(y), batch_size=2, epochs=1, verbose=False)
        return fnet.to_host(ts.params)

    there = trained(lambda values: fnet.to_device(values, "cuda"), "high")
    here = trained(lambda values: values, "highest")
    tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max()), there, here)
    assert {"high_gather", "high_gather_narrow", "high_weight_gradient", "high_64"} <= card.kernels.keys()
