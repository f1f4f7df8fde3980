"""A weight of a layer, as users see it: a name for a place, whose value is read and written there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from fnet.errors import ShapeError
from fnet.io.keras.variables import Change, same
from fnet.transfer import to_host
from fnet.transforms.operand import Holder
from fnet.transforms.primitive import spec_of

if TYPE_CHECKING:
    from fnet.keras.metrics import Metric
    from fnet.keras.weighted import Weighted


class Variable(Holder, NDArrayOperatorsMixin):
    """One weight of a layer. Its `value` is an array; within a function that is traced it is the traced value.

    name: Keras' name, as ``kernel``; path: with the layer before it. Arithmetic and functions of NumPy take its value.
    Source: Keras ``Variable``.

    >>> from fnet.keras import layers
    >>> layer = layers.Dense(1, kernel_initializer="ones", name="head")
    >>> layer.build((None, 2))
    >>> layer.kernel.assign([[2.0], [3.0]])
    >>> layer.kernel.path, layer.kernel.shape, (2 * layer.kernel).tolist()
    ('head/kernel', (2, 1), [[4.0], [6.0]])
    """

    def __init__(
        self,
        layer: Weighted | Metric,
        place: str,
        name: str,
        trainable: bool = True,
        to_keras: Change = same,
        from_keras: Change = same,
    ) -> None:
        self.name, self.path, self._place, self._layer = name, f"{layer.name}/{name}", place, layer
        self._trainable, self._to_keras, self._from_keras = trainable, to_keras, from_keras

    @property
    def key(self) -> tuple[int, str]:
        """The same for all objects that stand for one weight."""
        return id(self._layer), self._place

    @property
    def owner(self) -> Any:
        """The layer or metric whose weight it is."""
        return self._layer

    @property
    def way(self) -> tuple[str, ...]:
        """The names that lead to its value in the params, or in the state, of the layer."""
        return tuple(self._place.split("/")[1:])

    @property
    def held(self) -> Any:
        """The value in the form in which the functional layer has it."""
        tree, *keys = self._place.split("/")
        found: Any = getattr(self._layer.values, tree)
        for key in keys:
            found = found[key]
        return found

    def hold(self, value: Any) -> None:
        """Give the weight another value in the form of `held`."""
        tree, *keys, last = self._place.split("/")
        parts = getattr(self._layer.values, tree)
        for key in keys:
            parts[key] = dict(parts[key])  # others may have this one
            parts = parts[key]
        parts[last] = value

    @property
    def value(self) -> Any:
        found = self.held
        return found if self._to_keras is same else self._to_keras(np.asarray(to_host(found)))

    @property
    def trainable(self) -> bool:
        return self._trainable and self._layer.trainable

    @property
    def constraint(self) -> Any:
        """The function that a step applies to it, None without one."""
        core = self._layer.__dict__.get("_core")
        return None if core is None else core.constraints.get(self.way[-1])

    @property
    def shape(self) -> tuple[int, ...]:
        return spec_of(self.value).shape

    @property
    def dtype(self) -> str:
        """The name of the dtype, as Keras has it."""
        return spec_of(self.value).dtype.name

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def numpy(self) -> np.ndarray:
        """A copy of the value on the host."""
        return np.array(to_host(self.value))

    def assign(self, value: Any) -> None:
        """Give the weight another value of its shape. Raises `ShapeError` for one of another shape."""
        now: Any = self.value
        given: Any = value.value if isinstance(value, Variable) else value
        if isinstance(now, np.ndarray) and not hasattr(given, "spec"):
            given = np.array(given, now.dtype)
        if spec_of(given).shape != spec_of(now).shape:
            raise ShapeError(f"{self.path}: expected a value of shape {self.shape}, received {spec_of(given).shape}.")
        self.hold(given if self._from_keras is same else self._from_keras(given))

    def assign_add(self, value: Any) -> None:
        """Add to the weight."""
        self.assign(self.value + value)

    def assign_sub(self, value: Any) -> None:
        """Subtract from the weight."""
        self.assign(self.value - value)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.value, dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*map(_value, inputs), **{k: _value(v) for k, v in options.items()})

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*_values(args), **{key: _values(v) for key, v in kwargs.items()})

    def __getitem__(self, index: Any) -> Any:
        return self.value[index]

    def __matmul__(self, other: Any) -> Any:
        return self.value @ _value(other)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"<Variable path={self.path}, shape={self.shape}, dtype={self.dtype}>"


def _value(x: Any) -> Any:
    return x.value if isinstance(x, Variable) else x


def _values(args: Any) -> Any:
    if isinstance(args, tuple | list):
        return type(args)(_values(part) for part in args)
    return _value(args)
