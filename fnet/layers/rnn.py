"""Any cell, or several on top of each other, over sequences."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from fnet import tree
from fnet.layers.cells import CELLS, StackedRNNCells, cell_states, check_step, init_cells
from fnet.layers.constructor import LAYERS, layer_constructor
from fnet.layers.recurrence import Recurrence
from fnet.layers.recurrent_steps import output_before, over_steps
from fnet.layers.sequence import Manner, Reader, Reading, ReadResult, States, recurrent_layer
from fnet.masking import clean
from fnet.networks.layer import Layer
from fnet.networks.members import Members, check_layers
from fnet.ops.promotion import astype
from fnet.random import fold_in
from fnet.regularizers import RegularizerLike
from fnet.spec import ArraySpec
from fnet.transforms.operand import beside
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import eval_shape


@LAYERS.named()
@layer_constructor(masks="used")
def RNN(
    cell: Layer | Sequence[Layer],
    return_sequences: bool = False,
    return_state: bool = False,
    go_backwards: bool = False,
    stateful: bool = False,
    batch_size: int | None = None,
    unroll: bool = False,
    zero_output_for_mask: bool = False,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Layer:
    """``(y_t, *states) = cell((x_t, *states))`` for every step of a sequence, the last y or all of them.

    cell: a `SimpleRNNCell`, `LSTMCell` or `GRUCell`, which run as fast as `SimpleRNN`, `LSTM` and `GRU`; a list of
    cells, on top of each other; or any layer from a tuple (x_t, *states) to a tuple (y_t, *new states), whose config
    says the sizes of its states: ``{"state_size": 32}``, or a tuple of sizes or shapes for several. It may be written
    with Python's control flow. It gets the same key in every step, so it drops the same features in all of them.

    x: (N, T, ...), or a tuple (x, *initial states), zeros by default -> (N, ...), or with `return_sequences`
    (N, T, ...); with `return_state` the tuple of that and the last states.
    go_backwards: read the sequence from its end; the sequence returned is then in the order of reading.
    stateful: begin with the last states of the call before, kept in the layer's state under ``recurrent_states`` for
    batches of `batch_size`; `reset_state` makes zeros of them.
    unroll: do one step after the other with ordinary operations, as it is for cells of your own, instead of all in one
    kernel: slower, with derivatives of any order.

    A masked step of a `fnet.masking.Masked` x changes no state and repeats the output before it (the first state
    before any, or zeros if that has another shape); with `zero_output_for_mask` it is 0 in the sequence returned, and
    only there. The sequence returned has the mask of x, as in Keras until July 2026, so that recurrent layers on top
    of each other all see it.
    Params: the entry of the cell. Raises `ShapeError` for other shapes. Source: Keras ``RNN``.

    >>> from fnet.layers import LSTMCell
    >>> RNN([LSTMCell(8), LSTMCell(3)], return_sequences=True).out_shape((None, 4))
    (None, 3)

    A cell of your own, an average that forgets:

    >>> def init(key, shape, dtype):  # shape: that of x_t, and that of the state
    ...     return {"rate": np.full(shape[0], 0.5, dtype)}, {}
    >>> def apply(params, state, x, key=None, train=False):
    ...     x, average = x
    ...     average = average + params["rate"] * (x - average)
    ...     return (average, average), state
    >>> layer = RNN(Layer(init, apply, name="average", config={"state_size": 2}))
    >>> layer.apply({"average": {"rate": np.full(2, 0.5)}}, {}, np.ones((1, 3, 2)))[0]
    array([[0.875, 0.875]])
    """
    given: Any = cell
    whole = given if isinstance(given, Layer) or not isinstance(given, Sequence) else StackedRNNCells(given)
    manner = Manner(return_sequences, return_state, go_backwards, stateful, batch_size, unroll, zero_output_for_mask)
    stack = Stack("RNN", (whole,))
    init, apply = recurrent_layer("RNN", functools.partial(init_cells, stack.members), stack, manner)
    return Layer(init, apply, children=stack.members.layers, entries=stack.members.names, masks="used", container=True)


class Stack:
    """Cells on top of each other: the whole sequence through the first one, its outputs through the next."""

    def __init__(self, name: str, cells: tuple[Layer, ...]) -> None:
        self.readers = [_reader(cell) for cell in cells]
        self.members = Members(name, cells)
        self.states = tuple(cell_states(cell) for cell in cells)

    def state_shapes(self, step: tuple[int | None, ...]) -> tuple[tuple[int, ...], ...]:
        """Those of all cells, one cell after the other."""
        return tuple(shape for own in self.states for shape in own)

    def read(self, params: Any, state: Any, reading: Reading) -> ReadResult:
        run = self.members.start(params, state, reading.key, reading.train)
        waiting, read = reading.states, ReadResult(reading.x, reading.x, (), {})
        made: list[Any] = []
        for i, reader in enumerate(self.readers):
            count = len(self.states[i])
            given, waiting = (waiting[:count], waiting[count:]) if waiting else (None, None)
            key = None if reading.key is None else fold_in(reading.key, i)
            with run.entry(i) as entry:
                own = replace(reading, x=read.outputs, states=given, key=key)
                read = reader.read(entry.params, entry.state, own)
                entry.state = read.state
            made.extend(read.states)
        return ReadResult(read.outputs, read.last, tuple(made), run.state)


class Steps:
    """Any cell, one step after the other."""

    def __init__(self, cell: Layer) -> None:
        self.cell, self.states = cell, cell_states(cell)

    def state_shapes(self, step: tuple[int | None, ...]) -> tuple[tuple[int, ...], ...]:
        """Those that the cell says."""
        return self.states

    def read(self, params: Any, state: Any, reading: Reading) -> ReadResult:
        x, dtype = clean(reading.x, reading.mask), _dtype(params, reading.x)
        n, count, *sizes = x.shape
        x = astype(x, dtype) if x.dtype.kind == "f" else x
        first = reading.states or tuple(beside(np.zeros((n, *shape), dtype), x) for shape in self.states)
        first = tuple(astype(s, dtype) for s in first)
        if not count:
            return self._nothing(params, state, ArraySpec((n, *sizes), x.dtype), first)

        def step(t: int, states: States) -> tuple[Any, States]:
            nonlocal state
            made, state = self.cell.apply(params, state, (x[:, t], *states), key=reading.key, train=reading.train)
            y, *new = check_step(self.cell, made, self.states)
            return y, tuple(new)

        outputs, last, states = over_steps(step, count, first, reading.mask, reading.backwards)
        return ReadResult(outputs, last, states, state)

    def _nothing(self, params: Any, state: Any, x: ArraySpec, states: States) -> ReadResult:
        """Of a sequence without steps; the shape of the output is found by abstract evaluation."""
        specs = tree.map(spec_of, (params, state, states))
        y = eval_shape(lambda p, s, x, h: self.cell.apply(p, s, (x, *h))[0][0], specs[0], specs[1], x, specs[2])
        n, *sizes = y.shape
        return ReadResult(np.zeros((n, 0, *sizes), y.dtype), output_before(y, states), states, state)


def _reader(cell: Layer) -> Reader:
    """The fastest way to read a sequence with this cell."""
    check_layers("RNN", (cell,))
    reports = cell.config.get("activity_regularizer") is not None
    if cell.kind in CELLS and not reports:
        return Recurrence.of_cell(cell)
    if cell.kind == "StackedRNNCells" and not reports and cell.trainable is not False:
        return Stack(cell.kind, tuple(cell.config["cells"]))
    return Steps(cell)


def _dtype(params: Any, x: Any) -> np.dtype:
    """That of the parameters, of x where there are none."""
    kinds = [spec_of(leaf).dtype for leaf in (*tree.leaves(params), x)]
    return next((dtype for dtype in kinds if dtype.kind == "f"), np.dtype(np.float32))
