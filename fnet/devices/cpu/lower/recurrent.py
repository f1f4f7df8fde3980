"""Recurrent layers: one kernel walks all steps forward, another one back.

The walk back also computes the gradients of weights and input where they fit into the caches of a core. Elsewhere it
leaves the slopes dz of what enters the activations, and products of matrices follow, as whole as memory lets them be.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet.activation_codes import code as activation_code
from fnet.compile.emit import Emitter, Ref, contiguous, copy
from fnet.devices.cpu.lower import linalg
from fnet.devices.lowering import Lowering, lowering
from fnet.kernels import cpu
from fnet.kernels.cpu.operands import PAIRS, padded
from fnet.kernels.cpu.runtime.ways import products_in_tiles, takes_pairs, takes_tiles
from fnet.kernels.cpu.vector import tile_operands

if TYPE_CHECKING:
    from fnet.kernels.cpu.recurrent_shares import Shares

WEIGHTS = 3  # kernel, bias, recurrent kernel
JOINED_WEIGHTS = 1 << 18  # elements up to which their gradient stays in the caches of a core
PAIRED_WEIGHTS = 1 << 12  # elements from which on the product of a step gains by rounding to bfloat16


@dataclass(frozen=True)
class _Layer:
    """A kind of layer, and where its kernels are.

    states: how many arrays a step hands on to the next; kept: the numbers of columns of what a walk leaves for the walk
    back, (T, N, C) each, for so many features and units; keeps_rows: whether the rows ``[x_t, 1, h_{t-1}]`` are the
    last of these; wide: the family with a forward walk for few samples.
    """

    family: str
    states: int
    kept: Callable[[int, int], tuple[int, ...]]
    keeps_rows: bool = False
    wide: str = ""


_SIMPLE = _Layer("recurrent_simple", 1, lambda d, h: ())
_LSTM = _Layer("recurrent_lstm", 2, lambda d, h: (4 * h, h), wide="recurrent_lstm_units")
_GRU = _Layer("recurrent_gru", 1, lambda d, h: (4 * h, d + 1 + h), keeps_rows=True)


@dataclass(frozen=True)
class _Shape:
    """The sizes of a walk whose gates all read ``[x_t, 1, h_{t-1}]``; columns: those of the recurrent kernel."""

    n: int
    steps: int
    features: int
    units: int
    columns: int
    dtype: np.dtype

    @property
    def k(self) -> int:
        """The elements of a row ``[x_t, 1, h_{t-1}]``."""
        return self.features + 1 + self.units

    @property
    def shares(self) -> Shares:
        """How a walk back shares the gradient of the weights."""
        return cpu.recurrent_shares.shares(self.n, self.steps, self.k, self.columns, self.dtype)

    def is_joined(self, precision: str) -> bool:
        """Whether the walk back computes the gradients of weights and input: where they fit, and are of float32."""
        n, k, columns, rows = self.n, self.k, self.columns, self.steps * self.n
        if k * columns > JOINED_WEIGHTS:
            return False
        if precision == "highest":
            return True
        of_steps = [(n, k, columns), (n, columns, self.units)]
        of_gradients = [(k, columns, rows), (rows, self.features, columns)]
        return all(_operands(precision, *sizes, self.dtype) == self.dtype for sizes in of_steps) and all(
            linalg.way_of_product(*sizes, precision) == "float32" for sizes in of_gradients
        )

    def is_spread(self, precision: str) -> bool:
        """Whether several cores can take part in the walk back."""
        return not self.is_joined(precision) or self.shares.parts > 1


def _forward(layer: _Layer, *, saving: bool) -> Lowering:
    """The rule of a layer that leaves, or does not leave, what the walk back needs."""

    def emits(
        emit: Emitter, inputs: list[Ref], outputs: list[Ref], *,
        started: bool, masked: bool, backwards: bool, precision: str = "highest", **activations: str,
    ) -> None:  # fmt: skip
        module = getattr(cpu, layer.family)
        x, *weights = (_rows_in_place(inputs[0], emit), *(contiguous(r, emit) for r in inputs[1 : 1 + WEIGHTS]))
        (n, steps, features), units = x.shape, outputs[0].shape[2]
        initial: list[Ref | None] = [None] * layer.states
        if started:
            initial = [contiguous(r, emit) for r in inputs[1 + WEIGHTS :][: layer.states]]
        first = _rows(initial, units, x.dtype, emit)
        shape = _Shape(n, steps, features, units, weights[-1].shape[1], x.dtype)
        k = shape.k
        scratch = [] if saving else [emit.scratch(n * size, x.dtype) for size in layer.kept(features, units)]
        if not layer.keeps_rows:
            scratch.append(emit.scratch(n * k, x.dtype))
        operands = _operands(precision, n, k, shape.columns, x.dtype)
        memory, forward = module.workspace(n, features, units, x.dtype, operands), module.forward
        if layer.wide and getattr(cpu, layer.wide).pays(n, features, units, x.dtype, operands):
            forward = getattr(cpu, layer.wide).forward
        sizes = cpu.recurrent.FORWARD_SIZES.array(
            n=n, steps=steps, features=features, units=units, x_row=x.strides[0], x_time=x.strides[1],
            h_row=_row_stride(first[0]), started=started, backwards=backwards, masked=masked, saving=saving,
            spread=saving and (layer.keeps_rows or shape.is_spread(precision)), **_codes(activations),
        )  # fmt: skip
        emit.call(
            forward, x, *weights, *first, _mask(inputs, masked, emit), *outputs, *scratch,
            emit.scratch(memory.panels, operands), emit.scratch(memory.work, x.dtype), emit.constant(sizes),
        )  # fmt: skip

    return Lowering(emits, strided=True)


simple_rnn, simple_rnn_taped = _forward(_SIMPLE, saving=False), _forward(_SIMPLE, saving=True)
lstm, lstm_taped = _forward(_LSTM, saving=False), _forward(_LSTM, saving=True)
gru, gru_taped = _forward(_GRU, saving=False), _forward(_GRU, saving=True)


# --------------------------------------------------------------------------------------------- the walk back


class _Back:
    """The operands and results of a walk back, sorted; see `fnet.ops.recurrent_primitives`."""

    def __init__(
        self, layer: _Layer, emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, present: tuple[bool, ...],
        started: bool, masked: bool, backwards: bool, wanted: tuple[bool, bool], precision: str = "highest",
        **activations: str,
    ) -> None:  # fmt: skip
        self.emit, self.precision = emit, precision
        waiting = inputs[: len(inputs) - masked]
        cotangents = [waiting.pop(0) if here else None for here in present]
        self.x = _rows_in_place(waiting.pop(0), emit)
        self.kernel, self.recurrent = (contiguous(waiting.pop(0), emit) for _ in range(2))
        first = [waiting.pop(0) if started else None for _ in range(layer.states)]
        self.saved = [contiguous(r, emit) for r in waiting]
        self.mask = _mask(inputs, masked, emit)
        (self.n, self.steps, self.features), (self.units, self.columns) = self.x.shape, self.recurrent.shape
        self.dtype = self.x.dtype
        self.shape = _Shape(self.n, self.steps, self.features, self.units, self.columns, self.dtype)
        self.k = self.shape.k
        rows = _rows([*cotangents, *first], self.units, self.dtype, emit)
        self.dys, self.lasts, self.firsts = rows[0], rows[1 : 1 + layer.states], rows[1 + layer.states :]
        self.wants_input, self.wants_weights = wanted
        results = list(outputs)
        self.dx = results.pop(0) if self.wants_input else None
        self.dstates = [
            results.pop(-1) if started else emit.scratch(self.n * self.units, self.dtype) for _ in range(layer.states)
        ][::-1]
        self.dweights = results
        self.operands = _operands(precision, self.n, self.columns, self.units, self.dtype)
        self.sizes = {
            "n": self.n, "steps": self.steps, "features": self.features, "units": self.units,
            "x_row": self.x.strides[0], "x_time": self.x.strides[1], "h_row": _row_stride(self.firsts[0]),
            "started": started, "backwards": backwards, "masked": masked, **_codes(activations),
        }  # fmt: skip

    def walk_sizes(self, dz_row: int, parts: int = 0, most: int = 1, together: int = 1, wanted: bool = False) -> Ref:
        """The sizes of a walk back that leaves slopes in rows of this distance, or shares the rest in parts."""
        dy_row, dy_time = self.dys.strides[:2] if len(self.dys.shape) == 3 else (0, 0)
        dh_row, *dc_row = map(_row_stride, self.lasts)
        c0_row = map(_row_stride, self.firsts[1:])
        sizes = cpu.recurrent.BACKWARD_SIZES.array(
            **self.sizes, dy_row=dy_row, dy_time=dy_time, dh_row=dh_row, dz_row=dz_row, dc_row=sum(dc_row),
            c0_row=sum(c0_row), parts=parts, most=most, together=together, wanted=wanted,
        )  # fmt: skip
        return self.emit.constant(sizes)

    def scratch(self, rows: int, columns: int, row: int | None = None) -> Ref:
        """A matrix in scratch memory, whose rows are this far from each other."""
        row = columns if row is None else row
        memory = self.emit.scratch(rows * row, self.dtype)
        return Ref(memory.buffer, self.dtype, (rows, columns), (row, 1), memory.offset)

    def product(self, a: Ref, b: Ref, c: Ref) -> None:
        """A product of matrices at the layer's level of precision."""
        linalg.matmul(self.emit, [a, b], [c], precision=self.precision)

    def input_gradient(self, dz: Ref, kernel: Ref) -> None:
        """``dx = dz kernel'`` from the slopes of all steps, (T N, columns)."""
        if self.dx is not None:
            by_steps = self.scratch(self.steps * self.n, self.features)
            self.product(dz, kernel.viewed(np.transpose), by_steps)
            shape = (self.steps, self.n, self.features)
            copy(by_steps.viewed(lambda a: a.reshape(shape).swapaxes(0, 1)), self.dx, self.emit)


def _joinable(layer: _Layer) -> Lowering:
    """The rule of a layer whose gates all read ``[x_t, 1, h_{t-1}]``: the gradient of its weights is one matrix."""

    def emits(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
        back = _Back(layer, emit, inputs, outputs, **params)
        module, nothing = getattr(cpu, layer.family), emit.scratch(1, back.dtype)
        joined = back.shape.is_joined(back.precision)
        memory = module.backward_workspace(
            back.n, back.units, back.dtype, back.operands, back.features if joined and back.wants_input else 0
        )
        states_read = back.firsts[1:]  # the h before the first step is read for the gradient of the weights only
        first_h = back.firsts[0]
        if joined:
            plan = back.shape.shares
            dz = nothing
            whole = back.dweights[0] if back.wants_weights else back.scratch(back.k, back.columns)
            own = emit.scratch(plan.parts * plan.memory, back.dtype)
            results = [back.x, first_h, back.kernel, whole, nothing if back.dx is None else back.dx, own]
            sizes = back.walk_sizes(plan.slopes_row, plan.parts, plan.most, plan.together, back.wants_input)
        else:
            row = padded(back.columns)
            dz = back.scratch(back.steps * back.n, back.columns, row)
            results, sizes = [nothing] * 6, back.walk_sizes(row)
        emit.call(
            module.backward, back.dys, *back.lasts, back.recurrent, *states_read, *back.saved, back.mask, dz,
            *back.dstates, *results, emit.scratch(memory.panels, back.operands), emit.scratch(memory.work, back.dtype),
            sizes,
        )  # fmt: skip
        if joined:
            return
        back.input_gradient(dz, back.kernel)
        if back.wants_weights:
            rows = back.scratch(back.steps * back.n, back.k)
            sizes = emit.constant(cpu.recurrent.FORWARD_SIZES.array(**back.sizes, saving=True, spread=True))
            emit.call(cpu.recurrent_shares.gather, back.x, first_h, back.saved[-1], back.mask, rows, sizes)
            back.product(rows.viewed(np.transpose), dz, back.dweights[0])

    return Lowering(emits, strided=True)


simple_rnn_vjp = _joinable(_SIMPLE)
lstm_vjp = _joinable(_LSTM)


@lowering(strided=True)
def gru_vjp(emit: Emitter, inputs: list[Ref], outputs: list[Ref], **params: Any) -> None:
    """The slopes are those of a, z, r, q: three neighbours belong to either matrix, whose columns are z, r, a (q)."""
    back = _Back(_GRU, emit, inputs, outputs, **params)
    gates, rows = back.saved
    units, features = back.units, back.features
    memory = cpu.recurrent_gru.backward_workspace(back.n, units, back.dtype, back.operands)
    row = padded(4 * units)
    dz = back.scratch(back.steps * back.n, 4 * units, row)
    emit.call(
        cpu.recurrent_gru.backward, back.dys, *back.lasts, back.recurrent, gates, rows, back.mask, dz, *back.dstates,
        emit.scratch(memory.panels, back.operands), emit.scratch(memory.work, back.dtype), back.walk_sizes(row),
    )  # fmt: skip
    of_input, of_state = _columns(dz, 0, 3 * units), _columns(dz, units, 4 * units)
    if back.wants_input:
        kernel = back.scratch(features, 3 * units)
        _turn(back.kernel, kernel, 2 * units, emit)
        back.input_gradient(of_input, kernel)
    if back.wants_weights:
        (dkernel, drecurrent), turned = back.dweights, back.scratch(features + 1, 3 * units)
        by_columns = rows.viewed(lambda a: a.reshape(-1, back.k).T)
        back.product(by_columns.viewed(lambda a: a[: features + 1]), of_input, turned)
        _turn(turned, dkernel, units, emit)
        back.product(by_columns.viewed(lambda a: a[features:]), of_state, drecurrent)


def _columns(matrix: Ref, start: int, stop: int) -> Ref:
    """Some columns of a matrix."""
    return matrix.viewed(lambda a: a[:, start:stop])


def _turn(source: Ref, target: Ref, columns: int, emit: Emitter) -> None:
    """A copy in which the first `columns` columns are behind the others."""
    size = source.shape[1]
    copy(_columns(source, columns, size), _columns(target, 0, size - columns), emit)
    copy(_columns(source, 0, columns), _columns(target, size - columns, size), emit)


# --------------------------------------------------------------------------------------------- choices and operands


def _codes(activations: dict[str, str]) -> dict[str, int]:
    """The codes of activations by their role in a step; a layer without gates has one for its output only."""
    return {"rec": 0} | {role: activation_code(name) for role, name in activations.items()}


def _operands(precision: str, n: int, k: int, columns: int, dtype: np.dtype) -> np.dtype:
    """The type of the operands of a step's product of n rows: that of the data, pairs of bfloat16, or tiles."""
    if k * columns < PAIRED_WEIGHTS:
        return dtype
    if takes_tiles(precision, tile_operands.share(n, columns, k)):
        return tile_operands.tile_words(products_in_tiles(precision))
    return PAIRS if takes_pairs(precision) else dtype


def _rows(refs: Sequence[Ref | None], units: int, dtype: np.dtype, emit: Emitter) -> list[Ref]:
    """Windows with contiguous rows, one row of zeros for those that are absent."""
    zeros = emit.constant(np.zeros(units, dtype))
    return [zeros if ref is None else _rows_in_place(ref, emit) for ref in refs]


def _row_stride(ref: Ref) -> int:
    """The distance of the rows of a matrix, 0 for one row that stands for all."""
    return ref.strides[0] if len(ref.shape) == 2 else 0


def _rows_in_place(ref: Ref, emit: Emitter) -> Ref:
    """The window itself if its rows are contiguous and lie in any places further on, else a contiguous copy."""
    return ref if ref.strides[-1] == 1 and not ref.backwards else contiguous(ref, emit)


def _mask(inputs: list[Ref], masked: bool, emit: Emitter) -> Ref:
    """The last input, or an element of no meaning."""
    return contiguous(inputs[-1], emit) if masked else emit.scratch(1, np.dtype(np.uint8))
