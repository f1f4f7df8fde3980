"""What all recurrent layers do around their steps: inputs, masks, states that are kept, and what they return."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np

from fnet import ops, tree
from fnet.arguments import positive_integer
from fnet.errors import BatchSizeError, ShapeError, StructureError
from fnet.initializers import filled
from fnet.layers.constructor import Pair
from fnet.masking import check_mask, is_array, join_mask, split_mask
from fnet.networks.samples import is_single
from fnet.ops.promotion import lift
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of

States = tuple[Any, ...]
KEPT = "recurrent_states"  # the entry in the state of a layer that is stateful


@dataclass(frozen=True)
class Manner:
    """The arguments that say how a sequence is read and what of it is returned; see `fnet.layers.RNN`."""

    return_sequences: bool
    return_state: bool
    go_backwards: bool
    stateful: bool
    batch_size: int | None
    unroll: bool
    zero_output_for_mask: bool


@dataclass(frozen=True)
class Reading:
    """One call: the sequence x (N, T, ...), its mask (N, T) or None, the first states or None for zeros, and how."""

    x: Any
    mask: Any
    states: States | None
    backwards: bool
    unroll: bool
    key: Any
    train: bool


class ReadResult(NamedTuple):
    """What a sequence was turned into: all outputs in the order of x, the last one, and the last states."""

    outputs: Any
    last: Any
    states: States
    state: Mapping[str, Any]  # what the cell learned, as a layer


class Reader(Protocol):
    """Something that reads sequences."""

    def state_shapes(self, step: tuple[int | None, ...]) -> tuple[tuple[int, ...], ...]:
        """The shapes of its states for steps of a shape, all without the batch axis."""

    def read(self, params: Any, state: Any, reading: Reading) -> ReadResult:
        """The sequence, step by step."""


def recurrent_layer(
    name: str,
    init_for_steps: Callable[..., tuple[Any, Any]],
    reader: Reader,
    manner: Manner,
    axes: str = "features",
) -> Pair:
    """The pair of functions of a layer that reads sequences.

    init_for_steps: makes params and state from a key, the shape of one step and a dtype. axes: of one step.
    """
    inputs = _Inputs(name, reader, axes)
    keeper = _Keeper(name, manner)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        step = inputs.step_shape(shape)
        params, state = init_for_steps(key, step, dtype)
        return params, (state | keeper.zeros(key, reader.state_shapes(step), dtype) if manner.stateful else state)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x, mask, given = inputs.parts(x)
        own, kept = keeper.split(state, x.shape[0])
        reading = Reading(x, mask, given or kept, manner.go_backwards, manner.unroll, key, train)
        read = reader.read(params, own, reading)
        y = _sequence(read.outputs, mask, manner) if manner.return_sequences else read.last
        return ((y, *read.states) if manner.return_state else y), {**read.state, **keeper.entry(read.states)}

    return init, apply


def reset_state(state: Any) -> Any:
    """The state of a network with zeros for what its stateful recurrent layers have kept; all else is as it was.

    Between sequences that do not continue one another. Source: Keras ``reset_states``.

    >>> reset_state({"lstm": {"recurrent_states": (np.ones(2),)}, "norm": {"moving_mean": np.ones(2)}})
    {'lstm': {'recurrent_states': (array([0., 0.]),)}, 'norm': {'moving_mean': array([1., 1.])}}
    """
    if not isinstance(state, Mapping):
        return state
    return {name: tree.map(_zeros, entry) if name == KEPT else reset_state(entry) for name, entry in state.items()}


def _sequence(outputs: Any, mask: Any, manner: Manner) -> Any:
    """The outputs in the order of reading, with their mask."""
    if mask is not None and manner.zero_output_for_mask:
        outputs = ops.where(ops.reshape(mask, (*mask.shape, *(1,) * (outputs.ndim - 2))), outputs, 0)
    if manner.go_backwards:
        outputs, mask = ops.flip(outputs, 1), None if mask is None else ops.flip(mask, 1)
    return join_mask(outputs, mask)


def is_several(x: Any) -> bool:
    """Whether `x` is a sequence and its initial states: a tuple, or a list of arrays as Keras takes it."""
    return isinstance(x, tuple) or (isinstance(x, list) and any(map(is_array, x)))


class _Inputs:
    """A sequence, or a tuple of it and the initial states."""

    def __init__(self, name: str, reader: Reader, axes: str) -> None:
        self.name, self.reader, self.axes = name, reader, axes

    def step_shape(self, shape: Any) -> tuple[int | None, ...]:
        """The shape of one step, from that of the sequence, which those of initial states may follow."""
        sequence, *given = (shape,) if is_single(shape) or not isinstance(shape, tuple) else shape
        fits = isinstance(sequence, tuple) and is_single(sequence) and len(sequence) >= 2
        if fits and not given:
            return sequence[1:]
        states = self.reader.state_shapes(sequence[1:] if fits else ())
        if fits and tuple(given) == states:
            return sequence[1:]
        expected = ", ".join([f"(time, {self.axes})", *map(str, states)])
        raise ShapeError(f"{self.name} expects the shape (time, {self.axes}), or ({expected}), received {shape}.")

    def parts(self, x: Any) -> tuple[Any, Any, States]:
        """The sequence, its mask or None, and the initial states, none if they are not given."""
        several = is_several(x)
        if several and not x:
            raise StructureError(f"{self.name}: expected a sequence, received an empty tuple.")
        x, *given = x if several else (x,)
        x, mask = split_mask(x)
        x, initial = lift(x), tuple(lift(split_mask(state)[0]) for state in given)
        shape = x.shape
        if len(shape) < 3:
            hint = " Add a batch axis: x[None]." if len(shape) == 2 else ""
            raise ShapeError(f"{self.name}: expected an input (batch, time, {self.axes}), received {shape}.{hint}")
        states = self.reader.state_shapes(shape[2:])
        if several and len(given) != len(states):
            raise StructureError(
                f"{self.name}: expected a sequence, or a tuple of it and {len(states)} initial state(s), received "
                f"{len(given)} behind the sequence."
            )
        for state, sizes in zip(initial, states, strict=False):
            if state.shape != (shape[0], *sizes):
                expected = (shape[0], *sizes)
                raise ShapeError(f"{self.name}: expected an initial state {expected}, received {state.shape}.")
        if mask is not None and spec_of(mask := lift(mask)).shape != shape[:2]:
            raise ShapeError(
                f"{self.name}: expected a mask (N, T) = {shape[:2]} of the input {shape}, received {mask.shape}."
            )
        if mask is not None:
            check_mask(x, mask, f"{self.name}: ")
        return x, mask, initial


class _Keeper:
    """The states that a stateful layer keeps from one call to the next."""

    def __init__(self, name: str, manner: Manner) -> None:
        self.name, self.batch = name, None
        if manner.stateful and manner.batch_size is None:
            raise StructureError(
                f"{name}: stateful=True keeps the states of each sequence in a batch, so say how many there are: "
                f"batch_size=32."
            )
        if manner.batch_size is not None:
            batch = positive_integer(name, "batch_size", manner.batch_size)
            self.batch = batch if manner.stateful else None

    def zeros(self, key: Any, states: tuple[tuple[int, ...], ...], dtype: Any) -> dict[str, Any]:
        """The entry in the state of the layer, at first."""
        return self.entry(tuple(filled(key, (self.batch or 0, *sizes), dtype, 0) for sizes in states))

    def entry(self, states: States) -> dict[str, Any]:
        return {} if self.batch is None else {KEPT: states}

    def split(self, state: Any, batch: int) -> tuple[Any, States | None]:
        """The state of the cell, and the states kept for a batch of this size."""
        if not isinstance(state, Mapping):
            raise StructureError(
                f"{self.name}: its state is a dict, received {type(state).__name__}. Pass the state that init returned."
            )
        if self.batch is None:
            return state, None
        if batch != self.batch:
            raise BatchSizeError(
                f"{self.name}: it keeps the states of batch_size={self.batch} sequences, received a batch of {batch}. "
                f"Give batches of {self.batch}, or make it for others: batch_size={batch}.",
                self.batch,
            )
        if KEPT not in state:
            raise StructureError(f"{self.name}: its state has no '{KEPT}'. Pass the state that init returned.")
        return {name: entry for name, entry in state.items() if name != KEPT}, state[KEPT]


def _zeros(x: Any) -> Any:
    return beside(np.zeros(x.shape, x.dtype), x)
