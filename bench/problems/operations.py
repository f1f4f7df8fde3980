"""Single operations, measured beside the libraries' own and against the machine's ceilings."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from bench.problems.base import Problem


@dataclass(frozen=True)
class Operation(Problem):
    """A function of arrays: `arrays` are its arguments, of which the floating ones are differentiated.

    flops: floating-point operations of one forward call; backward takes twice as many on top.
    traffic: elements that a forward call must read or write at least.
    """

    @property
    def flops(self) -> int:
        return 0

    @property
    def traffic(self) -> int:
        return 0

    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """The shapes of the arguments."""
        return ()

    def arrays(self) -> tuple[np.ndarray, ...]:
        """The arguments."""
        rng = np.random.default_rng(0)
        return tuple(rng.standard_normal(shape, np.float32) for shape in self.shapes())


@dataclass(frozen=True)
class Gemm(Operation):
    """(m, k) times (k, n)."""

    m: int
    n: int
    k: int

    @property
    def flops(self) -> int:
        return 2 * self.m * self.n * self.k

    def shapes(self) -> Any:
        return (self.m, self.k), (self.k, self.n)


@dataclass(frozen=True)
class Convolution(Operation):
    """A square kernel with "same" padding, without bias, on square images (N, H, W, C)."""

    batch: int
    size: int
    channels: int
    filters: int
    kernel: int
    stride: int = 1

    @property
    def flops(self) -> int:
        pixels = self.batch * (-(-self.size // self.stride)) ** 2
        return 2 * pixels * self.kernel**2 * self.channels * self.filters

    def shapes(self) -> Any:
        k = self.kernel
        return (self.batch, self.size, self.size, self.channels), (k, k, self.channels, self.filters)


@dataclass(frozen=True)
class LSTM(Operation):
    """All outputs of an LSTM layer on (N, T, D)."""

    batch: int
    steps: int
    features: int
    units: int

    @property
    def flops(self) -> int:
        return 8 * self.batch * self.steps * (self.features + self.units) * self.units

    def shapes(self) -> Any:
        d, u = self.features, self.units
        return (self.batch, self.steps, d), (d, 4 * u), (u, 4 * u), (4 * u,)

    def arrays(self) -> tuple[np.ndarray, ...]:
        """Weights of a layer's first size: with larger ones the states are chaotic, and errors grow with every step."""
        x, *weights = super().arrays()
        return x, *(w / np.sqrt(self.units, dtype=np.float32) for w in weights)


@dataclass(frozen=True)
class Attention(Operation):
    """Causal attention of queries, keys and values (N, T, heads, width)."""

    batch: int
    tokens: int
    heads: int
    width: int
    causal: ClassVar[bool] = True

    @property
    def flops(self) -> int:
        return 2 * self.batch * self.heads * self.tokens**2 * self.width  # half of the scores are masked

    def shapes(self) -> Any:
        return ((self.batch, self.tokens, self.heads, self.width),) * 3


@dataclass(frozen=True)
class Decoding(Attention):
    """One query (N, 1, heads, width) beside keys and values of so many tokens, all of which it sees."""

    causal: ClassVar[bool] = False

    @property
    def flops(self) -> int:
        return 0

    @property
    def traffic(self) -> int:
        return 2 * self.batch * self.tokens * self.heads * self.width

    def shapes(self) -> Any:
        keys = super().shapes()[0]
        return (self.batch, 1, self.heads, self.width), keys, keys


@dataclass(frozen=True)
class Softmax(Operation):
    """Over the last axis of (rows, columns)."""

    rows: int
    columns: int

    @property
    def traffic(self) -> int:
        return 2 * self.rows * self.columns

    def shapes(self) -> Any:
        return ((self.rows, self.columns),)


@dataclass(frozen=True)
class LayerNorm(Softmax):
    """Over the last axis of (rows, columns), with scale and offset."""

    def shapes(self) -> Any:
        return (self.rows, self.columns), (self.columns,), (self.columns,)


@dataclass(frozen=True)
class BatchNorm(Softmax):
    """Over the rows of (rows, columns), with the batch's statistics, scale and offset."""

    def shapes(self) -> Any:
        return (self.rows, self.columns), (self.columns,), (self.columns,)


@dataclass(frozen=True)
class MaxPool(Operation):
    """Windows of 2x2 on (N, H, W, C)."""

    batch: int
    size: int
    channels: int

    @property
    def traffic(self) -> int:
        return self.batch * self.size**2 * self.channels * 5 // 4

    def shapes(self) -> Any:
        return ((self.batch, self.size, self.size, self.channels),)


@dataclass(frozen=True)
class Embedding(Operation):
    """Rows of a table (words, width) for a batch of `steps` numbers."""

    batch: int
    steps: int
    words: int
    width: int

    @property
    def traffic(self) -> int:
        return 2 * self.batch * self.steps * self.width

    def arrays(self) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        table = rng.standard_normal((self.words, self.width), np.float32)
        return table, rng.integers(0, self.words, (self.batch, self.steps)).astype(np.int32)


@dataclass(frozen=True)
class SumsByIndex(Operation):
    """`count` weights summed by their numbers, which are below `length`."""

    count: int
    length: int

    @property
    def traffic(self) -> int:
        return 2 * self.count + self.length

    def arrays(self) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        weights = rng.standard_normal(self.count, np.float32)
        return weights, rng.integers(0, self.length, self.count).astype(np.int32)


@dataclass(frozen=True)
class Sort(Operation):
    """A vector in rising order."""

    size: int

    @property
    def traffic(self) -> int:
        return 2 * self.size

    def shapes(self) -> Any:
        return ((self.size,),)


@dataclass(frozen=True)
class SolvePositive(Operation):
    """One system with a symmetric positive definite matrix (n, n)."""

    n: int

    @property
    def flops(self) -> int:
        return self.n**3 // 3

    def arrays(self) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        root = rng.standard_normal((self.n, self.n), np.float32)
        matrix = root @ root.T / self.n + np.eye(self.n, dtype=np.float32)
        return matrix, rng.standard_normal(self.n, np.float32)


@dataclass(frozen=True)
class CTC(Operation):
    """The mean CTC loss of logits (N, T, classes) and `labels` labels each."""

    batch: int
    steps: int
    classes: int
    labels: int

    def arrays(self) -> tuple[np.ndarray, ...]:
        rng = np.random.default_rng(0)
        logits = rng.standard_normal((self.batch, self.steps, self.classes), np.float32)
        return logits, rng.integers(1, self.classes, (self.batch, self.labels)).astype(np.int32)


@dataclass(frozen=True)
class AdamUpdate(Operation):
    """One update in place of parameters of these shapes; the arguments are all parameters, then all gradients."""

    parameters: tuple[tuple[int, ...], ...]

    @property
    def traffic(self) -> int:
        """Reads parameter, gradient and two moments; writes all but the gradient."""
        return 7 * sum(map(math.prod, self.parameters))

    def shapes(self) -> Any:
        return self.parameters * 2


@dataclass(frozen=True)
class Elementwise(Operation):
    """A chain of elementwise operations, named in the table of a worker, on vectors x and y."""

    chain: str
    size: int

    @property
    def traffic(self) -> int:
        return 3 * self.size

    def shapes(self) -> Any:
        return (self.size,), (self.size,)


@dataclass(frozen=True)
class MultiplyAdds(Operation):
    """The ceiling of arithmetic: vector multiply-adds on registers."""

    count: int

    @property
    def flops(self) -> int:
        return 2 * self.count


@dataclass(frozen=True)
class Copy(Operation):
    """The ceiling of memory: copying an array that no cache holds."""

    size: int

    @property
    def traffic(self) -> int:
        return 2 * self.size

    def shapes(self) -> Any:
        return ((self.size,),)
