"""Values that travel with a mask, which says which steps of a sequence are real; how masks are merged."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fnet import ops, tree
from fnet.context import in_force, within
from fnet.errors import DtypeError, ShapeError
from fnet.transforms.operand import is_operand
from fnet.transforms.primitive import spec_of


class Masked:
    """`values` (N, T, ...) and `mask` (N, T), true where a step counts. Layers that know of padding return it.

    Other layers use it or hand it on. Losses and metrics leave masked steps out. `fnet.tree` and all transforms take it
    for a tree of two arrays. NumPy's functions outside of transforms see its values alone.

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
    if is_operand(x):
        return x
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


def either(masks: Sequence[Any]) -> Any:
    """True where one of the masks is; None if an input has none, so that all of its steps count.

    >>> either([np.array([[True, False]]), np.array([[False, False]])]), either([np.array([[True]]), None])
    (array([[ True, False]]), None)
    """
    return None if any(mask is None for mask in masks) else functools.reduce(ops.logical_or, _aligned(masks))


def both(first: Any, second: Any) -> Any:
    """True where both masks are; the other one where one is None.

    >>> both(np.array([[True, False]]), np.array([[True, True]])), both(None, np.array([[True]]))
    (array([[ True, False]]), array([[ True]]))
    """
    if first is None or second is None:
        return second if first is None else first
    return ops.logical_and(first, second)


def mask_of_joined(parts: Sequence[Any], masks: Sequence[Any], axis: int) -> Any:
    """The mask of `parts` (N, T, ...) joined along `axis`: of a step, whether it counts in one of them.

    Along the steps masks are joined, too. An input without a mask counts in all of its steps; None if all have none.
    """
    if all(mask is None for mask in masks):
        return None
    counted = [
        np.ones(spec_of(x).shape, bool) if mask is None else ops.broadcast_to(over(mask, x), spec_of(x).shape)
        for x, mask in zip(parts, masks, strict=True)
    ]
    joined = ops.concatenate(counted, axis=axis)
    return ops.any(joined, axis=tuple(range(2, spec_of(joined).ndim)))


def clean(x: Any, mask: Any) -> Any:
    """`x` (N, T, ...) with 0 for the steps that `mask` (N, T) leaves out, so that a NaN in them reaches no gradient.

    A `where` behind a product is not enough: its derivative is 0 there, and 0 times NaN is NaN.

    >>> clean(np.array([[1.0, np.nan]]), np.array([[True, False]]))
    array([[1., 0.]])
    """
    return x if mask is None else ops.where(over(mask, x), x, np.zeros((), spec_of(x).dtype))


def values_and_masks(who: str, inputs: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """The values and the masks, None where there are none, of what is merged; raises the errors of `check_mask`."""
    parts, masks = map(list, zip(*map(split_mask, inputs), strict=True))
    for x, mask in zip(parts, masks, strict=True):
        if mask is not None:
            check_mask(x, mask, f"{who}: ")
    return parts, masks


def finite_padding(x: Any) -> Any:
    """The inputs of a network with 0 for what is not finite in the steps that the mask of a `Masked` leaves out."""

    def finite(part: Any) -> Any:
        values, mask = split_mask(part)
        if mask is None or spec_of(values).dtype.kind != "f" or spec_of(mask).dtype.kind != "b":
            return part
        if spec_of(mask).shape != spec_of(values).shape[: spec_of(mask).ndim]:  # a layer will say so
            return part
        return Masked(ops.where(ops.logical_or(over(mask, values), ops.isfinite(values)), values, 0), mask)

    return x if is_operand(x) else tree.map(finite, x, is_leaf=lambda p: isinstance(p, Masked))


def over(mask: Any, x: Any) -> Any:
    """The mask (N, T) with axes of size 1 for the further ones of x: (N, T, ...)."""
    shape = spec_of(mask).shape
    return ops.reshape(mask, (*shape, *(1,) * (spec_of(x).ndim - len(shape))))


def _aligned(masks: Sequence[Any]) -> list[Any]:
    """The masks with equally many axes, counted from the first one, or a `ShapeError` where they do not fit."""
    shapes = [spec_of(mask).shape for mask in masks]
    rank = max(map(len, shapes))
    wide = [(*shape, *(1,) * (rank - len(shape))) for shape in shapes]
    if any(n not in (1, max(sizes)) for sizes in zip(*wide, strict=True) for n in sizes):
        given = ", ".join(map(str, shapes))
        raise ShapeError(f"inputs that are merged must be masked at the same steps, received masks of shapes {given}.")
    return [ops.reshape(m, s) if s != spec_of(m).shape else m for m, s in zip(masks, wide, strict=True)]
