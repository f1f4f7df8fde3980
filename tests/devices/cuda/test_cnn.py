"""The training of a small network of convolutions on a card without a card: the CPU's results, to rounding."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import device, losses, optimizers, tree
from fnet.devices.cuda.device import Cuda
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
