"""What the attention layers have in common: query, value and key with their masks, and weights from scores."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from fnet import ops
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers.checks import known_size, masked_input
from fnet.masking import both, clean
from fnet.networks.samples import is_single
from fnet.ops.promotion import astype, lift
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import spec_of

ROLES = ("query", "value", "key")


class Inputs(NamedTuple):
    """What an attention layer is applied to; `visible` is true where a query sees a key, None for everywhere."""

    query: Any
    value: Any
    key: Any
    query_mask: Any
    visible: Any


def inputs(kind: str, x: Any, masked: bool = False) -> Inputs:
    """The inputs in `x`: one for self-attention, or (query, value) or (query, value, key); with `masked` a mask last.

    A query sees a key where the mask given and those of the `fnet.masking.Masked` inputs are true: of the query at its
    step, of value and key at theirs. visible: (N, 1 or H, 1 or T, 1 or S).
    """
    given = tuple(x) if isinstance(x, tuple | list) else (x,)
    values, masks = zip(*(masked_input(kind, part) for part in given), strict=True) if given else ((), ())
    roles, mask = _roles(kind, values, masked)
    (query_mask, value_mask, key_mask), _ = _roles(kind, masks, masked)
    query, value, key = (lift(role) for role in roles)
    given_mask = None if mask is None else _with_heads(kind, lift(mask), query, key)
    if given_mask is not None:
        query = _checked_by_values(kind, query, given_mask)
        given_mask = astype(given_mask, np.bool_)
    of_steps = value_mask if key_mask is value_mask else both(value_mask, key_mask)
    parts = [
        None if query_mask is None else ops.reshape(query_mask, (*spec_of(query_mask).shape[:1], 1, -1, 1)),
        None if of_steps is None else ops.reshape(of_steps, (*spec_of(of_steps).shape[:1], 1, 1, -1)),
        given_mask,
    ]
    seen = both(of_steps, None if given_mask is None else ops.any(given_mask, axis=(1, 2)))
    return Inputs(
        clean(query, query_mask), clean(value, seen), clean(key, seen), query_mask, functools.reduce(both, parts)
    )


def sizes(kind: str, shape: Any, masked: bool = False) -> tuple[int, int, int]:
    """The features of query, value and key for inputs of `shape`."""
    roles, _ = _roles(kind, (shape,) if is_single(shape) else tuple(shape), masked)
    return _features(kind, roles[0]), _features(kind, roles[1]), _features(kind, roles[2])


def check_inputs(kind: str, given: Inputs, expected: Sequence[int | None]) -> None:
    """Raise a `ShapeError` where query, value and key do not have these features (None: any) or do not fit."""
    shapes = {role: spec_of(getattr(given, role)).shape for role in ROLES}
    for (role, shape), features in zip(shapes.items(), expected, strict=True):
        if len(shape) != 3 or features not in (None, shape[-1]):
            raise ShapeError(
                f"{kind}: expected a {role} (batch, steps, {features or 'features'}), received {shape}. "
                f"Init the network for this shape."
            )
    if shapes["key"][:2] != shapes["value"][:2] or shapes["query"][0] != shapes["key"][0]:
        received = ", ".join(f"{role} {shape}" for role, shape in shapes.items())
        raise ShapeError(f"{kind}: key and value need as many steps, all equal batches: received {received}.")


def masked_softmax(scores: Any, visible: Any, causal: bool) -> Any:
    """The softmax over keys of what each query sees, 0 for what it does not: (..., T, S)."""
    if causal:
        visible = both(visible, beside(_earlier(*spec_of(scores).shape[-2:]), scores))
    return ops.softmax(scores if visible is None else ops.where(visible, scores, -np.inf))


def _earlier(queries: int, keys: int) -> np.ndarray:
    """Whether a key is at the place of the query or before, (T, S): a view that takes no memory of its own."""
    row = np.arange(queries + keys + 1) <= queries
    return np.lib.stride_tricks.as_strided(row[queries:], (queries, keys), (-1, 1), writeable=False)


def _roles(kind: str, given: tuple[Any, ...], masked: bool) -> tuple[tuple[Any, Any, Any], Any]:
    """(query, value, key) and the mask or None, of inputs, of their masks or of their shapes."""
    *parts, mask = given if masked and given else (*given, None)
    if not 1 <= len(parts) <= 3:
        wanted = "x, (query, value) or (query, value, key)" + (", and the mask last" if masked else "")
        raise StructureError(f"{kind} takes {wanted}, received {len(given)} inputs.")
    query, value = parts[0], parts[min(1, len(parts) - 1)]
    return (query, value, parts[2] if len(parts) == 3 else value), mask


def _features(kind: str, shape: Any) -> int:
    size = known_size(kind, shape)
    if len(shape) != 2:
        raise ShapeError(f"{kind}: expected a shape (steps, features), received {shape}.")
    return size


def _checked_by_values(kind: str, query: Any, mask: Any) -> Any:
    """The query, NaN for samples whose mask is of floating point and has other values than 0 and 1.

    Raises `ValueRangeError` where the values are known, for those of an additive mask above all.
    """
    if spec_of(mask).dtype.kind != "f":
        return query
    fits = ops.logical_or(ops.equal(mask, 0), ops.equal(mask, 1))
    if not is_known(fits):
        samples = ops.reshape(ops.all(fits, axis=(1, 2, 3)), (-1, 1, 1))
        return ops.where(samples, query, np.nan)
    if not fits.all():
        raise ValueRangeError(
            f"{kind}: a mask is true, or 1, where a query sees a key, received {mask[~fits][0]}. For an additive mask, "
            f"0 where it sees and -inf elsewhere: mask == 0."
        )
    return query


def _with_heads(kind: str, mask: Any, query: Any, key: Any) -> Any:
    """A mask (N, S), (N, T, S) or (N, H, T, S) with the axes that it lacks, of size 1, like those that broadcast."""
    shape, of_query, of_key = (spec_of(x).shape for x in (mask, query, key))
    if 2 <= len(shape) <= 4:
        wide = (shape[0], *(1,) * (4 - len(shape)), *shape[1:])
        expected = (*of_query[:1], wide[1], *of_query[1:2], *of_key[1:2])
        if all(given in (1, size) for given, size in zip(wide, expected, strict=False)):
            return ops.reshape(mask, wide)
    raise ShapeError(
        f"{kind}: expected a mask (N, S), (N, T, S) or (N, H, T, S), received {shape} for a query of shape {of_query} "
        f"and a key of shape {of_key}."
    )
