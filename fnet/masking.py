"""Values that travel with a mask: which steps of a sequence are real and which are padding."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import tree
from fnet.context import in_force, within
from fnet.errors import DtypeError, ShapeError
from fnet.transforms.operand import is_operand
from fnet.transforms.primitive import spec_of


class Masked:
    """`values` (N, T, ...) and `mask` (N, T), true where a step counts: what a layer returns that knows of padding.

    Layers hand it on or use it, losses and metrics leave masked steps out. It is a tree of two arrays to `fnet.tree`
    and to all transforms, and its values alone to NumPy's functions outside of them.

    >>> y = Masked(np.ones((2, 3)), np.array([[True, True, False], [True, False, False]]))
    >>> y.shape, float(np.sum(y))
    ((2, 3), 6.0)
    """

    __slots__ = ("mask", "values")

    def __init__(self, values: Any, mask: Any) -> None:
        self.values = values
        self.mask = mask

    @property
    def shape(self) -> tuple[int, ...]:
        return self.values.shape

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.array(self.values, dtype=dtype, copy=copy)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        return f"Masked(values={self.values!r}, mask={self.mask!r})"


tree.register(Masked, lambda x: ({"values": x.values, "mask": x.mask}, None), lambda _, parts: Masked(**parts))


def split_mask(x: Any) -> tuple[Any, Any]:
    """``(values, mask)`` of a `Masked`, ``(x, None)`` of anything else."""
    return (x.values, x.mask) if isinstance(x, Masked) else (x, None)


def join_mask(values: Any, mask: Any) -> Any:
    """`values` with the mask if there is one."""
    return values if mask is None else Masked(values, mask)


def is_array(x: Any) -> bool:
    """Whether `x` is an array with axes, traced or not, with a mask or without; no number, no list of them."""
    return (is_operand(x) or isinstance(x, Masked)) and len(x.shape) > 0


def unmasked(x: Any) -> Any:
    """The tree `x` with the values of every `Masked` in it in its place."""
    return tree.map(lambda part: split_mask(part)[0], x, is_leaf=lambda part: isinstance(part, Masked))


def check_mask(values: Any, mask: Any, who: str = "") -> None:
    """Raise an error, which starts with `who`, for a mask that is not one of the first axes of the values."""
    shape, given = spec_of(values).shape, spec_of(mask)
    if given.dtype.kind != "b":
        raise DtypeError(f"{who}a mask is boolean, true where a step counts, received {given}.")
    if not given.shape or given.shape != shape[: given.ndim]:
        raise ShapeError(f"{who}the mask of an input of shape {shape} is (batch, steps), received {given.shape}.")


def counting(samples: Any) -> within:
    """Layers that are applied inside have a batch of which `samples` (N,) count, None for all of them."""
    return within(in_force().replaced(counted_samples=samples))


def counted_samples(batch: int) -> Any:
    """Which samples of the batch count, (N,), None for all: within `TimeDistributed` they are steps, some masked.

    Raises `ShapeError` where they are not as many.
    """
    counted = in_force().counted_samples
    if counted is not None and spec_of(counted).shape != (batch,):
        raise ShapeError(
            f"the layer within TimeDistributed must keep the batch, of which a mask says what counts: expected "
            f"{spec_of(counted).shape[0]} samples, received {batch}."
        )
    return counted


def without_masks(apply: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """The function ``apply(params, state, x, ...)`` on the values of `x`: its masks end here."""

    def apply_to_values(params: Any, state: Any, x: Any, **options: Any) -> tuple[Any, Any]:
        return apply(params, state, unmasked(x), **options)

    return apply_to_values


def handing_on(apply: Callable[..., tuple[Any, Any]]) -> Callable[..., tuple[Any, Any]]:
    """The function ``apply(params, state, x, ...)`` on the values of `x`, its result under the mask of `x`."""

    def apply_under_mask(params: Any, state: Any, x: Any, **options: Any) -> tuple[Any, Any]:
        values, mask = split_mask(x)
        if mask is not None:
            check_mask(values, mask)
        y, state = apply(params, state, unmasked(values), **options)
        return join_mask(y, mask), state

    return apply_under_mask
