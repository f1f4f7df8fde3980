"""Recurrent layers one step after the other, from ordinary operations.

They do what the kernels do not: any activation, dropout of the states, a reset before the product, derivatives of any
order. The price is a graph that grows with the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import ops
from fnet.transforms.primitive import spec_of

States = tuple[Any, ...]


class Products:
    """``x_t K`` and ``h R`` by blocks of columns, with biases and the factors of dropout."""

    def __init__(self, weights: tuple[Any, Any, Any], masks: tuple[Any, Any] | None) -> None:
        self.kernel, self.recurrent, bias = weights
        self.units = spec_of(self.recurrent).shape[0]
        self.blocks = spec_of(self.recurrent).shape[1] // self.units
        self.of_x: Any = masks[0] if masks else None
        self.of_h: Any = masks[1] if masks else None
        two = bias is not None and spec_of(bias).ndim == 2
        self.bias = bias[0] if two else bias
        self.recurrent_bias = bias[1] if two else None

    def of_sequence(self, x: Any) -> list[Any]:
        """For each block ``x K + b``: (N, T, units)."""
        factors = [None if self.of_x is None else self.of_x[:, None, block] for block in range(self.blocks)]
        return [self._affine(x, self.kernel, self.bias, factor, block) for block, factor in enumerate(factors)]

    def of_state(self, h: Any, block: int) -> Any:
        """``h R + b'`` of one block: (N, units)."""
        factor = None if self.of_h is None else self.of_h[:, block]
        return self._affine(h, self.recurrent, self.recurrent_bias, factor, block)

    def _affine(self, x: Any, weights: Any, bias: Any, factor: Any, block: int) -> Any:
        columns = slice(block * self.units, (block + 1) * self.units)
        y = ops.matmul(x if factor is None else x * factor, weights[:, columns])
        return y if bias is None else y + bias[columns]


def _simple(products: Products, x: list[Any], states: States, activation: Callable) -> States:
    return (activation(x[0] + products.of_state(states[0], 0)),)


def _lstm(
    products: Products, x: list[Any], states: States, activation: Callable, recurrent_activation: Callable
) -> States:
    h, c = states
    i, f, g, o = (x[block] + products.of_state(h, block) for block in range(4))
    c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
    return recurrent_activation(o) * activation(c), c


def _gru(
    products: Products, x: list[Any], states: States, activation: Callable, recurrent_activation: Callable
) -> States:
    (h,) = states
    z, r = (recurrent_activation(x[block] + products.of_state(h, block)) for block in range(2))
    return (_mixed(z, h, activation(x[2] + r * products.of_state(h, 2))),)


def _gru_reset_before(
    products: Products, x: list[Any], states: States, activation: Callable, recurrent_activation: Callable
) -> States:
    (h,) = states
    z, r = (recurrent_activation(x[block] + products.of_state(h, block)) for block in range(2))
    return (_mixed(z, h, activation(x[2] + products.of_state(r * h, 2))),)


def _mixed(z: Any, h: Any, g: Any) -> Any:
    return z * h + (1.0 - z) * g


STEPS: dict[str, Callable] = {
    "SimpleRNN": _simple,
    "LSTM": _lstm,
    "GRU": _gru,
    "GRU, reset before": _gru_reset_before,
}


def walk(
    step: Callable,
    x: Any,
    weights: tuple[Any, Any, Any],
    states: States,
    backwards: bool,
    activations: dict[str, Callable],
    masks: tuple[Any, Any] | None,
) -> tuple[Any, States]:
    """All outputs in the order of x: (N, T, units), and the last states, for one of `STEPS`.

    weights: kernel, recurrent kernel, and bias or None; states: the first ones, (N, units) each; masks: the factors of
    x and h, (N, blocks, D) and (N, blocks, units).
    """
    products = Products(weights, masks)
    projected = products.of_sequence(x)
    n, steps, _ = spec_of(x).shape
    if not steps:
        return np.zeros((n, 0, products.units), spec_of(x).dtype), states
    outputs: list[Any] = [None] * steps
    for t in reversed(range(steps)) if backwards else range(steps):
        states = step(products, [part[:, t] for part in projected], states, **activations)
        outputs[t] = states[0]
    return ops.stack(outputs, axis=1), states
