"""Recurrent layers: one product for the inputs of all steps, then the steps, products for the gradients of weights.

All steps are one launch where a block has room for the recurrent kernel; else each is one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref, contiguous, contiguous_strides, copy
from fnet.devices.cuda.grids import WARP, spread
from fnet.devices.cuda.lower import linalg
from fnet.devices.lowering import Lowering
from fnet.kernels import cuda

SHARED_BYTES = 96 << 10  # of a block, at most: what every card since Ampere has (those of capability 8.6 and 8.9 99 KB)
WEIGHTS = 3  # kernel, bias, recurrent kernel


@dataclass(frozen=True)
class _Layer:
    """A kind of layer: the family of its kernels, and how many arrays a step hands on to the next."""

    family: str
    states: int = 1


_SIMPLE, _LSTM, _GRU = _Layer("recurrent_simple"), _Layer("recurrent_lstm", 2), _Layer("recurrent_gru")


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
        tile = cuda.recurrent.TILE
        self.grid, self.block = (-(-self.n // tile), -(-self.units // tile)), (tile, tile)

    @property
    def times(self) -> list[int]:
        """The times in the order of the walk forward."""
        return list(range(self.steps))[:: -1 if self.backwards else 1]

    def step_sizes(self, z_row: int = 0, dy_row: int = 0, saving: bool = False) -> Ref:
        """The sizes of a launch of a step."""
        sizes = cuda.recurrent.STEP_SIZES.array(
            n=self.n, units=self.units, z_row=z_row, y_row=self.steps * self.units, mask_row=self.steps, dy_row=dy_row,
            masked=self.masked, saving=saving, **self.activations,
        )  # fmt: skip
        return self.emit.constant(sizes)

    def fits(self, *, back: bool) -> bool:
        """Whether all steps can be one launch: a block has room for the recurrent kernel."""
        return self.shared_bytes(back=back) <= SHARED_BYTES

    def shared_bytes(self, *, back: bool) -> int:
        """How much shared memory a block has in a launch of all steps."""
        return cuda.recurrent_walk.shared_size(self.units, self.columns, back=back) * self.dtype.itemsize

    def call_at_once(self, kernel: Any, arguments: list[Ref], sizes: dict[str, int], *, back: bool) -> None:
        """A launch of all steps; sizes: distances of rows and steps, whether gates are saved."""
        if self.n and self.units and self.steps:
            walk, grid = cuda.recurrent_walk, -(-self.n // cuda.recurrent_walk.SAMPLES)
            block = min(walk.THREADS, WARP * -(-self.columns // WARP))
            sizes = dict.fromkeys(("saving", "h_row", "h_step", "c_row", "dy_row", "dy_step"), 0) | sizes
            numbers = walk.WALK_SIZES.array(
                n=self.n, steps=self.steps, units=self.units, masked=self.masked, backwards=self.backwards,
                **self.activations, **sizes,
            )  # fmt: skip
            launch = kernel[grid, block, self.shared_bytes(back=back)]
            self.emit.call(launch, *arguments, self.emit.constant(numbers))

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

    def call(self, kernel: Any, *arguments: Ref | int) -> None:
        """A launch for all samples and units."""
        if self.n and self.units:
            self.emit.call(kernel[self.grid, self.block], *arguments)

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


def _at_once(
    walk: _Walk, operands: list[Ref], first: list[Ref], mask: Ref, ys: Ref, kept: list[Ref], saving: bool
) -> list[Ref]:
    """Emit one launch of all steps; returns the states behind the last one."""
    layer, last = walk.layer, walk.times[-1]
    more = {_LSTM: kept[::-1], _GRU: kept[:1], _SIMPLE: []}[layer]
    rows = {"h_row": first[0].strides[0], "c_row": first[-1].strides[0], "saving": int(saving)}
    kernel = getattr(cuda, f"{layer.family}_walk").walk
    walk.call_at_once(kernel, [*operands, *first, mask, ys, *more], rows, back=False)
    cells = kept[1:] if layer is _LSTM else []
    return [_at(ys, last), *(_step(r, last) if saving else r for r in cells)]


def _by_steps(
    walk: _Walk, operands: list[Ref], first: list[Ref], mask: Ref, ys: Ref, kept: list[Ref], saving: bool
) -> list[Ref]:
    """Emit a launch for each step; returns the states behind the last one."""
    (z, *beside), (h, *cells) = operands, first
    sizes, depth = walk.step_sizes(z_row=walk.steps * walk.columns, saving=saving), walk.units if walk.started else 0
    for t in walk.times:
        own = [_step(r, t) for r in kept] if saving else [_at(z, t), *kept[1:]]
        arguments = [h, *cells, _at(mask, t), _at(ys, t)]
        strides = [h.strides[0], *(c.strides[0] for c in cells)]
        if walk.layer is _LSTM:
            gates, cell = own
            arguments, cells = [*arguments, cell, gates], [cell]
        elif walk.layer is _GRU:
            arguments.append(own[0])
        walk.call(getattr(cuda, walk.layer.family).step, _at(z, t), *beside, *arguments, sizes, depth, *strides)
        h, depth = _at(ys, t), walk.units
    return [h, *cells]


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
        beside = [contiguous(biases[1], emit)] if is_gru else []
        kept = saved if saving else [z, *lasts[1:]]  # gates (which nobody writes where they are not saved), cells
        run = _at_once if walk.fits(back=False) and steps else _by_steps
        ends = run(walk, [z, walk.recurrent, *beside], first, mask, ys, kept, saving)
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

    def steps_back(self) -> Iterator[tuple[int, int | None, int | None]]:
        """The times in the order of the walk back, each with the time of the step behind it and of the one before."""
        times: list[int | None] = [None, *self.times, None]
        for before, t, behind in reversed(list(zip(times, times[1:], times[2:], strict=False))):
            assert t is not None
            yield t, behind, before

    def end(self, dz: Ref) -> None:
        """Complete the gradient of the h before the first step, if there was one."""
        if self.started and self.steps:
            before = _step(dz, self.times[0])
            self.call(
                cuda.recurrent.add_product_back,
                before,
                self.recurrent,
                self.dstates[0],
                self.back_sizes(),
                self.columns,
            )

    def back_sizes(self) -> Ref:
        """The sizes of a launch of a step back."""
        return self.step_sizes(dy_row=self.dys.strides[0])

    def input_gradient(self, dz: Ref) -> None:
        """``dx = dz W'`` from the slopes of all steps."""
        if self.dx is not None:
            by_steps = self.scratch(self.steps, self.n, self.features)
            self.product(_matrix(dz), self.kernel.viewed(np.transpose), _matrix(by_steps))
            copy(by_steps.viewed(lambda a: a.swapaxes(0, 1)), self.dx, self.emit)

    def walk(self, *results: Ref) -> None:
        """All steps back, the slopes that enter the recurrent product being the last of the results."""
        if self.fits(back=True):
            self._at_once(*results)
        else:
            self._by_steps(*results)
        self.end(results[-1])

    def _at_once(self, *results: Ref) -> None:
        saved, sizes = self.saved[:1], {"dy_row": self.dys.strides[0], "dy_step": self.dys.strides[1]}
        if self.layer is _GRU:
            h = self.saved[1].viewed(lambda a: a[:, :, self.features + 1 :])
            saved, sizes = [*saved, h], sizes | {"h_step": h.strides[0], "h_row": h.strides[1]}
        elif self.layer is _LSTM:
            saved, sizes = [*saved, self.firsts[1], self.saved[1]], sizes | {"c_row": self.firsts[1].strides[0]}
        kernel = getattr(cuda, f"{self.layer.family}_walk").walk_back
        arguments = [self.recurrent, *self.dstates, self.dys, self.seen, *saved, *results]
        self.call_at_once(kernel, arguments, sizes, back=True)

    def _by_steps(self, *results: Ref) -> None:
        step_back, sizes, dz = getattr(cuda, self.layer.family).step_back, self.back_sizes(), results[-1]
        for t, behind, before in self.steps_back():
            own, depth = _step(dz, t), 0 if behind is None else self.columns
            entered = own if behind is None else _step(dz, behind)
            saved, strides = self._saved(t, before)
            self.call(
                step_back, entered, self.recurrent, *self.dstates, _at(self.dys, t), _at(self.seen, t), *saved,
                *(_step(r, t) for r in results), sizes, depth, *strides,
            )  # fmt: skip

    def _saved(self, t: int, before: int | None) -> tuple[list[Ref], list[int]]:
        """What the forward pass left of a step, and the distances of the rows of states before it."""
        if self.layer is _SIMPLE:
            return [_at(self.saved[0], t)], []
        gates = _step(self.saved[0], t)
        if self.layer is _GRU:
            h = _step(self.saved[1], t).viewed(lambda a: a[:, self.features + 1 :])
            return [gates, h], [h.strides[0]]
        cells = self.saved[1]
        c = self.firsts[1] if before is None else _step(cells, before)
        return [gates, c, _step(cells, t)], [c.strides[0]]


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
