"""What older tutorials take from ``keras.backend``."""

from __future__ import annotations

from typing import Any

from fnet.errors import ValueRangeError
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
