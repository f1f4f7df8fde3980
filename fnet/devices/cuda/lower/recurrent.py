"""Recurrent layers: one product for the inputs of all steps, then the steps, products for the gradients of weights.

All steps are one launch, or each is one: `fnet.devices.cuda.walks` says when.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref, contiguous, contiguous_strides, copy
from fnet.devices.cuda.grids import spread
from fnet.devices.cuda.lower import linalg
from fnet.devices.cuda.walks import way
from fnet.devices.lowering import Lowering
from fnet.kernels import cuda

WEIGHTS = 3  # kernel, bias, recurrent kernel


@dataclass(frozen=True)
class _Layer:
    """A kind of layer: the family of its kernels, and how many arrays a step hands on to the next."""

    family: str
    states: int = 1
    gates_are_saved: bool = True


_SIMPLE = _Layer("recurrent_simple", gates_are_saved=False)
_LSTM, _GRU = _Layer("recurrent_lstm", 2), _Layer("recurrent_gru")


class _Walk:
    """What the walks forward and back share: sizes, the order of steps, windows of one time, memory and launches."""

    def __init__(
        self, layer: _Layer, emit: Emitter, x: Ref, recurrent: Ref, *, started: bool, masked: bool, backwards: bool,
        precision: str = "highest", **activations: str,
    ) -> None:  # fmt: skip
        self.layer, self.emit, self.precision = layer, emit, precision
        self.started, self.masked, self.backwards = started, masked, backwards
        self.activations = {"rec": 0} | {role: activation_code(name) for role, name in activations.items()}
        self.x, self.recurrent = contiguous(x, emit), contiguous(recurrent, emit)
        (self.n, self.steps, self.features), (self.units, self.columns) = x.shape, recurrent.shape
        self.dtype = x.dtype

    @property
    def last(self) -> int:
        """The time of the last step of the walk forward."""
        return 0 if self.backwards else self.steps - 1

    def call(self, arguments: list[Ref], count: int, rows: dict[str, int], *, back: bool, saving: bool = False) -> None:
        """The launches of so many steps; rows: distances of rows and steps of what is given by windows."""
        if not (self.n and self.units and self.steps):
            return
        gates = self.columns // self.units
        limits = cast(Any, self.emit.device).limits
        found = way(self.n, self.steps, self.units, gates, self.dtype.itemsize, limits, back=back)
        strides = dict.fromkeys(("h_row", "c_row", "dy_row", "dy_step", "state_row", "state_step"), 0) | rows
        sizes = cuda.recurrent_walk.WALK_SIZES.array(
            n=self.n, steps=self.steps, units=self.units, masked=self.masked, backwards=self.backwards,
            started=self.started, saving=saving, **self.activations, **strides, **found.numbers,
        )  # fmt: skip
        counters = self.emit.counters(found.groups)
        family = getattr(cuda, self.layer.family)
        kernel = family.walk_back if back else family.walk
        launch = replace(kernel[found.grid, found.block, found.shared_bytes], together=found.is_together)
        numbers, stretch = self.emit.constant(sizes), count if found.is_at_once else 1
        for first in range(0, count, stretch):
            self.emit.call(launch, *arguments, counters, numbers, first, first + stretch)

    def scratch(self, *shape: int) -> Ref:
        """An array in scratch memory."""
        memory = self.emit.scratch(int(np.prod(shape)), self.dtype)
        return Ref(memory.buffer, self.dtype, shape, contiguous_strides(shape), memory.offset)

    def zeros(self) -> Ref:
        """A row of zeros."""
        return self.emit.constant(np.zeros(self.units, self.dtype))

    def initial(self, given: list[Ref]) -> list[Ref]:
        """The states before the first step, as they are given, or rows of zeros at the stride 0."""
        if not given:
            return [self.zeros().broadcast((self.n, self.units)) for _ in range(self.layer.states)]
        return [contiguous(r, self.emit) for r in given]

    def mask(self, inputs: list[Ref]) -> Ref:
        """The last input, or a mask that nobody reads."""
        if self.masked:
            return contiguous(inputs[-1], self.emit)
        return self.emit.constant(np.ones(1, np.uint8)).broadcast((self.n, self.steps))

    def nothing(self) -> Ref:
        """An array that nobody reads or writes."""
        return self.scratch(1)

    def product(self, *operands: Ref) -> None:
        """A product of matrices, perhaps with a bias, into the last operand."""
        linalg.matmul(self.emit, list(operands[:-1]), [operands[-1]], precision=self.precision)

    def gather(self, h0: Ref, ys: Ref, mask: Ref, rows: Ref) -> None:
        """The operands ``[x_t, 1, h_{t-1}]`` of all steps, (T, N, D + 1 + H)."""
        if rows.size:
            sizes = cuda.recurrent.ROWS_SIZES.array(
                n=self.n, steps=self.steps, features=self.features, units=self.units, h_row=h0.strides[0],
                backwards=self.backwards, masked=self.masked,
            )  # fmt: skip
            launch = cuda.recurrent.gather[spread(rows.size)]
            self.emit.call(launch, self.x, h0, ys, mask, rows, self.emit.constant(sizes))


def _at(by_samples: Ref, t: int) -> Ref:
    """What an array (N, T, ...) has of one time."""
    return by_samples.viewed(lambda a: a[:, t])


def _step(by_steps: Ref, t: int) -> Ref:
    """What an array (T, N, ...) has of one time."""
    return by_steps.viewed(lambda a: a[t])


def _matrix(by_rows: Ref) -> Ref:
    """An array whose axes but the last are rows of a matrix."""
    return by_rows.viewed(lambda a: a.reshape(-1, a.shape[-1]) if a.size else np.zeros((0, a.shape[-1]), a.dtype))


# --------------------------------------------------------------------------------------------- the walk forward


def _forward(layer: _Layer, *, saving: bool) -> Lowering:
    """The rule of a layer that leaves, or does not leave, what the walk back needs."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
        x, kernel, bias, recurrent, *rest = inputs
        walk = _Walk(layer, emit, x, recurrent, **params)
        n, steps = walk.n, walk.steps
        first = walk.initial(rest[: layer.states * walk.started])
        mask, is_gru = walk.mask(inputs), layer is _GRU
        biases = [_step(bias, i) for i in range(2)] if is_gru else [bias]
        z = walk.scratch(n, steps, walk.columns)
        walk.product(_matrix(walk.x), kernel, biases[0], _matrix(z))
        ys, *lasts = outputs[: 1 + layer.states]
        saved = outputs[1 + layer.states :]
        beside = contiguous(biases[1], emit) if is_gru else walk.nothing()
        gates = saved[0] if saving and layer.gates_are_saved else walk.nothing()
        cell = (saved[1] if saving else lasts[1]) if layer is _LSTM else walk.nothing()
        rows = {"h_row": first[0].strides[0], "c_row": first[-1].strides[0]}
        operands = [z, walk.recurrent, beside, first[0], first[-1], mask, ys, cell, gates]
        walk.call(operands, steps, rows, back=False, saving=saving)
        ends = first
        if steps:
            cells = [] if layer is not _LSTM else [_step(cell, walk.last) if saving else cell]
            ends = [_at(ys, walk.last), *cells]
        for before, last in zip(ends, lasts, strict=True):
            if before is not last:
                copy(before, last, emit)
        if saving and is_gru:
            walk.gather(first[0], ys, mask, saved[1])

    return Lowering(emits, strided=True)


simple_rnn, simple_rnn_taped = _forward(_SIMPLE, saving=False), _forward(_SIMPLE, saving=True)
lstm, lstm_taped = _forward(_LSTM, saving=False), _forward(_LSTM, saving=True)
gru, gru_taped = _forward(_GRU, saving=False), _forward(_GRU, saving=True)


# --------------------------------------------------------------------------------------------- the walk back


class _Back(_Walk):
    """The operands and results of a walk back, sorted; see `fnet.ops.recurrent_primitives`."""

    def __init__(
        self, layer: _Layer, emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, present: tuple[bool, ...],
        wanted: tuple[bool, bool], **params: Any,
    ) -> None:  # fmt: skip
        waiting = list(inputs)
        cotangents = [waiting.pop(0) if here else None for here in present]
        x, kernel, recurrent, *rest = waiting
        super().__init__(layer, emit, x, recurrent, **params)
        self.kernel = kernel
        given, saved = rest[: layer.states * self.started], rest[layer.states * self.started :]
        self.firsts, self.seen = self.initial(given), self.mask(inputs)
        self.saved = [contiguous(r, emit) for r in saved[: len(saved) - self.masked]]
        dys, *lasts = cotangents
        shape = self.n, self.steps, self.units
        self.dys = self.zeros().broadcast(shape) if dys is None else contiguous(dys, emit)
        results = list(outputs)
        self.dx = results.pop(0) if wanted[0] else None
        self.dstates = [results.pop() if self.started else self.scratch(self.n, self.units) for _ in lasts][::-1]
        self.dweights = results
        for last, state in zip(lasts, self.dstates, strict=True):
            copy(self.zeros().broadcast(state.shape) if last is None else last, state, emit)

    def input_gradient(self, dz: Ref) -> None:
        """``dx = dz W'`` from the slopes of all steps."""
        if self.dx is not None:
            by_steps = self.scratch(self.steps, self.n, self.features)
            self.product(_matrix(dz), self.kernel.viewed(np.transpose), _matrix(by_steps))
            copy(by_steps.viewed(lambda a: a.swapaxes(0, 1)), self.dx, self.emit)

    def walk(self, *slopes: Ref) -> None:
        """All steps back: the slopes that enter the recurrent product, the last ones, and of the inputs, the first."""
        gates = self.saved[0] if self.layer.gates_are_saved else self.nothing()
        states, c = self._states(), self.firsts[-1]
        rows = {
            "c_row": c.strides[0], "dy_row": self.dys.strides[0], "dy_step": self.dys.strides[1],
            "state_step": states.strides[0], "state_row": states.strides[1],
        }  # fmt: skip
        of_input = slopes[0] if len(slopes) > 1 else self.nothing()
        of_cells = self.dstates[1] if self.layer is _LSTM else self.nothing()
        operands = [
            self.recurrent, self.dstates[0], of_cells, self.dys, self.seen, gates, c, states, of_input, slopes[-1],
        ]  # fmt: skip
        self.call(operands, self.steps + self.started, rows, back=True)

    def _states(self) -> Ref:
        """What the layer reads of each step, by steps, but for its gates."""
        if self.layer is _SIMPLE:
            return self.saved[0].viewed(lambda a: a.swapaxes(0, 1))
        if self.layer is _GRU:
            return self.saved[1].viewed(lambda a: a[:, :, self.features + 1 :])
        return self.saved[1]


def _joinable(layer: _Layer) -> Lowering:
    """The rule of a layer whose gates all read ``[x_t, 1, h_{t-1}]``: the gradient of its weights is one matrix."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
        back = _Back(layer, emit, inputs, outputs, **params)
        dz = back.scratch(back.steps, back.n, back.columns)
        back.walk(dz)
        back.input_gradient(dz)
        for whole in back.dweights:
            rows = back.scratch(back.steps, back.n, back.features + 1 + back.units)
            back.gather(back.firsts[0], back.saved[-1], back.seen, rows)
            back.product(_matrix(rows).viewed(np.transpose), _matrix(dz), whole)

    return Lowering(emits, strided=True)


simple_rnn_vjp = _joinable(_SIMPLE)
lstm_vjp = _joinable(_LSTM)


def _gru_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
    """Either matrix has slopes of its own, (z, r, a) and (z, r, q)."""
    back = _Back(_GRU, emit, inputs, outputs, **params)
    of_input, of_state = (back.scratch(back.steps, back.n, back.columns) for _ in range(2))
    back.walk(of_input, of_state)
    back.input_gradient(of_input)
    if back.dweights:
        columns = _matrix(back.saved[1]).viewed(np.transpose)
        ends = columns.viewed(lambda a: a[: back.features + 1]), columns.viewed(lambda a: a[back.features :])
        for rows, dz, result in zip(ends, (of_input, of_state), back.dweights, strict=True):
            back.product(rows, _matrix(dz), result)


gru_vjp = Lowering(_gru_vjp, strided=True)
