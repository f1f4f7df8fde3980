"""Sequences one step after the other, from ordinary operations.

They do what the kernels do not: any cell, any activation, dropout of the states, a reset before the product,
derivatives of any order. The price is a graph that grows with the number of steps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import ops
from fnet.layers.sequence import States
from fnet.spec import ArraySpec
from fnet.transforms.operand import beside, is_only_shape
from fnet.transforms.primitive import spec_of

Step = Callable[[int, States], tuple[Any, States]]


def over_steps(step: Step, steps: int, states: States, mask: Any, backwards: bool) -> tuple[Any, Any, States]:
    """``y_t, states = step(t, states)`` for all steps: the outputs (N, T, ...), the last output, the last states.

    mask: (N, T) or None; where it is false the states stay as they are, and the output is the one before: at first the
    first state, or zeros if outputs have another shape. There is at least one step.
    """
    outputs: list[Any] = [None] * steps
    y: Any = None
    for t in reversed(range(steps)) if backwards else range(steps):
        new_y, new_states = step(t, states)
        if mask is not None:
            before = beside(output_before(spec_of(new_y), states), new_y) if y is None else y
            new_y = _chosen(mask[:, t], new_y, before)
            new_states = tuple(_chosen(mask[:, t], new, old) for new, old in zip(new_states, states, strict=True))
        same = y is not None and is_only_shape(new_y)
        outputs[t] = y = new_y
        states = new_states
        if same:  # further steps have the shapes of this one
            n, *sizes = spec_of(y).shape
            return ops.broadcast_to(ops.expand_dims(y, 1), (n, steps, *sizes)), y, states
    return ops.stack(outputs, axis=1), y, states


def output_before(y: ArraySpec, states: States) -> Any:
    """What stands for the output before the first step, which is like `y`."""
    return states[0] if states and spec_of(states[0]) == y else np.zeros(y.shape, y.dtype)


def _chosen(counts: Any, new: Any, old: Any) -> Any:
    return ops.where(ops.reshape(counts, (-1, *(1,) * (new.ndim - 1))), new, old)


class Products:
    """``x_t K`` and ``h R`` by blocks of columns, with biases and the factors of dropout.

    weights: kernel, recurrent kernel, and bias or None; factors: those of x and h, (N, blocks, D) and (N, blocks,
    units), or None.
    """

    def __init__(self, weights: tuple[Any, Any, Any], factors: tuple[Any, Any] | None) -> None:
        self.kernel, self.recurrent, bias = weights
        self.units = spec_of(self.recurrent).shape[0]
        self.blocks = spec_of(self.recurrent).shape[1] // self.units
        self.of_x: Any = factors[0] if factors else None
        self.of_h: Any = factors[1] if factors else None
        two = bias is not None and bias.ndim == 2
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


def simple(products: Products, x: list[Any], states: States, activation: Callable) -> States:
    """One step of a SimpleRNN from the products of x_t: ``(h,)`` -> ``(h',)``."""
    return (activation(x[0] + products.of_state(states[0], 0)),)


def lstm(
    products: Products, x: list[Any], states: States, activation: Callable, recurrent_activation: Callable
) -> States:
    """One step of an LSTM: ``(h, c)`` -> ``(h', c')``."""
    h, c = states
    i, f, g, o = (x[block] + products.of_state(h, block) for block in range(4))
    c = recurrent_activation(f) * c + recurrent_activation(i) * activation(g)
    return recurrent_activation(o) * activation(c), c


def gru(
    products: Products, x: list[Any], states: States, activation: Callable, recurrent_activation: Callable
) -> States:
    """One step of a GRU that resets behind the product: ``(h,)`` -> ``(h',)``."""
    (h,) = states
    z, r = (recurrent_activation(x[block] + products.of_state(h, block)) for block in range(2))
    return (_mixed(z, h, activation(x[2] + r * products.of_state(h, 2))),)


def gru_reset_before(
    products: Products, x: list[Any], states: States, activation: Callable, recurrent_activation: Callable
) -> States:
    """One step of a GRU that resets before the product."""
    (h,) = states
    z, r = (recurrent_activation(x[block] + products.of_state(h, block)) for block in range(2))
    return (_mixed(z, h, activation(x[2] + products.of_state(r * h, 2))),)


def _mixed(z: Any, h: Any, g: Any) -> Any:
    return z * h + (1.0 - z) * g
