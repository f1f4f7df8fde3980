"""The mask of what is made of several inputs, each with a mask (N, T) or None."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import ops, tree
from fnet.errors import ShapeError
from fnet.masking import Masked, check_mask, split_mask
from fnet.transforms.operand import is_operand
from fnet.transforms.primitive import spec_of


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
