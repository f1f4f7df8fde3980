"""What older tutorials take from ``keras.backend``: settings, and operations, mostly those of `fnet.keras.ops`."""

from __future__ import annotations

from typing import Any

from fnet.errors import ValueRangeError
from fnet.keras import ops
from fnet.keras.naming import clear_session as clear_session


def floatx() -> str:
    """The dtype of weights: float32."""
    return "float32"


def set_floatx(dtype: str) -> None:
    """Refuse any other dtype than float32."""
    if dtype != "float32":
        raise ValueRangeError(
            f"layers of fnet.keras compute in float32, received {dtype!r}. For float64 use the functional layers: "
            f"net.init(key, shape, 'float64')."
        )


def epsilon() -> float:
    """The number that losses add or clip by: 1e-7."""
    return 1e-7


def image_data_format() -> str:
    """Channels are the last axis."""
    return "channels_last"


def backend() -> str:
    """The name of what computes."""
    return "fnet"


def set_value(variable: Any, value: Any) -> None:
    """Give a weight, or the learning rate of an optimizer, another value."""
    variable.assign(value)


def get_value(variable: Any) -> Any:
    """The value of a weight, or of a learning rate."""
    return variable.numpy() if hasattr(variable, "numpy") else variable


def int_shape(x: Any) -> tuple[int | None, ...]:
    """The shape of an array, a weight or a symbolic value."""
    return ops.shape(x)


def l2_normalize(x: Any, axis: int | None = None) -> Any:
    """``x / sqrt(max(sum(x^2), 1e-12))``, so that vectors along an axis have length 1."""
    squares = ops.sum(ops.square(x), axis=axis, keepdims=True)
    return x / ops.sqrt(ops.maximum(squares, 1e-12))


def flatten(x: Any) -> Any:
    """x as one axis."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    """x with one axis behind that of the batch."""
    return ops.reshape(x, (ops.shape(x)[0], -1))


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """x with its axes in this order."""
    return ops.transpose(x, pattern)


def gather(reference: Any, indices: Any) -> Any:
    """The entries of the first axis at these places."""
    return ops.take(reference, indices, axis=0)


def reverse(x: Any, axes: int | tuple[int, ...]) -> Any:
    """x from its end along axes."""
    return ops.flip(x, axes)


def __getattr__(name: str) -> Any:
    """The functions that are in `fnet.keras.ops` today."""
    if name.startswith("_"):
        raise AttributeError(name)
    try:
        return getattr(ops, name)
    except AttributeError as error:
        raise AttributeError(str(error).replace("fnet.keras.ops", __name__)) from None
