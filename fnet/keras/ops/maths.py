"""Operations of ``keras.ops.math``: segments, the largest, frames of signals, distances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import ops
from fnet.errors import ValueRangeError
from fnet.keras.ops.calls import call, of_arrays
from fnet.keras.ops.row_sums import sums_of_rows
from fnet.ops.promotion import lift
from fnet.transforms.operand import beside, is_known


def _segments(segment_ids: Any, num_segments: int | None) -> int:
    """How many segments there are."""
    if num_segments is not None:
        return int(num_segments)
    if not is_known(segment_ids):
        raise ValueRangeError("segments: the ids are not known here, so say how many there are: num_segments=.")
    return int(np.max(segment_ids)) + 1 if np.size(segment_ids) else 0


@of_arrays
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """Sums of the rows of each segment, in their order: data (N, ...), segment_ids (N,) -> (num_segments, ...).

    A row of a segment that is not there counts nowhere.
    """
    count = _segments(segment_ids, num_segments)
    ids = ops.astype(lift(segment_ids), np.int64)
    inside = ops.logical_and(ops.greater_equal(ids, 0), ops.less(ids, count))
    return sums_of_rows(data, ops.where(inside, ids, count), count)


def _by_order(name: str, fold: Callable[..., Any], start: float) -> Callable[..., Any]:
    def segment(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
        count = _segments(segment_ids, num_segments)
        own = ops.equal(ops.expand_dims(segment_ids, 0), np.arange(count)[:, None])
        own = ops.reshape(own, (*own.shape, *(1,) * (data.ndim - 1)))
        kind = data.dtype
        limits = np.finfo(kind) if kind.kind == "f" else np.iinfo(kind)
        rest = {1: 1, -np.inf: -np.inf if kind.kind == "f" else limits.min}.get(
            start, np.inf if kind.kind == "f" else limits.max
        )
        return fold(ops.where(own, ops.expand_dims(data, 0), np.asarray(rest, kind)), 1)

    segment.__name__ = name
    segment.__doc__ = f"The {name.removeprefix('segment_')} of the rows of each segment; see `segment_sum`."
    return of_arrays(segment)


segment_max = _by_order("segment_max", ops.max, -np.inf)
segment_min = _by_order("segment_min", ops.min, np.inf)
segment_prod = _by_order("segment_prod", ops.prod, 1)


@of_arrays
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Any, Any]:
    """The k largest elements of each row, and their positions: int32."""
    values, positions = ops.top_k(x, k)
    return values, ops.astype(positions, "int32")


@of_arrays
def in_top_k(targets: Any, predictions: Any, k: int) -> Any:
    """Whether the score of each target is among the k largest of its row; equal scores are all among them.

    targets: (N,), predictions: (N, C) -> (N,). False for scores that are not finite.
    """
    own = ops.take_along_axis(predictions, ops.expand_dims(ops.astype(targets, "int64"), 1), 1)
    larger = ops.sum(ops.greater(predictions, own), 1)
    return ops.logical_and(ops.less(larger, k), ops.squeeze(ops.isfinite(own), 1))


@of_arrays
def extract_sequences(x: Any, sequence_length: int, sequence_stride: int) -> Any:
    """Frames of the last axis: (..., T) -> (..., frames, sequence_length)."""
    count = 1 + (x.shape[-1] - sequence_length) // sequence_stride
    places = np.arange(count)[:, None] * sequence_stride + np.arange(sequence_length)
    return ops.take(x, beside(places, x), -1)


@of_arrays
def cdist(x: Any, y: Any) -> Any:
    """The Euclidean distances of all rows: (..., N, D), (..., M, D) -> (..., N, M)."""
    return ops.norm(ops.subtract(ops.expand_dims(x, -2), ops.expand_dims(y, -3)), -1)


def rsqrt(x: Any) -> Any:
    """``1 / sqrt(x)``."""
    return call(ops.rsqrt, x)
