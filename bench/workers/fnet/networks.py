"""The networks of the problems in fnet's combinators."""

from __future__ import annotations

import functools
from typing import Any

import fnet
from bench.problems import CNN, MLP, VGG, DenseLSTM, FanOut, Network, Recurrent, Speech, Ticket, Transformer
from fnet import fanout, layers, ops, parallel, residual, serial
from fnet.layers import Dense


@functools.singledispatch
def network(problem: Network) -> fnet.Layer:
    """The network of a problem; its weights are in the problem's order."""
    raise NotImplementedError


@network.register
def _(problem: MLP) -> fnet.Layer:
    *hidden, last = problem.sizes[1:]
    return serial(*(Dense(n, activation="relu") for n in hidden), Dense(last))


@network.register
def _(problem: FanOut) -> fnet.Layer:
    branches = fanout(Dense(16, activation="relu"), Dense(8, activation="relu"), Dense(16, activation="tanh"))
    return serial(branches, Dense(16, activation="relu"), Dense(1))


@network.register
def _(problem: CNN) -> fnet.Layer:
    return serial(
        layers.Conv2D(32, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Conv2D(16, 3, activation="relu"),
        layers.MaxPooling2D(2),
        layers.Flatten(),
        Dense(50, activation="relu"),
        Dense(10),
    )


@network.register
def _(problem: VGG) -> fnet.Layer:
    def block(filters: int) -> list[fnet.Layer]:
        convolution = layers.Conv2D(filters, 3, padding="same", use_bias=False)
        return [convolution, layers.BatchNormalization(), layers.Activation("relu")]

    stages = [layer for f in (64, 128) for layer in (*block(f), *block(f), layers.MaxPooling2D(2))]
    return serial(*stages, layers.Flatten(), Dense(10))


@network.register
def _(problem: Recurrent) -> fnet.Layer:
    cell = {"rnn": "SimpleRNN", "lstm": "LSTM"}[problem.cell]
    return serial(getattr(layers, cell)(problem.units), Dense(1))


@network.register
def _(problem: DenseLSTM) -> fnet.Layer:
    hidden = serial(Dense(32, activation="relu"), Dense(16, activation="relu"))
    return serial(parallel(hidden, layers.LSTM(32)), _concatenate(), Dense(8), Dense(1))


@network.register
def _(problem: Ticket) -> fnet.Layer:
    title = serial(layers.Embedding(10000, 64), layers.LSTM(128))
    body = serial(layers.Embedding(10000, 64), layers.LSTM(32))
    features = serial(parallel(title, body, layers.Identity()), _concatenate())
    return serial(features, fanout(Dense(1), Dense(4), merge=None))


@network.register
def _(problem: Speech) -> fnet.Layer:
    return serial(layers.Bidirectional(layers.LSTM(64, return_sequences=True)), Dense(29))


@network.register
def _(problem: Transformer) -> fnet.Layer:
    d = problem.width

    def block() -> fnet.Layer:
        attention = layers.MultiHeadAttention(problem.heads, d // problem.heads, causal=True)
        widen = serial(_norm(), Dense(4 * d, activation="gelu"), Dense(d))
        return serial(residual(serial(_norm(), attention)), residual(widen))

    words, positions = layers.Embedding(problem.vocabulary, d), layers.PositionEmbedding(problem.tokens)
    blocks = [block() for _ in range(problem.blocks)]
    return serial(words, residual(positions), *blocks, _norm(), Dense(problem.vocabulary))


def _norm() -> fnet.Layer:
    return layers.LayerNormalization(epsilon=1e-5)


def _concatenate() -> fnet.Layer:
    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return ops.concatenate(x, axis=-1), state

    return fnet.Layer(lambda key, shape, dtype: ({}, {}), apply, name="concatenate")
