"""Recurrent layers over whole sequences, each a single kernel call forward and backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import activation_codes
from fnet.errors import ShapeError, ValueRangeError
from fnet.ops import recurrent_primitives as primitives
from fnet.ops.arithmetic import not_equal
from fnet.ops.linalg import precision_of
from fnet.ops.promotion import astype, lift, promote
from fnet.transforms.operand import beside


def simple_rnn(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    mask: Any = None,
    *,
    activation: str = "tanh",
    backwards: bool = False,
) -> tuple[Any, Any]:
    """``h_t = act(x_t W + h_{t-1} U + b)``; returns all h_t and the last one.

    x: (N, T, D), kernel: (D, H), recurrent_kernel: (H, H), bias: (H,), initial_state: (N, H) or None for zeros
    -> (N, T, H), (N, H).
    mask: (N, T), or None; where it is false the step changes nothing, and its output is the state before it.
    activation: "linear", "relu", "tanh" or "sigmoid". With `backwards` the sequence is read from its end; the outputs
    stay in the order of x. Raises `ShapeError`. Source: J. Elman 1990 (Keras ``SimpleRNN``).

    >>> import numpy as np
    >>> ys, h = simple_rnn(np.ones((2, 3, 4)), np.ones((4, 5)), np.zeros((5, 5)))
    >>> ys.shape, h.shape
    ((2, 3, 5), (2, 5))
    """
    call = _Call("simple_rnn", 1, x, kernel, recurrent_kernel, bias, initial_state, mask)
    ys, h, *_ = primitives.simple(
        *call.operands, act=_checked("simple_rnn", activation), backwards=backwards, **call.params
    )
    return ys, h


def lstm(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    mask: Any = None,
    *,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    backwards: bool = False,
) -> tuple[Any, Any, Any]:
    """The long short-term memory; returns all h_t, the last one and the last c.

    ``i, f, g, o = x_t W + h_{t-1} U + b`` in four blocks of columns, ``c_t = rec(f) c_{t-1} + rec(i) act(g)``,
    ``h_t = rec(o) act(c_t)``.

    x: (N, T, D), kernel: (D, 4H), recurrent_kernel: (H, 4H), bias: (4H,), initial_state: (h, c) of shape (N, H) each
    -> (N, T, H), (N, H), (N, H). The rest as in `simple_rnn`.
    Source: S. Hochreiter and J. Schmidhuber 1997, F. Gers et al. 2000 (Keras ``LSTM``).

    >>> import numpy as np
    >>> [y.shape for y in lstm(np.ones((2, 3, 4)), np.ones((4, 20)), np.zeros((5, 20)))]
    [(2, 3, 5), (2, 5), (2, 5)]
    """
    call = _Call("lstm", 4, x, kernel, recurrent_kernel, bias, initial_state, mask, states=2)
    names = {"rec": _checked("lstm", recurrent_activation), "act": _checked("lstm", activation)}
    ys, h, c, *_ = primitives.lstm(*call.operands, **names, backwards=backwards, **call.params)
    return ys, h, c


def gru(
    x: Any,
    kernel: Any,
    recurrent_kernel: Any,
    bias: Any = None,
    initial_state: Any = None,
    mask: Any = None,
    *,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    backwards: bool = False,
) -> tuple[Any, Any]:
    """The gated recurrent unit that resets behind the product (``reset_after``); returns all h_t and the last one.

    ``z = rec(x_t W_z + b_z + h U_z + b'_z)``, r alike, ``g = act(x_t W_g + b_g + r (h U_g + b'_g))``,
    ``h_t = z h_{t-1} + (1 - z) g`` with ``h = h_{t-1}``.

    x: (N, T, D), kernel: (D, 3H), recurrent_kernel: (H, 3H), columns z, r, g; bias: (2, 3H), b and b'; initial_state:
    (N, H) -> (N, T, H), (N, H). The rest as in `simple_rnn`. Source: K. Cho et al. 2014 (Keras ``GRU``).

    >>> import numpy as np
    >>> [y.shape for y in gru(np.ones((2, 3, 4)), np.ones((4, 15)), np.zeros((5, 15)))]
    [(2, 3, 5), (2, 5)]
    """
    call = _Call("gru", 3, x, kernel, recurrent_kernel, bias, initial_state, mask, biases=2)
    names = {"rec": _checked("gru", recurrent_activation), "act": _checked("gru", activation)}
    ys, h, *_ = primitives.gru(*call.operands, **names, backwards=backwards, **call.params)
    return ys, h


class _Call:
    """The checked operands of one call, in one dtype."""

    def __init__(
        self, name: str, blocks: int, x: Any, kernel: Any, recurrent_kernel: Any, bias: Any, initial_state: Any,
        mask: Any, states: int = 1, biases: int = 1,
    ) -> None:  # fmt: skip
        self.name = name
        given = [bias] if bias is not None else []
        first = self._states(initial_state, states)
        x, kernel, recurrent, *rest = promote(x, kernel, recurrent_kernel, *given, *first, floating=True)
        shape, (units, width) = x.shape, self._matrix("recurrent_kernel", recurrent)
        if len(shape) != 3:
            raise ShapeError(f"{name}: expected an input (batch, time, features), received {shape}.")
        self._require("recurrent_kernel", recurrent, (units, blocks * units))
        self._require("kernel", kernel, (shape[2], blocks * units))
        rows = (biases, width) if biases > 1 else (width,)
        bias = rest.pop(0) if given else beside(np.zeros(rows, x.dtype), x)
        self._require("bias", bias, rows)
        for state in rest:
            self._require("initial_state", state, (shape[0], units))
        masks = [] if mask is None else [self._mask(mask, shape[:2])]
        self.operands = [x, kernel, bias, recurrent, *rest, *masks]
        self.params = {"started": bool(first), "masked": bool(masks), **precision_of(x)}

    def _states(self, given: Any, count: int) -> list[Any]:
        if given is None:
            return []
        states = list(given) if isinstance(given, tuple | list) else [given]
        if len(states) != count:
            raise ShapeError(f"{self.name}: expected {count} initial states, received {len(states)}.")
        return states

    def _matrix(self, what: str, x: Any) -> tuple[int, int]:
        shape = x.shape
        if len(shape) != 2:
            raise ShapeError(f"{self.name}: {what} is a matrix, received {shape}.")
        return shape

    def _require(self, what: str, x: Any, shape: tuple[int, ...]) -> None:
        if x.shape != shape:
            raise ShapeError(f"{self.name}: expected {what} {shape}, received {x.shape}.")

    def _mask(self, mask: Any, shape: tuple[int, ...]) -> Any:
        mask = lift(mask)
        self._require("mask", mask, shape)
        return astype(mask if mask.dtype.kind == "b" else not_equal(mask, 0), np.uint8)


def _checked(name: str, activation: str) -> str:
    if activation not in activation_codes.NAMES:
        known = ", ".join(activation_codes.NAMES)
        raise ValueRangeError(f"{name}: expected an activation of: {known}, received {activation!r}; layers take any.")
    return activation
