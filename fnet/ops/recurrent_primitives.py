"""The primitives of recurrent layers: how the kernels are called, and how their gradients are composed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.ops.linalg import matmul
from fnet.ops.shape import concatenate, reshape, take_range, transpose
from fnet.spec import ArraySpec
from fnet.transforms.primitive import Primitive, spec_of

Shape = tuple[int, ...]


def _recurrence(
    name: str, family: str, states: int, kept: Callable[[int, int], tuple[int, ...]], vjp: Callable
) -> Primitive:
    """The primitive of a layer with so many states, computed by the kernels of this family.

    ``(x, weights ..., states ..., mask?) -> (ys, last states ...)``, and where it is taped also what `vjp` needs,
    arrays (N, T, C) for every C that ``kept(features, units)`` tells. One row of a state stands for all samples.
    """

    def abstract(x: ArraySpec, *operands: ArraySpec, backwards: bool, **codes: int) -> tuple[ArraySpec, ...]:
        (n, steps, _), units = x.shape, _units(operands)
        return (ArraySpec((n, steps, units), x.dtype), *([ArraySpec((n, units), x.dtype)] * states))

    def taped_abstract(x: ArraySpec, *operands: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
        n, steps, features = x.shape
        sizes = kept(features, _units(operands))
        return (*abstract(x, *operands, **params), *(ArraySpec((n, steps, size), x.dtype) for size in sizes))

    def lower(emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, backwards: bool, **codes: int) -> None:
        from fnet.kernels import cpu

        module = getattr(cpu, family)
        x, (operands, mask, masked) = _rows_in_place(inputs[0], emit), _with_mask(inputs[1:], emit)
        (n, steps, features), ys = x.shape, outputs[0]
        units, saving = ys.shape[2], len(outputs) > 1 + states
        absent = [] if saving else [ys] * len(kept(features, units))
        work = emit.scratch(module.workspace(n, features, units, x.dtype), x.dtype)
        sizes = (n, steps, features, units, *x.strides[:2], _row_stride(operands[-1]))
        flags = (int(backwards), masked, int(saving))
        emit.call(module.forward, x, *operands, mask, *outputs, *absent, work, *sizes, *flags, *_ordered(codes))

    taped = Primitive(name, taped_abstract, lower=lower, vjp=vjp, multiple=True, strided=True)
    return Primitive(name, abstract, lower=lower, multiple=True, strided=True, taped=taped)


def _pulled(name: str, family: str, states: int, blocks: int, shared: tuple[int, ...]) -> Primitive:
    """``(dys, d(last states) ..., operands ..., mask?) -> (dz, d(first states) ...)``, dz having `blocks` of units.

    dys may be one row for all steps; `shared` are the others of which all samples may have one row.
    """

    def abstract(dys: ArraySpec, *others: Any, shape: Shape, units: int, **params: Any) -> tuple[ArraySpec, ...]:
        n, steps, _ = shape
        return (ArraySpec((n, steps, blocks * units), dys.dtype), *([ArraySpec((n, units), dys.dtype)] * states))

    def lower(
        emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: Shape, units: int, backwards: bool, **codes: int
    ) -> None:
        from fnet.kernels import cpu

        module = getattr(cpu, family)
        dys, (others, mask, masked) = _rows_in_place(inputs[0], emit), _with_mask(inputs[1:], emit)
        work = emit.scratch(module.backward_workspace(shape[0], units, dys.dtype), dys.dtype)
        steps_of = dys.strides[:2] if len(dys.shape) == 3 else (0, 0)
        strides = (*steps_of, *(_row_stride(others[i]) for i in shared))
        sizes = (*shape, units, *strides, int(backwards), masked)
        emit.call(module.backward, dys, *others, mask, *outputs, work, *sizes, *_ordered(codes))

    return Primitive(f"{name}_vjp", abstract, lower=lower, multiple=True, strided=True)


def _ordered(codes: dict[str, int]) -> list[int]:
    """The codes of activations in the order in which kernels take them."""
    return [codes[role] for role in ("rec", "act") if role in codes]


def _row_stride(ref: Ref) -> int:
    """The distance of the rows of a contiguous matrix, 0 for one row that stands for all."""
    return ref.strides[0] if len(ref.shape) == 2 else 0


def _units(operands: tuple[ArraySpec, ...]) -> int:
    """The size of the states, which follow the weights and are followed by the mask."""
    return next(o.shape[-1] for o in reversed(operands) if o.differentiable)


def _rows_in_place(ref: Ref, emit: Emitter) -> Ref:
    """The window itself if its rows are contiguous and lie in any places further on, else a contiguous copy."""
    return ref if ref.strides[-1] == 1 and not ref.backwards else contiguous(ref, emit)


def _with_mask(inputs: list[Ref], emit: Emitter) -> tuple[list[Ref], Ref, int]:
    """The floating inputs, the mask that may follow them (else an element of no meaning), and whether there is one."""
    refs = [contiguous(r, emit) for r in inputs]
    if refs[-1].dtype.kind != "f":
        return refs[:-1], refs[-1], 1
    return refs, emit.scratch(1, np.dtype(np.uint8)), 0


# --------------------------------------------------------------------------------------------- gradients


def _cotangents(g: tuple[Any, ...], x: Any, states: tuple[Any, ...]) -> list[Any]:
    """The cotangents of the outputs, one row of zeros for those that are absent."""
    zeros = np.zeros(spec_of(states[0]).shape[-1], spec_of(x).dtype)
    return [zeros if d is None else d for d in g[: 1 + len(states)]]


def _split(operands: tuple[Any, ...], states: int) -> tuple[tuple[Any, ...], tuple[Any, ...], tuple[Any, ...]]:
    """Weights, states and mask."""
    masked = not spec_of(operands[-1]).differentiable
    end = len(operands) - masked
    return operands[: end - states], operands[end - states : end], operands[end:]


def _flat(x: Any) -> Any:
    """(N, T, C) -> (N T, C)."""
    n, steps, size = spec_of(x).shape
    return reshape(x, (n * steps, size))


def _input_gradient(dz: Any, weights: Any, x: Any) -> Any:
    """The gradient of x from that of ``[x, 1] weights``."""
    shape = spec_of(x).shape
    return reshape(matmul(dz, transpose(take_range(weights, 0, shape[2], 0))), shape)


def _turned(weights: Any, columns: int) -> Any:
    """The first `columns` columns moved behind the others."""
    size = spec_of(weights).shape[1]
    return concatenate([take_range(weights, columns, size, 1), take_range(weights, 0, columns, 1)], axis=1)


def _simple_gradients(g: Any, y: Any, x: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
    (weights,), states, mask = _split(operands, 1)
    ys, _, rows = y
    dz, dh = _simple_vjp(*_cotangents(g, x, states), weights, ys, *mask, **_sizes(x, states), **params)
    dz = _flat(dz)
    return _input_gradient(dz, weights, x), matmul(transpose(_flat(rows)), dz), dh, *(None for _ in mask)


def _lstm_gradients(g: Any, y: Any, x: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
    (weights,), states, mask = _split(operands, 2)
    *_, gates, cells, rows = y
    cotangents = _cotangents(g, x, states)
    dz, dh, dc = _lstm_vjp(*cotangents, weights, states[1], gates, cells, *mask, **_sizes(x, states), **params)
    dz = _flat(dz)
    return _input_gradient(dz, weights, x), matmul(transpose(_flat(rows)), dz), dh, dc, *(None for _ in mask)


def _gru_gradients(g: Any, y: Any, x: Any, *operands: Any, **params: Any) -> tuple[Any, ...]:
    (weights, recurrent), states, mask = _split(operands, 1)
    *_, gates, rows = y
    dz, dh = _gru_vjp(*_cotangents(g, x, states), recurrent, gates, rows, *mask, **_sizes(x, states), **params)
    features, units = spec_of(x).shape[2], spec_of(dh).shape[1]
    # The blocks of dz are those of a, z, r, q: three neighbours belong to either matrix, whose blocks are z, r, a (q).
    dz, rows = _flat(dz), transpose(_flat(rows))
    dz_input, dz_recurrent = take_range(dz, 0, 3 * units, 1), take_range(dz, units, 4 * units, 1)
    dx = _input_gradient(dz_input, _turned(weights, 2 * units), x)
    dweights = _turned(matmul(take_range(rows, 0, features + 1, 0), dz_input), units)
    drecurrent = matmul(take_range(rows, features, features + 1 + units, 0), dz_recurrent)
    return dx, dweights, drecurrent, dh, *(None for _ in mask)


def _sizes(x: Any, states: tuple[Any, ...]) -> dict[str, Any]:
    return {"shape": spec_of(x).shape, "units": spec_of(states[0]).shape[-1]}


_simple_vjp = _pulled("simple_rnn", "recurrent_simple", 1, 1, (0,))
_lstm_vjp = _pulled("lstm", "recurrent_lstm", 2, 4, (0, 1, 3))
_gru_vjp = _pulled("gru", "recurrent_gru", 1, 4, (0,))
simple = _recurrence("simple_rnn", "recurrent_simple", 1, lambda d, h: (d + 1 + h,), _simple_gradients)
lstm = _recurrence("lstm", "recurrent_lstm", 2, lambda d, h: (4 * h, h, d + 1 + h), _lstm_gradients)
gru = _recurrence("gru", "recurrent_gru", 1, lambda d, h: (4 * h, d + 1 + h), _gru_gradients)
