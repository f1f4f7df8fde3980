"""Operations with kernels of their own on drawn sizes, many of them 0 or 1, and operands that are drawn views."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import ops

Shape = tuple[int, ...]
Step = Callable[[Any], Any]


@dataclass(frozen=True)
class Drawn:
    """An operation on arrays of these shapes, all of them floating; `masked`: the last operand is boolean."""

    shapes: list[Shape]
    function: Callable[..., Any]
    masked: bool = False

    def operands(self, rng: np.random.Generator, shapes: list[Shape], dtype: Any) -> list[np.ndarray]:
        """Random arrays of other shapes than `shapes`, of which views are taken."""
        arrays = [rng.normal(size=shape).astype(dtype) for shape in shapes]
        return [*arrays[:-1], arrays[-1] > 0] if self.masked else arrays


def size(rng: np.random.Generator) -> int:
    """A size, often 1, seldom 0, seldom more than a vector."""
    return int(rng.choice([0, 1, 1, 1, 1, 2, 3, 5, 8, 16, 17, 33], p=[0.02, *[0.13] * 4, *[0.46 / 7] * 7]))


def view(rng: np.random.Generator, shape: Shape) -> tuple[Shape, Step]:
    """The shape of an array, and what makes a view of `shape` of it."""
    steps: list[Step] = []
    for _ in range(rng.integers(0, 4)):
        axis = int(rng.integers(len(shape))) if shape else 0
        match rng.integers(6) if shape else 4:
            case 0:
                order = tuple(int(a) for a in rng.permutation(len(shape)))
                steps.append(lambda x, order=order: ops.transpose(x, order))
                shape = tuple(shape[int(a)] for a in np.argsort(order))
            case 1:
                start, gap, n = int(rng.integers(3)), int(rng.integers(1, 4)), shape[axis]
                steps.append(lambda x, a=axis, s=slice(start, start + n * gap, gap): x[(slice(None),) * a + (s,)])
                shape = (*shape[:axis], start + n * gap, *shape[axis + 1 :])
            case 2:
                steps.append(lambda x, a=axis: ops.flip(x, a))
            case 3 if shape[axis] > 1:
                steps.append(lambda x, s=shape: ops.broadcast_to(x, s))
                shape = (*shape[:axis], 1, *shape[axis + 1 :])
            case 4:
                steps.append(lambda x, a=axis: x[(slice(None),) * a + (1,)])
                shape = (*shape[:axis], 2, *shape[axis:])
            case 5 if len(shape) > 1:
                axis = min(axis, len(shape) - 2)
                steps.append(lambda x, s=shape: ops.reshape(x, s))
                shape = (*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :])
    return shape, lambda x: _after(x, reversed(steps))


def _after(x: Any, steps: Any) -> Any:
    for step in steps:
        x = step(x)
    return x


def _product(rng: np.random.Generator) -> Drawn:
    m, k, n = (size(rng) for _ in range(3))
    return Drawn([(m, k), (k, n)], ops.matmul)


def _stack(rng: np.random.Generator) -> Drawn:
    count, m, k, n = (size(rng) for _ in range(4))
    return Drawn([(count, m, k), (1 if rng.random() < 0.3 else count, k, n)], ops.matmul)


def _attention(rng: np.random.Generator) -> Drawn:
    batch, queries, keys, heads, depth, width = (max(size(rng), int(i > 2)) for i in range(6))
    causal = bool(rng.integers(2))
    shapes = [(batch, queries, heads, depth), (batch, keys, heads, depth), (batch, keys, heads, width)]
    mask = (batch, 1, queries, keys)
    return Drawn([*shapes, mask], lambda q, k, v, m: ops.dot_product_attention(q, k, v, m, causal=causal), masked=True)


def _recurrent(rng: np.random.Generator) -> Drawn:
    layer, blocks = ((ops.simple_rnn, 1), (ops.lstm, 4), (ops.gru, 3))[rng.integers(3)]
    n, features, units, steps = size(rng), size(rng), max(size(rng), 1), int(rng.integers(4))
    backwards = bool(rng.integers(2))
    shapes = [(n, steps, features), (features, blocks * units), (units, blocks * units)]
    return Drawn([*shapes, (n, steps)], lambda x, w, u, m: layer(x, w, u, mask=m, backwards=backwards)[0], masked=True)


def _convolution(rng: np.random.Generator) -> Drawn:
    n, channels, filters, height, width = (max(size(rng), int(i > 0)) for i in range(5))
    taps, strides = (int(rng.integers(1, 4)), int(rng.integers(1, 3))), int(rng.integers(1, 3))
    shapes: list[Shape] = [(n, height, width, channels), (*taps, channels, filters)]
    match rng.integers(3):
        case 0:
            return Drawn(shapes, lambda x, w: ops.conv(x, w, strides, "same"))
        case 1:
            shapes[1] = (*taps, filters, channels)
            return Drawn(shapes, lambda x, w: ops.conv_transpose(x, w, strides, "same"))
        case _:
            shapes[1] = (*taps, channels, 1 + filters % 2)
            return Drawn(shapes, lambda x, w: ops.depthwise_conv(x, w, strides, "same"))


def _rows(rng: np.random.Generator) -> Drawn:
    shape = tuple(max(size(rng), 1) for _ in range(rng.integers(1, 4)))
    match rng.integers(4):
        case 0:
            return Drawn([shape], ops.softmax)
        case 1:
            return Drawn([shape], ops.logsumexp)
        case 2:
            return Drawn([shape, shape[-1:], shape[-1:]], ops.layer_normalization)
        case _:
            return Drawn([shape, shape[-1:], shape[-1:]], lambda x, g, b: ops.batch_normalization(x, g, b)[0])


def _pooling(rng: np.random.Generator) -> Drawn:
    shape = (size(rng), *(max(size(rng), 1) for _ in range(3)))
    pool, strides = (ops.max_pool, ops.average_pool)[rng.integers(2)], int(rng.integers(1, 3))
    return Drawn([shape], lambda x: pool(x, 2, strides, "same"))


KINDS: list[Callable[[np.random.Generator], Drawn]] = [
    _product,
    _stack,
    _attention,
    _recurrent,
    _convolution,
    _rows,
    _pooling,
]
