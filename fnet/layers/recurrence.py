"""The recurrences of SimpleRNN, LSTM and GRU: their parameters, their dropout, and which code computes them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np

from fnet import activation_codes, activations, initializers, ops
from fnet.arguments import fraction, positive_integer
from fnet.errors import ShapeError
from fnet.layers import recurrent_steps as steps
from fnet.layers.checks import entries, known_size, needed_key
from fnet.layers.sequence import Reading, ReadResult, States
from fnet.masking import clean
from fnet.networks.layer import Layer
from fnet.ops.promotion import astype
from fnet.random import fold_in
from fnet.transforms.operand import beside


@dataclass(frozen=True)
class Kind:
    """What tells one recurrence from another."""

    blocks: int  # of columns in the kernels: one for each gate and the candidate
    states: int
    fused: Callable[..., Any]  # the op that runs all steps at once
    step: Callable[..., States]


KINDS = {
    "SimpleRNN": Kind(1, 1, ops.simple_rnn, steps.simple),
    "LSTM": Kind(4, 2, ops.lstm, steps.lstm),
    "GRU": Kind(3, 1, ops.gru, steps.gru),
}


@dataclass(frozen=True)
class Recurrence:
    """One of `KINDS` with the arguments of its constructor; `name` is the layer's, that of the kind or of its cell."""

    name: str
    units: int
    activation: Any
    use_bias: bool
    kernel_initializer: Any
    recurrent_initializer: Any
    bias_initializer: Any
    dropout: float
    recurrent_dropout: float
    recurrent_activation: Any = None
    unit_forget_bias: bool = False
    reset_after: bool = True

    def __post_init__(self) -> None:
        positive_integer(self.name, "units", self.units)
        for rate in ("dropout", "recurrent_dropout"):
            fraction(self.name, rate, getattr(self, rate))
        _ = self.activations, self.makers  # which complain about unknown names

    @classmethod
    def of_cell(cls, cell: Layer) -> Recurrence:
        """The recurrence of a SimpleRNNCell, LSTMCell or GRUCell."""
        names = [field.name for field in fields(cls)]
        return cls(cell.kind, **{name: value for name, value in cell.config.items() if name in names})

    @cached_property
    def kind(self) -> Kind:
        return KINDS[self.name.removesuffix("Cell")]

    @cached_property
    def activations(self) -> dict[str, Callable[[Any], Any]]:
        """The activation functions by their roles."""
        given = {"activation": self.activation, "recurrent_activation": self.recurrent_activation}
        roles = ["activation"] if self.kind is KINDS["SimpleRNN"] else list(given)
        return {role: activations.get(given[role]) for role in roles}

    @cached_property
    def fused_names(self) -> dict[str, str | None]:
        """The names by which kernels know the activations, None for one that they do not know."""
        return {role: _FUSED.get(function) for role, function in self.activations.items()}

    @cached_property
    def makers(self) -> list[Any]:
        return [
            initializers.get(i) for i in (self.kernel_initializer, self.recurrent_initializer, self.bias_initializer)
        ]

    @property
    def states(self) -> tuple[tuple[int, ...], ...]:
        return ((self.units,),) * self.kind.states

    def state_shapes(self, step: tuple[int | None, ...]) -> tuple[tuple[int, ...], ...]:
        """Those of h, and for an LSTM of c."""
        return self.states

    def init(self, key: Any, shape: tuple[int | None, ...], dtype: Any) -> tuple[Any, Any]:
        """Kernel, recurrent kernel and bias for steps of shape (D,)."""
        if len(shape) != 1:
            raise ShapeError(f"{self.name} reads vectors: expected steps of shape (features,), received {shape}.")
        features, units, width = known_size(self.name, shape), self.units, self.kind.blocks * self.units
        make_kernel, make_recurrent, _ = self.makers
        params = {
            "kernel": make_kernel(fold_in(key, 0), (features, width), dtype),
            "recurrent_kernel": make_recurrent(fold_in(key, 1), (units, width), dtype),
        }
        if self.use_bias:
            params["bias"] = self._bias(fold_in(key, 2), width, dtype)
        return params, {}

    def _bias(self, key: Any, width: int, dtype: Any) -> Any:
        make, units = self.makers[2], self.units
        if self.unit_forget_bias:
            ones = beside(np.ones(units, dtype), key)
            return ops.concatenate(
                [make(fold_in(key, 0), (units,), dtype), ones, make(fold_in(key, 1), (2 * units,), dtype)]
            )
        two = self.kind is KINDS["GRU"] and self.reset_after
        return make(key, (2, width) if two else (width,), dtype)

    def read(self, params: Any, state: Any, reading: Reading) -> ReadResult:
        """All steps by one kernel, or one after the other where no kernel does what is asked for."""
        weights = self._weights(params)
        x, states, dtype = reading.x, reading.states, weights[0].dtype
        self._check_features(x, weights[0].shape[0])
        x, states = astype(x, dtype), states and tuple(astype(s, dtype) for s in states)
        factors = None
        if reading.train and self.recurrent_dropout > 0:
            factors = self._factors(x, needed_key(self.name, reading.key))
        elif reading.train and self.dropout > 0:
            key = fold_in(needed_key(self.name, reading.key), 0)
            x = clean(x, reading.mask) * self._factor(x, (1, x.shape[2]), key, self.dropout)
        if reading.unroll or factors is not None or not self.reset_after or None in self.fused_names.values():
            return self._over_steps(x, weights, states, factors, reading)
        ys, *last = self.kind.fused(x, *weights, states, reading.mask, backwards=reading.backwards, **self.fused_names)
        return ReadResult(ys, last[0], tuple(last), state)

    def _over_steps(
        self, x: Any, weights: tuple[Any, Any, Any], states: States | None, factors: Any, reading: Reading
    ) -> ReadResult:
        n, count, _ = x.shape
        states = states or tuple(beside(np.zeros((n, *sizes), x.dtype), x) for sizes in self.states)
        if not count:
            return ReadResult(beside(np.zeros((n, 0, self.units), x.dtype), x), states[0], states, {})
        x = clean(x, reading.mask)
        one_step = self.kind.step if self.reset_after else steps.gru_reset_before
        products = steps.Products(weights, factors)
        projected = products.of_sequence(x)

        def step(t: int, states: States) -> tuple[Any, States]:
            states = one_step(products, [part[:, t] for part in projected], states, **self.activations)
            return states[0], states

        outputs, last, states = steps.over_steps(step, count, states, reading.mask, reading.backwards)
        return ReadResult(outputs, last, states, {})

    def _weights(self, params: Any) -> tuple[Any, Any, Any]:
        """Kernel, recurrent kernel, and bias or None."""
        names = ["kernel", "recurrent_kernel", *(["bias"] if self.use_bias else [])]
        kernel, recurrent, *bias = entries(self.name, params, *names)
        return kernel, recurrent, bias[0] if bias else None

    def _check_features(self, x: Any, features: int) -> None:
        shape = x.shape
        if len(shape) != 3 or shape[2] != features:
            raise ShapeError(f"{self.name}: expected an input (batch, time, {features}), received {shape}.")

    def _factors(self, x: Any, key: Any) -> tuple[Any, Any]:
        """Factors of x and h, for each block of columns, that are the same in all steps."""
        blocks, features = self.kind.blocks, x.shape[2]
        return (
            self._factor(x, (blocks, features), fold_in(key, 0), self.dropout),
            self._factor(x, (blocks, self.units), fold_in(key, 1), self.recurrent_dropout),
        )

    def _factor(self, x: Any, shape: tuple[int, ...], key: Any, rate: float) -> Any:
        ones = np.ones((x.shape[0], *shape), x.dtype)
        return ops.dropout(beside(ones, x), key, rate)


_FUSED = {activations.ACTIVATIONS[name]: name for name in activation_codes.NAMES}
