"""Targets, predictions and weights brought to shapes that fit, and errors that name the shape that was meant."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from fnet.errors import ShapeError
from fnet.losses.values import require_whole
from fnet.ops.arithmetic import equal, not_equal
from fnet.ops.nn import check_labels
from fnet.ops.promotion import astype, lift
from fnet.ops.shape import broadcast_to, expand_dims, reshape, squeeze
from fnet.transforms.primitive import spec_of

Shape = tuple[int, ...]


def as_floating(x: Any) -> Any:
    """`x` as it is if floating, else as float32."""
    x = lift(x)
    return x if x.dtype.kind == "f" else astype(x, np.float32)


def same_rank(a: Any, b: Any) -> tuple[Any, Any]:
    """``(B,)`` beside ``(B, 1)``: ranks that differ by an axis of size 1 at the end are made equal, as in Keras.

    The lower rank is expanded if it is 1, else the higher one is squeezed; anything else is left as it is.
    """
    if spec_of(a).ndim > spec_of(b).ndim:
        b, a = same_rank(b, a)
        return a, b
    low, high = spec_of(a).shape, spec_of(b).shape
    if len(high) != len(low) + 1 or high[-1] != 1:
        return a, b
    return (expand_dims(a, -1), b) if len(low) == 1 else (a, squeeze(b, -1))


def pair(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Targets and predictions of one shape, in the dtype of the predictions (float32 if these are integers).

    y_true, y_pred: (B, ..., D). Raises `ShapeError` where Keras would broadcast: samples must match one to one.
    """
    y_pred = as_floating(y_pred)
    y_true, y_pred = same_rank(astype(lift(y_true), y_pred.dtype), y_pred)
    have, wanted = y_true.shape, y_pred.shape
    if not wanted:
        raise ShapeError(f"{name}: expected arrays with a batch axis, received scalars. Wrap them: [[y]].")
    if have != wanted:
        hint = _meant(have, wanted)
        raise ShapeError(f"{name}: expected y_true shaped like y_pred, {wanted}, received {have}. {hint}")
    return y_true, y_pred


def labels(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels as int64, one for each row of the predictions.

    y_true: (B, ...) or (B, ..., 1), whole numbers in [0, C); y_pred: (B, ..., C). Raises `ShapeError`, and
    `ValueRangeError` naming the sample of a label that is out of range or no whole number.
    """
    y_true, y_pred = label_shapes(name, y_true, y_pred)
    return whole_labels(name, y_true, y_pred.shape[-1]), y_pred


def label_shapes(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    """Labels, one for each row of the predictions, of which only the shape is checked."""
    y_pred, y_true = as_floating(y_pred), lift(y_true)
    have, wanted = y_true.shape, y_pred.shape
    if not wanted:
        raise ShapeError(f"{name}: expected y_pred of shape (batch, classes), received a scalar.")
    if len(have) == len(wanted) and have[-1] == 1:
        y_true, have = squeeze(y_true, -1), have[:-1]
    if have != wanted[:-1]:
        hint = (
            "For one-hot targets use categorical_crossentropy (or categorical_accuracy)."
            if have == wanted
            else _meant(have, wanted[:-1])
        )
        raise ShapeError(f"{name}: expected labels of shape {wanted[:-1]} for y_pred {wanted}, received {have}. {hint}")
    return y_true, y_pred


def whole_labels(name: str, y_true: Any, classes: int) -> Any:
    """Labels as int64, checked to be whole numbers in [0, classes) where they are known."""
    require_whole(name, y_true, "For target distributions use the categorical form.")
    whole = astype(y_true, np.int64)
    check_labels(whole, classes)
    return whole


def is_class(labels: Any, label: int) -> Any:
    """Where labels of any dtype are `label`, also one that this dtype does not have."""
    dtype = spec_of(labels).dtype
    if dtype.kind == "b":
        return equal(astype(labels, np.int64), label)
    if dtype.kind in "iu" and not np.iinfo(dtype).min <= label <= np.iinfo(dtype).max:
        return not_equal(labels, labels)
    return equal(labels, label)


def weights_for(name: str, sample_weight: Any, values: Any) -> Any:
    """Weights in the dtype and rank of `values`, ready to broadcast against them.

    values: (B, T, ...), sample_weight: scalar, (B,), (B, 1), (B, T), ... -> e.g. (B, 1, ...). Raises `ShapeError`.
    """
    spec = spec_of(values)
    weights = astype(lift(sample_weight), spec.dtype)
    shape = weights.shape
    fitted = shape[:-1] if len(shape) == spec.ndim + 1 and shape[-1] == 1 else shape
    fitted += (1,) * (spec.ndim - len(fitted))
    if len(fitted) != spec.ndim or any(w not in (1, n) for w, n in zip(fitted, spec.shape, strict=False)):
        hint = (
            f"Give one weight per sample, {spec.shape[:1]}, or one per value."
            if spec.shape
            else "1-D targets are one sample; for one value per sample give y_true and y_pred the shape (batch, 1)."
        )
        raise ShapeError(f"{name}: sample_weight {shape} does not fit the values, expected {spec.shape}. {hint}")
    return reshape(weights, fitted)


def mask_for(name: str, mask: Any, values: Any) -> Any:
    """The mask (B, T) spread over the values (B, T, ...)."""
    have, wanted = spec_of(mask).shape, values.shape
    if have != wanted[: len(have)]:
        raise ShapeError(
            f"{name}: the mask of y_pred {have} does not fit the values of the loss {wanted}. "
            f"Give the loss one value per step, or take the mask off with fnet.masking.unmasked."
        )
    return mask if have == wanted else broadcast_to(reshape(mask, have + (1,) * (len(wanted) - len(have))), wanted)


def _meant(have: Shape, wanted: Shape) -> str:
    """What the user most likely meant by `have`, where `wanted` was expected."""
    if len(have) == len(wanted) >= 2 and have == wanted[::-1]:
        return f"It looks transposed: pass y_true.T of shape {wanted}."
    if have[:1] != wanted[:1]:
        if math.prod(have) == math.prod(wanted):
            return f"Pass y_true.reshape({wanted})."
        if have and wanted:
            return f"y_true has {have[0]} samples and y_pred {wanted[0]}: pass the targets of the same batch."
    if math.prod(have) == math.prod(wanted):
        return f"Pass y_true.reshape({wanted})."
    if len(wanted) == len(have) + 1 or (len(wanted) == len(have) and have[-1:] == (1,)):
        return (
            "For integer class labels use the sparse_categorical form; "
            f"for one number per sample let the network end in {(*wanted[:-1], 1)}."
        )
    if len(wanted) == len(have):
        return f"Let the network end in {have[-1]} units, or pass y_true of shape {wanted}."
    return f"Pass y_true of shape {wanted}."
