"""The shapes of a network's arrays and outputs are found without memory for them, however large they are."""

from __future__ import annotations

import sys
import tracemalloc

import pytest

from fnet import random
from fnet.initializers import get
from fnet.layers import (
    LSTM,
    RNN,
    Dense,
    LayerNormalization,
    LSTMCell,
    MultiHeadAttention,
    PReLU,
    SimpleRNN,
    UpSampling2D,
)
from fnet.transforms.stage import eval_shape

LARGE = 1 << 13
LAYERS = {
    "zeros": (lambda: Dense(LARGE, kernel_initializer="zeros"), (LARGE,)),
    "ones": (lambda: Dense(LARGE, kernel_initializer="ones"), (LARGE,)),
    "identity": (lambda: Dense(LARGE, kernel_initializer="identity"), (LARGE,)),
    "random": (lambda: Dense(LARGE), (LARGE,)),
    "alpha": (lambda: PReLU(), (LARGE, LARGE)),
    "gamma": (lambda: LayerNormalization(axis=(1, 2)), (LARGE, LARGE)),
    "states": (lambda: LSTM(LARGE, stateful=True, batch_size=LARGE, kernel_initializer="zeros"), (3, 4)),
    "positions": (lambda: UpSampling2D((LARGE, 1), interpolation="bilinear"), (LARGE, 1, 1)),
    "causal": (lambda: MultiHeadAttention(2, 2, causal=True, return_attention_scores=True), (LARGE, 4)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_shapes_take_no_memory(name):
    make, shape = LAYERS[name]
    layer = make()
    tracemalloc.start()
    try:
        layer.parameter_specs(shape)
        if name != "states":  # a stateful layer needs its batch
            layer.out_shape(shape)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < LARGE * LARGE / 2


@pytest.mark.parametrize(
    "layer", [SimpleRNN(3, "softsign"), RNN(LSTMCell(3), return_sequences=True), LSTM(3, unroll=True)]
)
def test_shapes_of_long_sequences_take_no_walk_over_them(layer):
    calls = 0

    def count(frame, event, argument):
        nonlocal calls
        calls += event == "call"

    layer.out_shape((3, 4))
    sys.setprofile(count)
    try:
        shape = layer.out_shape((1 << 16, 4))
    finally:
        sys.setprofile(None)
    assert calls < 1 << 16
    assert shape == ((1 << 16, 3) if layer.kind == "RNN" else (3,))


@pytest.mark.parametrize("name", ["zeros", "identity"])
def test_shapes_of_initializers_are_those_of_their_arrays(name):
    make, key = get(name), random.key(0)
    found = eval_shape(lambda key: make(key, (4, 3), "float32"), key)
    made = make(key, (4, 3), "float32")
    assert (found.shape, found.dtype) == (made.shape, made.dtype)
