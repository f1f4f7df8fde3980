"""What SimpleRNN, LSTM and GRU have in common: parameters, initial states, dropout, and what they return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import activations, initializers, ops
from fnet.errors import ShapeError, StructureError
from fnet.layers.checks import entries, fraction, known_size, needed_key, positive_integer
from fnet.layers.recurrent_steps import STEPS, walk
from fnet.ops.promotion import astype, lift
from fnet.ops.recurrent import FUSED_ACTIVATIONS
from fnet.random import fold_in
from fnet.transforms.primitive import spec_of


@dataclass(frozen=True)
class Kind:
    """What tells one recurrent layer from another."""

    blocks: int  # of columns in the kernels: one for each gate and the candidate
    states: int
    fused: Any  # the op that runs all steps at once


KINDS = {
    "SimpleRNN": Kind(1, 1, ops.simple_rnn),
    "LSTM": Kind(4, 2, ops.lstm),
    "GRU": Kind(3, 1, ops.gru),
}


class Recurrence:
    """The functions of one recurrent layer, from the arguments of its constructor."""

    def __init__(self, kind: str, config: Mapping[str, Any]) -> None:
        self.kind, self.config = KINDS[kind], config
        self.name = kind
        self.reset_before = not config.get("reset_after", True)
        self.step = STEPS["GRU, reset before" if self.reset_before else kind]
        self.units = positive_integer(self.name, "units", config["units"])
        self.dropout = fraction(self.name, "dropout", config["dropout"])
        self.recurrent_dropout = fraction(self.name, "recurrent_dropout", config["recurrent_dropout"])
        roles = [role for role in ("activation", "recurrent_activation") if role in config]
        self.activations = {role: activations.get(config[role]) for role in roles}
        self.fused_names = {role: _FUSED.get(function) for role, function in self.activations.items()}
        self.makers = [initializers.get(config[f"{part}_initializer"]) for part in ("kernel", "recurrent", "bias")]

    def init(self, key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        """Kernel, recurrent kernel and bias."""
        sequence = self._sequence_shape(shape)
        features, units, width = known_size(self.name, sequence), self.units, self.kind.blocks * self.units
        make_kernel, make_recurrent, _ = self.makers
        params = {
            "kernel": make_kernel(fold_in(key, 0), (features, width), dtype),
            "recurrent_kernel": make_recurrent(fold_in(key, 1), (units, width), dtype),
        }
        if self.config["use_bias"]:
            params["bias"] = self._bias(fold_in(key, 2), width, dtype)
        return params, {}

    def _bias(self, key: Any, width: int, dtype: Any) -> Any:
        make, units = self.makers[2], self.units
        if self.config.get("unit_forget_bias"):
            ones = np.ones(units, dtype)
            return ops.concatenate(
                [make(fold_in(key, 0), (units,), dtype), ones, make(fold_in(key, 1), (2 * units,), dtype)]
            )
        two = self.kind is KINDS["GRU"] and not self.reset_before
        return make(key, (2, width) if two else (width,), dtype)

    def apply(self, params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        """The output that the configuration asks for."""
        backwards = self.config["go_backwards"]
        ys, states = self.run(params, x, key, train, backwards)
        y = states[0]
        if self.config["return_sequences"]:
            y = ops.flip(ys, 1) if backwards else ys
        return ((y, *states) if self.config["return_state"] else y), state

    def run(self, params: Any, x: Any, key: Any, train: bool, backwards: bool) -> tuple[Any, tuple[Any, ...]]:
        """All outputs, in the order of x also where they are computed backwards, and the last states."""
        names = ["kernel", "recurrent_kernel", *(["bias"] if self.config["use_bias"] else [])]
        kernel, recurrent, *biases = entries(self.name, params, *names)
        x, initial = self._inputs(x, spec_of(kernel))
        bias = biases[0] if biases else None
        masks = None
        if train and self.recurrent_dropout > 0:
            masks = self._masks(x, needed_key(self.name, key))
        elif train and self.dropout > 0:
            mask = self._mask(x, (1, spec_of(x).shape[2]), fold_in(needed_key(self.name, key), 0), self.dropout)
            x = x * mask
        if masks is not None or self.reset_before or None in self.fused_names.values():
            states = initial or [np.zeros((spec_of(x).shape[0], self.units), spec_of(x).dtype)] * self.kind.states
            weights = (kernel, recurrent, bias)
            return walk(self.step, x, weights, tuple(states), backwards, self.activations, masks)
        ys, *states = self.kind.fused(x, kernel, recurrent, bias, initial, backwards=backwards, **self.fused_names)
        return ys, tuple(states)

    def _masks(self, x: Any, key: Any) -> tuple[Any, Any]:
        """Factors of x and h, for each block of columns, that are the same in all steps."""
        blocks, features = self.kind.blocks, spec_of(x).shape[2]
        return (
            self._mask(x, (blocks, features), fold_in(key, 0), self.dropout),
            self._mask(x, (blocks, self.units), fold_in(key, 1), self.recurrent_dropout),
        )

    def _mask(self, x: Any, shape: tuple[int, ...], key: Any, rate: float) -> Any:
        return ops.dropout(np.ones((spec_of(x).shape[0], *shape), spec_of(x).dtype), key, rate)

    def _sequence_shape(self, shape: Any) -> Any:
        """The shape of the sequence, which initial states may follow."""
        several = isinstance(shape, tuple) and bool(shape) and isinstance(shape[0], tuple)
        sequence, *states = shape if several else (shape,)
        fits = len(states) in (0, self.kind.states) and all(s == (self.units,) for s in states)
        if fits and isinstance(sequence, tuple) and len(sequence) == 2:
            return sequence
        expected = ", ".join(["(time, features)", *[f"({self.units},)"] * self.kind.states])
        raise ShapeError(f"{self.name} expects the shape (time, features), or ({expected}), received {shape}.")

    def _inputs(self, x: Any, kernel: Any) -> tuple[Any, list[Any] | None]:
        """The sequence and the initial states, in the dtype of the parameters."""
        several = isinstance(x, tuple)
        x, *initial = x if several else (x,)
        if several and len(initial) != self.kind.states:
            raise StructureError(
                f"{self.name}: expected a sequence, or a tuple of it and {self.kind.states} initial state(s), received "
                f"{len(initial)} behind the sequence."
            )
        x = lift(x)
        received, features = spec_of(x).shape, kernel.shape[0]
        if len(received) != 3 or received[2] != features:
            hint = " Add a batch axis: x[None]." if len(received) == 2 and received[1] == features else ""
            raise ShapeError(f"{self.name}: expected an input (batch, time, {features}), received {received}.{hint}")
        for state in initial:
            expected, given = (received[0], self.units), spec_of(state).shape
            if given != expected:
                raise ShapeError(f"{self.name}: expected an initial state {expected}, received {given}.")
        return astype(x, kernel.dtype), [astype(s, kernel.dtype) for s in initial] or None


_FUSED = {activations.ACTIVATIONS[name]: name for name in FUSED_ACTIVATIONS}
