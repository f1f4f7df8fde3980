"""The primitives of recurrent layers, and how their gradients are composed.

The operands are ``x, kernel, bias, recurrent kernel``, then the initial states if the layer is `started` with any, then
the mask if it is `masked`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.ops.shape import concatenate, reshape
from fnet.spec import ArraySpec
from fnet.transforms.linear_maps import part
from fnet.transforms.primitive import Primitive

Shape = tuple[int, ...]
WEIGHTS = 3  # kernel, bias, recurrent kernel


def _recurrence(name: str, states: int, kept: Callable[[int, int], tuple[int, ...]], vjp: Callable) -> Primitive:
    """The primitive of a layer with so many states, ``operands -> (ys, last states ...)``.

    Where it is taped, the results are also what `vjp` needs besides: arrays (T, N, C) for every C that
    ``kept(features, units)`` tells.
    """

    def abstract(x: ArraySpec, *operands: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
        (n, steps, _), units = x.shape, operands[WEIGHTS - 1].shape[0]
        return (ArraySpec((n, steps, units), x.dtype), *([ArraySpec((n, units), x.dtype)] * states))

    def taped_abstract(x: ArraySpec, *operands: ArraySpec, **params: Any) -> tuple[ArraySpec, ...]:
        (n, steps, features), units = x.shape, operands[WEIGHTS - 1].shape[0]
        saved = (ArraySpec((steps, n, size), x.dtype) for size in kept(features, units))
        return (*abstract(x, *operands, **params), *saved)

    taped = Primitive(f"{name}_taped", taped_abstract, lowered="recurrent", vjp=vjp, multiple=True, selective=True)
    return Primitive(name, abstract, lowered="recurrent", multiple=True, taped=taped)


def _pulled(name: str, states: int, stacked: Callable[[int, int], list[int]]) -> Primitive:
    """``(cotangents ..., x, kernel, recurrent kernel, initial states ..., saved ..., mask) -> gradients``.

    present: for ys and each of the last states, whether its cotangent is among the inputs.
    wanted: whether the gradient of x is asked for, and whether those of weights are.
    The gradients are those of x, of the weights, and of the initial states; those of the weights are stacked in
    matrices of the columns of a kernel and so many rows as ``stacked(features, units)`` tells.
    """

    def abstract(
        *inputs: ArraySpec, present: tuple[bool, ...], started: bool, wanted: tuple[bool, bool], **params: Any
    ) -> tuple[ArraySpec, ...]:
        x, _, recurrent = inputs[present.count(True) :][:3]
        (n, _, features), (units, columns) = x.shape, recurrent.shape
        of_weights = [(rows, columns) for rows in stacked(features, units)]
        shapes = [*([x.shape] * wanted[0]), *(of_weights * wanted[1]), *([(n, units)] * states * started)]
        return tuple(ArraySpec(shape, x.dtype) for shape in shapes)

    return Primitive(f"{name}_vjp", abstract, lowered="recurrent", multiple=True)


def _gradients(
    pulled: Primitive, states: int, unstacked: Callable[..., tuple[Any, Any, Any]], g: Any, x: Any, operands: Any,
    saved: Any, wanted: tuple[bool, ...], params: dict[str, Any],
) -> tuple[Any, ...]:  # fmt: skip
    """The gradients of all operands: `unstacked` takes those of the weights apart."""
    kernel, _, recurrent, *rest = operands
    initial, mask = rest[: states * params["started"]], rest[states * params["started"] :]
    cotangents = g[: 1 + states]
    asked = (wanted[0], any(wanted[1 : 1 + WEIGHTS]))
    results = list(
        pulled(
            *(d for d in cotangents if d is not None), x, kernel, recurrent, *initial, *saved, *mask,
            present=tuple(d is not None for d in cotangents), wanted=asked, **params,
        )
    )  # fmt: skip
    dx = results.pop(0) if asked[0] else None
    dstates = [results.pop() for _ in initial][::-1]
    weights = unstacked(x.shape[2], *results) if asked[1] else (None,) * WEIGHTS
    return dx, *weights, *dstates, *(None for _ in mask)


def _one_matrix(features: int, whole: Any) -> tuple[Any, Any, Any]:
    """The gradients of kernel, bias and recurrent kernel: blocks of rows of one matrix."""
    k, columns = whole.shape
    bias = part(whole, features, features + 1, 0)
    return part(whole, 0, features, 0), reshape(bias, (columns,)), part(whole, features + 1, k, 0)


def _two_matrices(features: int, of_input: Any, of_state: Any) -> tuple[Any, Any, Any]:
    """The gradients of kernel, bias and recurrent kernel, where each of the kernels has a bias beside it."""
    bias = concatenate([part(of_input, features, features + 1, 0), part(of_state, 0, 1, 0)])
    return part(of_input, 0, features, 0), bias, part(of_state, 1, of_state.shape[0], 0)


def _simple_gradients(g: Any, y: Any, x: Any, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
    return _gradients(_simple_vjp, 1, _one_matrix, g, x, operands, y[:1], wanted, params)


def _lstm_gradients(g: Any, y: Any, x: Any, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
    ys, _, _, gates, cells = y
    return _gradients(_lstm_vjp, 2, _one_matrix, g, x, operands, (gates, cells, ys), wanted, params)


def _gru_gradients(g: Any, y: Any, x: Any, *operands: Any, wanted: tuple[bool, ...], **params: Any) -> tuple:
    *_, gates, rows = y
    return _gradients(_gru_vjp, 1, _two_matrices, g, x, operands, (gates, rows), wanted, params)


_simple_vjp = _pulled("simple_rnn", 1, lambda d, h: [d + 1 + h])
_lstm_vjp = _pulled("lstm", 2, lambda d, h: [d + 1 + h])
_gru_vjp = _pulled("gru", 1, lambda d, h: [d + 1, 1 + h])
simple = _recurrence("simple_rnn", 1, lambda d, h: (), _simple_gradients)
lstm = _recurrence("lstm", 2, lambda d, h: (4 * h, h), _lstm_gradients)
gru = _recurrence("gru", 1, lambda d, h: (4 * h, d + 1 + h), _gru_gradients)
