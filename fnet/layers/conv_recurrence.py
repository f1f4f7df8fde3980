"""The recurrence of ConvLSTM: the gates of an LSTM whose products are convolutions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from fnet import activations, initializers, ops
from fnet.arguments import fraction, positive_integer
from fnet.errors import ShapeError
from fnet.layers.checks import known_size, needed_key, parameters
from fnet.layers.recurrent_steps import over_steps
from fnet.layers.sequence import Reading, ReadResult, States
from fnet.layers.window import Window
from fnet.masking import clean
from fnet.ops.promotion import astype
from fnet.ops.window import window_axes
from fnet.random import fold_in
from fnet.transforms.operand import beside

AXES = {1: "steps, channels", 2: "height, width, channels", 3: "depth, height, width, channels"}
_GATES = 4  # blocks of filters: i, f, the candidate g, o


@dataclass(frozen=True)
class ConvRecurrence:
    """Reads sequences of images; the arguments of a ConvLSTM layer that say what one step does."""

    name: str
    filters: int
    window: Window
    activation: Any
    recurrent_activation: Any
    use_bias: bool
    kernel_initializer: Any
    recurrent_initializer: Any
    bias_initializer: Any
    unit_forget_bias: bool
    dropout: float
    recurrent_dropout: float

    def __post_init__(self) -> None:
        positive_integer(self.name, "filters", self.filters)
        for rate in ("dropout", "recurrent_dropout"):
            fraction(self.name, rate, getattr(self, rate))
        _ = self.activations, self.makers  # which complain about unknown names

    @cached_property
    def activations(self) -> tuple[Any, Any]:
        """The functions of the candidate and of the gates."""
        return activations.get(self.activation), activations.get(self.recurrent_activation)

    @cached_property
    def makers(self) -> list[Any]:
        given = (self.kernel_initializer, self.recurrent_initializer, self.bias_initializer)
        return [initializers.get(initializer) for initializer in given]

    @cached_property
    def shapes(self) -> dict[str, tuple[int | None, ...]]:
        """Those of the parameters, None for the channels of x."""
        kernel, width = self.window.kernel_size, _GATES * self.filters
        bias = {"bias": (width,)} if self.use_bias else {}
        return {"kernel": (*kernel, None, width), "recurrent_kernel": (*kernel, self.filters, width), **bias}

    def state_shapes(self, step: tuple[int | None, ...]) -> tuple[tuple[int, ...], ...]:
        """Those of h and c: images as the convolution of x makes them."""
        window = self.window
        if len(step) != window.rank + 1:
            raise ShapeError(
                f"{self.name} reads images: expected steps of shape ({AXES[window.rank]}), received {step}."
            )
        sizes: list[Any] = []
        for size, kernel, stride, dilation in zip(
            step, window.kernel_size, window.strides, window.dilation_rate, strict=False
        ):
            axes = size and window_axes(self.name, (size,), (kernel,), (stride,), window.padding, (dilation,))
            sizes.append(axes[0].outputs if axes else size)
        return ((*sizes, self.filters),) * 2

    def init(self, key: Any, shape: tuple[int | None, ...], dtype: Any) -> tuple[Any, Any]:
        """Kernel, recurrent kernel and bias for steps of shape (*sizes, channels)."""
        self.state_shapes(shape)
        channels = known_size(self.name, shape)
        params = {}
        for i, (make, (leaf, own)) in enumerate(zip(self.makers, self.shapes.items(), strict=False)):
            sizes = tuple(channels if n is None else n for n in own)
            if leaf == "bias" and self.unit_forget_bias:
                params[leaf] = self._forgetful(make, fold_in(key, i), dtype)
            else:
                params[leaf] = make(fold_in(key, i), sizes, dtype)
        return params, {}

    def _forgetful(self, make: Any, key: Any, dtype: Any) -> Any:
        """The bias with ones for the gate f."""
        ones = beside(np.ones(self.filters, dtype), key)
        ends = make(fold_in(key, 0), (self.filters,), dtype), make(fold_in(key, 1), (2 * self.filters,), dtype)
        return ops.concatenate([ends[0], ones, ends[1]])

    def read(self, params: Any, state: Any, reading: Reading) -> ReadResult:
        """The convolutions of all x_t at once, then one step after the other."""
        kernel, recurrent, *bias = parameters(self.name, params, self.shapes)
        x, dtype = clean(reading.x, reading.mask), kernel.dtype
        n, count, *sizes, channels = x.shape
        if channels != kernel.shape[-2]:
            raise ShapeError(f"{self.name}: expected {kernel.shape[-2]} channels on the last axis, received {x.shape}.")
        shapes = self.state_shapes(x.shape[2:])
        first = reading.states or tuple(beside(np.zeros((n, *shape), dtype), x) for shape in shapes)
        first = tuple(astype(part, dtype) for part in first)
        if not count:
            return ReadResult(beside(np.zeros((n, 0, *shapes[0]), dtype), x), first[0], first, {})
        of_x, of_h = self._factors((n, *sizes, channels), (n, *shapes[0]), reading, kernel)
        x, window = astype(x, dtype), self.window
        groups = 1 if of_x is None else _GATES
        x = x if of_x is None else _four(x) * ops.expand_dims(of_x, 1)
        x = ops.reshape(x, (n * count, *sizes, groups * channels))
        z = ops.conv(x, kernel, window.strides, window.padding, window.dilation_rate, groups)
        z = ops.reshape(z + bias[0] if bias else z, (n, count, *shapes[0][:-1], _GATES * self.filters))

        def step(t: int, states: States) -> tuple[Any, States]:
            h, c = states
            from_h = h if of_h is None else _four(h) * of_h
            product = ops.conv(from_h, recurrent, padding="same", groups=1 if of_h is None else _GATES)
            states = self._gates(z[:, t] + product, c)
            return states[0], states

        outputs, last, states = over_steps(step, count, first, reading.mask, reading.backwards)
        return ReadResult(outputs, last, states, {})

    def _gates(self, z: Any, c: Any) -> States:
        """h and c from the sums of both convolutions."""
        activate, gate = self.activations
        i, f, g, o = (z[..., block * self.filters : (block + 1) * self.filters] for block in range(_GATES))
        c = gate(f) * c + gate(i) * activate(g)
        return gate(o) * activate(c), c

    def _factors(
        self, step: tuple[int, ...], h: tuple[int, ...], reading: Reading, like: Any
    ) -> tuple[Any | None, Any | None]:
        """Factors of x_t and of h, for each gate its own, that are the same in all steps; None where nothing drops."""
        found: list[Any] = []
        for i, (shape, rate) in enumerate(((step, self.dropout), (h, self.recurrent_dropout))):
            if not reading.train or rate == 0:
                found.append(None)
                continue
            ones = beside(np.ones((*shape[:-1], _GATES * shape[-1]), like.dtype), like)
            found.append(ops.dropout(ones, fold_in(needed_key(self.name, reading.key), i), rate))
        return found[0], found[1]


def _four(x: Any) -> Any:
    """The channels of `x`, once for each gate."""
    return ops.concatenate([x] * _GATES, axis=-1)
