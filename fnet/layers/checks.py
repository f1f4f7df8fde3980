"""Checks that layers share: shapes at init; inputs, parameters and keys at apply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.masking import check_mask, split_mask
from fnet.networks.samples import is_single
from fnet.ops.promotion import lift
from fnet.random import fold_in

_AXES = {1: "steps", 2: "height, width", 3: "depth, height, width"}


def one_shape(layer: str, shape: Any) -> tuple[int | None, ...]:
    """The shape of a layer's only input, or a `ShapeError`."""
    if not is_single(shape):
        raise ShapeError(f"{layer} takes one input, received shapes {shape}. Merge them first, or use parallel.")
    return shape


def known_size(layer: str, shape: Any, axis: int = -1) -> int:
    """The size of one axis of the input, which parameters depend on, so it must exist and not be None."""
    one_shape(layer, shape)
    if not -len(shape) <= axis < len(shape):
        raise ShapeError(f"{layer} expects a feature axis: shape (..., features), received {shape}.")
    size = shape[axis]
    if size is None:
        raise ShapeError(f"{layer} makes parameters for axis {axis}, so its size must be known, received {shape}.")
    return size


def image_shape(layer: str, shape: Any, rank: int) -> tuple[int | None, ...]:
    """The shape of samples with `rank` axes before the channels, or a `ShapeError`."""
    one_shape(layer, shape)
    if len(shape) != rank + 1:
        raise ShapeError(f"{layer} takes samples of shape ({_AXES[rank]}, channels), received {shape}.")
    return shape


def image(layer: str, x: Any, rank: int) -> Any:
    """A batch of samples with `rank` axes before the channels, or a `ShapeError`."""
    x = lift(x)
    received = x.shape
    if len(received) != rank + 2:
        hint = " Add a batch axis: x[None]." if len(received) == rank + 1 else ""
        raise ShapeError(f"{layer}: expected an input (batch, {_AXES[rank]}, channels), received {received}.{hint}")
    return x


def check_data_format(layer: str, data_format: Any) -> None:
    """Raise a `ValueRangeError` for any other format than channels on the last axis."""
    if data_format is not None and not (isinstance(data_format, str) and data_format == "channels_last"):
        raise ValueRangeError(
            f"{layer}: data_format is channels_last, received {data_format!r:.40}. Move the channels of the images "
            f"to the last axis: np.moveaxis(x, 1, -1)."
        )


def entries(layer: str, params: Any, *names: str) -> tuple[Any, ...]:
    """The parameters of these names, or a `StructureError` that says which are missing or unexpected."""
    given = set(params) if isinstance(params, Mapping) else set()
    if given == set(names):
        return tuple(params[name] for name in names)
    missing, unexpected = ([f"'{n}'" for n in sorted(found)] for found in (set(names) - given, given - set(names)))
    raise StructureError(
        f"{layer}: parameters do not fit: missing {', '.join(missing) or 'none'}, "
        f"unexpected {', '.join(unexpected) or 'none'}. Pass what init of this network returned."
    )


def parameters(layer: str, params: Any, shapes: Mapping[str, tuple[int | None, ...]]) -> tuple[Any, ...]:
    """The parameters of these names and shapes, where None is any size, or an error that says what does not fit."""
    values = tuple(map(lift, entries(layer, params, *shapes)))
    for (name, expected), value in zip(shapes.items(), values, strict=True):
        received = value.shape
        if len(received) != len(expected) or any(e not in (None, n) for e, n in zip(expected, received, strict=True)):
            raise ShapeError(
                f"{layer}: expected '{name}' of shape {str(expected).replace('None', 'any')}, received {received}. "
                f"Pass what init of this network returned."
            )
    return values


def masked_input(layer: str, x: Any) -> tuple[Any, Any]:
    """Values and mask of an input, the mask None or boolean for the steps of the values, or an error."""
    values, mask = split_mask(x)
    if mask is not None:
        check_mask(values, mask, f"{layer}: ")
    return values, mask


def needed_key(layer: str, key: Any) -> Any:
    """The key of a layer that is random in training, or an error that says how to give one."""
    if key is None:
        raise StructureError(
            f"{layer} is random in training and needs a key: net.apply(params, state, x, key=fnet.random.key(0), "
            f"train=True), with a new key (fnet.random.split) for every step."
        )
    return key


def stream(layer: str, key: Any, seed: int | None) -> Any:
    """The key from which a layer with this `seed` draws its numbers; without a key an error, as from `needed_key`."""
    key = needed_key(layer, key)
    return key if seed is None else fold_in(key, seed)
