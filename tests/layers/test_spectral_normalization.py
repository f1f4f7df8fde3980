"""SpectralNormalization: the power iteration, its gradient, what is kept, what it wraps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import layers, random
from fnet.errors import StructureError, ValueRangeError
from fnet.layers import Dense, SpectralNormalization
from fnet.networks.combinators import serial

KEY = random.key(1)
X = np.random.default_rng(0).normal(size=(5, 4))


def iterated(w: np.ndarray, u: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray, float]:
    """u, v and the estimate of the largest singular value, in plain NumPy."""
    v = u
    for _ in range(count):
        v = u @ w.T / np.linalg.norm(u @ w.T)
        u = v @ w / np.linalg.norm(v @ w)
    return u, v, float((v @ w @ u.T).item())


def test_training_divides_by_the_estimate_and_keeps_the_vector() -> None:
    layer = SpectralNormalization(Dense(3), power_iterations=2)
    params, state = layer.init(KEY, (4,), "float64")
    assert state["vector_u"].shape == (1, 3) and 0 < np.abs(state["vector_u"]).max() < 0.05
    w = params["dense"]["kernel"]
    u, _, sigma = iterated(w, state["vector_u"], 2)
    y, new = layer.apply(params, state, X, train=True)
    np.testing.assert_allclose(y, X @ w / sigma, rtol=1e-12)
    np.testing.assert_allclose(new["vector_u"], u, rtol=1e-12)
    for _ in range(60):
        y, new = layer.apply(params, new, X, train=True)
    np.testing.assert_allclose(y, X @ w / np.linalg.norm(w, 2), rtol=1e-9)


def test_inference_takes_the_kernel_as_it_is() -> None:
    layer = SpectralNormalization(Dense(3))
    params, state = layer.init(KEY, (4,), "float64")
    y, new = layer.apply(params, state, X)
    np.testing.assert_array_equal(y, Dense(3).apply(params["dense"], {}, X)[0])
    assert new["vector_u"] is state["vector_u"]


def test_no_gradient_goes_through_the_vectors() -> None:
    layer = SpectralNormalization(Dense(3, use_bias=False))
    params, state = layer.init(KEY, (4,), "float64")
    w = params["dense"]["kernel"]
    u, v, sigma = iterated(w, state["vector_u"], 1)
    g = fnet.grad(lambda p: np.sum(np.sin(layer.apply(p, state, X, train=True)[0])))(params)["dense"]["kernel"]
    of_quotient = X.T @ np.cos(X @ w / sigma)
    np.testing.assert_allclose(g, of_quotient / sigma - np.sum(of_quotient * w) / sigma**2 * (v.T @ u), rtol=1e-10)


def test_a_kernel_of_zeros_stays() -> None:
    layer = SpectralNormalization(Dense(3, kernel_initializer="zeros"))
    params, state = layer.init(KEY, (4,), "float64")
    y, new = layer.apply(params, state, X, train=True)
    assert not y.any()
    np.testing.assert_array_equal(new["vector_u"], state["vector_u"])


def test_convolutions_tables_and_layers_with_a_state_of_their_own() -> None:
    net = serial(
        SpectralNormalization(layers.Embedding(7, 4)),
        SpectralNormalization(layers.Conv1D(3, 2)),
        layers.GlobalAveragePooling1D(),
    )
    params, state = net.init(KEY, (5,), "float64")
    x = np.arange(10).reshape(2, 5) % 7
    for _ in range(80):
        _, state = net.apply(params, state, x, train=True)
    y, _ = net.apply(params, state, x, train=True)
    assert np.isfinite(y).all()
    names = ["spectral_normalization", "spectral_normalization_1"]
    table, kernel = params[names[0]]["embedding"]["embeddings"], params[names[1]]["conv1d"]["kernel"].reshape(-1, 3)
    for w, name in ((table, names[0]), (kernel, names[1])):
        _, _, sigma = iterated(w, state[name]["vector_u"], 1)
        assert sigma == pytest.approx(np.linalg.norm(w, 2), rel=1e-6)


def test_it_trains_under_jit() -> None:
    net = serial(SpectralNormalization(Dense(4, "tanh")), Dense(1))
    trainer = fnet.Trainer(net, loss="mse", optimizer=fnet.optimizers.adam(0.02))
    x = X.astype("float32")
    started = trainer.init(KEY, (4,))
    ended, history = trainer.fit(started, x, np.sin(x[:, :1]), epochs=30, verbose=False)
    assert history["loss"][-1] < 0.5 * history["loss"][0]
    first, last = (ts.state["spectral_normalization"]["vector_u"] for ts in (started, ended))
    assert np.linalg.norm(last) == pytest.approx(1, abs=1e-5) and not np.array_equal(first, last)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SpectralNormalization(layers.LayerNormalization()).init(KEY, (4,)), StructureError,
         r"SpectralNormalization: LayerNormalization has neither a 'kernel' nor 'embeddings'\. Wrap a Dense"),
        (lambda: SpectralNormalization(layers.Flatten()).init(KEY, (4,)), StructureError, "Flatten has neither"),
        (lambda: SpectralNormalization(Dense(3), 0), ValueRangeError, "power_iterations is a positive integer"),
        (lambda: SpectralNormalization(Dense), StructureError, "SpectralNormalization: argument 0 is a function"),
    ],
)  # fmt: skip
def test_errors(call: Any, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        call()
