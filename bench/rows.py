"""The rows of the table: what is measured, and what fnet aims at."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.problems import CNN, MLP, VGG, DenseLSTM, FanOut, Problem, Recurrent, Speech, Ticket, Transformer


@dataclass(frozen=True)
class Row:
    """One row: what each peer does with which problem; `targets` maps a peer ("best": the fastest) to a ratio."""

    key: str
    title: str
    do: str
    problem: Problem
    targets: dict[str, float] = field(default_factory=dict)


KERAS = ("keras", "keras_torch", "keras_tensorflow")
SMALL = MLP(32, (16, 16, 1))
DIGITS = MLP(128, (784, 300, 100, 10), loss="classes")

ROWS = (
    Row("mlp", "MLP 16-16-1, batch 32", "step", SMALL, {"best": 15}),
    Row("mlp_read", "the same, its loss read after every step", "read", SMALL, {"best": 15}),
    Row("mlp_fit", "the same step inside fit", "fit", SMALL, dict.fromkeys(KERAS, 300)),
    Row("fanout", "fan-out 16/8/16 concatenated, 16, 1, batch 32", "step", FanOut(), {"best": 20}),
    Row("digits", "MLP 784-300-100-10, batch 128", "step", DIGITS, {"best": 1.6}),
    Row("cnn", "CNN 28x28x1: conv 32, pool, conv 16, pool, 50, 10, batch 32", "step", CNN(), {"best": 5}),
    Row("vgg", "VGG-like 32x32x3: conv 64-64-128-128 with BatchNorm, batch 32", "step", VGG(), {"best": 1.5}),
    Row("rnn", "SimpleRNN(16), 50 steps of 8, batch 32", "step", Recurrent(32, "rnn", 16, 50, 8), {"best": 8}),
    Row("dense_lstm", "Dense + LSTM(32) over 8 steps of 4, concatenated, batch 32", "step", DenseLSTM(), {"best": 8}),
    Row("lstm", "LSTM(128), 100 steps of 64, batch 64", "step", Recurrent(64, "lstm", 128, 100, 64), {"best": 2.5}),
    Row("ticket", "ticket: 2 Embeddings, 2 LSTMs, tags, 2 heads, batch 32", "step", Ticket(), {"best": 2.2}),
    Row("speech", "BiLSTM(64), 100 steps of 26, CTC over 29 classes, batch 16", "step", Speech(), {"best": 3.5}),
    Row("transformer", "2-block causal transformer, width 128, batch 16", "step", Transformer(), {"best": 2}),
    Row("infer", "inference, MLP 784-300-100-10, batch 1", "infer", DIGITS, {"best": 3}),
)
PEERS = ("fnet", "jax", "torch", "torch_compile", *KERAS)


def find(key: str) -> Row:
    """The row of this key."""
    return next(row for row in ROWS if row.key == key)
