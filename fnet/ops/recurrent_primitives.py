"""The primitives of recurrent layers: how the kernels are called, and how their gradients are composed.

The operands are ``x, kernel, bias, recurrent kernel``, then the initial states if the layer is `started` with any, then
the mask if it is `masked`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet.compile.emit import Emitter, Ref, contiguous
from fnet.ops.linalg import matrix_product
from fnet.ops.shape import concatenate, reshape, transpose
from fnet.spec import ArraySpec
from fnet.transforms.linear_maps import part
from fnet.transforms.primitive import Primitive

Shape = tuple[int, ...]
WEIGHTS = 3  # kernel, bias, recurrent kernel
JOINED_WEIGHTS = 1 << 18  # elements up to which their gradient stays in the caches of a core
PAIRED_WEIGHTS = 1 << 12  # elements from which on the product of a step gains by rounding to bfloat16


def _recurrence(
    name: str, family: str, states: int, kept: Callable[[int, int], tuple[int, ...]], vjp: Callable, wide: str = "",
    joins: bool = True,
) -> Primitive:  # fmt: skip
    """The primitive of a layer with so many states, computed by the kernels of this family, or of a `wide` one.

    ``operands -> (ys, last states ...)``, and where it is taped also what `vjp` needs, arrays (T, N, C) for every C
    that ``kept(features, units)`` tells. The last of them are the rows, which a layer that `joins` gathers again where
    its gradients are joined.
    """

    def abstract(x: ArraySpec, *operands: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
        (n, steps, _), units = x.shape, operands[WEIGHTS - 1].shape[0]
        return (ArraySpec((n, steps, units), x.dtype), *([ArraySpec((n, units), x.dtype)] * states))

    def taped_abstract(x: ArraySpec, *operands: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
        n, steps, features = x.shape
        units, columns = operands[WEIGHTS - 1].shape
        sizes = kept(features, units)
        if joins and _joined(x, units, columns, _level(params)):
            sizes = sizes[:-1]
        return (*abstract(x, *operands, **params), *(ArraySpec((steps, n, size), x.dtype) for size in sizes))

    def lower(
        emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, saving: bool = False,
        started: bool, masked: bool, backwards: bool, precision: str = "highest", **codes: int,
    ) -> None:  # fmt: skip
        from fnet.kernels import cpu

        module = getattr(cpu, family)
        x, *weights = (_rows_in_place(inputs[0], emit), *(contiguous(r, emit) for r in inputs[1 : 1 + WEIGHTS]))
        (n, steps, features), units = x.shape, outputs[0].shape[2]
        initial = [contiguous(r, emit) for r in inputs[1 + WEIGHTS :][:states]] if started else [None] * states
        first = _rows(initial, units, x.dtype, emit)
        saved, size_of_each = outputs[1 + states :], kept(features, units)
        scratch = [emit.scratch(n * size, x.dtype) for size in size_of_each[len(saved) :]]
        operands = _operands(precision, n, features + 1 + units, weights[-1].shape[1], x.dtype)
        memory, forward = module.workspace(n, features, units, x.dtype, operands), module.forward
        if wide and getattr(cpu, wide).pays(n, features, units, x.dtype, operands):
            forward = getattr(cpu, wide).forward
        sizes = (n, steps, features, units, *x.strides[:2], _row_stride(first[0]))
        flags = [int(started), int(backwards), int(masked), int(saving)]
        if joins:
            flags.append(int(len(saved) == len(size_of_each)))
        emit.call(
            forward, x, *weights, *first, _mask(inputs, masked, emit), *outputs, *scratch,
            emit.scratch(memory.panels, operands), emit.scratch(memory.work, x.dtype), *sizes, *flags, *_ordered(codes),
        )  # fmt: skip

    saves = functools.partial(lower, saving=True)
    taped = Primitive(name, taped_abstract, lower=saves, vjp=vjp, multiple=True, strided=True, selective=True)
    return Primitive(name, abstract, lower=lower, multiple=True, strided=True, taped=taped)


def _pulled(name: str, family: str, states: int, blocks: int, shared: int, joins: bool = True) -> Primitive:
    """``(cotangents ..., operands ..., mask?) -> (dz, d(initial states) ... if there are any)``, dz: (T, N, G).

    present: for dys and each of the last states, whether its cotangent is among the inputs. Behind those come what the
    kernel takes, of which the first `shared` are states that are missing where the layer was not started with any.
    Where they are `joined`, x, kernel and the first h, if there is one, follow, and in place of dz come the gradient of
    the weights, (D + 1 + H, G), and that of the input if it is `wanted`.
    """

    def abstract(
        *inputs: ArraySpec, shape: Shape, units: int, started: bool, joined: bool = False, wanted: bool = False,
        **params: Any,
    ) -> tuple[ArraySpec, ...]:  # fmt: skip
        from fnet.kernels.cpu.operands import padded

        (n, steps, features), dtype = shape, inputs[0].dtype
        slopes = (steps, n, padded(blocks * units))
        shapes = [(features + 1 + units, blocks * units), *([shape] * wanted)] if joined else [slopes]
        return tuple(ArraySpec(size, dtype) for size in (*shapes, *([(n, units)] * states * started)))

    def lower(
        emit: Emitter, inputs: list[Ref], outputs: list[Ref], *, shape: Shape, units: int, present: tuple[bool, ...],
        started: bool, masked: bool, backwards: bool, precision: str = "highest", joined: bool = False,
        wanted: bool = False, **codes: int,
    ) -> None:  # fmt: skip
        from fnet.kernels import cpu
        from fnet.kernels.cpu.operands import padded

        module, dtype, (n, steps, features) = getattr(cpu, family), outputs[0].dtype, shape
        waiting = inputs[: len(inputs) - masked]
        given = [waiting.pop(0) if here else None for here in present]
        first = [waiting.pop(0) if started else None for _ in range(shared)]
        h0 = waiting.pop() if joined and started else None
        dys, h0, *rows = _rows([given[0], h0, *given[1:], *first], units, dtype, emit)
        lasts, firsts = rows[:states], rows[states:]
        read_again = [waiting.pop(-2), waiting.pop()] if joined else []  # x and kernel
        recurrent, *saved = (contiguous(r, emit) for r in waiting)
        targets = outputs[-states:] if started else [emit.scratch(n * units, dtype) for _ in range(states)]
        operands = _operands(precision, n, recurrent.shape[1], units, dtype)
        memory = module.backward_workspace(n, units, dtype, operands, *([features] * wanted))
        dys_strides = dys.strides[:2] if len(dys.shape) == 3 else (0, 0)
        k, columns = features + 1 + units, blocks * units
        dz, slopes_row, nothing = outputs[0], padded(columns), emit.scratch(1, dtype)
        results, sizes = ([nothing] * 6, [0, 1, 1, 0, 0, 0, 0]) if joins else ([], [])
        if joined:
            plan = cpu.recurrent_shares.shares(n, steps, k, columns, dtype)
            dz, slopes_row = nothing, plan.slopes_row
            dx, own = outputs[1] if wanted else nothing, emit.scratch(plan.parts * plan.memory, dtype)
            x, kernel = _rows_in_place(read_again[0], emit), contiguous(read_again[1], emit)
            results = [x, h0, kernel, outputs[0], dx, own]
            sizes = [plan.parts, plan.most, plan.together, int(wanted), *x.strides[:2], _row_stride(h0)]
        emit.call(
            module.backward, dys, *lasts, recurrent, *firsts, *saved, _mask(inputs, masked, emit), dz, *targets,
            *results, emit.scratch(memory.panels, operands), emit.scratch(memory.work, dtype),
            n, steps, features, units, *dys_strides, *map(_row_stride, rows), slopes_row,
            int(started), int(backwards), int(masked), *sizes, *_ordered(codes),
        )  # fmt: skip

    return Primitive(f"{name}_vjp", abstract, lower=lower, multiple=True, strided=True)


def _joined(x: ArraySpec, units: int, columns: int, precision: str) -> bool:
    """Whether the walk back computes the gradients of weights and input, too: where they fit, and are of float32."""
    n, steps, features = x.shape
    k, rows = features + 1 + units, steps * n
    if k * columns > JOINED_WEIGHTS:
        return False
    if precision == "highest":
        return True
    of_steps, of_gradients = [(n, k, columns), (n, columns, units)], [(k, columns, rows), (rows, features, columns)]
    return all(_operands(precision, *sizes, x.dtype) == x.dtype for sizes in of_steps) and all(
        _in_float32(*sizes, precision) for sizes in of_gradients
    )


def _in_float32(m: int, n: int, k: int, precision: str) -> bool:
    """Whether a product of float32 is computed as such at this level."""
    from fnet.kernels import cpu

    tiles = cpu.gemm_tiles.large_enough(m, n, k) and cpu.ways.takes_tiles(precision)
    return not tiles and not (cpu.gemm_bfloat16.large_enough(m, n, k) and cpu.ways.takes_pairs(precision))


def _ordered(codes: dict[str, int]) -> list[int]:
    """The codes of activations in the order in which kernels take them."""
    return [codes[role] for role in ("rec", "act") if role in codes]


def _operands(precision: str, n: int, k: int, columns: int, dtype: np.dtype) -> np.dtype:
    """The type of the operands of a step's product of n rows: that of the data, pairs of bfloat16, or tiles."""
    from fnet.kernels.cpu.operands import PAIRS
    from fnet.kernels.cpu.runtime.ways import takes_pairs, takes_tiles
    from fnet.kernels.cpu.vector import tile_operands

    if k * columns < PAIRED_WEIGHTS:
        return dtype
    if takes_tiles(precision, tile_operands.share(n, columns, k)):
        return tile_operands.tile_words(1 if precision == "medium" else 3)
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


# --------------------------------------------------------------------------------------------- gradients


def _flat(x: Any) -> Any:
    """(T, N, C) -> (T N, C)."""
    steps, n, size = x.shape
    return reshape(x, (steps * n, size))


def _input_gradient(dz: Any, kernel: Any, x: Any, precision: str) -> Any:
    """The gradient of x from that of ``x kernel``."""
    n, steps, features = x.shape
    return transpose(reshape(matrix_product(dz, transpose(kernel), precision), (steps, n, features)), (1, 0, 2))


def _turned(weights: Any, columns: int) -> Any:
    """The first `columns` columns moved behind the others."""
    size = weights.shape[1]
    return concatenate([part(weights, columns, size, 1), part(weights, 0, columns, 1)], axis=1)


def _blocks(whole: Any, features: int) -> tuple[Any, Any, Any]:
    """The gradients of kernel, bias and recurrent kernel: blocks of rows of one matrix."""
    k, columns = whole.shape
    kernel, bias = part(whole, 0, features, 0), part(whole, features, features + 1, 0)
    return kernel, reshape(bias, (columns,)), part(whole, features + 1, k, 0)


def _simple_gradients(g: Any, y: Any, x: Any, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
    ys, _, *rows = y
    return _gradients(_simple_vjp, 1, g, rows, x, operands, (), (ys,), wanted[0], params)


def _lstm_gradients(g: Any, y: Any, x: Any, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
    ys, _, _, gates, cells, *rows = y
    c0 = operands[WEIGHTS + 1 : WEIGHTS + 2] if params["started"] else ()
    return _gradients(_lstm_vjp, 2, g, rows, x, operands, c0, (gates, cells, ys), wanted[0], params)


def _gradients(
    pulled: Primitive,
    states: int,
    g: Any,
    rows: Any,
    x: Any,
    operands: Any,
    firsts: Any,
    saved: Any,
    wanted: bool,
    params: Any,
) -> tuple[Any, ...]:
    """The gradients of a layer whose gates all read ``[x, 1, h]``."""
    kernel, _, recurrent = operands[:WEIGHTS]
    features, precision = x.shape[2], _level(params)
    if not rows:
        h0 = operands[WEIGHTS : WEIGHTS + 1] if params["started"] else ()
        saved = (*firsts, recurrent, *saved, x, kernel, *h0)
        params = {**params, "joined": True, "wanted": wanted}
        (whole, *dx), dstates, masks = _slopes(pulled, states, g, x, operands, saved, params)
        return dx[0] if wanted else None, *_blocks(whole, features), *dstates, *masks
    (dz,), dstates, masks = _slopes(pulled, states, g, x, operands, (*firsts, recurrent, *saved), params)
    dz = part(_flat(dz), 0, recurrent.shape[1], 1)
    whole = matrix_product(transpose(_flat(rows[0])), dz, precision)
    return _input_gradient(dz, kernel, x, precision), *_blocks(whole, features), *dstates, *masks


def _gru_gradients(g: Any, y: Any, x: Any, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
    kernel, _, recurrent = operands[:WEIGHTS]
    *_, gates, rows = y
    (dz,), dstates, masks = _slopes(_gru_vjp, 1, g, x, operands, (recurrent, gates, rows), params)
    (features, units), precision = (x.shape[2], recurrent.shape[0]), _level(params)
    # The blocks of dz are those of a, z, r, q: three neighbours belong to either matrix, whose blocks are z, r, a (q).
    dz, rows = _flat(dz), transpose(_flat(rows))
    of_input, of_state = part(dz, 0, 3 * units, 1), part(dz, units, 4 * units, 1)
    dx = _input_gradient(of_input, _turned(kernel, 2 * units), x, precision)
    dkernel = _turned(matrix_product(part(rows, 0, features + 1, 0), of_input, precision), units)
    drecurrent = matrix_product(part(rows, features, features + 1 + units, 0), of_state, precision)
    dbias = concatenate([part(dkernel, features, features + 1, 0), part(drecurrent, 0, 1, 0)])
    dkernel, drecurrent = part(dkernel, 0, features, 0), part(drecurrent, 1, 1 + units, 0)
    return dx, dkernel, dbias, drecurrent, *dstates, *masks


def _slopes(
    pulled: Primitive, states: int, g: Any, x: Any, operands: Any, saved: Any, params: dict[str, Any]
) -> tuple[list[Any], list[Any], list[None]]:
    """What `pulled` gives before the gradients of initial states, those, and None for the mask if there is one."""
    cotangents, mask = g[: 1 + states], operands[-1:] if params["masked"] else ()
    sizes = {"shape": x.shape, "units": operands[WEIGHTS - 1].shape[0]}
    present = tuple(d is not None for d in cotangents)
    results = pulled(*(d for d in cotangents if d is not None), *saved, *mask, present=present, **sizes, **params)
    first = len(results) - states * params["started"]
    return list(results[:first]), list(results[first:]), [None] * len(mask)


def _level(params: dict[str, Any]) -> str:
    return params.get("precision", "highest")


_simple_vjp = _pulled("simple_rnn", "recurrent_simple", 1, 1, 0)
_lstm_vjp = _pulled("lstm", "recurrent_lstm", 2, 4, 1)
_gru_vjp = _pulled("gru", "recurrent_gru", 1, 4, 0, joins=False)
simple = _recurrence("simple_rnn", "recurrent_simple", 1, lambda d, h: (d + 1 + h,), _simple_gradients)
lstm = _recurrence(
    "lstm", "recurrent_lstm", 2, lambda d, h: (4 * h, h, d + 1 + h), _lstm_gradients, "recurrent_lstm_units"
)
gru = _recurrence("gru", "recurrent_gru", 1, lambda d, h: (4 * h, d + 1 + h), _gru_gradients, joins=False)
