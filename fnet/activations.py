"""Activations: functions of one array, element by element or along one axis, under Keras' names and formulas.

NaN gives NaN; at plus and minus infinity each function has its limit. Where a formula has pieces, the piece that is
not taken is kept finite, since a derivative multiplies it by zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from fnet import ops
from fnet.arguments import described
from fnet.errors import DtypeError, ShapeError
from fnet.names import Names
from fnet.ops.promotion import astype, lift, promote
from fnet.ops.shape import normalize_axis

Activation = Callable[[Any], Any]
ActivationLike = str | Callable[..., Any] | None
"""What `get` takes for an activation."""

ACTIVATIONS: Names[Activation] = Names("activation")

_SELU_ALPHA, _SELU_SCALE = 1.6732632423543772, 1.0507009873554805
# Below this, x * sigmoid(x) and its kin are 0 in either precision, but -Inf * 0 would be NaN.
_LOWEST = -1e4


@ACTIVATIONS.named()
def linear(x: Any) -> Any:
    """``x``."""
    return x


@ACTIVATIONS.named()
def relu(x: Any, negative_slope: float = 0.0, max_value: float | None = None, threshold: float = 0.0) -> Any:
    """``max_value`` from there on, ``x`` above `threshold`, else ``negative_slope (x - threshold)``; slope 0 at 0."""
    if negative_slope == 0 and threshold == 0:
        y = ops.relu(x)
    else:
        x = _floating(x)
        low = negative_slope * (x - threshold) if negative_slope else 0.0
        y = ops.where(ops.less_equal(x, threshold), low, x)
    return y if max_value is None else ops.where(ops.greater_equal(y, max_value), max_value, y)


@ACTIVATIONS.named()
def relu6(x: Any) -> Any:
    """``min(max(x, 0), 6)``."""
    return relu(x, max_value=6.0)


@ACTIVATIONS.named()
def leaky_relu(x: Any, negative_slope: float = 0.2) -> Any:
    """``x`` where positive, else ``negative_slope x``."""
    return ops.leaky_relu(_floating(x), negative_slope)


@ACTIVATIONS.named()
def sigmoid(x: Any) -> Any:
    """``1 / (1 + e^-x)``."""
    return ops.sigmoid(x)


@ACTIVATIONS.named()
def log_sigmoid(x: Any) -> Any:
    """``log(sigmoid(x)) = -softplus(-x)``."""
    return ops.negative(ops.softplus(ops.negative(x)))


@ACTIVATIONS.named()
def hard_sigmoid(x: Any) -> Any:
    """``x / 6 + 1/2`` between 0 and 1 (Keras 3; Keras 2 had slope 0.2)."""
    return ops.clip(_floating(x) / 6.0 + 0.5, 0.0, 1.0)


@ACTIVATIONS.named()
def sparse_sigmoid(x: Any) -> Any:
    """``(x + 1) / 2`` between 0 and 1."""
    return ops.clip((_floating(x) + 1.0) * 0.5, 0.0, 1.0)


@ACTIVATIONS.named()
def tanh(x: Any) -> Any:
    """Hyperbolic tangent."""
    return ops.tanh(x)


@ACTIVATIONS.named()
def tanh_shrink(x: Any) -> Any:
    """``x - tanh(x)``."""
    return ops.subtract(x, ops.tanh(x))


@ACTIVATIONS.named()
def hard_tanh(x: Any) -> Any:
    """``x`` between -1 and 1."""
    return ops.clip(_floating(x), -1.0, 1.0)


@ACTIVATIONS.named()
def softmax(x: Any, axis: int = -1) -> Any:
    """``e^x / sum(e^x)`` along `axis`; a row of -Inf gives zeros."""
    return ops.softmax(x, axis)


@ACTIVATIONS.named()
def log_softmax(x: Any, axis: int = -1) -> Any:
    """``x - log(sum(e^x))`` along `axis`."""
    return ops.log_softmax(x, axis)


@ACTIVATIONS.named()
def elu(x: Any, alpha: float = 1.0) -> Any:
    """``x`` where ``x >= 0``, else ``alpha (e^x - 1)``. Source: D.-A. Clevert et al. 2016."""
    x = _floating(x)
    below = ops.less(x, 0.0)
    return ops.where(below, alpha * ops.expm1(ops.where(below, x, 0.0)), x)


@ACTIVATIONS.named()
def selu(x: Any) -> Any:
    """``1.0507 elu(x, 1.67326)``, which keeps mean 0 and variance 1. Source: G. Klambauer et al. 2017."""
    return _SELU_SCALE * elu(x, _SELU_ALPHA)


@ACTIVATIONS.named()
def celu(x: Any, alpha: float = 1.0) -> Any:
    """``x`` where ``x >= 0``, else ``alpha (e^(x / alpha) - 1)``. Source: J. Barron 2017."""
    x = _floating(x)
    below = ops.less(x, 0.0)
    return ops.where(below, alpha * ops.expm1(ops.where(below, x, 0.0) / alpha), x)


@ACTIVATIONS.named()
def gelu(x: Any, approximate: bool = False) -> Any:
    """``x Phi(x) = x/2 (1 + erf(x / sqrt 2))``, or with tanh: ``x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))``.

    Source: D. Hendrycks and K. Gimpel 2016.
    """
    if approximate:
        x = _bounded_below(x)
        near = ops.clip(x, -10.0, 10.0)  # where the tanh is +-1; the cube of a larger x could overflow
        return 0.5 * x * (1.0 + ops.tanh(math.sqrt(2 / math.pi) * (near + 0.044715 * (near * near * near))))
    return ops.gelu(x)


@ACTIVATIONS.named()
def softplus(x: Any) -> Any:
    """``log(1 + e^x)``."""
    return ops.softplus(x)


@ACTIVATIONS.named()
def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``."""
    x = ops.clip(_floating(x), -1e30, 1e30)
    return x / (1.0 + ops.absolute(x))


@ACTIVATIONS.named("swish")
def silu(x: Any) -> Any:
    """``x sigmoid(x)``, also called swish. Source: P. Ramachandran et al. 2017."""
    x = _bounded_below(x)
    return x * ops.sigmoid(x)


@ACTIVATIONS.named("hard_swish")
def hard_silu(x: Any) -> Any:
    """``x hard_sigmoid(x)``, also called hard swish. Source: A. Howard et al. 2019."""
    x = _bounded_below(x)
    return x * hard_sigmoid(x)


@ACTIVATIONS.named()
def mish(x: Any) -> Any:
    """``x tanh(softplus(x))``. Source: D. Misra 2019."""
    x = _bounded_below(x)
    return x * ops.tanh(ops.softplus(x))


@ACTIVATIONS.named()
def exponential(x: Any) -> Any:
    """``e^x``."""
    return ops.exp(x)


@ACTIVATIONS.named()
def glu(x: Any, axis: int = -1) -> Any:
    """``a sigmoid(b)`` for the two halves a, b of `x` along `axis`. Source: Y. Dauphin et al. 2017.

    Raises `ShapeError` for an odd size.
    """
    x = lift(x)
    shape = x.shape
    size = shape[normalize_axis(axis, len(shape), "glu")]
    if size % 2:
        raise ShapeError(f"glu: axis {axis} is cut in halves, so its size must be even, received shape {shape}.")
    value, gate = ops.split(x, 2, axis)
    return value * ops.sigmoid(gate)


@ACTIVATIONS.named()
def soft_shrink(x: Any, threshold: float = 0.5) -> Any:
    """``x`` moved by `threshold` towards 0, and 0 within."""
    x = _floating(x)
    return x - ops.clip(x, -threshold, threshold)


@ACTIVATIONS.named()
def hard_shrink(x: Any, threshold: float = 0.5) -> Any:
    """``x`` where ``|x| > threshold``, else 0."""
    x = _floating(x)
    return ops.where(ops.less_equal(ops.absolute(x), threshold), 0.0, x)


@ACTIVATIONS.named()
def threshold(x: Any, threshold: float = 0.0, default_value: float = 0.0) -> Any:
    """``x`` where ``x > threshold``, else `default_value`."""
    x = _floating(x)
    return ops.where(ops.less_equal(x, threshold), default_value, x)


@ACTIVATIONS.named()
def sparse_plus(x: Any) -> Any:
    """0 up to -1, ``(x + 1)^2 / 4`` up to 1, then ``x``."""
    x = _floating(x)
    return ops.where(ops.less(x, 1.0), 0.25 * ops.square(ops.clip(x, -1.0, 1.0) + 1.0), x)


@ACTIVATIONS.named()
def squareplus(x: Any, b: float = 4.0) -> Any:
    """``(x + sqrt(x^2 + b)) / 2`` for ``b > 0``, without cancellation. Source: J. Barron 2021."""
    x = _floating(x)
    below = ops.less(x, 0.0)
    size = ops.where(below, ops.negative(x), x)
    far = 1e9 * math.sqrt(b)  # where b adds nothing to x^2 in either precision, and x^2 could overflow
    root = ops.where(ops.greater(size, far), size, ops.sqrt(ops.square(ops.clip(size, 0.0, far)) + b))
    # With h = (|x| + sqrt(x^2 + b)) / 2 the value at -|x| is (b / 4) / h.
    half = 0.5 * size + 0.5 * root
    return ops.where(below, 0.25 * b / half, half)


@ACTIVATIONS.named()
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The point of the probability simplex nearest to `x` along `axis`: ``max(x - tau, 0)`` that sums to 1.

    Compares all pairs instead of sorting, so it takes time and memory C^2 for C classes.
    Source: A. Martins and R. Astudillo 2016.
    """
    x = _floating(x)
    axis = normalize_axis(axis, x.ndim, "sparsemax")
    z = ops.moveaxis(x, axis, -1)
    z = z - ops.max(z, axis=-1, keepdims=True)
    mine, other = ops.expand_dims(z, -1), ops.expand_dims(z, -2)
    above = ops.greater_equal(other, mine)
    rank = ops.sum(astype(above, z.dtype), axis=-1)
    total = ops.sum(ops.where(above, other, 0.0), axis=-1)
    support = ops.logical_not(ops.less_equal(1.0 + rank * z, total))
    size = ops.sum(astype(support, z.dtype), axis=-1, keepdims=True)
    tau = (ops.sum(ops.where(support, z, 0.0), axis=-1, keepdims=True) - 1.0) / size
    y = ops.where(ops.less_equal(z, tau), 0.0, z - tau)
    return ops.moveaxis(y, -1, axis)


@ACTIVATIONS.named()
def binary_step(x: Any) -> Any:
    """1 where ``x >= 0``, else 0. Its derivative is 0: gradients cannot train what comes before it."""
    x = _floating(x)
    step = astype(ops.greater_equal(x, 0.0), x.dtype)
    return ops.where(ops.isnan(x), x, step)


def get(activation: ActivationLike) -> Activation:
    """The activation meant by a name, a function, or None (linear). Raises `ValueRangeError` for an unknown name.

    >>> get("relu") is relu
    True
    """
    if activation is None:
        return linear
    if isinstance(activation, str):
        return ACTIVATIONS.find(activation)
    if callable(activation):
        return activation
    raise DtypeError(f"an activation is a name or a function, received {described(activation)}.")


def _floating(x: Any) -> Any:
    return promote(x, floating=True)[0]


def _bounded_below(x: Any) -> Any:
    return ops.clip(_floating(x), low=_LOWEST)
