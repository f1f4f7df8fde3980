"""A layer applied to every step of a sequence."""

from __future__ import annotations

from typing import Any

from fnet import ops, tree
from fnet.errors import ShapeError
from fnet.layers.checks import one_shape
from fnet.layers.constructor import LAYERS, layer_constructor
from fnet.masking import Masked, both, check_mask, counted_samples, counting, join_mask, split_mask
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer
from fnet.networks.members import check_layers
from fnet.ops.promotion import lift
from fnet.regularizers import RegularizerLike
from fnet.transforms.primitive import spec_of


@LAYERS.named()
@layer_constructor(masks="used")
def TimeDistributed(
    layer: Layer, *, activity_regularizer: RegularizerLike = None, trainable: bool = True, name: str | None = None
) -> Layer:
    """``y[:, t] = layer(x[:, t])``, with the same weights for all t.

    x: (N, T, ...) -> (N, T, ...). The layer sees the N T steps as one batch, so one that mixes the samples of a batch
    (BatchNormalization in training) mixes the steps that count. The output has the mask (N, T) of x. Of sequences of
    sequences, with a mask (N, T, S), the layer gets ``mask[:, t]``; the output has the mask that it returns, or is
    masked where all of S is. Raises `ShapeError` for an input without an axis of time. Source: Keras
    ``TimeDistributed``.

    >>> from fnet.layers import Dense
    >>> TimeDistributed(Dense(3)).out_shape((5, 4))
    (5, 3)
    """
    check_layers("TimeDistributed", (layer,))
    body = serial(layer)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        if len(one_shape("TimeDistributed", shape)) < 2:
            raise ShapeError(f"TimeDistributed expects the shape (time, ..., features), received {shape}.")
        return body.init(key, shape[1:], dtype)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        x, mask = split_mask(x)
        x = lift(x)
        shape = x.shape
        if len(shape) < 3:
            raise ShapeError(f"TimeDistributed: expected an input (batch, time, ..., features), received {shape}.")
        mask = None if mask is None else _checked(lift(mask), x)
        of_steps = None if mask is None or mask.ndim == 2 else _joined(mask)
        with counting(_counted_steps(mask, shape[:2])):
            y, state = body.apply(params, state, join_mask(_joined(x), of_steps), key=key, train=train)
        return tree.map(lambda part: _parted(part, shape[:2], mask), y, is_leaf=_is_masked), state

    return Layer(init, apply, children=(layer,), entries=body.entries, masks="used", container=True)


def _checked(mask: Any, x: Any) -> Any:
    shape, received = x.shape, mask.shape
    if len(received) < 2 or received != shape[: len(received)]:
        raise ShapeError(
            f"TimeDistributed: expected a mask (N, T) = {shape[:2]} of the input {shape}, received {received}."
        )
    check_mask(x, mask, "TimeDistributed: ")
    return mask


def _counted_steps(mask: Any, batch: tuple[int, ...]) -> Any:
    """(N T,): of all steps, whether they count in the mask (N, T, ...), or (N,) of the samples from further out."""
    steps = None if mask is None else ops.any(mask, axis=tuple(range(2, mask.ndim)))
    samples = counted_samples(batch[0])
    wide = None if samples is None else ops.broadcast_to(ops.expand_dims(samples, 1), batch)
    counted = both(steps, wide)
    return None if counted is None else ops.reshape(counted, -1)


def _joined(x: Any) -> Any:
    """(N, T, ...) -> (N T, ...)."""
    n, steps, *sample = x.shape
    return ops.reshape(x, (n * steps, *sample))


def _parted(y: Any, batch: tuple[int, ...], mask: Any) -> Any:
    """(N T, ...) -> (N, T, ...), with its own mask or one of steps."""
    values, own = split_mask(y)
    values, own = (
        None if part is None else ops.reshape(part, (*batch, *spec_of(part).shape[1:])) for part in (values, own)
    )
    if own is None and mask is not None:
        own = ops.any(mask, axis=tuple(range(2, mask.ndim))) if mask.ndim > 2 else mask
    return join_mask(values, own)


def _is_masked(part: Any) -> bool:
    return isinstance(part, Masked)
