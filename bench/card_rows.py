"""What is measured on a card: the rows of the CPU, larger networks, and operations that fill a card."""

from __future__ import annotations

from dataclasses import dataclass

from bench.problems import CNN, MLP, VGG, DenseLSTM, FanOut, Problem, Recurrent, Speech, Ticket, Transformer
from bench.problems import operations as kinds
from bench.problems.operations import Operation
from bench.rows import DIGITS, SMALL, Row


@dataclass(frozen=True)
class CardRow:
    """A row, and one of the same kind that a card without a card does in a moment; None where that takes too long."""

    row: Row
    small: Problem | None = None


AGAIN = "the same with gradients"
_WIDE = MLP(1024, (4096, 4096, 4096, 10), loss="classes")
TINY, PIXELS = Recurrent(2, "rnn", 2, 2, 2), kinds.Convolution(1, 3, 2, 2, 3)


def _step(key: str, title: str, problem: Problem, small: Problem | None = None, do: str = "step") -> CardRow:
    return CardRow(Row(key, title, do, problem), small)


def _operation(title: str, operation: Operation, small: Operation | None, do: str = "forward") -> CardRow:
    row = Row(title, title, do, operation) if do == "forward" else Row(f"{title}, both", AGAIN, do, operation)
    return CardRow(row, small)


NETWORKS = (
    _step("mlp", "MLP 16-16-1, batch 32", SMALL, MLP(2, (3, 2, 1))),
    _step("digits", "MLP 784-300-100-10, batch 128", DIGITS),
    _step("mlp_4096", "MLP 4096-4096-4096-10, batch 1024", _WIDE),
    _step("vgg", "VGG-like 32x32x3: conv 64-64-128-128 with BatchNorm, batch 32", VGG()),
    _step("vgg_512", "the same, batch 512", VGG(512)),
    _step("transformer", "2-block causal transformer, width 128, batch 16", Transformer()),
    _step("lstm", "LSTM(128), 100 steps of 64, batch 64", Recurrent(64, "lstm", 128, 100, 64)),
    _step("lstm_512", "LSTM(512), 100 steps of 64, batch 64", Recurrent(64, "lstm", 512, 100, 64)),
    _step("lstm_1024", "LSTM(1024), 50 steps of 512, batch 128", Recurrent(128, "lstm", 1024, 50, 512)),
    _step("cnn", "CNN 28x28x1: conv 32, pool, conv 16, pool, 50, 10, batch 32", CNN()),
    _step("fanout", "fan-out 16/8/16 concatenated, 16, 1, batch 32", FanOut()),
    _step(
        "rnn", "SimpleRNN(16), 50 steps of 8, batch 32", Recurrent(32, "rnn", 16, 50, 8), Recurrent(2, "rnn", 2, 2, 2)
    ),
    _step("dense_lstm", "Dense + LSTM(32) over 8 steps of 4, concatenated, batch 32", DenseLSTM()),
    _step("ticket", "ticket: 2 Embeddings, 2 LSTMs, tags, 2 heads, batch 32", Ticket()),
    _step("speech", "BiLSTM(64), 100 steps of 26, CTC over 29 classes, batch 16", Speech()),
    _step("read", "MLP 16-16-1, its loss read after every step", SMALL, MLP(2, (3, 2, 1)), "read"),
    _step("infer", "inference, MLP 784-300-100-10, batch 1, each result waited for", DIGITS, None, "infer"),
)

_FORWARD: tuple[tuple[str, Operation, Operation | None], ...] = (
    ("GEMM 8192 x 8192 x 8192", kinds.Gemm(8192, 8192, 8192), kinds.Gemm(3, 4, 5)),
    ("GEMM 1024 x 1024 x 1024", kinds.Gemm(1024, 1024, 1024), None),
    ("Adam on 100 million parameters", kinds.AdamUpdate(((100_000_000,),)), kinds.AdamUpdate(((7,),))),
    (
        "one query beside 4096 tokens, batch 4, 16 heads of 64",
        kinds.Decoding(4, 4096, 16, 64),
        kinds.Decoding(1, 3, 1, 2),
    ),
    *(
        (f"{chain}, 100 million", kinds.Elementwise(chain, 100_000_000), kinds.Elementwise(chain, 9))
        for chain in ("(x - y) / 3 + y * y", "gelu(x) * y")
    ),
    ("sums of 1 million by 1000 numbers", kinds.SumsByIndex(1_000_000, 1000), kinds.SumsByIndex(9, 3)),
    ("sort of 1 million", kinds.Sort(1_000_000), None),
    ("positive definite system of 512", kinds.SolvePositive(512), kinds.SolvePositive(3)),
    ("positive definite system of 4096", kinds.SolvePositive(4096), None),
)
_BOTH: tuple[tuple[str, Operation, Operation | None], ...] = (
    ("softmax 32768 x 1024", kinds.Softmax(32768, 1024), kinds.Softmax(2, 5)),
    ("softmax 1024 x 32768", kinds.Softmax(1024, 32768), None),
    ("layer normalisation 32768 x 1024", kinds.LayerNorm(32768, 1024), kinds.LayerNorm(2, 5)),
    ("batch normalisation 524288 x 64", kinds.BatchNorm(524288, 64), None),
    (
        "convolution 3x3, 56x56x64 to 64, batch 64",
        kinds.Convolution(64, 56, 64, 64, 3),
        kinds.Convolution(1, 3, 2, 2, 3),
    ),
    ("convolution 1x1, 56x56x64 to 256, batch 64", kinds.Convolution(64, 56, 64, 256, 1), None),
    ("convolution 3x3/2, 56x56x128 to 128, batch 64", kinds.Convolution(64, 56, 128, 128, 3, 2), None),
    ("convolution 3x3, 14x14x256 to 256, batch 64", kinds.Convolution(64, 14, 256, 256, 3), None),
    ("convolution 7x7/2, 224x224x3 to 64, batch 64", kinds.Convolution(64, 224, 3, 64, 7, 2), None),
    ("attention, 2 x 4096 tokens, 16 heads of 64", kinds.Attention(2, 4096, 16, 64), kinds.Attention(1, 3, 1, 2)),
    ("LSTM(1024), 50 steps of 512, batch 128", kinds.LSTM(128, 50, 512, 1024), None),
    ("max pooling 2x2, 112x112x64, batch 64", kinds.MaxPool(64, 112, 64), None),
    ("embedding 100000 x 256, 128 x 100 words", kinds.Embedding(128, 100, 100_000, 256), None),
)

_LOWER: tuple[tuple[str, Operation, Operation | None], ...] = (
    ("GEMM 8192 x 8192 x 8192, less precise", kinds.Gemm(8192, 8192, 8192), kinds.Gemm(3, 4, 5)),
    ("convolution 3x3, 56x56x64 to 64, batch 64, less precise", kinds.Convolution(64, 56, 64, 64, 3), None),
    ("convolution 3x3/2, 56x56x128 to 128, batch 64, less precise", kinds.Convolution(64, 56, 128, 128, 3, 2), None),
    ("convolution 3x3, 14x14x256 to 256, batch 64, less precise", kinds.Convolution(64, 14, 256, 256, 3), None),
    ("attention, 2 x 4096 tokens, 16 heads of 64, less precise", kinds.Attention(2, 4096, 16, 64), None),
)
LOWER = (
    *(_operation(*row) for row in _LOWER),
    _operation(*_LOWER[-1], "both"),
)
"""What is measured at lower levels of precision."""

_SIZES = ((8192, 8192, 8192), (4096, 4096, 1024), (1024, 1024, 1024), (128, 300, 784), (784, 300, 128), (1, 4096, 4096))
PRODUCTS = (
    *(
        _operation(
            f"{m} x {k} times {k} x {n}, both ways", kinds.Gemm(m, n, k), kinds.Gemm(3, 4, 5) if m == 1 else None
        )
        for m, n, k in _SIZES
    ),
    _step("mlp_products", "MLP 784-300-100-10, batch 128, both ways", DIGITS, MLP(2, (3, 2, 1))),
    _step("mlp_4096_products", "MLP 4096-4096-4096-10, batch 1024, both ways", _WIDE),
    _step("transformer_products", "2-block causal transformer, width 128, batch 16, both ways", Transformer()),
)
"""What is measured with a library of matrix products and without."""

COPY = CardRow(Row("copy", "copying 512 MiB", "forward", kinds.Copy(1 << 27)), kinds.Copy(64))
GEMM = CardRow(Row("gemm", "products of 8192 x 8192", "forward", kinds.Gemm(8192, 8192, 8192)), kinds.Gemm(3, 4, 5))
OPERATIONS = (
    *(_operation(*row) for row in _FORWARD),
    *(_operation(*row, do) for row in _BOTH for do in ("forward", "both")),
)
