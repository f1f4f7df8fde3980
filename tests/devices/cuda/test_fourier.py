"""Fourier transforms and copies of elements on a card: the numbers of the CPU, and what is made stays there."""

from __future__ import annotations

from typing import Any

import numpy as np

import fnet
from fnet import ops
from fnet.keras.ops import extract_sequences

X = np.random.default_rng(0).normal(size=(2, 1, 34)).astype("f4")


def test_pairs_stay_on_the_card(cuda: Any) -> None:
    there = tuple(fnet.to_device(side, "cuda") for side in X)
    np.testing.assert_allclose(fnet.to_host(ops.fft(there)), ops.fft(tuple(X)), atol=1e-5)
    back = ops.istft(ops.stft(there[0], 4, 2, 4), 4, 2, 4)
    np.testing.assert_allclose(fnet.to_host(back), X[0], atol=1e-5)


def test_places_that_are_known_go_to_the_card(cuda: Any) -> None:
    x = X[:, 0, :5]
    there = fnet.to_device(x, "cuda")
    for call in (
        lambda x: np.pad(x, 1, "reflect"),
        lambda x: np.repeat(x, [1, 2], axis=0),
        lambda x: np.delete(x, 1, axis=1),
        lambda x: extract_sequences(x, 2, 1),
    ):
        np.testing.assert_array_equal(fnet.to_host(call(there)), call(x))
