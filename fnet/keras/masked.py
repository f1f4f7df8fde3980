"""Values with a mask within the call of a layer of the user's own: what is computed with them has no mask."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from fnet import tree
from fnet.masking import Masked


class MaskedValue(Masked, NDArrayOperatorsMixin):
    """A `Masked` that layers take with its mask, and arithmetic and functions of NumPy without it, as in Keras.

    >>> x = MaskedValue(np.ones((1, 2)), np.array([[True, False]]))
    >>> (2 * x).tolist(), x[:, 0].tolist(), x.ndim
    ([[2.0, 2.0]], [1.0], 2)
    """

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        return getattr(ufunc, method)(*without_mask(inputs), **without_mask(options))

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return function(*without_mask(args), **without_mask(kwargs))

    def __getitem__(self, index: Any) -> Any:
        return self.values[index]

    def __matmul__(self, other: Any) -> Any:
        return self.values @ without_mask(other)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("values", "mask", "spec"):
            raise AttributeError(name)
        return getattr(self.values, name)


tree.register(
    MaskedValue, lambda x: ({"values": x.values, "mask": x.mask}, None), lambda _, parts: MaskedValue(**parts)
)


def without_mask(x: Any) -> Any:
    """Arguments of a function with values in place of what is masked, within lists, tuples and dicts too."""
    if isinstance(x, Masked):
        return x.values
    if isinstance(x, dict):
        return {name: without_mask(part) for name, part in x.items()}
    return type(x)(without_mask(part) for part in x) if type(x) in (list, tuple) else x


def computable(y: Any) -> Any:
    """The tree with each `Masked` as one that can be computed with."""

    def of(part: Any) -> Any:
        return MaskedValue(part.values, part.mask) if isinstance(part, Masked) else part

    return tree.map(of, y, is_leaf=lambda part: isinstance(part, Masked))
