"""How the first call of a training step grows with its operations: tracing, planning and one run, with warm kernels."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

import fnet
from fnet.layers import LSTM, Dense, LayerNormalization, MultiHeadAttention

BATCH = 4
EXPONENT = 1.15  # target, at most


@dataclass(frozen=True)
class Growth:
    """Networks by one size; `target` says below how many seconds the first call stays at the last of `sizes`."""

    title: str
    size: str
    sizes: tuple[int, ...]
    network: Callable[[int], fnet.Layer]
    shape: Callable[[int], tuple[int, ...]]
    target: float


def dense(layers: int) -> fnet.Layer:
    """Dense layers of width 16."""
    return fnet.serial(*(Dense(16, activation="tanh") for _ in range(layers)))


def transformer(blocks: int) -> fnet.Layer:
    """Causal pre-norm blocks of width 16."""
    attention = fnet.residual(fnet.serial(LayerNormalization(), MultiHeadAttention(2, 8, causal=True)))
    feedforward = fnet.residual(fnet.serial(LayerNormalization(), Dense(32, activation="relu"), Dense(16)))
    return fnet.repeat(fnet.serial(attention, feedforward), blocks)


def recurrent(_: int) -> fnet.Layer:
    """An LSTM that drops parts of its state, which runs step by step."""
    return LSTM(8, recurrent_dropout=0.2)


GROWTHS = (
    Growth("Dense, width 16", "layers", (125, 250, 500, 1000), dense, lambda n: (16,), 10.0),
    Growth("pre-norm transformer, width 16", "blocks", (6, 12, 24, 48), transformer, lambda n: (8, 16), 6.0),
    Growth("LSTM with recurrent dropout", "steps", (38, 75, 150, 300), recurrent, lambda n: (n, 4), 10.0),
)


def growth_table(rounds: int) -> str:
    """Processor seconds of the first call at every size, and the power with which they grow."""
    head = "| training step | first call, s | power of growth | targets, at most |"
    rows = [head, "|---|---|---:|---:|"]
    for growth in GROWTHS:
        seconds = [first_call(growth, size, rounds) for size in growth.sizes]
        measured = ", ".join(f"{n}: {s:.2f}" for n, s in zip(growth.sizes, seconds, strict=True))
        target = f"{growth.target:g} s, power {EXPONENT:g}"
        rows.append(f"| {growth.title}, {growth.size} | {measured} | {power(growth.sizes, seconds):.2f} | {target} |")
    return "\n".join(rows)


def power(sizes: tuple[int, ...], seconds: list[float]) -> float:
    """The p for which the seconds are closest to ``c * size ** p``, in the least squares of logarithms."""
    return float(np.polyfit([math.log(n) for n in sizes], [math.log(s) for s in seconds], 1)[0])


def first_call(growth: Growth, size: int, rounds: int) -> float:
    """The least processor seconds of the first call of a jitted step, over functions that are jitted anew.

    A call before them brings in the kernels.
    """
    net, shape, optimizer = growth.network(size), growth.shape(size), fnet.optimizers.adam(1e-3)
    params, state = net.init(fnet.random.key(0), shape)
    x = np.zeros((BATCH, *shape), np.float32)
    arguments = (params, state, optimizer.init(params), x, fnet.random.key(1))

    def loss_fn(params: object, state: object, x: np.ndarray, key: np.ndarray) -> tuple[object, object]:
        y, state = net.apply(params, state, x, key=key, train=True)
        return np.mean(np.square(y)), state

    def step(params: object, state: object, opt_state: object, x: np.ndarray, key: np.ndarray) -> tuple[object, ...]:
        (loss, state), grads = fnet.value_and_grad(loss_fn, has_aux=True)(params, state, x, key)
        updates, opt_state = optimizer.update(grads, opt_state, params)
        return fnet.optimizers.apply_updates(params, updates), state, opt_state, loss

    seconds = []
    for _ in range(1 + rounds):
        jitted = fnet.jit(step, donate=("params", "state", "opt_state"), executor="walk")
        gc.collect()  # the garbage of one call is not the next one's work
        begin = time.process_time()
        jitted(*arguments)
        seconds.append(time.process_time() - begin)
    return min(seconds[1:])
