"""Cells: layers that do one step of a recurrence, from ``(x_t, *states)`` to ``(y_t, *new states)``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fnet.activations import ActivationLike
from fnet.arguments import positive_integer
from fnet.constraints import ConstraintLike
from fnet.errors import ShapeError, StructureError
from fnet.initializers import InitializerLike
from fnet.layers.constructor import LAYERS, Pair, layer_constructor
from fnet.layers.recurrence import KINDS, Recurrence
from fnet.layers.sequence import Reading
from fnet.networks.layer import Layer
from fnet.networks.members import Members, check_layers
from fnet.ops.promotion import lift
from fnet.regularizers import RegularizerLike
from fnet.transforms.primitive import spec_of

CELLS = tuple(f"{kind}Cell" for kind in KINDS)


@LAYERS.named()
@layer_constructor(several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def SimpleRNNCell(
    units: int,
    activation: ActivationLike = "tanh",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    *,
    kernel_regularizer: RegularizerLike = None,
    recurrent_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    recurrent_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """One step of `SimpleRNN`: ``(x_t, h) -> (h', h')``, x_t: (N, D), h: (N, units).

    Params and arguments as there. Source: Keras ``SimpleRNNCell``.

    >>> SimpleRNNCell(3).out_shape(((4,), (3,)))
    ((3,), (3,))
    """
    recurrence = Recurrence(
        "SimpleRNNCell", units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        dropout, recurrent_dropout,
    )  # fmt: skip
    return _one_step(recurrence)


@LAYERS.named()
@layer_constructor(several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def LSTMCell(
    units: int,
    activation: ActivationLike = "tanh",
    recurrent_activation: ActivationLike = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    unit_forget_bias: bool = True,
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    *,
    kernel_regularizer: RegularizerLike = None,
    recurrent_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    recurrent_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """One step of `LSTM`: ``(x_t, h, c) -> (h', h', c')``, x_t: (N, D), h and c: (N, units).

    Params and arguments as there. Source: Keras ``LSTMCell``.

    >>> LSTMCell(3).out_shape(((4,), (3,), (3,)))
    ((3,), (3,), (3,))
    """
    recurrence = Recurrence(
        "LSTMCell", units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        dropout, recurrent_dropout, recurrent_activation, unit_forget_bias=unit_forget_bias,
    )  # fmt: skip
    return _one_step(recurrence)


@LAYERS.named()
@layer_constructor(several=True, kernel="kernel", recurrent="recurrent_kernel", bias="bias")
def GRUCell(
    units: int,
    activation: ActivationLike = "tanh",
    recurrent_activation: ActivationLike = "sigmoid",
    use_bias: bool = True,
    kernel_initializer: InitializerLike = "glorot_uniform",
    recurrent_initializer: InitializerLike = "orthogonal",
    bias_initializer: InitializerLike = "zeros",
    dropout: float = 0.0,
    recurrent_dropout: float = 0.0,
    reset_after: bool = True,
    *,
    kernel_regularizer: RegularizerLike = None,
    recurrent_regularizer: RegularizerLike = None,
    bias_regularizer: RegularizerLike = None,
    activity_regularizer: RegularizerLike = None,
    kernel_constraint: ConstraintLike = None,
    recurrent_constraint: ConstraintLike = None,
    bias_constraint: ConstraintLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Pair:
    """One step of `GRU`: ``(x_t, h) -> (h', h')``, x_t: (N, D), h: (N, units).

    Params and arguments as there. Source: Keras ``GRUCell``.

    >>> GRUCell(3).out_shape(((4,), (3,)))
    ((3,), (3,))
    """
    recurrence = Recurrence(
        "GRUCell", units, activation, use_bias, kernel_initializer, recurrent_initializer, bias_initializer,
        dropout, recurrent_dropout, recurrent_activation, reset_after=reset_after,
    )  # fmt: skip
    return _one_step(recurrence)


@LAYERS.named()
@layer_constructor(masks="used", several=True)
def StackedRNNCells(
    cells: Sequence[Layer],
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Layer:
    """Cells on top of each other as one: each gets the output of the one before as its x_t.

    ``(x_t, *states of the first, *states of the second, ...) -> (y_t of the last, *all new states)``.
    Params: an entry for each cell, as in `fnet.serial`. Source: Keras ``StackedRNNCells``.

    >>> StackedRNNCells([LSTMCell(3), GRUCell(5)]).out_shape(((4,), (3,), (3,), (5,)))
    ((5,), (3,), (3,), (5,))
    """
    if isinstance(cells, Layer) or not isinstance(cells, list | tuple) or not cells:
        shown = cells.kind if isinstance(cells, Layer) else f"{cells!r:.40}"
        received = shown if shown not in ("[]", "()") else "none"
        raise StructureError(f"StackedRNNCells expects a list of cells, received {received}.")
    members = Members("StackedRNNCells", tuple(cells))
    per_cell = [cell_states(cell) for cell in cells]
    states = tuple(shape for own in per_cell for shape in own)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        return init_cells(members, key, _step_shape("StackedRNNCells", shape, states), dtype)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        run = members.start(params, state, key, train)
        y, *waiting = _step_inputs("StackedRNNCells", x, states)
        made: list[Any] = []
        for i, own in enumerate(per_cell):
            given, waiting = waiting[: len(own)], waiting[len(own) :]
            y, *new = check_step(cells[i], run(i, (y, *given)), own)
            made.extend(new)
        return (y, *made), run.state

    return Layer(init, apply, children=tuple(cells), entries=members.names, masks="used", container=True)


def cell_states(cell: Layer) -> tuple[tuple[int, ...], ...]:
    """The shapes of the states of a cell, without the batch axis, or a `StructureError` where it has none."""
    check_layers("RNN", (cell,))
    if cell.kind in CELLS:
        return Recurrence.of_cell(cell).states
    if cell.kind == "StackedRNNCells":
        return tuple(shape for own in cell.config["cells"] for shape in cell_states(own))
    if "state_size" not in cell.config:
        hint = f"Give {cell.kind}Cell." if cell.kind in KINDS else "Make it as Layer(..., config={'state_size': 32})."
        raise StructureError(f"RNN: {cell!r:.80} is no cell, as it does not say what states it has. {hint}")
    given = cell.config["state_size"]
    sizes = given if isinstance(given, tuple | list) else (given,)
    shapes = (size if isinstance(size, tuple | list) else (size,) for size in sizes)
    return tuple(tuple(positive_integer(cell.kind, "state_size", n) for n in shape) for shape in shapes)


def init_cells(members: Members, key: Any, shape: Any, dtype: Any) -> tuple[dict, dict]:
    """Params and state of cells on top of each other, for an x_t of this shape."""
    params: dict[str, Any] = {}
    state: dict[str, Any] = {}
    for i, cell in enumerate(members.layers):
        states = cell_states(cell)
        members.init(i, params, state, key, (shape, *states), dtype)
        shape, *_ = check_shapes(cell, members.out_shape(i, params, state, (shape, *states), dtype), states)
    return params, state


def check_step(cell: Layer, made: Any, states: tuple[tuple[int, ...], ...]) -> Any:
    """What a cell has returned, or a `StructureError` if that is not an output and its states."""
    shapes = tuple(spec_of(part).shape[1:] for part in made) if isinstance(made, tuple) else spec_of(made).shape
    check_shapes(cell, shapes, states)
    return made


def check_shapes(cell: Layer, made: Any, states: tuple[tuple[int, ...], ...]) -> Any:
    """As `check_step`, of shapes without the batch axis."""
    if not isinstance(made, tuple) or len(made) != 1 + len(states) or tuple(made[1:]) != states:
        raise StructureError(
            f"{cell.kind}: expected the tuple (y, *states) from a cell that says it has states of shapes {states}, "
            f"received shapes {made}, all without the batch axis."
        )
    return made


def _one_step(recurrence: Recurrence) -> Pair:
    name, states = recurrence.name, recurrence.states

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        return recurrence.init(key, _step_shape(name, shape, states), dtype)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x, *given = _step_inputs(name, x, states)
        reading = Reading(x[:, None], None, tuple(given), backwards=False, unroll=True, key=key, train=train)
        read = recurrence.read(params, state, reading)
        return (read.last, *read.states), state

    return init, apply


def _step_shape(name: str, shape: Any, states: tuple[tuple[int, ...], ...]) -> Any:
    """The shape of x_t, from the shapes of it and of the states."""
    if not isinstance(shape, tuple) or tuple(shape[1:]) != states or not isinstance(shape[0], tuple):
        expected = ", ".join(["(features,)", *map(str, states)])
        raise ShapeError(f"{name} expects the shapes of x and of its states, ({expected}), received {shape}.")
    return shape[0]


def _step_inputs(name: str, x: Any, states: tuple[tuple[int, ...], ...]) -> tuple[Any, ...]:
    """x_t and the states as arrays."""
    parts = tuple(lift(part) for part in x) if isinstance(x, tuple | list) else (lift(x),)
    shapes = [spec_of(part).shape for part in parts]
    if len(shapes) != 1 + len(states) or any(
        s != (*shapes[0][:1], *own) for s, own in zip(shapes[1:], states, strict=True)
    ):
        expected = ", ".join(["(N, features)", *(str(("N", *own)).replace("'", "") for own in states)])
        received = ", ".join(map(str, shapes))
        raise ShapeError(f"{name}: expected a tuple of shapes {expected}, received {received}.")
    return parts
