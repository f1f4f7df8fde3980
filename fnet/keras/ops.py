"""Operations for calls of layers of your own, and on symbolic values: those of `fnet.ops`, then NumPy's."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import activations, ops, tree
from fnet.errors import did_you_mean
from fnet.keras.masked import without_mask
from fnet.keras.variable import Variable
from fnet.networks.node import SymbolicNode, operation
from fnet.transfer import to_host


def shape(x: Any) -> tuple[int | None, ...]:
    """The shape of an array, a weight or a symbolic value, whose batch has the size None.

    >>> shape(np.ones((2, 3)))
    (2, 3)
    """
    return tuple(x.shape)


def cast(x: Any, dtype: Any) -> Any:
    """x with another dtype.

    >>> cast(np.array([True, False]), "float32")
    array([1., 0.], dtype=float32)
    """
    return operation(ops.astype, x, dtype) if isinstance(x, SymbolicNode) else ops.astype(_value(x), dtype)


def convert_to_tensor(x: Any, dtype: Any = None) -> Any:
    """x as an array; Python's floating numbers are float32."""
    made = _value(x)
    if not hasattr(made, "dtype"):
        made = np.asarray(made)
        made = made.astype("float32") if made.dtype.kind == "f" else made
    return made if dtype is None else cast(made, dtype)


def convert_to_numpy(x: Any) -> np.ndarray:
    """x as an array of NumPy."""
    return np.asarray(to_host(_value(x)))


def one_hot(x: Any, num_classes: int, dtype: Any = "float32") -> Any:
    """Rows of zeros with a one for each label: x: (...) integers -> (..., num_classes)."""
    return _function("one_hot")(x, num_classes, dtype)


def _value(x: Any) -> Any:
    x = without_mask(x)
    return x.value if isinstance(x, Variable) else x


def _on_nodes(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which takes symbolic values, too."""

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        for leaf in tree.leaves((args, options)):
            if isinstance(leaf, SymbolicNode):
                return operation(function, *args, **options)
        return function(*without_mask(args), **without_mask(options))

    return call


@functools.cache  # not in the module: there, ``any`` and others would hide Python's own
def _function(name: str) -> Any:
    found = getattr(ops, name, None) or activations.ACTIVATIONS.get(name)
    if found is None and name not in np.__all__:
        hint = did_you_mean(name, [*dir(ops), *activations.ACTIVATIONS])
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}.{hint}")
    value = getattr(np, name) if found is None else found
    return _on_nodes(value) if callable(value) and not isinstance(value, type) else value


_ROOMS = ("image", "linalg", "math", "nn", "numpy")  # where Keras has the same functions, too


def __getattr__(name: str) -> Any:
    return sys.modules[__name__] if name in _ROOMS else _function(name)
